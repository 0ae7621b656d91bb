"""Failed requests while one of five backends is replaced again and again under load.

Fifty keep-alive clients go through HAProxy; every half second one new container is started by
``docker run`` and the oldest is stopped by ``docker stop``. The containers finish their requests
in flight after SIGTERM, as a good backend does.
"""

import argparse
import sys
import time

from deploy.tools.engine import PrivateEngine
from tests.support.load import Load
from tests.support.pinnace import Pinnace, until

BACKENDS = 5


def churn(engine: PrivateEngine, pinnace: Pinnace, options: argparse.Namespace) -> int:
    """Run the load and the replacements; return the number of failed requests."""

    def start(number: int) -> str:
        name = f"b{number}"
        engine.docker("run", "-d", "-P", "--name", name, "-e", "SERVICE_NAME=web", "web")
        return name

    running = [start(number) for number in range(BACKENDS)]
    until(lambda: len(pinnace.srv_ports("web")) == BACKENDS)
    number = BACKENDS
    with Load(pinnace.lb_port, "web.localhost", clients=options.clients, path=options.path) as load:
        begun = time.monotonic()
        due = begun
        while time.monotonic() - begun < options.seconds:
            running.append(start(number))
            engine.docker("stop", running.pop(0))
            number += 1
            due += options.every
            time.sleep(max(0.0, due - time.monotonic()))
        took = time.monotonic() - begun
    replaced = number - BACKENDS
    print(f"{load.total} requests in {took:.1f} s ({load.total / took:.0f}/s), {replaced} replaced")
    print(f"failed requests: {len(load.failures)}  target 0")
    for failure in load.failures[:5]:
        print(f"  {failure}")
    return len(load.failures)


def main() -> int:
    """Run on a private engine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--every", type=float, default=0.5, help="seconds between replacements")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--path", default="/", help="/cgi-bin/slow?80 answers after 80 ms")
    options = parser.parse_args()
    with PrivateEngine() as engine:
        engine.build_images("web")
        with Pinnace(engine.url) as pinnace:
            failed = churn(engine, pinnace, options)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
