"""The health check as a container's engine calls it: one line and a verdict."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sidecar import cli
from sidecar.config.units import Endpoint
from sidecar.web.probe import is_ready


@contextmanager
def answering(reply: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Listen on loopback and give one client this reply; yield port and what it asked."""
    asked: list[bytes] = []

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            asked.append(client.recv(4096))
            client.sendall(reply)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1], asked
        thread.join(5)


def reply(status: str, body: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def test_an_answer_of_200_is_ready() -> None:
    with answering(reply("200 OK", "{}")) as (port, asked):
        assert is_ready(Endpoint("0.0.0.0", port)) == (True, f"127.0.0.1:{port}: ready")
    assert asked[0].startswith(b"GET /readyz HTTP/1.1\r\n")


def test_another_answer_is_told_in_one_line() -> None:
    with answering(reply("503 Service Unavailable", '{\n "dns":\n "no"}')) as (port, _):
        ready, line = is_ready(Endpoint("127.0.0.1", port))
    assert (ready, line) == (False, f'127.0.0.1:{port}: not ready (503): {{ "dns": "no"}}')


@pytest.mark.parametrize("answer", [b"", b"nonsense \x1b[2J\r\n\r\n"])
def test_an_answer_that_is_none_is_not_ready(answer: bytes) -> None:
    with answering(answer) as (port, _):
        ready, line = is_ready(Endpoint("127.0.0.1", port))
    assert not ready
    assert "no answer: " in line
    assert line.isprintable()


def test_the_command_asks_where_the_settings_say_and_exits_by_the_verdict(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(reply("200 OK", "")) as (port, _):
        monkeypatch.setenv("PINNACE_HTTP__LISTEN", f"127.0.0.1:{port}")
        assert cli.main(["pinnace", "healthcheck"]) == 0
    assert cli.main(["pinnace", "healthcheck", "--http", f"127.0.0.1:{port}"]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"127.0.0.1:{port}: ready"
    assert second.startswith(f"127.0.0.1:{port}: no answer: ")
