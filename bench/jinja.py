"""CPU of one render of an HAProxy template with 1,000 servers in Jinja2, sandboxed and bounded.

    python -m bench.jinja [--servers 1000] [--renders 50]

The template is compiled before, the catalogue is turned into what templates see before; the second
figure is what one changed instance costs there.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

from bench.figures import Figure, report
from sidecar.catalog.changes import Put, apply
from sidecar.catalog.model import EMPTY, Instance, InstanceId, Snapshot
from templater.jinja.engine import compile_template
from templater.own.world import RECORDS, Reads, View, World

TEXT = """\
global
  maxconn 10000
defaults
  mode http
{% for name, service in services.items() %}

backend {{ name }}
  balance roundrobin
  option httpchk GET /health
{% for server in service.instances %}
  server {{ server.id|haproxy }} {{ server.address }}:{{ server.port }} weight {{ server.weight -}}
  {% if server.meta.check %} check inter 2s{% endif %}
  {%- if server.draining %} disabled{% endif +%}
{% endfor %}
{% endfor %}
"""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.jinja")
    parser.add_argument("--servers", type=int, default=1000)
    parser.add_argument("--renders", type=int, default=50, choices=range(2, 501))
    args = parser.parse_args()
    snapshot = _snapshot(args.servers)
    world = World.of(snapshot)
    template = compile_template("haproxy.cfg", TEXT, records=RECORDS)

    def render() -> str:
        return template.render(View(world, lambda _: (), Reads()).names(), time.monotonic)

    def change(number: int) -> None:
        (old, *_) = snapshot.services["svc0"]
        World.of(apply(snapshot, [Put(replace(old, port=1 + number))]), world)

    assert render().count("  server ") == args.servers
    return report(
        [
            Figure(f"{args.servers} servers", "ms", 4, _timed(lambda _: render(), args.renders)),
            Figure("one changed instance, as templates see it", "ms", 4, _timed(change, 50)),
        ]
    )


def _snapshot(count: int) -> Snapshot:
    return apply(
        EMPTY,
        [
            Put(
                Instance(
                    id=InstanceId(f"server{number}"),
                    service=f"svc{number % 10}",
                    node="node-1",
                    address=f"192.0.2.{number % 256}",
                    port=8000 + number % 1000,
                    weight=number % 100,
                    meta={"check": "yes"},
                    draining=number % 50 == 0,
                )
            )
            for number in range(count)
        ],
    )


def _timed(run: Callable[[int], object], times: int) -> list[float]:
    """Return the CPU of each run in milliseconds; the first does not count."""
    run(0)
    spent = []
    for number in range(times):
        start = time.process_time()
        run(number)
        spent.append((time.process_time() - start) * 1000)
    return spent


if __name__ == "__main__":
    raise SystemExit(main())
