import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import ClientConnectorError
from aiohttp.client_reqrep import ConnectionKey

from sidecar.engine.client import Engine, EngineInfo
from sidecar.engine.connection import Connection
from sidecar.engine.events import Connected, Lost, Missed, Signal
from sidecar.engine.facts import Event
from sidecar.errors import ConfigError, EngineDenied, EngineUnavailable, PinnaceError, ProtocolError
from tests.support.docker import document
from tests.support.stub_engine import StubEngine, answer

INSPECT = "containers/abc/json"


@pytest.fixture
async def stub(tmp_path: Path) -> AsyncIterator[StubEngine]:
    async with StubEngine(tmp_path / "s").running() as stub:
        yield stub


@pytest.fixture
async def engine(stub: StubEngine) -> AsyncIterator[Engine]:
    engine = Engine(stub.url)
    yield engine
    await engine.close()
    await engine.close()


def kill(id_: str = "abc", nano: int = 1) -> bytes:
    actor = {"ID": id_, "Attributes": {"signal": "15"}}
    event = {"Type": "container", "Action": "kill", "Actor": actor, "timeNano": nano}
    return json.dumps(event).encode() + b"\n"


async def follow(engine: Engine, count: int, ping: float = 10.0) -> list[Signal]:
    """Return the first signals of a stream."""
    signals: list[Signal] = []
    enough = asyncio.Event()

    def deliver(signal: Signal) -> None:
        signals.append(signal)
        if len(signals) >= count:
            enough.set()

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        task = group.create_task(engine.follow(deliver, ping=ping))
        await enough.wait()
        task.cancel()
    return signals[:count]


@pytest.mark.parametrize("url", ["", "/var/run/docker.sock", "ssh://x", "npipe://x"])
def test_a_url_of_another_kind_is_a_mistake_in_the_settings(url: str) -> None:
    with pytest.raises(ConfigError, match=r"docker\.url"):
        Engine(url)


async def test_answers_become_facts(stub: StubEngine, engine: Engine) -> None:
    stub.answers = {
        "_ping": answer(b"OK", kind="text/plain"),
        "info": answer(b'{"ID": "e", "Name": "vm", "ServerVersion": null}'),
        "containers/json": answer(b'[{"Id": "abc"}, {"Id": "def"}]'),
        INSPECT: answer(json.dumps(document("box", id_="abc")).encode()),
        "containers/gone/json": answer(b'{"message": "No such container"}', 404),
    }
    await engine.ping()
    assert await engine.info() == EngineInfo(id="e", name="vm", version="")
    assert await engine.running() == ("abc", "def")
    found = await engine.inspect("abc")
    assert found is not None
    assert found.name == "box"
    assert await engine.inspect("gone") is None


async def test_bytes_that_are_no_utf8_hide_nothing(stub: StubEngine, engine: Engine) -> None:
    body = json.dumps(document("box", id_="abc", labels={"x": "BAD"})).encode()
    stub.answers = {INSPECT: answer(body.replace(b"BAD", b"a\xff\xfe"))}
    found = await engine.inspect("abc")
    assert found is not None
    assert found.labels == {"x": "a\ufffd\ufffd"}


@pytest.mark.parametrize(
    ("response", "error", "words"),
    [
        pytest.param(answer(b"{}"), ProtocolError, "no usable id", id="empty"),
        pytest.param(answer(b"{not json"), ProtocolError, "no JSON", id="no-json"),
        pytest.param(answer(b"[" * 100_000), ProtocolError, "no JSON", id="deep"),
        pytest.param(answer(b'{"message": "x"}', 403), EngineDenied, "no permission", id="403"),
        pytest.param(answer(b'{"message": "x"}', 500), EngineUnavailable, "500 x", id="500"),
        pytest.param(answer(b"a\nb", 500), EngineUnavailable, "500 a b", id="500-no-json"),
        pytest.param(answer(b"\xff", 500, "text/x"), EngineUnavailable, "500", id="500-bytes"),
        pytest.param(b"nonsense\r\n\r\n", EngineUnavailable, "unix:", id="no-http"),
        pytest.param(answer(b"{}")[:-1], EngineUnavailable, "unix:", id="cut-off"),
        pytest.param(b"", EngineUnavailable, "unix:", id="closed"),
    ],
)
async def test_what_goes_wrong_gets_a_class_of_ours(
    stub: StubEngine, engine: Engine, response: bytes, error: type[PinnaceError], words: str
) -> None:
    stub.ends_streams = True
    stub.answers = {INSPECT: response}
    with pytest.raises(error, match=words):
        await engine.inspect("abc")


@pytest.mark.parametrize("body", [b"{}", b"[1]", b'[{"Id": "../x"}]', b"null"])
async def test_a_list_is_believed_whole_or_not_at_all(
    stub: StubEngine, engine: Engine, body: bytes
) -> None:
    stub.answers = {"containers/json": answer(body), "info": answer(b"[]")}
    with pytest.raises(ProtocolError):
        await engine.running()
    with pytest.raises(ProtocolError):
        await engine.info()


async def test_an_absent_engine_is_unavailable(tmp_path: Path) -> None:
    engine = Engine(f"unix://{tmp_path}/none")
    with pytest.raises(EngineUnavailable, match="ENOENT"):
        await engine.ping()
    await engine.close()


async def test_a_hanging_engine_is_unavailable(tmp_path: Path) -> None:
    stop = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stop.wait()
        writer.close()

    server = await asyncio.start_unix_server(hang, tmp_path / "s")
    connection = Connection(f"unix://{tmp_path}/s")
    with pytest.raises(EngineUnavailable, match="does not answer _ping"):
        await connection.ping(0.05)
    await connection.close()
    stop.set()
    server.close()


async def test_a_socket_without_permission_is_denied() -> None:
    connection = Connection("unix:///nowhere")
    key = ConnectionKey("localhost", None, False, True, None, None, None)

    def fail() -> None:
        with connection._errors("x"):
            raise ClientConnectorError(key, PermissionError(13, "Permission denied"))

    with pytest.raises(EngineDenied, match="owner and group"):
        fail()
    await connection.close()


@pytest.mark.parametrize(
    ("url", "environ", "base"),
    [
        ("unix:///run/docker.sock", {}, "http://docker"),
        ("unix:///run/docker.sock", {"DOCKER_TLS_VERIFY": "1"}, "http://docker"),
        ("tcp://192.0.2.1:2375", {}, "http://192.0.2.1:2375"),
        ("http://192.0.2.1:2375/", {}, "http://192.0.2.1:2375"),
        ("https://192.0.2.1:2376", {}, "https://192.0.2.1:2376"),
    ],
)
async def test_a_url_names_scheme_and_place_of_the_requests(
    url: str, environ: dict[str, str], base: str
) -> None:
    connection = Connection(url, environ)
    assert connection._base == base
    await connection.close()


async def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    environ = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
    with pytest.raises(EngineUnavailable, match=r"certificates for tcp://192\.0\.2\.1:2376"):
        Connection("tcp://192.0.2.1:2376", environ)


async def test_events_are_delivered_after_connected(stub: StubEngine, engine: Engine) -> None:
    stub.events = [kill(nano=1)[:20], kill(nano=1)[20:] + kill(nano=2), b'{"Type": "image"}\n']
    assert await follow(engine, 3) == [
        Connected(),
        Event(id="abc", action="kill", time_nano=1, signal=15),
        Event(id="abc", action="kill", time_nano=2, signal=15),
    ]


async def test_a_new_stream_asks_for_what_happened_since_and_skips_the_repeated(
    stub: StubEngine, engine: Engine
) -> None:
    stub.ends_streams = True
    stub.events = [kill(nano=1_700_000_000_000_000_005)]
    signals = await follow(engine, 5)
    event = Event(id="abc", action="kill", time_nano=1_700_000_000_000_000_005, signal=15)
    lost = Lost("the event stream ended")
    assert signals == [Connected(), event, lost, Connected(), lost]
    assert "since" not in stub.requests[0]
    assert "since=1700000000.000000005" in stub.requests[1]


@pytest.mark.parametrize("line", [b"{garbage\n", b'{"Type": "container"}\n', b"[" * 5000 + b"\n"])
async def test_an_unreadable_event_is_told_and_the_stream_goes_on(
    stub: StubEngine, engine: Engine, line: bytes
) -> None:
    stub.events = [line, kill()]
    _, missed, event = await follow(engine, 3)
    assert isinstance(missed, Missed)
    assert isinstance(event, Event)


async def test_bytes_that_are_no_utf8_do_not_end_the_stream(
    stub: StubEngine, engine: Engine
) -> None:
    stub.events = [kill().replace(b'"15"', b'"\xff\xfe"')]
    assert await follow(engine, 2) == [Connected(), Event(id="abc", action="kill", time_nano=1)]


async def test_an_endless_line_ends_the_stream(stub: StubEngine, engine: Engine) -> None:
    stub.events = [b"x" * (9 << 20)]
    _, lost = await follow(engine, 2)
    assert isinstance(lost, Lost)
    assert "over 8388608 bytes" in lost.reason


async def test_a_refused_stream_is_lost_with_its_reason(stub: StubEngine, engine: Engine) -> None:
    stub.answers = {"events": answer(b'{"message": "go away"}', 403)}
    (lost,) = await follow(engine, 1)
    assert lost == Lost(f"no permission to use {stub.url}; see its owner and group")
    stub.answers = {"events": answer(b'{"message": "go away"}', 404)}
    (lost,) = await follow(engine, 1)
    assert lost == Lost(f"{stub.url} knows no events")


async def test_a_quiet_stream_stays_while_pings_are_answered(
    stub: StubEngine, engine: Engine
) -> None:
    stub.answers = {"_ping": answer(b"OK")}
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await engine.follow(lambda _: None, ping=0.02)
    assert stub.requests.count("/_ping") > 3
    assert sum("events" in request for request in stub.requests) == 1


async def test_a_quiet_stream_that_keeps_an_event_to_itself_is_lost(
    stub: StubEngine, engine: Engine
) -> None:
    stub.answers = {"_ping": answer(b"OK")}
    stub.events = [kill(nano=5)]
    stub.past = [kill(nano=5), b'{"Type": "image"}\n', b"nonsense\n"]
    told = asyncio.Event()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        lost = lambda signal: told.set() if isinstance(signal, Lost) else None  # noqa: E731
        task = group.create_task(engine.follow(lost, ping=0.02))
        while sum("until=" in request for request in stub.requests) < 3:
            await asyncio.sleep(0.01)
        assert not told.is_set(), "what was told already, or means nothing, is not missed"
        stub.past.append(kill(nano=6))
        await told.wait()
        task.cancel()


async def test_an_event_that_comes_while_more_is_asked_for_is_no_loss(
    stub: StubEngine, engine: Engine
) -> None:
    stub.answers["_ping"] = answer(b"OK")
    stub.events = [kill(nano=1)]
    stub.past = [kill("new", nano=2)]  # of an engine whose clock is behind: it came just now
    stub.on_past = lambda: stub.tell(kill("new", nano=2))
    signals = await follow(engine, 3, ping=0.1)
    assert [each.id for each in signals if isinstance(each, Event)] == ["abc", "new"]


async def test_a_quiet_stream_without_answer_to_a_ping_is_lost(
    stub: StubEngine, engine: Engine
) -> None:
    connected, lost = await follow(engine, 2, ping=0.02)
    assert connected == Connected()
    assert isinstance(lost, Lost)


async def test_questions_are_given_up_with_a_lost_stream_and_what_stops_is_not(
    stub: StubEngine, engine: Engine
) -> None:
    async def ask() -> None:
        with pytest.raises(EngineUnavailable):
            await engine.inspect("abc")

    stub.answers[INSPECT] = stub.answers["containers/abc/stop"] = b""  # never answered
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        follows = group.create_task(engine.follow(lambda _: None, ping=10.0))
        asked = group.create_task(ask())
        stops = group.create_task(engine.stop("abc"))
        while len(stub.requests) < 3:
            await asyncio.sleep(0.01)
        stub.end_streams()
        await asked
        stub.answers[INSPECT] = answer(json.dumps(document("box", id_="abc")).encode())
        assert await engine.inspect("abc") is not None
        assert not stops.done()
        follows.cancel()
        stops.cancel()


async def test_a_container_is_stopped_by_a_post(engine: Engine, stub: StubEngine) -> None:
    stub.answers["containers/abc/stop"] = answer(b"", 204)
    assert await engine.stop("abc")
    stub.answers["containers/abc/stop"] = answer(b'{"message":"No such container"}', 404)
    assert not await engine.stop("abc")
    stub.answers["containers/abc/stop"] = answer(b'{"message":"read only"}', 403)
    with pytest.raises(EngineDenied):
        await engine.stop("abc")


async def test_what_has_ended_is_listed_with_its_status(engine: Engine, stub: StubEngine) -> None:
    entries = [
        {"Names": ["/other/alias", "/box"], "Status": "Exited (3) 2 minutes ago"},
        {"Names": ["/dead"], "Status": "Dead"},
        {"Names": None},
        "nonsense",
    ]
    stub.answers["containers/json"] = answer(json.dumps(entries).encode())
    assert await engine.stopped() == (("box", 3), ("dead", 0), ("", 0), ("", 0))
    (asked,) = stub.requests
    assert parse_qs(urlsplit(asked).query) == {
        "all": ["1"],
        "filters": ['{"status": ["exited", "dead"]}'],
    }
    stub.answers["containers/json"] = answer(b"null")
    assert await engine.stopped() == ()
