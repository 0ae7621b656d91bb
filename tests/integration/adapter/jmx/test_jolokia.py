"""The second transport, on an agent that answers as Jolokia 1.7 did (recorded)."""

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from adapter.jmx.config import settings_of
from adapter.jmx.jolokia import JolokiaTransport
from adapter.jmx.scrape import Outcome, Scraper

LISTED: dict[str, dict[str, str]] = {
    "odd:type=Throws": {"Bad": "int", "Good": "int"},
    "odd:type=Open,key=mine": {
        "Usage": "javax.management.openmbean.CompositeData",
        "Counts": "javax.management.openmbean.TabularData",
        "Names": "[Ljava.lang.String;",
        "Atomic": "java.util.concurrent.atomic.AtomicLong",
    },
    'odd:type=Quoted,name="a/b!"': {"Good": "int"},
}
VALUES: dict[str, dict[str, Any]] = {
    "odd:type=Throws": {"Bad": "ERROR: java.lang.IllegalStateException: not today", "Good": 7},
    "odd:type=Open,key=mine": {
        "Usage": {"label": "all", "used": 10},
        "Counts": {"b": 2, "a": 1},
        "Names": ["n"],
    },
    'odd:type=Quoted,name="a/b!"': {"Good": 8},
}


THREADING = "java.lang:type=Threading"
INFO = [{"threadState": "WAITING", "stackTrace": []}, None]


def _unescaped(path: str) -> str:
    out, at, parts = "", 0, list[str]()
    while at < len(path):
        if path[at] == "!":
            out += path[at + 1]
            at += 2
        elif path[at] == "/":
            parts.append(out)
            out = ""
            at += 1
        else:
            out += path[at]
            at += 1
    return ":".join([*parts, out])


def _told(asked: dict[str, Any]) -> dict[str, Any]:
    match asked["type"]:
        case "search":
            return {"status": 200, "value": [*LISTED, 5]}
        case "list":
            kinds = LISTED[_unescaped(asked["path"])]
            about = {name: {"type": kind, "desc": "d", "rw": False} for name, kind in kinds.items()}
            return {"status": 200, "value": {"attr": about, "desc": "d"}}
        case "exec":
            done = {"findDeadlockedThreads()": None, "getThreadInfo([J)": INFO}
            if asked["operation"] not in done:
                return {"status": 403, "error": "not allowed"}
            assert asked["arguments"] in ([], [[1, 7]])
            return {"status": 200, "value": done[asked["operation"]]}
        case _:
            found = VALUES[asked["mbean"]]
            return {"status": 200, "value": {name: found[name] for name in asked["attribute"]}}


class Agent:
    """What the handler shows; a test changes it."""

    def __init__(self) -> None:
        self.status = 200
        self.body: bytes | None = None
        self.delay = 0.0
        self.headers: list[str] = []
        self.paths: list[str] = []
        self.port = 0


@contextmanager
def _agent() -> Iterator[Agent]:
    agent = Agent()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            agent.headers.append(self.headers.get("Authorization", ""))
            agent.paths.append(self.path)
            time.sleep(agent.delay)
            body = json.dumps([_told(one) for one in asked]).encode()
            self.send_response(agent.status)
            self.end_headers()
            self.wfile.write(body if agent.body is None else agent.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = False  # so that the end waits for each

    with Server(("127.0.0.1", 0), Handler) as server:
        agent.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield agent
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def agent() -> Iterator[Agent]:
    """A running agent."""
    with _agent() as running:
        yield running


def _scrape(agent: Agent, more: str = "", remaining: float = 10.0) -> Outcome:
    text = f"jmxUrl: http://127.0.0.1:{agent.port}/jolokia\n{more}"
    text += "" if "jvmMetrics" in more else "jvmMetrics: false\n"
    target = settings_of(text, "file", {}).targets[0]
    end = time.monotonic() + remaining
    transport = JolokiaTransport(target, lambda: end - time.monotonic(), ssl.SSLContext)
    return Scraper(target).scrape(transport)


def test_values_come_as_over_rmi_but_rows_of_tables_are_parts_of_the_name(agent: Agent) -> None:
    outcome = _scrape(agent, "username: u\npassword: p\n")
    assert outcome.error is None
    rows = dict(row for family in outcome.families({}) for row in family.rows)
    assert rows == {
        "odd_Throws_Good": 7.0,
        'odd_Open_Usage_used{key="mine"}': 10.0,
        'odd_Open_Counts_a{key="mine"}': 1.0,
        'odd_Open_Counts_b{key="mine"}': 2.0,
        'odd_Quoted_Good{name="\\"a/b!\\""}': 8.0,
    }
    word = base64.b64encode(b"u:p").decode()
    assert set(agent.headers) == {f"Basic {word}"}
    assert "canonicalNaming=false" in agent.paths[0]


def test_threads_are_asked_for_by_operations(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LISTED, THREADING, {"AllThreadIds": "[J"})
    monkeypatch.setitem(VALUES, THREADING, {"AllThreadIds": [1, 7]})
    outcome = _scrape(agent, more="jvmMetrics: true\nincludeObjectNames: ['x:*']\n")
    assert outcome.error is None
    rows = dict(row for family in outcome.families({}) for row in family.rows)
    assert rows["jvm_threads_deadlocked"] == 0
    assert rows['jvm_threads_state{state="WAITING"}'] == 1
    assert "jvm_threads_deadlocked_monitor" not in rows


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, None, "refuses us"),
        (500, None, "answers HTTP 500"),
        (200, b"<html>", "no answer of Jolokia"),
        (200, b"{}", "no answer of Jolokia"),
        (200, b"[" * 100_000, "no answer of Jolokia"),
        (200, b" " * 70_000, "longer than maxReplyBytes"),
    ],
)
def test_what_is_no_answer_is_told(
    agent: Agent, status: int, body: bytes | None, words: str
) -> None:
    agent.status, agent.body = status, body
    more = "maxReplyBytes: 65536\n" if body is not None and body[0] == 32 else ""
    outcome = _scrape(agent, more)
    assert outcome.error is not None
    assert words in str(outcome.error)


def test_an_agent_that_hangs_ends_with_the_time(agent: Agent) -> None:
    agent.delay = 1.0
    outcome = _scrape(agent, remaining=0.2)
    assert outcome.timed_out
    assert _scrape(agent, remaining=-1.0).timed_out


def test_nobody_there_is_told() -> None:
    with _agent() as gone:
        pass
    outcome = _scrape(gone)
    assert "refused" in str(outcome.error)


def test_odd_members_of_an_answer_are_beans_that_failed(agent: Agent) -> None:
    agent.body = b'[{"status": 200, "value": "text"}]'
    assert _scrape(agent).samples == []
