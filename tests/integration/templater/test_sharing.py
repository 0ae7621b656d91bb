"""Who gets how much: shares, backups, cookies, checks, timeouts through real proxies."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from sidecar.catalog.model import (
    BACKUP,
    CANARY,
    CANARY_MATCH,
    CHECK,
    CHECK_FALL,
    CHECK_INTERVAL,
    CHECK_RISE,
    HTTP_HOST,
    RETRIES,
    STICKY,
    TIMEOUT_ANSWER,
    Instance,
    Status,
)
from templater.nginx import plan
from tests.integration.templater.harness import Bench, backends, client, instance, running

BOTH = [
    pytest.param("haproxy", marks=pytest.mark.haproxy),
    pytest.param("nginx", marks=pytest.mark.nginx),
]
CLIENTS = 8


@pytest.fixture(autouse=True)
def _reloads_in_quick_succession(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "_GAP", 0.1)


async def asked(bench: Bench, count: int) -> Counter[str]:
    """Return who answered this many requests on a few connections."""
    found: Counter[str] = Counter()

    async def some() -> None:
        async with client(bench.port) as ask:
            for _ in range(count // CLIENTS):
                status, body = await ask("web.localhost")
                assert status == 200
                found[body] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(some())
    return found


def stable_and_canaries(ports: Sequence[int], share: str) -> list[Instance]:
    return [
        *(instance(f"s{n}", port, weight=n + 1) for n, port in enumerate(ports[:3])),
        *(instance(f"c{n}", port, meta={CANARY: share}) for n, port in enumerate(ports[3:])),
    ]


@pytest.mark.parametrize("kind", BOTH)
async def test_requests_that_match_go_to_canaries_whatever_their_share(
    tmp_path: Path, kind: str
) -> None:
    match = {CANARY_MATCH: "header:X-Canary=on,cookie:beta=a.b"}
    wanted = [{"X-Canary": "on"}, {"x-canary": "on"}, {"Cookie": "a=1; beta=a.b"}]
    others = [
        {}, {"X-Canary": "ON"},
        {"X-Canary": "on1"}, {"Cookie": "beta=axb"}, {"Cookie": "xbeta=a.b"},
    ]  # fmt: skip
    async with backends(3) as (one, two, three), running(Bench(tmp_path, kind=kind)) as bench:
        stable = instance("s", one, meta={HTTP_HOST: "a.b/x"})
        bench.put(stable, instance("c", two, meta={CANARY: "0", **match}))
        await bench.applied("reload")
        for headers in wanted:
            assert await bench.get(headers=headers) == (200, str(two))
            path = "/echo/%2Fa%20b//../c?q=%41"
            assert await bench.get(path=path, headers=headers) == (200, f"{two} {path}")
            assert await bench.get("a.b", "/x/y", headers=headers) == (200, str(one))
        for headers in others:
            assert await bench.get(headers=headers) == (200, str(one))
        # A second one shares them with the first.
        bench.put(instance("d", three, meta={CANARY: "0", **match}))
        await _answers(bench, (200, str(three)), wanted[0])
        await _answers(bench, (200, str(two)), wanted[0])
        # Without a canary that takes work they are as any other.
        for id_, port in (("c", two), ("d", three)):
            bench.put(instance(id_, port, draining=True, meta={CANARY: "0", **match}))
        await _answers(bench, (200, str(one)), wanted[2])
        # Without anybody else there is nothing for the rest.
        bench.put(instance("c", two, meta=match))
        bench.drop("s")
        await _answers(bench, (503, ""), {})
        await _answers(bench, (200, str(two)), wanted[1])


async def _answers(bench: Bench, expected: tuple[int, str], headers: dict[str, str]) -> None:
    """Ask until it is so: workers of nginx that end may take connections yet."""
    async with asyncio.timeout(20):
        while True:
            status, body = await bench.get(headers=headers)
            if (status, body if status == 200 else "") == expected:
                return
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("kind", BOTH)
async def test_shares_are_exact_and_change_while_it_runs(tmp_path: Path, kind: str) -> None:
    async with backends(5) as ports, running(Bench(tmp_path, kind=kind)) as bench:
        bench.put(*stable_and_canaries(ports, "7"))
        await bench.applied("reload")
        reloads = await bench.reloads() if kind == "haproxy" else 0
        found = await asked(bench, 10_000)
        expected = [93 / 6, 93 / 3, 93 / 2, 3.5, 3.5]
        for port, share in zip(ports, expected, strict=True):
            assert abs(found[str(port)] / 100 - share) < 1, (found, expected)
        canaries = sum(found[str(port)] for port in ports[3:])
        assert abs(canaries / 100 - 7) < 0.5

        last = bench.applied_last()
        bench.put(*stable_and_canaries(ports, "25%"))
        await bench.applies(last)
        found = await asked(bench, 2_000)
        assert abs(sum(found[str(port)] for port in ports[3:]) / 20 - 25) < 1
        if kind == "haproxy":
            assert await bench.reloads() == reloads

        last = bench.applied_last()
        bench.put(*stable_and_canaries(ports, "0"))
        await bench.applies(last)
        assert set(await asked(bench, 80)) == {str(port) for port in ports[:3]}


@pytest.mark.parametrize("kind", BOTH)
async def test_a_backup_gets_work_only_while_nobody_else_can(tmp_path: Path, kind: str) -> None:
    async with backends(3) as (one, two, spare), running(Bench(tmp_path, kind=kind)) as bench:
        backup = instance("b", spare, meta={BACKUP: "true"})
        bench.put(instance("a1", one), instance("a2", two), backup)
        await bench.applied("reload")
        assert set(await asked(bench, 80)) == {str(one), str(two)}
        reloads = await bench.reloads() if kind == "haproxy" else 0
        last = bench.applied_last()
        bench.put(instance("a1", one, status=Status.CRITICAL), instance("a2", two, draining=True))
        await bench.applies(last)
        assert set(await asked(bench, 80)) == {str(spare)}
        last = bench.applied_last()
        bench.put(instance("a1", one))
        await bench.applies(last)
        assert set(await asked(bench, 80)) == {str(one)}
        if kind == "haproxy":
            assert await bench.reloads() == reloads


@pytest.mark.nginx
async def test_a_backup_of_a_hashed_service_waits_too(tmp_path: Path) -> None:
    async with backends(2) as (one, spare), running(Bench(tmp_path, kind="nginx")) as bench:
        sticky = {STICKY: "source"}
        backup = instance("b", spare, meta={BACKUP: "true", **sticky})
        bench.put(instance("a", one, meta=sticky), backup)
        await bench.applied("reload")
        assert set(await asked(bench, 16)) == {str(one)}
        last = bench.applied_last()
        bench.put(instance("a", one, meta=sticky, status=Status.CRITICAL))
        await bench.applies(last)
        assert set(await asked(bench, 16)) == {str(spare)}


async def cookie_of(bench: Bench, cookie: str = "") -> tuple[str, str]:
    """Return who answers a client with a cookie, and the cookie it is given."""
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.port)
    line = f"Cookie: other=1; {cookie}\r\n" if cookie else ""
    writer.write(
        f"GET / HTTP/1.1\r\nHost: web.localhost\r\nConnection: close\r\n{line}\r\n".encode()
    )
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    assert head.startswith("HTTP/1.1 200"), head
    given = [line for line in head.split("\r\n") if line.lower().startswith("set-cookie: ")]
    assert len(given) <= 1
    return body, given[0].partition(": ")[2] if given else ""


@pytest.mark.parametrize("kind", BOTH)
async def test_a_cookie_keeps_a_client_with_its_endpoint(tmp_path: Path, kind: str) -> None:
    async with backends(6) as ports, running(Bench(tmp_path, kind=kind)) as bench:
        meta = {STICKY: "cookie:SEAT"}
        members = [instance(f"i{n}", port, meta=meta) for n, port in enumerate(ports)]
        bench.put(*members[:5])
        await bench.applied("reload")
        clients = []
        for _ in range(20):
            body, given = await cookie_of(bench)
            assert given.startswith("SEAT=")
            assert "httponly" in given.lower()
            cookie = given.partition(";")[0]
            if kind == "nginx":  # a new client is told who it is, and is where that leads
                body, _ = await cookie_of(bench, cookie)
            clients.append((cookie, body))
        assert len({body for _, body in clients}) > 1
        for cookie, body in clients * 2:
            assert await cookie_of(bench, cookie) == (body, "")

        last = bench.applied_last()
        bench.put(members[5])
        bench.drop("i0")
        await bench.applies(last)
        moved = 0
        for cookie, body in clients:
            now, _ = await cookie_of(bench, cookie)
            assert now != str(ports[0])
            moved += now != body and body != str(ports[0])
        # By cookie HAProxy knows the endpoint; nginx only which point of the ring it is.
        assert moved <= (0 if kind == "haproxy" else 15)


@pytest.mark.haproxy
async def test_what_fails_its_checks_gets_nothing_and_comes_back(tmp_path: Path) -> None:
    """Asked for a path by HAProxy itself; the catalogue knows nothing of it."""
    healthy, heard = asyncio.Event(), []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        is_check = head.startswith("GET /up ")
        if is_check:
            heard.append(head)
        status = "200 OK" if healthy.is_set() or not is_check else "500 No"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 3\r\n\r\nown".encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, backends(1) as (spare,), running(Bench(tmp_path)) as bench:
        healthy.set()
        meta = {CHECK: "/up", CHECK_INTERVAL: "50ms", CHECK_FALL: "2", CHECK_RISE: "1"}
        bench.put(
            instance("a", port, meta=meta),
            instance("b", spare, meta={BACKUP: "true", **meta}),
        )
        await bench.applied("reload")

        async def served_by(name: str) -> None:
            async with asyncio.timeout(15):
                while (await bench.get())[1] != name:
                    await asyncio.sleep(0.02)

        await served_by("own")
        assert "host: localhost" in heard[0].lower()
        healthy.clear()
        await served_by(str(spare))
        healthy.set()
        await served_by("own")
        assert bench.lb.trouble() is None


@pytest.mark.parametrize("kind", BOTH)
async def test_a_service_says_how_long_an_answer_may_take(tmp_path: Path, kind: str) -> None:
    meta = {TIMEOUT_ANSWER: "200ms", RETRIES: "0"}
    async with backends(1) as (web,), running(Bench(tmp_path, kind=kind)) as bench:
        bench.put(instance("a", web, meta=meta), instance("b", web, "other"))
        await bench.applied("reload")
        assert (await bench.get(path="/?1500"))[0] == 504
        assert (await bench.get("other.localhost", "/?400"))[0] == 200


@pytest.mark.haproxy
@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("PUT", 200), ("POST", 502)])
async def test_what_was_sent_is_repeated_elsewhere_only_when_it_may_be(
    tmp_path: Path, method: str, status: int
) -> None:
    heard: list[str] = []

    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        heard.append(method)
        writer.close()

    server = await asyncio.start_server(broken, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, backends(1) as (good,), running(Bench(tmp_path)) as bench:
        bench.put(instance("a", port, weight=100), instance("b", good))
        await bench.applied("reload")
        async with client(bench.port) as ask:
            assert (await ask("web.localhost", "/", method))[0] == status
        assert 1 <= len(heard) <= (3 if status == 200 else 1)
        server.close()  # from now on the connection fails, and nothing was sent
        async with client(bench.port) as ask:
            assert (await ask("web.localhost", "/", method))[0] == 200
