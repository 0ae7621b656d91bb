"""Real dig over real sockets on loopback."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from dnsd.component import DnsServer
from sidecar.catalog.live import Catalog
from sidecar.config.units import Endpoint
from tests.integration.dnsd.conftest import Serve
from tests.support.asker import instance, node

if shutil.which("dig") is None:
    if os.environ.get("CI"):
        raise RuntimeError("dig is missing (Debian package: bind9-dnsutils)")
    pytest.skip("dig is missing", allow_module_level=True)


async def dig(server: DnsServer | Endpoint, *words: str) -> str:
    at = server if isinstance(server, Endpoint) else server.addresses[0]
    process = await asyncio.create_subprocess_exec(
        *("dig", f"@{at.host}", "-p", str(at.port), "+tries=1", "+time=3", *words),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out
    return out.decode()


def catalog_of(number: int) -> Catalog:
    catalog = Catalog()
    catalog.commit([node(), *(instance(number=n, port=8000 + n) for n in range(1, number + 1))])
    catalog.mark_synced()
    return catalog


@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
async def test_srv_comes_with_glue(serve: Serve, transport: str) -> None:
    async with serve(catalog_of(3)) as server:
        out = await dig(server, "web.service.consul", "SRV", transport)
        assert "status: NOERROR" in out
        assert "ANSWER: 3, AUTHORITY: 0, ADDITIONAL: 4" in out
        for n in (1, 2, 3):
            assert f"SRV\t1 1 {8000 + n} 0a00000{n}.addr.dc1.consul." in out
            assert f"0a00000{n}.addr.dc1.consul. 0\tIN\tA\t10.0.0.{n}" in out


@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
async def test_what_does_not_exist_has_the_soa(serve: Serve, transport: str) -> None:
    async with serve(catalog_of(1)) as server:
        absent = await dig(server, "nope.service.consul", transport)
        assert "status: NXDOMAIN" in absent
        assert "SOA\tns.consul. hostmaster.consul." in absent
        empty = await dig(server, "service.consul", transport)
        assert "status: NOERROR" in empty
        assert "ANSWER: 0, AUTHORITY: 1" in empty


async def test_a_large_answer_is_truncated_and_whole_over_tcp(serve: Serve) -> None:
    async with serve(catalog_of(100)) as server:
        name = ("web.service.consul", "A")
        short = await dig(server, *name, "+ignore")
        assert "flags: qr aa tc rd" in short
        assert "MSG SIZE  rcvd: 12" in short
        whole = await dig(server, *name)
        assert "ANSWER: 100" in whole
        assert "(TCP)" in whole
        plain = await dig(server, *name, "+ignore", "+noedns")
        assert "MSG SIZE  rcvd: 5" in plain


async def test_a_later_edns_version_is_badvers(serve: Serve) -> None:
    async with serve(catalog_of(1)) as server:
        out = await dig(server, "web.service.consul", "+edns=1", "+noednsneg")
        assert "status: BADVERS" in out
        assert "EDNS: version: 0" in out
        assert "status: NOERROR" in await dig(server, "web.service.consul", "+edns=1")


async def test_a_commit_is_answered_at_once(serve: Serve) -> None:
    catalog = catalog_of(1)
    async with serve(catalog) as server:
        assert "10.0.0.1\n" in await dig(server, "+short", "web.service.consul")
        catalog.commit([instance(address="10.0.0.77")])
        assert await dig(server, "+short", "web.service.consul") == "10.0.0.77\n"


async def test_it_says_where_it_does_not_answer(serve: Serve) -> None:
    async with serve(catalog_of(1)) as server:
        out = await dig(server, "example.org")
        assert "status: REFUSED" in out
        assert "EDE: 20 (Not Authoritative)" in out


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "[::1]"])
@pytest.mark.usefixtures("reading")
async def test_replies_come_from_the_address_asked(serve: Serve, host: str) -> None:
    async with serve(catalog_of(1), f"{host}:0") as server:
        port = server.addresses[0].port
        to = "::1" if ":" in host else "127.0.0.9"
        for _ in range(2):  # parsed, then from the hot map
            out = await dig(Endpoint(to, port), "+short", "web.service.consul")
            assert out == "10.0.0.1\n"


async def test_several_addresses_are_served(serve: Serve) -> None:
    async with serve(catalog_of(1), "127.0.0.1:0,[::1]:0") as server:
        assert [at.host for at in server.addresses] == ["127.0.0.1", "::1"]
        for at in server.addresses:
            assert await dig(at, "+short", "web.service.consul") == "10.0.0.1\n"
            assert await dig(at, "+short", "+tcp", "web.service.consul") == "10.0.0.1\n"


async def test_every_example_of_the_readme_works(serve: Serve) -> None:
    readme = await asyncio.to_thread(Path("dnsd/README.md").read_text)
    examples = [line.split()[4:] for line in readme.splitlines() if line.startswith("$ dig @")]
    assert len(examples) >= 4
    catalog = catalog_of(1)
    catalog.commit([instance(number=2, address="2001:db8::2", tags=("blue",))])
    async with serve(catalog) as server:
        for port, *words in ([example[0], *example[1:]] for example in examples):
            assert port == "8600"
            out = await dig(server, *words)
            assert "status: NOERROR" in out
            assert "ANSWER: 0" not in out
