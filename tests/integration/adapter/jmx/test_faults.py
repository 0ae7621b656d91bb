"""JVMs that hang, restart, move, or are none: the scrape is answered, and the next one works."""

import concurrent.futures
import contextlib
import http.client
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.tools.jvm import Beans
from tests.support.jmx import Exporter, value_of
from tests.support.pinnace import until
from tests.support.rmi_stub import (
    Answer,
    RmiStub,
    endless_blocks,
    huge_array,
    nested,
    silence,
    stops_in_the_middle,
)

pytestmark = pytest.mark.jvm

COUNT = 'bench_Thing_Count{name="t1",topic="a"}'


def _up(exporter: Exporter, query: str = "") -> float | None:
    return value_of(exporter.metrics(query), "up")


LIGHT = """
jvmMetrics: false
includeObjectNames: ["bench:*"]
"""


def _when_up(exporter: Exporter) -> str:
    """Return the first scrape that worked."""
    texts = [""]

    def works() -> bool:
        texts[0] = exporter.metrics()
        return value_of(texts[0], "up") == 1

    until(works, 30)
    return texts[0]


@pytest.fixture(scope="module")
def steady(classes: Path) -> Iterator[Beans]:
    """A JVM to freeze and thaw."""
    with Beans(classes, 3) as running:
        yield running


def test_a_jvm_that_hangs_is_answered_for_within_the_time(steady: Beans) -> None:
    with Exporter(f"hostPort: {steady.place}\nscrapeTimeoutSeconds: 2\n{LIGHT}") as exporter:
        until(lambda: _up(exporter) == 1, 30)
        steady.freeze()
        began = time.monotonic()
        text = exporter.metrics()
        assert time.monotonic() - began < 20  # without a limit it is 30 seconds
        assert value_of(text, "up") == 0
        assert (value_of(text, "jmx_scrape_timeout_total") or 0) >= 1
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            # They share one scrape: one by one they would take eight times as long.
            texts = [*pool.map(lambda _: exporter.metrics(), range(8))]
        assert {value_of(text, "up") for text in texts} == {0}
        steady.thaw()
        # Answers to what was asked before are not taken for answers to what is asked now.
        for _ in range(3):
            text = _when_up(exporter)
            assert value_of(text, COUNT) == 1


def test_the_limit_of_who_asks_counts(steady: Beans) -> None:
    with Exporter(f"hostPort: {steady.place}\n") as exporter:
        steady.freeze()
        began = time.monotonic()
        headers = {"X-Prometheus-Scrape-Timeout-Seconds": "1.5"}
        _, _, text = exporter.ask("/metrics", headers)
        steady.thaw()
        assert time.monotonic() - began < 15  # without the header it is 30 seconds
        assert value_of(text, "up") == 0


def test_a_stop_during_a_scrape_is_quiet(steady: Beans) -> None:
    def ask() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            exporter.metrics()

    with Exporter(f"hostPort: {steady.place}\n") as exporter:
        assert _up(exporter) == 1
        steady.freeze()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(ask)
            time.sleep(0.5)  # it is under way now, or it is refused: both are quiet
            assert exporter.stop() == 0
            asked.result(20)
        steady.thaw()
        assert "Traceback" not in exporter.log_text()


def test_a_jvm_that_restarts_is_found_again_wherever_its_objects_are(own: Beans) -> None:
    with Exporter(f"hostPort: {own.place}\n") as exporter:
        assert _up(exporter) == 1
        own.kill()
        assert _up(exporter) == 0
        assert "nothing listens there" in exporter.log_text()
        own.start()  # the registry keeps its port, the objects get a new one
        until(lambda: _up(exporter) == 1, 20)
        assert value_of(exporter.metrics(), COUNT) == 1
        assert "scrape works again" in exporter.log_text()

        own.kill()
        own.start()
        until(lambda: _up(exporter) == 1, 20)
        assert exporter.log_text().count("nothing listens there") == 1


HOSTILE: dict[str, tuple[Answer, str]] = {
    "silent": (silence, "no answer within the scrape's time"),
    "half": (stops_in_the_middle, "no answer within the scrape's time"),
    "endless": (endless_blocks, "maxReplyBytes|no answer within|time is over"),
    "huge": (huge_array, "the answer is longer than maxReplyBytes allows"),
    "deep": (nested, "values are nested deeper than 60"),
}


def test_peers_that_are_hostile_or_broken_cost_only_their_own_scrapes(steady: Beans) -> None:
    with contextlib.ExitStack() as stack:
        good = f'{{hostPort: "{steady.place}", name: good, scrapeTimeoutSeconds: 60}}'
        config = f"{LIGHT}scrapeTimeoutSeconds: 2\ntargets:\n- {good}\n"
        for name, (answer, _) in HOSTILE.items():
            stub = stack.enter_context(RmiStub(answer))
            config += f'- {{hostPort: "{stub.place}", name: {name}}}\n'
        exporter = stack.enter_context(Exporter(config))
        text, log = exporter.metrics(), exporter.log_text()
        assert value_of(text, 'up{target="good"}') == 1
        for name, (_, reason) in HOSTILE.items():
            assert value_of(text, f'up{{target="{name}"}}') == 0
            assert re.search(rf"target={name} reason=.*({reason})", log)
        assert _up(exporter, "?target=good") == 1
        assert _up(exporter, "?target=huge") == 0


def test_a_login_that_the_jvm_forgot_is_made_again_in_the_same_scrape(steady: Beans) -> None:
    with Exporter(f"jmxUrl: {steady.forgetful}\n{LIGHT}") as exporter:
        _when_up(exporter)
        time.sleep(2.5)
        text = exporter.metrics()
        assert value_of(text, COUNT) == 1
        assert "scrape failed" not in exporter.log_text().partition("scrape works")[2]


def test_a_host_name_that_nobody_knows_is_replaced_by_the_configured_one(own: Beans) -> None:
    own.kill()
    own.jmx.host = "no-such-host.invalid"
    own.start()
    for more in ("", "rmiHost: target\n"):
        with Exporter(f"hostPort: {own.place}\n{more}{LIGHT}") as exporter:
            assert value_of(_when_up(exporter), COUNT) == 1
