"""The registrar's figures between a private Docker engine and a real Consul.

Latency is from the moment the docker command line has returned. Many containers at once are
told by a stub that speaks the engine's protocol: three hundred real ones would measure the kernel.
Where a program ``registrator`` is in PATH it is measured side by side.
"""

import argparse
import asyncio
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.figures import Figure, report
from bench.main_job import cpu_seconds, rss
from deploy.tools.consul import Consul
from deploy.tools.engine import PrivateEngine
from tests.support.alone import Alone
from tests.support.docker import document
from tests.support.keeping import url_of
from tests.support.pinnace import until
from tests.support.stub_engine import StubEngine, answer
from tests.support.tap import Tap

PEER = "registrator"


class Seen:
    """Asks Consul over one connection."""

    def __init__(self, consul: Consul) -> None:
        """Connect."""
        self._connection = http.client.HTTPConnection("127.0.0.1", consul.ports["http"])

    def count(self) -> int:
        """Return how many instances of the service are in the catalogue."""
        self._connection.request("GET", "/v1/catalog/service/web")
        return len(json.loads(self._connection.getresponse().read()))


def starts(engine: PrivateEngine, consul: Consul, rounds: int, who: str) -> list[float]:
    """Start one container after the other; return milliseconds until each is in Consul."""
    seen, took = Seen(consul), []
    for number in range(rounds):
        engine.docker(
            "run", "-d", "-P", "--name", f"{who}{number}", "-e", "SERVICE_NAME=web", "web"
        )
        begun = time.perf_counter()
        until(lambda: seen.count() == number + 1, 10, 0.0005)  # noqa: B023 - called at once
        took.append((time.perf_counter() - begun) * 1e3)
    engine.docker("rm", "-f", *(f"{who}{number}" for number in range(rounds)))
    return took


def latency(engine: PrivateEngine, rounds: int) -> tuple[list[Figure], float]:
    """Measure starts, memory after them and the processor time of all."""
    with Consul() as consul, Alone(engine.url, url_of(consul)) as process:
        process.until_ready()
        before = cpu_seconds(process.pid)
        took = starts(engine, consul, rounds, "ours")
        until(lambda: Seen(consul).count() == 0, 10)
        used = cpu_seconds(process.pid) - before
        figures = [
            Figure("docker run returned -> visible in Consul", "ms", 15, took),
            Figure("... the slowest of them", "ms", 60, [max(took)]),
            Figure("RSS after it", "MB", 60, [rss(process.pid)]),
        ]
    return figures, used


def beside(engine: PrivateEngine, rounds: int, ours: Figure, used: float) -> None:
    """Measure the original in the same way and print the ratio, if it is here."""
    program = shutil.which(PEER)
    if program is None or Path(program).resolve().name.startswith(("pinnace", "registrar")):
        print(f"no {PEER} in PATH: nothing to compare with")
        return
    with Consul() as consul:
        command = [program, "-ip", "192.0.2.7", url_of(consul)]
        environ = {**os.environ, "DOCKER_HOST": engine.url, "GL_DISABLE_VERSION_CHECK": "1"}
        with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as process:
            try:
                time.sleep(2)
                before = cpu_seconds(process.pid)
                took = starts(engine, consul, rounds, "theirs")
                time.sleep(2)
                left = Seen(consul).count()
                theirs = cpu_seconds(process.pid) - before
            finally:
                process.kill()
    middle, own = statistics.median(took), statistics.median(ours.values)
    print(f"{PEER}: median {middle:.2f} ms, worst {max(took):.2f} ms; ours is {own / middle:.2f}x")
    print(f"{PEER}: {left} of {rounds} entries left when all containers were removed")
    print(f"processor time: {PEER} {theirs:.2f} s, ours {used:.2f} s: {used / theirs:.2f}x")


@contextmanager
def serving(count: int) -> Iterator[StubEngine]:
    """Run an engine that says that so many containers run."""
    with tempfile.TemporaryDirectory(prefix="pns-") as folder:
        stub = StubEngine(Path(folder) / "docker.sock")
        stub.answers["info"] = answer(b'{"ID":"stub","Name":"stub","ServerVersion":"0"}')
        ids = [f"{number:012d}" for number in range(count)]
        listed = json.dumps([{"Id": id_} for id_ in ids]).encode()
        stub.answers["containers/json"] = answer(listed)
        for number, id_ in enumerate(ids):
            found = document(
                f"box{number}", id_=id_, env=("SERVICE_NAME=web",),
                published={"80/tcp": f"0.0.0.0:{10_000 + number}"},
            )  # fmt: skip
            stub.answers[f"containers/{id_}/json"] = answer(json.dumps(found).encode())
        with _in_thread(stub.running):
            yield stub


@contextmanager
def _in_thread(running: Callable[[], object]) -> Iterator[object]:
    """Hold an asynchronous context open on a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    context = running()
    entered = asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(5)  # type: ignore[attr-defined]
    try:
        yield entered
    finally:
        leaving = context.__aexit__(None, None, None)  # type: ignore[attr-defined]
        asyncio.run_coroutine_threadsafe(leaving, loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


def many(count: int, target: float) -> list[Figure]:
    """Measure the start on so many containers, and that looking again writes nothing."""
    with (
        Consul() as consul,
        serving(count) as stub,
        _in_thread(Tap(consul.ports["http"]).running) as tap,
    ):
        assert isinstance(tap, Tap)
        seen = Seen(consul)
        with Alone(stub.url, url_of(consul, tap.port), resync=1.0) as process:
            until(lambda: "docker engine connected" in process.log_text(), 10, 0.001)
            begun = time.perf_counter()
            until(lambda: seen.count() == count, 20, 0.005)
            took = time.perf_counter() - begun
            until(lambda: '"synced"' in process.log_text(), 5)
            time.sleep(0.5)  # marks are written behind the entries
            before = len(tap.requests)
            time.sleep(3.5)  # three looks
            assert len(tap.requests) > before, "it looked"
            again = [asked for asked in tap.requests[before:] if asked[0] != "GET"]
            figures = [
                Figure(f"{count} containers at the start -> all in Consul", "s", target, [took]),
                Figure("... connections to the engine at once", "", 66, [stub.most_open]),
                Figure("... connections to Consul at once", "", 66, [tap.most_open]),
                Figure("... writes of three more looks", "", 0, [len(again)]),
                Figure("... RSS", "MB", 60, [rss(process.pid)]),
            ]
    return figures


def main() -> int:
    """Run everything and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, help="starts (50)")
    options = parser.parse_args()
    with PrivateEngine() as engine:
        engine.build_images("web")
        figures, used = latency(engine, options.rounds)
        beside(engine, options.rounds, figures[0], used)
    print(f"processor time of {options.rounds} starts and ends: {used:.2f} s")
    figures += many(100, 1.0) + many(300, 3.0)
    return report(figures)


if __name__ == "__main__":
    sys.exit(main())
