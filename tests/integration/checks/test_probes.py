import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sidecar.catalog.model import Status
from sidecar.checks.definition import CheckDefinition, Kind
from sidecar.checks.policy import CheckPolicy
from sidecar.checks.runner import CheckRunner
from sidecar.checks.state import Result
from sidecar.runtime.clock import SystemClock
from tests.integration.checks.probing import probe, self_signed


class Site:
    """A web server on loopback that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.base = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        self.bodies.append(await request.read())
        match request.path.strip("/").split("/"):
            case ["code", code]:
                return web.Response(status=int(code), text="hello")
            case ["to", code, *rest]:
                headers = {"Location": "/".join(["", *rest]).replace("~", self.base)}
                return web.Response(status=int(code), headers=headers)
            case ["out"]:
                return web.Response(status=302, headers={"Location": request.query["to"]})
            case ["nowhere"]:
                return web.Response(status=302)
            case ["slow"]:
                await asyncio.sleep(30)
            case ["big"]:
                return web.Response(body=b"a" * 5000 + b"z" * 10)
        return web.Response(body=b"\xffok")

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Site"]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert runner.addresses
        self.base = f"127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site().serving() as site:
        yield site


def http(url: str, **more: Any) -> CheckDefinition:
    more.setdefault("timeout", 5.0)
    return CheckDefinition(name="n", kind=Kind.HTTP, target=url, interval=1.0, **more)


def tcp(target: str, **more: Any) -> CheckDefinition:
    more.setdefault("timeout", 5.0)
    return CheckDefinition(name="n", kind=Kind.TCP, target=target, interval=1.0, **more)


def script(*argv: str, **more: Any) -> CheckDefinition:
    more.setdefault("timeout", 5.0)
    return CheckDefinition(name="n", kind=Kind.SCRIPT, argv=argv, interval=1.0, **more)


# --- HTTP


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        (200, Status.PASSING, "OK"),
        (201, Status.PASSING, "Created"),
        (404, Status.CRITICAL, "Not Found"),
        (429, Status.WARNING, "Too Many Requests"),
        (503, Status.CRITICAL, "Service Unavailable"),
    ],
)
async def test_the_code_decides(site: Site, code: int, status: Status, reason: str) -> None:
    url = f"http://{site.base}/code/{code}"
    assert await probe(http(url)) == Result(
        status, f"HTTP GET {url}: {code} {reason} Output: hello"
    )


async def test_headers_are_consuls_unless_given(site: Site) -> None:
    await probe(http(f"http://{site.base}/"))
    await probe(
        http(
            f"http://u:p@{site.base}/",
            method="PUT",
            body="bb",
            headers={"user-agent": ("me",), "X-A": ("1", "2"), "Host": ("h.example",)},
        )
    )
    plain, own = site.asked
    assert plain.headers["User-Agent"] == "Consul Health Check"
    assert plain.headers["Accept"] == "text/plain, text/*, */*"
    assert plain.headers["Accept-Encoding"] == "gzip"
    assert (own.method, site.bodies[1]) == ("PUT", b"bb")
    assert own.headers.getall("User-Agent") == ["me"]
    assert own.headers.getall("X-A") == ["1", "2"]
    assert own.headers["Host"] == "h.example"
    assert own.headers["Authorization"] == "Basic dTpw"


async def test_only_the_end_of_a_large_body_is_kept(site: Site) -> None:
    result = await probe(http(f"http://{site.base}/big", output_most=12))
    assert result.output.endswith("Output: aazzzzzzzzzz")


async def test_bytes_that_are_no_text_are_replaced(site: Site) -> None:
    assert (await probe(http(f"http://{site.base}/"))).output.endswith("Output: \ufffdok")


async def test_redirects_are_followed_and_the_first_url_is_shown(site: Site) -> None:
    url = f"http://{site.base}/to/302/code/200"
    result = await probe(http(url, method="POST", body="b"))
    assert result == Result(Status.PASSING, f"HTTP POST {url}: 200 OK Output: hello")
    assert [request.method for request in site.asked] == ["POST", "GET"]


async def test_a_kept_method_keeps_its_body(site: Site) -> None:
    await probe(http(f"http://{site.base}/to/307/code/200", method="POST", body="b"))
    assert [request.method for request in site.asked] == ["POST", "POST"]
    assert site.bodies == [b"b", b"b"]


async def test_secrets_are_not_carried_to_another_host(site: Site) -> None:
    async with Site().serving() as other:
        url = f"http://{site.base}/out?to=http://{other.base}/"
        await probe(http(url, headers={"Authorization": ("secret",), "X-A": ("1",)}))
        assert "Authorization" not in other.asked[0].headers
        assert other.asked[0].headers["X-A"] == "1"


async def test_eleven_redirects_are_too_many(site: Site) -> None:
    url = f"http://{site.base}" + "/to/302" * 12 + "/code/200"
    result = await probe(http(url))
    assert result.output.endswith(": stopped after 10 redirects")
    assert len(site.asked) == 10


async def test_a_redirect_without_a_place_is_a_failure(site: Site) -> None:
    result = await probe(http(f"http://{site.base}/nowhere"))
    assert result.output.endswith("302 response missing Location header")


async def test_a_slow_answer_is_a_failure(site: Site) -> None:
    url = f"http://{site.base}/slow"
    assert await probe(http(url, timeout=0.1)) == Result(
        Status.CRITICAL,
        f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
    )


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://127.0.0.1:1/", "dial tcp 127.0.0.1:1: connect: connection refused"),
        ("nota url", 'unsupported protocol scheme ""'),
        ("ftp://127.0.0.1/", 'unsupported protocol scheme "ftp"'),
        ("http:///x", "http: no Host in request URL"),
        ("http://name.invalid/", "dial tcp: lookup name.invalid: no such host"),
        ("http://a\\@b/", "invalid host 'a\\\\@b'"),
        ("http://127.0.0.1:99999/", "Port out of range 0-65535"),
    ],
)
async def test_what_cannot_be_asked_is_a_failure_with_its_reason(url: str, text: str) -> None:
    assert await probe(http(url)) == Result(Status.CRITICAL, f'Get "{url}": {text}')


async def test_plain_http_behind_https_is_a_failure(site: Site) -> None:
    result = await probe(http(f"https://{site.base}/", verify_tls=False))
    assert result.status is Status.CRITICAL
    assert "tls:" in result.output


async def test_a_certificate_is_verified_unless_told_not_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = await self_signed(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        assert "x509: " in (await probe(http(url))).output
        assert (await probe(http(url, verify_tls=False))).status is Status.PASSING
        # An authority that this machine trusts; what aiohttp holds was read when it was imported.
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert (await probe(http(url))).status is Status.PASSING


# --- where checks may connect to

FORMS = [
    "127.0.0.1",
    "localhost",
    "2130706433",
    "0177.0.0.1",
    "127.1",
    "0x7f.1",
    "0.0.0.0",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["http", "tcp", "redirect"])
async def test_loopback_is_closed_to_checks_from_elsewhere_in_every_spelling(
    site: Site, form: str, kind: str
) -> None:
    inner = Site()
    async with inner.serving():
        port = int(inner.base.rpartition(":")[2])
        place = f"{form}:{port}"
        definition = tcp(place) if kind == "tcp" else http(f"http://{place}/")
        local = kind == "redirect"
        policy = CheckPolicy()
        if kind == "redirect":  # open to the first hop, closed to the second
            definition = http(f"http://{site.base}/out?to=http://{place}/")
            policy = CheckPolicy(own_ports=frozenset({port}))
        result = await probe(definition, policy, local=local)
        assert result.status is Status.CRITICAL
        assert "may not connect" in result.output
        assert inner.asked == []


@pytest.mark.parametrize("host", ["169.254.169.254", "2852039166", "[::ffff:169.254.169.254]"])
async def test_link_local_is_closed_to_all(host: str) -> None:
    for definition in (http(f"http://{host}/"), tcp(f"{host}:80")):
        assert "may not connect to 169.254.169.254" in (await probe(definition)).output


# --- TCP


async def test_a_connection_is_a_success(site: Site) -> None:
    port = site.base.rpartition(":")[2]
    for target in (site.base, f"localhost:{port}", f":{port}"):
        assert await probe(tcp(target)) == Result(Status.PASSING, f"TCP connect {target}: Success")


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("127.0.0.1:1", "dial tcp 127.0.0.1:1: connect: connection refused"),
        ("noport", "dial tcp: address noport: missing port in address"),
        ("host:port", "dial tcp: address tcp/port: unknown port"),
        ("name.invalid:1", "dial tcp: lookup name.invalid: no such host"),
    ],
)
async def test_no_connection_is_a_failure_with_its_reason(target: str, text: str) -> None:
    assert await probe(tcp(target)) == Result(Status.CRITICAL, text)


# --- commands


@pytest.mark.parametrize(
    ("code", "status"),
    [(0, Status.PASSING), (1, Status.WARNING), (2, Status.CRITICAL), (137, Status.CRITICAL)],
)
async def test_the_exit_code_decides(code: int, status: Status) -> None:
    result = await probe(script("/bin/sh", "-c", f"echo out; echo err >&2; exit {code}"))
    assert result == Result(status, "out\nerr\n")


async def test_a_command_sees_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINNACE_TOKEN", "secret")
    assert "secret" not in (await probe(script("/usr/bin/env"))).output


async def test_a_commands_output_is_bounded() -> None:
    result = await probe(script("/bin/sh", "-c", "printf 0123456789", output_most=4))
    assert result.output == "Captured 4 of 10 bytes\n...\n6789"


async def test_a_hanging_command_is_killed_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    text = f"sleep 60 & echo $! > {pids}; echo begun; wait"
    result = await probe(script("/bin/sh", "-c", text, timeout=2))
    assert result == Result(Status.CRITICAL, "Timed out (2s) running check\n\nbegun")
    child = int(pids.read_text())
    for _ in range(100):
        state = Path(f"/proc/{child}/stat")
        if not state.exists() or state.read_text().split()[2] == "Z":
            break
        await asyncio.sleep(0.02)
    else:
        os.kill(child, 9)
        pytest.fail("the child outlived its check")


async def test_a_command_that_is_not_there_is_a_failure() -> None:
    result = await probe(script("/no/such/command"))
    assert result == Result(Status.CRITICAL, 'exec: "/no/such/command": no such file or directory')


# --- the whole


async def test_a_runner_follows_a_server_that_goes_away() -> None:
    said: asyncio.Queue[Result] = asyncio.Queue()
    ready = asyncio.Event()
    runner = CheckRunner(
        SystemClock(), lambda _, result: said.put_nowait(result), CheckPolicy(), draw=lambda: 0.0
    )
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        task = group.create_task(runner.run(ready.set))
        await ready.wait()
        site = Site()
        async with site.serving():
            runner.add("a", http(f"http://{site.base}/"))
            assert (await said.get()).status is Status.PASSING
        assert (await said.get()).status is Status.CRITICAL
        task.cancel()
