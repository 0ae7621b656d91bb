"""``adapter http`` as a process, beside servers of Python's own."""

import http.client
import http.server
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.certificate import certificate
from tests.support.pinnace import until
from tests.support.ports import free_port
from tests.support.statsd import OURS, series_of

PROGRAM = (OURS[0], "adapter", "http")
UP = "pinnace_adapter_http_up"


class Application(http.server.BaseHTTPRequestHandler):
    """Says what its server holds by path."""

    def do_GET(self) -> None:
        held = self.server.pages.get(self.path)  # type: ignore[attr-defined]
        self.server.asked.append((self.path, self.headers.get("Authorization")))  # type: ignore[attr-defined]
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/json")
        else:
            self.send_response(200 if held is not None else 404)
        self.send_header("Content-Length", str(len(held or b"")))
        self.end_headers()
        self.wfile.write(held or b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def application(
    pages: dict[str, bytes], keys: tuple[Path, Path] | None = None
) -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Application)
    if keys is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*keys)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.pages, server.asked = pages, []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def get(port: int, path: str = "/metrics") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=90)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()


@contextmanager
def adapter(tmp_path: Path, rules: str, *more: str, **env: str) -> Iterator[tuple[int, Path, int]]:
    """Run it; yield its port, its file and its process."""
    port, file = free_port(), tmp_path / "targets.yml"
    file.write_text(rules)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*PROGRAM, str(file), f"--listen=127.0.0.1:{port}", *more],
            stdout=log, stderr=log, env={**os.environ, "TOKEN": "secret", **env},
        )  # fmt: skip
    try:
        until(lambda: get(port, "/-/healthy")[0] == 200, 60)
        yield port, file, process.pid
        process.terminate()
        assert process.wait(60) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def target(
    port: int, path: str, name: str, *rules: str, more: str = "", timeout: str = "60s"
) -> str:
    """Return a target that may take its time: so may the machine."""
    lines = "".join(f"  - {rule}\n" for rule in rules)
    head = f"- name: {name}\n  url: http://127.0.0.1:{port}{path}\n  timeout: {timeout}\n"
    return f"{head}{more}  rules:\n{lines}"


RULE = '{path: queues.*, name: depth, labels: {queue: "$1"}}'


def test_json_and_text_become_metrics(tmp_path: Path) -> None:
    pages = {"/json": b'{"queues": {"mail": 3, "web": 4}}', "/text": b"reads: 7\n"}
    with application(pages) as server:
        port = server.server_address[1]
        header = '  headers: {Authorization: "Bearer ${TOKEN}"}\n'
        text = "  format: text\n"
        rules = (
            "targets:\n"
            + target(port, "/json", "app", RULE, more=header)
            + target(port, "/text", "plain", "{match: 'reads: (\\d+)', name: reads}", more=text)
        )
        with adapter(tmp_path, rules) as (web, _, _):
            found = series_of(get(web)[1])
            assert found['depth{queue="mail"}'] == 3
            assert found["reads"] == 7
            assert found[f'{UP}{{target="app"}}'] == found[f'{UP}{{target="plain"}}'] == 1
            assert ("/json", "Bearer secret") in server.asked  # type: ignore[attr-defined]
            assert "reads" not in series_of(get(web, "/metrics?target=app")[1])
            assert get(web, "/metrics?target=x") == (404, "there is no target 'x'\n")


@pytest.mark.parametrize(
    ("path", "page", "reason"),
    [
        ("/json", b"{", "is not JSON"),
        ("/none", None, "answered 404"),
        ("/moved", None, "answered 302"),
        ("/json", b"[" + b"1," * 3_000_000 + b"1]", "longer than 4194304 octets"),
    ],
    ids=["no json", "missing", "redirect", "too big"],
)
def test_a_target_that_says_nonsense_is_down_and_told_of_once(
    tmp_path: Path, path: str, page: bytes | None, reason: str
) -> None:
    pages = {} if page is None else {path: page}
    with application(pages) as server:
        rules = "targets:\n" + target(server.server_address[1], path, "app", RULE)
        with adapter(tmp_path, rules) as (web, _, _):
            for _ in range(2):
                assert series_of(get(web)[1])[f'{UP}{{target="app"}}'] == 0
            log = (tmp_path / "log").read_text()
            assert log.count("target fails") == 1
            assert reason in log
            pages["/json"] = b'{"queues": {"mail": 3}}'
            if path == "/json":
                until(lambda: 'depth{queue="mail"}' in series_of(get(web)[1]), 30)
                assert "target answers again" in (tmp_path / "log").read_text()


def test_a_certificate_is_trusted_by_the_machines_authorities_only(tmp_path: Path) -> None:
    keys = certificate(tmp_path)
    with application({"/json": b'{"queues": {"mail": 3}}'}, keys) as server:
        rules = "targets:\n" + target(server.server_address[1], "/json", "app", RULE)
        rules = rules.replace("http://", "https://user:word@")
        with adapter(tmp_path, rules.replace("- name: app\n  url", "- url")) as (web, _, _):
            found = get(web)[1]
            name = f"https://127.0.0.1:{server.server_address[1]}/json"
            assert series_of(found)[f'{UP}{{target="{name}"}}'] == 0
            log = (tmp_path / "log").read_text()
            assert 'its certificate is not trusted: self-signed certificate"' in log
            assert "word" not in log + found
        with adapter(tmp_path, rules, SSL_CERT_FILE=str(keys[0])) as (web, _, _):
            assert series_of(get(web)[1])['depth{queue="mail"}'] == 3
            assert server.asked[-1][1] == "Basic dXNlcjp3b3Jk"  # type: ignore[attr-defined]


def test_a_target_that_hangs_costs_its_own_time_only_and_is_asked_once_at_a_time(
    tmp_path: Path,
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0), backlog=50) as silent,
        application({"/json": b'{"queues": {"mail": 3}}'}) as server,
    ):
        rules = (
            "targets:\n"
            + target(silent.getsockname()[1], "/", "hanging", RULE, timeout="1s")
            + target(server.server_address[1], "/json", "app", RULE)
        )
        with adapter(tmp_path, rules) as (web, _, _):
            begun = time.monotonic()
            found: list[dict[str, float]] = []
            threads = [
                threading.Thread(target=lambda: found.append(series_of(get(web)[1])))
                for _ in range(5)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert time.monotonic() - begun < 55
            assert [one[f'{UP}{{target="hanging"}}'] for one in found] == [0] * 5
            assert all(one['depth{queue="mail"}'] == 3 for one in found)
            silent.setblocking(False)
            count = 0
            with suppress(BlockingIOError):
                while True:
                    silent.accept()[0].close()
                    count += 1
            assert count < 5


def test_rules_are_read_again_and_a_wrong_file_changes_nothing(tmp_path: Path) -> None:
    with application({"/json": b'{"queues": {"mail": 3}}'}) as server:
        first = "targets:\n" + target(server.server_address[1], "/json", "app", RULE)
        with adapter(tmp_path, first) as (web, file, pid):
            file.write_text("targets: [")
            os.kill(pid, signal.SIGHUP)
            until(lambda: "cannot take the new rules" in (tmp_path / "log").read_text(), 30)
            assert 'depth{queue="mail"}' in series_of(get(web)[1])
            file.write_text(first.replace("name: depth", "name: waiting"))
            os.kill(pid, signal.SIGHUP)
            until(lambda: 'waiting{queue="mail"}' in series_of(get(web)[1]), 30)


def test_two_adapters_run_in_one_process(tmp_path: Path) -> None:
    lines, web = free_port(), free_port()
    statsd = (
        "and", "statsd", f"--web.listen-address=127.0.0.1:{web}", "--statsd.listen-tcp=",
        f"--statsd.listen-udp=127.0.0.1:{lines}",
    )  # fmt: skip
    rules = "targets:\n" + target(free_port(), "/", "gone", RULE)
    with adapter(tmp_path, rules, *statsd) as (port, _, _):
        until(lambda: get(web, "/-/ready")[0] == 200, 60)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"both:1|c", ("127.0.0.1", lines))
        until(lambda: series_of(get(web)[1]).get("both") == 1, 30)
        assert series_of(get(port)[1])[f'{UP}{{target="gone"}}'] == 0


def said(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [OURS[0], "adapter", *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


def test_the_file_can_be_checked(tmp_path: Path) -> None:
    file = tmp_path / "t.yml"
    file.write_text("targets:\n" + target(1, "/", "app", RULE))
    assert said("http", str(file), "--check") == (0, "ok: 1 targets\n")
    file.write_text(json.dumps({"targets": [{"url": "x"}]}))
    status, text = said("http", str(file), "--check")
    assert status == 78
    assert f"{file}:1:22: targets[0].url: needs a url" in text
    status, text = said("http", str(tmp_path / "none"))
    assert status == 78
    assert "cannot be read: No such file or directory" in text
