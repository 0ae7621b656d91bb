"""Requests of HTTP, targets in the catalogue, and the command line."""

import pytest

from adapter.jmx.cli import main
from adapter.jmx.discovery import targets_in
from adapter.jmx.settings import Place
from sidecar.catalog.model import Instance, InstanceId, Snapshot
from sidecar.errors import ConfigError
from sidecar.web.lean.request import head_of, read_head


def test_a_request_is_read() -> None:
    request = read_head(
        b"GET /metrics%20x?target=a%3Ab&x HTTP/1.1\r\nHost: h:1\r\nAccept: a\r\nACCEPT:  b \r\nX-A:"
    )
    assert (request.method, request.path, request.stays) == ("GET", "/metrics x", True)
    assert request.query == {"target": "a:b"}
    assert (request.header("accept"), request.header("host")) == ("a, b", "h:1")
    assert request.header("nothing") == ""
    assert not read_head(b"GET / HTTP/1.0").stays
    assert not read_head(b"GET / HTTP/1.1\r\nConnection: Close").stays


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"GET  / HTTP/1.1",
        b"get / HTTP/1.1",
        b"GET / HTTP/2.0",
        b"GET http://h/ HTTP/1.1",
        b"GET / HTTP/1.1\r\n folded",
        b"GET / HTTP/1.1\r\nA : b",
        b"GET / HTTP/1.1\r\nContent-Length: 5",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked",
        b"GET /?" + b"&".join(b"a%d=1" % n for n in range(50)) + b" HTTP/1.1",
    ],
)
def test_what_is_no_request_is_refused(head: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_head(head)


def test_the_head_of_an_answer_ends_with_an_empty_line() -> None:
    assert head_of(200, {"A": "b"}) == b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"


def _instance(name: str, port: int, *, tags: tuple[str, ...] = (), **meta: str) -> Instance:
    return Instance(
        id=InstanceId(f"{name}-1"), service=name, node="n", address="192.0.2.1", port=port,
        tags=tags, meta=meta,
    )  # fmt: skip


def test_targets_are_instances_with_the_tag_or_a_port_for_jmx() -> None:
    services = {
        "a": (_instance("a", 9010, tags=("jmx", "x")),),
        "b": (_instance("b", 80, jmx_port="9011"),),
        "c": (_instance("c", 80, tags=("web",)), _instance("c", 81, jmx_port="nonsense")),
        "d": (_instance("d", 80, tags=("jmx",), **{"jmx.port": "9012"}),),
        "e": (_instance("e", 80, jmx_port="99999"),),
    }
    assert targets_in(Snapshot(index=1, services=services, nodes={}), "jmx") == {
        "a@192.0.2.1:9010": Place("192.0.2.1", 9010),
        "b@192.0.2.1:9011": Place("192.0.2.1", 9011),
        "d@192.0.2.1:9012": Place("192.0.2.1", 9012),
    }


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["-h"], 0, "usage: x [OPTIONS] [HOST:]PORT CONFIG.yml"),
        (["--version"], 0, "x (pinnace "),
        (["--check-config={good}"], 0, "ok"),
        (["--check-config", "{good}"], 0, "ok"),
        ([], 2, "an address and a file are needed"),
        (["{good}"], 2, "the address to serve on is missing"),
        (["1", "2", "3"], 2, "an address and a file are needed"),
        (["nohost:port", "{good}"], 2, "is not a port"),
        (["--nope"], 2, "there is no option --nope"),
        (["--log.level"], 2, "--log.level needs a value"),
        (["--log.level=loud", "1", "x"], 2, "it can be debug, info"),
        (["--log.format", "xml"], 2, "it can be text, json"),
        (["--check-config"], 2, "wants one file"),
        (["--explain", "h:1"], 2, "wants HOST:PORT and a file"),
        (["--dump", "127.0.0.1:1"], 1, "nothing listens there"),
        (["--dump", "127.0.0.1:1", "{good}"], 1, "nothing listens there"),
        (["--log.format=json", "--log.level", "error", "--dump=127.0.0.1:1"], 1, "nothing listens"),
    ],
)
def test_the_command_line_says_what_is_wrong(
    words: list[str],
    status: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    good = tmp_path_factory.mktemp("cli") / "good.yml"
    good.write_text("hostPort: 192.0.2.1:1\nopenTelemetry: {endpoint: x}\n")
    assert main("x", [word.format(good=good) for word in words]) == status
    found = capsys.readouterr()
    assert said in found.out + found.err


def test_called_by_the_peer_s_name_every_mistake_is_status_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main("jmx_exporter", []) == 1
    assert main("jmx_exporter", ["9404", "nowhere.yml"]) == 1
    assert "nowhere.yml: No such file" in capsys.readouterr().err


def test_a_file_that_cannot_be_read_is_told(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yml: No such file"):
        main("x", ["--check-config", "nowhere.yml"])
    latin = tmp_path_factory.mktemp("cli") / "latin.yml"
    latin.write_bytes(b"hostPort: \xff\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        main("x", ["9404", str(latin)])
