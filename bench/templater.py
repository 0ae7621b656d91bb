"""The drop-ins for confd and consul-template on a real Consul: from a change to the file.

A key is written over HTTP; the time ends when the destination holds the new value. Where programs
``confd`` and ``consul-template`` are in PATH they are measured in the same run on the same data.
"""

import argparse
import http.client
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.figures import Figure, report
from bench.main_job import cpu_seconds, rss
from deploy.tools.consul import Consul

PINNACE = Path(sys.executable).with_name("pinnace")
PROGRAMS = ("consul-template", "confd")
START_LIMIT = 60.0
CHANGE_LIMIT = 10.0
PEER_ROUNDS = 10
ROOM = {"limits": {"http_max_conns_per_client": 4000}}
"""A hundred watches and as many reads are more connections than Consul takes by default (200)."""


class Size(NamedTuple):
    """How much there is to keep."""

    templates: int
    keys: int
    rounds: int


class Keys:
    """Writes keys over one connection."""

    def __init__(self, consul: Consul) -> None:
        """Connect."""
        self._connection = http.client.HTTPConnection("127.0.0.1", consul.ports["http"])

    def put(self, key: str, value: str) -> None:
        """Write one key; it is committed when this returns."""
        self._connection.request("PUT", f"/v1/kv/{key}", value)
        self._connection.getresponse().read()


def key(template: int, number: int) -> str:
    """Return the key that a template reads at a place."""
    return f"app/t{template:03d}/k{number:03d}"


def prepare(folder: Path, size: Size) -> None:
    """Write templates and configuration for both programs."""
    for name in ("conf.d", "templates", "out"):
        (folder / name).mkdir()
    config = []
    for number in range(size.templates):
        dest, place = folder / "out" / f"{number}", f"app/t{number:03d}"
        text = '{{range gets "/%s/*"}}{{base .Key}}={{.Value}}\n{{end}}' % place  # noqa: UP031
        (folder / "templates" / f"{number}.tmpl").write_text(text)
        (folder / "conf.d" / f"{number}.toml").write_text(
            f'[template]\nsrc = "{number}.tmpl"\ndest = "{dest}"\nkeys = ["/{place}"]\n'
        )
        source = folder / "templates" / f"{number}.ctmpl"
        source.write_text('{{range ls "%s"}}{{.Key}}={{.Value}}\n{{end}}' % place)  # noqa: UP031
        config.append(f'template {{\n source = "{source}"\n destination = "{dest}"\n}}\n')
    (folder / "config.hcl").write_text("".join(config))


def words(name: str, program: Path, folder: Path, consul: Consul) -> list[str]:
    """Return the command line of a program."""
    address = f"127.0.0.1:{consul.ports['http']}"
    if name == "confd":
        return [
            str(program), "-backend", "consul", "-node", address, "-watch",
            "-confdir", str(folder), "-log-level", "error",
        ]  # fmt: skip
    return [str(program), "-consul-addr", address, "-config", str(folder / "config.hcl")]


def wait_for(path: Path, value: str, limit: float) -> None:
    """Return when a file holds a text."""
    deadline = time.perf_counter() + limit
    wanted = value.encode()
    while time.perf_counter() < deadline:
        try:
            if wanted in path.read_bytes():
                return
        except OSError:
            pass
        time.sleep(0.0005)
    raise TimeoutError(f"{path} does not hold {value}")


def measure(
    label: str, command: Sequence[str], folder: Path, keys: Keys, size: Size
) -> tuple[list[float], float, float]:
    """Return milliseconds of each change, CPU milliseconds per change, and memory."""
    shutil.rmtree(folder / "out")
    (folder / "out").mkdir()
    with (folder / f"{label}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        for number in range(size.templates):
            wait_for(folder / "out" / str(number), "k000=", START_LIMIT)
        time.sleep(1.0)
        before, took = cpu_seconds(process.pid), []
        for count in range(size.rounds):
            template, place = random.randrange(size.templates), random.randrange(size.keys)
            value = f"{label}-{count}."
            begun = time.perf_counter()
            keys.put(key(template, place), value)
            try:
                wait_for(folder / "out" / str(template), f"={value}", CHANGE_LIMIT)
            except TimeoutError as error:
                print(f"{label}: {error} after {CHANGE_LIMIT:g} s")
            took.append((time.perf_counter() - begun) * 1e3)
            time.sleep(random.uniform(0.12, 0.2))
        used = (cpu_seconds(process.pid) - before) / size.rounds * 1e3
        return took, used, rss(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def one_size(size: Size, names: Sequence[str]) -> list[Figure]:
    """Measure all programs with so many templates."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="templater-") as place, Consul(config=ROOM) as consul:
        folder, keys = Path(place), Keys(consul)
        prepare(folder, size)
        for template in range(size.templates):
            for number in range(size.keys):
                keys.put(key(template, number), "first")
        for name in names:
            link = folder / name
            link.symlink_to(PINNACE)
            found = [(f"pinnace-{name}", link)]
            peer = shutil.which(name)
            if peer is None:
                print(f"{name} is not in PATH: measured without it")
            elif Path(peer).resolve() != PINNACE.resolve():
                found.append((f"peer-{name}", Path(peer)))
            for label, program in found:
                command = words(name, program, folder, consul)
                rounds = size.rounds if program == link else min(size.rounds, PEER_ROUNDS)
                asked = size._replace(rounds=rounds)
                figures += figures_of(label, measure(label, command, folder, keys, asked), size)
    return figures


def figures_of(label: str, measured: tuple[list[float], float, float], size: Size) -> list[Figure]:
    """Return the figures of one program."""
    took, used, memory = measured
    ordered = sorted(took)
    what = f"{label}, {size.templates} x {size.keys} keys:"
    middle = 10 if size.templates > 1 else 8
    return [
        Figure(f"{what} change -> file", "ms", middle, took),
        Figure(f"{what} ... p95", "ms", 30, [ordered[int(0.95 * (len(ordered) - 1))]]),
        Figure(f"{what} ... longest", "ms", 1000, [ordered[-1]]),
        Figure(f"{what} CPU per change", "ms", 25, [used]),
        Figure(f"{what} RSS", "MB", 90, [memory]),
    ]


def main() -> int:
    """Measure a hundred templates, then one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--templates", type=int, default=100)
    parser.add_argument("--keys", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--only", choices=PROGRAMS, help="measure one kind of program")
    chosen = parser.parse_args()
    print(f"{os.cpu_count()} processors")
    names = (chosen.only,) if chosen.only else PROGRAMS
    figures = one_size(Size(chosen.templates, chosen.keys, chosen.rounds), names)
    figures += one_size(Size(1, chosen.keys, chosen.rounds), names)
    ours = [figure for figure in figures if figure.what.startswith("pinnace")]
    report([figure for figure in figures if figure not in ours])
    return report(ours)


if __name__ == "__main__":
    sys.exit(main())
