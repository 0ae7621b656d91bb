"""CPU of one render of an HAProxy template with 1,000 servers, beside Go's own text/template.

    python -m bench.gotemplate [--servers 1000] [--renders 50]

The template is compiled before; Go takes part where it is installed (Debian package: golang-go).
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure, report
from sidecar.gotemplate.template import compile_template
from tests.compat.go.program import Case, build, run_go

TEXT = """\
global
  maxconn 10000
defaults
  mode http
{{range $name, $service := .services}}
backend {{$name}}
  balance roundrobin
{{- if $service.check}}
  option httpchk {{$service.check.method}} {{$service.check.path}}
{{- end}}
{{- range $i, $server := $service.servers}}
  server {{$server.name}} {{$server.address}}:{{$server.port}} weight {{$server.weight}}
  {{- if $server.check}} check inter 2s{{end}}
  {{- if eq $server.state "drain"}} disabled{{end}}
{{- end}}
{{end}}"""
PRINTF = """\
{{range $s := .servers}}
{{- printf "  server %s %s:%d weight %d\\n" .name .address .port .weight}}
{{- end}}"""


@dataclass(frozen=True)
class Server:
    """A server as an object instead of a mapping."""

    name: str
    address: str
    port: int
    weight: int


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.gotemplate")
    parser.add_argument("--servers", type=int, default=1000)
    parser.add_argument("--renders", type=int, default=50, choices=range(1, 501))
    args = parser.parse_args()
    many = args.servers
    servers = [_server(number) for number in range(many)]
    data = {"services": {f"svc{at}": _service(servers[at::10]) for at in range(10)}}
    plain = Case(TEXT, data)
    formatted = Case(PRINTF, {"servers": servers})
    objects = compile_template(
        "t",
        PRINTF.replace(".name", ".Name")
        .replace(".a", ".A")
        .replace(".port", ".Port")
        .replace(".weight", ".Weight"),
    )
    records = {
        "servers": [Server(s["name"], s["address"], s["port"], s["weight"]) for s in servers]
    }  # type: ignore[arg-type]
    figures = []
    for what, case in ((f"{many} servers, fields", plain), (f"{many} servers, printf", formatted)):
        template = compile_template("t", case.text)
        figures.append(Figure(what, "ms", 6, _timed(template.execute, case.data, args.renders)))
    figures.append(
        Figure(f"{many} objects, printf", "ms", 6, _timed(objects.execute, records, args.renders))
    )
    status = report(figures)
    template = compile_template("t", TEXT)
    walked = Figure(
        "the same fields, walked and not compiled", "ms", 60, _timed(template.walk, data, 5)
    )
    print(walked)
    _beside_go([plain, formatted], args.renders)
    return status


def _server(number: int) -> dict[str, object]:
    return {
        "name": f"server{number}",
        "address": f"192.0.2.{number % 256}",
        "port": 8000 + number,
        "weight": number % 100,
        "check": True,
        "state": "drain" if number % 50 == 0 else "ready",
    }


def _service(servers: list[dict[str, object]]) -> dict[str, object]:
    return {"check": {"method": "GET", "path": "/health"}, "servers": servers}


def _timed(render: Callable[[object], str], data: object, times: int) -> list[float]:
    """Return the CPU of each render in milliseconds; the first compiles and does not count."""
    render(data)
    spent = []
    for _ in range(times):
        start = time.process_time()
        render(data)
        spent.append((time.process_time() - start) * 1000)
    return spent


def _beside_go(cases: list[Case], times: int) -> None:
    if shutil.which("go") is None:
        print("go is absent: nothing to compare with")
        return
    with tempfile.TemporaryDirectory() as folder:
        program = build(Path(folder))
        for case, expected in zip(cases, run_go(program, cases), strict=True):
            assert compile_template("t", case.text).execute(case.data) == expected.out
        for case, answer in zip(cases, run_go(program, cases, str(times)), strict=True):
            lines = case.text.count("\n")
            print(
                f"Go's text/template, template of {lines} lines: {float(answer.out) / 1000:.2f} ms"
            )


if __name__ == "__main__":
    raise SystemExit(main())
