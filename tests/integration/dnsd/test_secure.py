"""DNS over TLS and over HTTPS as clients meet them."""

import asyncio
import http.client
import os
import ssl
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from dnslib import DNSRecord

from dnsd.component import DnsServer
from dnsd.edns import PADDING, option
from sidecar.catalog.live import Catalog
from sidecar.config.model import DnsSettings
from sidecar.config.units import Endpoint
from sidecar.errors import CertificateUnusable
from tests.integration.dnsd.conftest import Serve
from tests.support.asker import instance, opt, query
from tests.support.certificate import certificate
from tests.support.oracle import insist_on
from tests.support.upstream import Upstream

PACKET = query("web.service.consul")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def settings(files: tuple[Path, Path]) -> dict[str, Any]:
    return {
        "tls_listen": "127.0.0.1:0",
        "https_listen": "127.0.0.1:0",
        "tls_certificate": str(files[0]),
        "tls_key": str(files[1]),
    }


@pytest.fixture
def catalog() -> Catalog:
    catalog = Catalog()
    catalog.commit([instance(number=n) for n in range(1, 4)])
    catalog.mark_synced()
    return catalog


def trusting(path: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(path))


async def over_tls(server: DnsServer, path: Path, *packets: bytes) -> list[bytes]:
    context = await asyncio.to_thread(trusting, path)
    at = server.secure["tls"][0]
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(at.host, at.port, ssl=context)
        for packet in packets:
            writer.write(len(packet).to_bytes(2) + packet)
        found = [
            await reader.readexactly(int.from_bytes(await reader.readexactly(2))) for _ in packets
        ]
        writer.close()
    return found


Asked = tuple[int, Mapping[str, str], bytes]


def https(
    at: Endpoint, path: Path, *requests: tuple[str, str, bytes, dict[str, str]]
) -> list[Asked]:
    """Send requests over one connection; return status, headers and body of each."""
    connection = http.client.HTTPSConnection(at.host, at.port, timeout=10, context=trusting(path))
    found: list[Asked] = []
    try:
        for method, target, body, headers in requests:
            connection.request(method, target, body or None, headers)
            answer = connection.getresponse()
            found.append((answer.status, dict(answer.headers), answer.read()))
    finally:
        connection.close()
    return found


def get(packet: bytes) -> tuple[str, str, bytes, dict[str, str]]:
    text = urlsafe_b64encode(packet).rstrip(b"=").decode()
    return "GET", f"/dns-query?dns={text}", b"", {"Accept": "application/dns-message"}


def post(packet: bytes) -> tuple[str, str, bytes, dict[str, str]]:
    return "POST", "/dns-query", packet, {"Content-Type": "application/dns-message"}


async def test_tls_is_pipelined_and_padded_when_wanted(
    serve: Serve, catalog: Catalog, settings: dict[str, Any], files: tuple[Path, Path]
) -> None:
    padded = query("web.service.consul", extra=opt(options=option(PADDING)))
    async with serve(catalog, settings=settings) as server:
        replies = await over_tls(server, files[0], *[PACKET] * 50, padded)
        assert all(len(DNSRecord.parse(reply).rr) == 3 for reply in replies)
        assert len(replies[-1]) % 468 == 0
        assert len(replies[0]) < 200


async def test_https_answers_get_and_post(
    serve: Serve, catalog: Catalog, settings: dict[str, Any], files: tuple[Path, Path]
) -> None:
    wanted = settings | {"ttl": 42.0, "soa_min_ttl": 7.0}
    absent = query("absent.service.consul")
    async with serve(catalog, settings=wanted) as server:
        asked = partial(https, server.secure["https"][0], files[0])
        found = await asyncio.to_thread(asked, get(PACKET), post(PACKET), get(PACKET), get(absent))
    for status, headers, body in found[:3]:
        assert (status, headers["Content-Type"]) == (200, "application/dns-message")
        assert headers["Cache-Control"] == "max-age=42"
        assert len(DNSRecord.parse(body).rr) == 3
    assert found[3][1]["Cache-Control"] == "max-age=7"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (("GET", "/", b"", {}), 404),
        (("GET", "/dns-query", b"", {}), 400),
        (("GET", "/dns-query?dns=!!", b"", {}), 400),
        (("GET", "/dns-query?dns=AAAA", b"", {}), 400),
        (("GET", "/dns-query?dns=" + "A" * 5000, b"", {}), 400),
        (("PUT", "/dns-query", b"x", {}), 405),
        (("POST", "/dns-query", PACKET, {"Content-Type": "text/plain"}), 415),
        (("POST", "/dns-query", b"x" * 70000, {}), 413),
        (("GET", "/dns-query?x=" + "A" * 9000, b"", {}), 431),
    ],
    ids=range(9),
)
async def test_other_requests_are_told_what_is_wrong(
    serve: Serve,
    catalog: Catalog,
    settings: dict[str, Any],
    files: tuple[Path, Path],
    request_: tuple[str, str, bytes, dict[str, str]],
    status: int,
) -> None:
    async with serve(catalog, settings=settings) as server:
        found = await asyncio.to_thread(https, server.secure["https"][0], files[0], request_)
    assert found[0][0] == status


async def test_other_names_over_https_come_when_they_come(
    serve: Serve, catalog: Catalog, settings: dict[str, Any], files: tuple[Path, Path]
) -> None:
    async with Upstream().running() as upstream:
        wanted = settings | {"recursors": (str(upstream.at),)}
        async with serve(catalog, settings=wanted) as server:
            asked = partial(https, server.secure["https"][0], files[0])
            found = await asyncio.to_thread(asked, post(query("x.example.org")), get(PACKET))
            assert str(DNSRecord.parse(found[0][2]).rr[0].rdata) == "192.0.2.1"
            assert found[0][1]["Cache-Control"] == "max-age=60"
            replies = await over_tls(server, files[0], query("x.example.org"), PACKET)
            assert [len(DNSRecord.parse(reply).rr) for reply in replies] == [1, 3]


async def test_a_new_certificate_is_taken_and_a_broken_one_is_not(
    serve: Serve, catalog: Catalog, settings: dict[str, Any], tmp_path: Path
) -> None:
    first = await asyncio.to_thread(certificate, tmp_path, stem="first")
    second = await asyncio.to_thread(certificate, tmp_path, stem="second")
    live = tmp_path / "live.pem", tmp_path / "live.key"

    def place(pair: tuple[Path, Path]) -> None:
        for source, target in zip(pair, live, strict=True):
            copy = target.with_suffix(".new")
            copy.write_bytes(source.read_bytes())
            os.replace(copy, target)

    await asyncio.to_thread(place, first)
    wanted = settings | {"tls_certificate": str(live[0]), "tls_key": str(live[1])}
    async with serve(catalog, settings=wanted) as server:
        assert await over_tls(server, first[0], PACKET)
        await asyncio.to_thread(live[0].write_bytes, b"nonsense")
        await asyncio.sleep(0)
        assert await over_tls(server, first[0], PACKET)
        await asyncio.to_thread(place, second)
        async with asyncio.timeout(20):
            while True:
                try:
                    assert await over_tls(server, second[0], PACKET)
                    break
                except ssl.SSLError:
                    await asyncio.sleep(0.1)
        with pytest.raises(CertificateUnusable, match="/nowhere: No such file"):
            await server.reload(DnsSettings(**wanted | {"tls_certificate": "/nowhere"}))
        assert await over_tls(server, second[0], PACKET)


@pytest.mark.parametrize(
    ("certificate_", "key", "text"),
    [
        ("/nowhere", "", "/nowhere: No such file or directory"),
        ("/etc/hostname", "", "are no certificate with its key"),
    ],
)
async def test_files_that_cannot_be_used_end_the_start(
    serve: Serve, catalog: Catalog, settings: dict[str, Any], certificate_: str, key: str, text: str
) -> None:
    wanted = settings | {"tls_certificate": certificate_, "tls_key": key or certificate_}
    server = DnsServer(catalog, DnsSettings(listen="127.0.0.1:0", **wanted), node_name="n")
    with pytest.raises(ExceptionGroup) as raised:
        await server.run(lambda: None)
    (error,) = raised.value.exceptions
    assert isinstance(error, CertificateUnusable)
    assert text in str(error)


async def test_kdig_asks_over_tls(
    serve: Serve, catalog: Catalog, settings: dict[str, Any], files: tuple[Path, Path]
) -> None:
    insist_on("kdig", "knot-dnsutils")
    async with serve(catalog, settings=settings) as server:
        at = server.secure["tls"][0]
        process = await asyncio.create_subprocess_exec(
            *("kdig", f"@{at.host}", "-p", str(at.port), f"+tls-ca={files[0]}"),
            *("+tls-host=dns.example.org", "+padding", "+nsid", "web.service.consul", "SRV"),
            stdout=asyncio.subprocess.PIPE,
        )
        out = (await process.communicate())[0].decode()
    assert "status: NOERROR" in out
    assert "ANSWER: 3" in out
    assert "NSID: " in out
    assert "PADDING" in out
