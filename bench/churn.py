"""Failed requests while one of five backends is replaced again and again under load.

Fifty keep-alive clients go through HAProxy; every half second one new container is started by
``docker run`` and the oldest is stopped by ``docker stop``. The containers finish their requests
in flight after SIGTERM, as a good backend does.
"""

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor

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

    def replace(number: int) -> None:
        start(number)
        engine.docker("stop", f"b{number - BACKENDS}")

    for number in range(BACKENDS):
        start(number)
    until(lambda: len(pinnace.srv_ports("web")) == BACKENDS)
    count = int(options.seconds / options.every)
    load = Load(pinnace.lb_port, "web.localhost", clients=options.clients, path=options.path)
    # Several at once, as one replacement may take longer than the time between two.
    with load, ThreadPoolExecutor(BACKENDS - 1) as pool:
        begun = time.monotonic()
        jobs = []
        for number in range(count):
            time.sleep(max(0.0, begun + number * options.every - time.monotonic()))
            jobs.append(pool.submit(replace, number + BACKENDS))
        for job in jobs:
            job.result()
        took = time.monotonic() - begun
    print(f"{load.total} requests in {took:.1f} s ({load.total / took:.0f}/s), {count} replaced")
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
