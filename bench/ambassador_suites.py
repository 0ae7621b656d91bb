"""Test suites that nobody here wrote, through the ambassador: Redis' own and redis-py's.

    python -m bench.ambassador_suites [tcl] [redis-py] [benchmark]
        [--way direct|alone|shared|replicas]... [--only unit/type/list]...

Each file of Redis' suite runs against a fresh server (``runtest --host --port --tags -slow``);
what passes directly and not through the ambassador is listed. ``alone`` is ``multiplex: false``,
``shared`` the default with one server, ``replicas`` the default with two replicas. The sources come
from the archive of Debian and the package index, into the folder of downloads.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from deploy.tools.debian import cache_folder, source
from tests.support.ambassador import Ambassador, replicas_of
from tests.support.redis import Redis

WAYS = ("direct", "alone", "shared", "replicas")
_LIMIT = 180.0
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LINE = re.compile(r"^\[(ok|err|ignore|skip|exception)\]: (.*?)(?: \(\d+ ms\)| in tests/\S+)?$")
_SERVER = (
    "--enable-debug-command", "yes", "--enable-protected-configs", "yes",
    "--enable-module-command", "yes",
)  # fmt: skip
_REDIS_PY = "5.0.8"
_LEFT_OUT = ("tests/test_asyncio/test_scripting.py", "tests/test_cluster.py",
             "tests/test_asyncio/test_cluster.py", "tests/test_ssl.py")  # fmt: skip


def main() -> int:
    """Run what is asked for; print what differs."""
    parser = argparse.ArgumentParser(prog="bench.ambassador_suites")
    parser.add_argument("suites", nargs="*", default=["tcl"])
    parser.add_argument("--way", action="append", choices=WAYS, default=[])
    parser.add_argument("--only", action="append", default=[], help="files of Redis' suite")
    args = parser.parse_args()
    ways = args.way or list(WAYS)
    if "tcl" in args.suites:
        tcl(ways, args.only)
    if "redis-py" in args.suites:
        redis_py(ways)
    if "benchmark" in args.suites:
        benchmark(ways)
    return 0


@contextmanager
def served(way: str) -> Iterator[int]:
    """Yield the port where a suite is to connect."""
    with ExitStack() as stack:
        primary = stack.enter_context(Redis(*_SERVER))
        if way == "direct":
            yield primary.port
            return
        environ = {**os.environ, "AMBASSADOR_LISTENER__ALLOW_ADMIN": "all"}
        environ["AMBASSADOR_UPSTREAM__MULTIPLEX"] = str(way != "alone").lower()
        replicas = [stack.enter_context(Redis(*_SERVER)) for _ in range(2 * (way == "replicas"))]
        words = replicas_of(primary, *replicas)
        proxy = stack.enter_context(Ambassador(*words, env=environ))
        if replicas:
            proxy.until_reads(*replicas)
        yield proxy.port


def tcl(ways: list[str], only: list[str]) -> None:
    """Run Redis' suite in each way; list what passes directly and not so."""
    folder = source("redis", cache_folder("redis-source"))
    for program in ("redis-cli", "redis-benchmark", "redis-server"):
        wanted, found = folder / "src" / program, shutil.which(program)
        if found is not None and not wanted.exists():
            wanted.symlink_to(found)
    names = only or _run(["./runtest", "--list-tests"], folder, _LIMIT)[1].split()
    seen: dict[str, dict[tuple[str, str], str]] = {way: {} for way in ways}
    for name in names:
        for way in ways:
            with served(way) as port:
                # Ports of the suite's own: two at a time do not meet.
                place = ["--host", "127.0.0.1", "--port", str(port)]
                place += ["--baseport", str(20_000 + os.getpid() % 1000 * 10)]
                words = ["./runtest", *place, "--tags", "-slow", "--single", name]
                status, text = _run(words, folder, _LIMIT)
            met: Counter[str] = Counter()  # some tests of one file have the same name
            for line in _COLOURS.sub("", text).splitlines():
                if match := _LINE.match(line):
                    met[match[2]] += 1
                    nth = f" #{met[match[2]]}" if met[match[2]] > 1 else ""
                    seen[way][name, match[2] + nth] = match[1]
            if status is None:
                seen[way][name, "the end of the file"] = "not reached"
            oks = sum(kind == "ok" for (one, _), kind in seen[way].items() if one == name)
            print(f"{way}: {name}: {oks} ok, status {status}", flush=True)
    for way, results in seen.items():
        counts = {kind: list(results.values()).count(kind) for kind in sorted({*results.values()})}
        print(f"{way}: {counts}")
        for (name, test), kind in results.items():
            if kind not in {"ok", "ignore", "skip"}:
                print(f"  {kind}: {name}: {test}")


def redis_py(ways: list[str]) -> None:
    """Run redis-py's suite in each way; print its last line and what fails."""
    base = cache_folder(f"redis-py-{_REDIS_PY}")
    tools = ["uv", "run", "--no-project", "--python", sys.executable]
    if not base.is_dir():
        base.mkdir(parents=True)
        words = ["--with", "pip", "python", "-m", "pip", "download", "-q", "--no-deps"]
        _checked([*tools, *words, "--no-binary", "redis", f"redis=={_REDIS_PY}"], base)
        archive = next(base.glob("*.tar.gz"))
        _checked(["tar", "-xf", archive.name, "--strip-components", "1"], base)
    needs = ["pytest<8", "pytest-asyncio<0.24", "pytest-timeout", "numpy", "mock", "packaging"]
    withs = [word for need in needs for word in ("--with", need)]
    for way in ways:
        with served(way) as port:
            words = ["python", "-m", "pytest", "tests", "-q", "-p", "no:cacheprovider"]
            words += ["-o", "asyncio_mode=auto", "--timeout", "60"]
            words += ["-m", "not onlycluster and not redismod and not ssl"]
            words += ["--redis-url", f"redis://127.0.0.1:{port}/0"]
            words += [word for left in _LEFT_OUT for word in ("--ignore", left)]
            _, text = _run([*tools, *withs, *words], base, 900)
        lines = text.splitlines()
        print(f"{way}: {lines[-1] if lines else 'nothing'}")
        for line in lines:
            if line.startswith(("FAILED", "ERROR")):
                print(f"  {line.partition(' - ')[0]}")


def benchmark(ways: list[str]) -> None:
    """Run all tests of redis-benchmark in each way, two depths of pipeline."""
    for way in ways:
        for depth in ("1", "16"):
            with served(way) as port:
                words = ["redis-benchmark", "-p", str(port), "-n", "5000", "-P", depth, "--csv"]
                status, text = _run(words, Path(tempfile.gettempdir()), 2 * _LIMIT)
            print(f"{way}, pipeline {depth}: status {status}, {len(text.splitlines()) - 1} tests")


def _run(words: list[str], folder: Path, limit: float) -> tuple[int | None, str]:
    """Run a program; return its status, None if it did not end in time, and what it said."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            words, cwd=folder, stdout=said, stderr=said, start_new_session=True
        )
        try:
            status: int | None = process.wait(limit)
        except subprocess.TimeoutExpired:
            status = None
            os.killpg(process.pid, 9)
            process.wait()
        said.seek(0)
        return status, said.read().decode(errors="replace")


def _checked(words: list[str], folder: Path) -> None:
    subprocess.run(words, cwd=folder, check=True)


if __name__ == "__main__":
    raise SystemExit(main())
