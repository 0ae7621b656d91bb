"""From a change in Consul to the file: a hundred templates of a hundred keys, and one of three.

``--peer PATH`` measures a real confd beside it, in the same run on the same Consul; it reads the
whole tree for each resource at each change, because its watch is on the prefix.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from bench.templater import Keys
from deploy.tools.consul import Consul
from tests.support.confd import Confd
from tests.support.pinnace import until

TEMPLATE = '{{range gets "/svc%d/*"}}{{.Key}}={{.Value}}\n{{end}}'


def measure(consul: Consul, keys: Keys, templates: int, each: int, program: Path | None) -> None:
    """Print how long changes take and what they cost."""
    with tempfile.TemporaryDirectory() as folder, Confd(Path(folder), program=program) as confd:
        confd.backend = ("-backend", "consul", "-node", f"127.0.0.1:{consul.ports['http']}")
        files = []
        for number in range(templates):
            for key in range(each):
                keys.put(f"svc{number}/k{key:03}", "0")
            name = f"r{number}"
            files.append(confd.resource(name, TEMPLATE % number, keys=f'["/svc{number}"]'))
        confd.start("-watch")
        until(lambda: all(path.exists() for path in files), limit=120)
        time.sleep(2)
        before = _ticks(confd.pid)
        times = sorted(_change(keys, files, change) for change in range(1, 31))
        spent = (_ticks(confd.pid) - before) * 10 / len(times)
        print(
            f"{'confd' if program else 'ours '} {templates:3} templates x {each:3} keys:"
            f" p50 {times[15] * 1e3:.1f} ms, p95 {times[28] * 1e3:.1f} ms,"
            f" longest {times[-1] * 1e3:.1f} ms, {spent:.1f} ms CPU per change,"
            f" {_memory(confd.pid)}"
        )


def _change(keys: Keys, files: list[Path], number: int) -> float:
    at = number % len(files)
    begun = time.perf_counter()
    keys.put(f"svc{at}/k001", str(number))
    until(lambda: f"/k001={number}\n" in files[at].read_text(), limit=30, pause=0.0005)
    took = time.perf_counter() - begun
    time.sleep(0.05)
    return took


def _ticks(pid: int) -> int:
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))


def _memory(pid: int) -> str:
    status = Path(f"/proc/{pid}/status").read_text()
    return status.partition("VmRSS:")[2].split("\n")[0].strip()


def main() -> int:
    """Run on a private Consul."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", type=Path, help="a real confd to measure too")
    options = parser.parse_args()
    for templates, each in ((1, 3), (100, 100)):
        with Consul() as consul:
            keys = Keys(consul)
            for program in filter(None, [options.peer, "ours"]):
                measure(consul, keys, templates, each, None if program == "ours" else program)
    print("targets: 100 x 100: p50 <= 10 ms, p95 <= 30 ms, none over 1 s, <= 25 ms CPU per change")
    return 0


if __name__ == "__main__":
    sys.exit(main())
