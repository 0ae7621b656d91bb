"""The scheduler's API over HTTP, as other programs use it."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sidecar.cli import main
from sidecar.errors import AddressInUse, CertificateUnusable, ConfigError
from sidecar.scheduler.bundle import bundle_of
from sidecar.scheduler.client import Access, Client, default_socket
from sidecar.scheduler.journal import Journal
from sidecar.web.entrance import at_address, at_path
from tests.support.certificate import certificate as make_certificate
from tests.support.office import STACK, Office, office
from tests.support.ports import free_port

_NONE: Mapping[str, str] = {}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path) as found:
        yield found


async def _ask(
    here: Office, method: str, path: str, body: bytes = b"", *, kind: Mapping[str, str] = _NONE
) -> tuple[int, bytes]:
    def ask() -> tuple[int, bytes]:
        client = Client(Access(here.settings.api))
        connection = client._connection()
        connection.request(method, path, body=body or None, headers=dict(kind))
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found

    return await asyncio.to_thread(ask)


async def _json(here: Office, path: str) -> Any:
    status, body = await _ask(here, "GET", path)
    assert status == 200, body
    return json.loads(body)


async def test_a_file_alone_is_a_stack(here: Office) -> None:
    status, body = await _ask(here, "PUT", "/v1/stacks/shop", STACK.encode())
    assert (status, json.loads(body)) == (200, {"stack": "shop", "revision": 1})
    assert (await _json(here, "/v1/stacks"))["stacks"][0]["name"] == "shop"
    nodes = (await _json(here, "/v1/nodes"))["nodes"]
    assert [each["name"] for each in nodes] == ["n1", "n2", "n3"]
    assert nodes[0]["capacity"] == {"cpus": 4.0, "memory": 4 << 30}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("PUT", "/v1/stacks/shop", b"services: {a: {}}", 400, "services.a has no image"),
        ("PUT", "/v1/stacks/shop", b"services: {a: {image: x, env_file: y}}", 400,
         "/y cannot be read"),
        ("GET", "/v1/stacks/none", b"", 404, "there is no stack 'none'; known are none"),
        ("DELETE", "/v1/stacks/none", b"", 404, "there is no stack"),
        ("POST", "/v1/stacks/a/services/b/scale?replicas=2", b"", 404, "there is no stack"),
        ("POST", "/v1/stacks/a/services/b/scale?replicas=x", b"", 400, "whole number, not 'x'"),
        ("POST", "/v1/stacks/a/services/b/scale", b"[]", 400, "no JSON object"),
        ("POST", "/v1/stacks/a/services/b/scale", b"{}", 400, "whole number, not ''"),
        ("POST", "/v1/stacks/a/services/b/dance", b"", 404, "'dance' is none of scale, pause"),
        ("POST", "/v1/nodes/n1/dance", b"", 404, "'dance' is none of drain"),
        ("POST", "/v1/nodes/n9/drain", b"", 404, "known are n1, n2, n3"),
        ("GET", "/v1/why/nobody", b"", 404, "'nobody'"),
        ("GET", "/v1/events?after=x", b"", 400, "after must be a number"),
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused_with_its_reason(
    here: Office, method: str, path: str, body: bytes, status: int, says: str
) -> None:
    found = await _ask(here, method, path, body)
    assert found[0] == status
    assert says in found[1].decode()


async def test_bundles_are_checked(here: Office) -> None:
    kind = {"Content-Type": "application/json"}
    status, body = await _ask(here, "PUT", "/v1/stacks/shop", b"{", kind=kind)
    assert (status, b"no bundle" in body) == (400, True)
    bundle = msgspec.json.encode(bundle_of(STACK.encode(), "other"))
    status, body = await _ask(here, "PUT", "/v1/stacks/shop", bundle, kind=kind)
    assert (status, b"is called 'other'" in body) == (400, True)


async def test_scale_takes_a_body_too(here: Office) -> None:
    await _ask(here, "PUT", "/v1/stacks/shop", STACK.encode())
    path = "/v1/stacks/shop/services/web/scale"
    assert (await _ask(here, "POST", path, b'{"replicas": 3}'))[0] == 200
    assert here.control.stacks["shop"].stack.override("web").replicas == 3
    assert (await _ask(here, "POST", path, b'{"replicas": null}'))[0] == 200
    assert here.control.stacks["shop"].stack.override("web").replicas is None
    tried = STACK.replace("drain: 1s", "drain: 1s, canary: {steps: [5]}")
    await _ask(here, "PUT", "/v1/stacks/shop", tried.encode())
    status, _ = await _ask(here, "POST", "/v1/stacks/shop/services/web/promote")
    assert (status, here.control.stacks["shop"].stack.override("web").promoted != "") == (200, True)


async def test_the_page_and_the_metrics_show_what_is(here: Office) -> None:
    text = STACK.replace("web:", "'<web>':").replace("replicas: 2", "replicas: 2000")
    assert (await _ask(here, "PUT", "/v1/stacks/shop", text.encode()))[0] == 200
    while not here.control.scene.refusals and here.control.scene.looks < 20:
        await asyncio.sleep(0.001)
    status, page = await _ask(here, "GET", "/ui/")
    assert status == 200
    assert b"&lt;web&gt;" in page
    assert b"<web>" not in page
    assert b"This scheduler leads" in page
    assert (await _ask(here, "GET", "/ui"))[0] == 301
    here.leads = False
    assert b"stands by" in (await _ask(here, "GET", "/ui/"))[1]
    _, metrics = await _ask(here, "GET", "/metrics")
    assert b'pinnace_scheduler_nodes{state="up"} 3.0' in metrics
    assert b"pinnace_scheduler_leader 0.0" in metrics
    assert (await _ask(here, "GET", "/readyz"))[0] == 200


async def test_events_are_told_as_they_come_and_again_from_where_a_reader_was(
    here: Office,
) -> None:
    client = Client(Access(here.settings.api))
    events = await asyncio.to_thread(client.events, 0, follows=True)
    here.journal.note("first", node="n1")
    found = await asyncio.to_thread(next, events)
    assert (found["kind"], found["node"], found["number"]) == ("first", "n1", 1)
    here.journal.note("second")
    assert (await asyncio.to_thread(next, events))["kind"] == "second"
    await asyncio.to_thread(events.close)
    status, body = await _ask(here, "GET", "/v1/events?follow=0", kind={"Last-Event-ID": "1"})
    assert status == 200
    assert body == (
        b'id: 2\nevent: second\ndata: {"number":2,"at":1700000000.0,"kind":"second"}\n\n'
    )


async def test_a_reader_who_missed_entries_is_told_so(here: Office) -> None:
    for number in range(2500):
        here.journal.note("tick", n=number)
    _, body = await _ask(here, "GET", "/v1/events?follow=0&after=10")
    assert body.startswith(b": 490 entries are gone\n\nid: 501\n")


def test_the_journal_says_once_what_is_so_for_long() -> None:
    now = [0.0]
    journal = Journal(lambda: now[0])
    for _ in range(3):
        journal.note("refused", service="a", slot="1", reasons=["x"])
        journal.note("alarm", text="much")
        journal.note("pending", text="told otherwise")
    assert journal.last == 2
    journal.note("refused", service="a", slot="1", reasons=["y"])
    journal.note("placed", service="a", slot="1")
    journal.note("refused", service="a", slot="1", reasons=["y"])
    now[0] = 601.0
    journal.note("alarm", text="much")
    assert journal.last == 6


def test_what_could_not_be_made_is_known_until_it_can() -> None:
    journal = Journal(lambda: 0.0)
    journal.note("failed", action="create/shop/web/1/1", reason="no image")
    journal.note("failed", action="drain/shop/web/2/1/5", reason="gone")
    assert journal.errors() == {("shop/web", "1"): "no image"}
    journal.note("create", action="create/shop/web/1/2")
    assert journal.errors() == {}


async def test_who_comes_by_tcp_needs_the_token_even_on_this_host(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a-secret-that-is-long")
    wrong = tmp_path / "wrong"
    wrong.write_text("another-that-is-long")
    token.chmod(0o600)
    wrong.chmod(0o600)
    listen = f"127.0.0.1:{free_port()}"
    async with office(tmp_path, {"listen": listen, "token_file": str(token)}):
        good = Client(Access(f"http://{listen}", token_file=str(token)))
        assert (await asyncio.to_thread(good.get, "stacks"))["stacks"] == []
        for access, says in (
            (Access(f"http://{listen}"), "give --token-file"),
            (Access(f"tcp://{listen}", ca="x"), "give --token-file"),
            (Access(f"http://{listen}", token_file=str(wrong)), "is not the one that is asked for"),
            (Access(f"https://{listen}"), "does it take no TLS"),
        ):
            with pytest.raises(Exception, match=says):
                await asyncio.to_thread(Client(access).get, "stacks")


async def test_who_comes_by_tls_needs_a_certificate_of_the_ca(tmp_path: Path) -> None:
    certificate, key = await asyncio.to_thread(make_certificate, tmp_path)
    listen = f"127.0.0.1:{free_port()}"
    files = {"tls_certificate": str(certificate), "tls_key": str(key), "tls_ca": str(certificate)}
    async with office(tmp_path, {"listen": listen, **files}):
        own = Access(f"https://{listen}", "", str(certificate), str(certificate), str(key))
        assert (await asyncio.to_thread(Client(own).get, "stacks"))["stacks"] == []
        for access, says in (
            (Access(f"https://{listen}", "", str(certificate)), "--cert and --key"),
            (Access(f"http://{listen}"), "does it take TLS only"),
        ):
            with pytest.raises(Exception, match=says):
                await asyncio.to_thread(Client(access).get, "stacks")


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "give a token or a CA"),
        ({"ca": "/x"}, "needs a certificate and key"),
        ({"ca": "/none", "certificate": "/none"}, "/none"),
    ],
)
def test_an_address_for_everybody_is_refused(files: dict[str, str], says: str) -> None:
    given = {"token_file": "", "certificate": "", "key": "", "ca": "", **files}
    with pytest.raises((ConfigError, CertificateUnusable), match=says):
        at_address("127.0.0.1:1", option="scheduler.listen", **given)


def test_a_socket_file_is_replaced_only_if_nobody_listens_on_it(tmp_path: Path) -> None:
    path = tmp_path / "run" / "api.sock"
    first = at_path(path).open()
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(AddressInUse, match="another program listens"):
        at_path(path).open()
    first.close()
    at_path(path).open().close()
    with pytest.raises(AddressInUse, match="longer than 107 bytes"):
        at_path(tmp_path / ("x" * 120)).open()
    with pytest.raises(AddressInUse, match="cannot listen on"):
        at_path(Path("/proc/nobody/api.sock")).open()


async def test_a_place_that_nobody_chose_may_be_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = at_path(tmp_path / "default.sock")
    monkeypatch.setattr("sidecar.scheduler.serving.default_socket", lambda _: tmp_path / "d.sock")
    other = await asyncio.to_thread(at_path(tmp_path / "d.sock").open)
    async with office(tmp_path, {"api": ""}):
        pass
    other.close()
    assert taken.trusts_loopback


@pytest.mark.parametrize(
    ("environ", "user", "path"),
    [
        ({}, 0, "/run/pinnace/scheduler.sock"),
        ({"XDG_RUNTIME_DIR": "/run/user/7"}, 7, "/run/user/7/pinnace/scheduler.sock"),
        ({}, 7, "/tmp/pinnace-7/pinnace/scheduler.sock"),
    ],
)
def test_each_user_has_a_socket(
    environ: dict[str, str], user: int, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    assert str(default_socket(environ)) == path
    assert Access().place({"PINNACE_SCHEDULER__API": "/x"}) == "/x"
    assert Access("/y").place({"PINNACE_SCHEDULER__API": "/x"}) == "/y"


async def test_another_server_is_recognised(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        writer.close()

    server = await asyncio.start_unix_server(answer, tmp_path / "s")
    with pytest.raises(Exception, match="is this a Pinnace of this version"):
        await asyncio.to_thread(Client(Access(str(tmp_path / "s"))).get, "stacks")
    server.close()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--api https://127.0.0.1:99999", "Port out of range"),
        ("--api http://127.0.0.1:abc", "Port could not be"),
        ("--api ftp://x", "write a socket's path, http"),
        ("--api https://", "write a socket's path, http"),
        ("--api http://[::1", "--api http://[::1: Invalid IPv6 URL"),
        ("--api https://[::1]:1 --ca /none.pem", "--ca /none.pem: No such file"),
        ("--api https://[::1]:1 --cert /none.pem", "--cert /none.pem: No such file"),
        ("--api https://[::1]:1 --ca {own}", "no certificate is in it"),
        ("--api https://[::1]:1 --cert {own}", "--cert {own}: no"),
        ("--api https://[::1]:1 --key k.pem", "--key: it is of a certificate"),
    ],
)
def test_what_cannot_be_asked_is_told_by_its_option(
    words: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "text"
    own.write_text("no certificate")
    assert main(["pinnace", "node", "ls", *words.format(own=own).split()]) == 1
    assert says.format(own=own) in capsys.readouterr().err
