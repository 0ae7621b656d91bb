"""The whole zone, for who may have it."""

import asyncio
import subprocess
from typing import Any

from dnslib import DNSRecord

from dnsd.component import DnsServer
from sidecar.catalog.changes import Drop
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import InstanceId
from sidecar.config.units import Endpoint
from sidecar.runtime.clock import FakeClock
from tests.integration.dnsd.conftest import Serve
from tests.support.asker import instance, node, query
from tests.support.upstream import Upstream

ALLOW = {"transfer_allow": ("127.0.0.0/8",)}


def catalog_of(services: int) -> Catalog:
    catalog = Catalog()
    catalog.commit(
        [
            node(),
            instance("far", address="x.example.org"),
            *(
                instance(f"svc-{n}", k, address=f"10.{n >> 8}.{n & 255}.{k}", tags=("blue",))
                for n in range(services)
                for k in (1, 2)
            ),
        ]
    )
    catalog.mark_synced()
    return catalog


async def dig(at: Endpoint, *words: str) -> str:
    done = await asyncio.to_thread(
        subprocess.run,
        ["dig", f"@{at.host}", "-p", str(at.port), "+time=20", "+tries=1", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


def records(out: str) -> list[tuple[str, str, str]]:
    """Return owner, type and data of each line of a transfer."""
    lines = [line.split(None, 4) for line in out.splitlines() if line and line[0] != ";"]
    return [(owner, kind, data) for owner, _, _, kind, data in lines]


async def test_a_transfer_has_what_questions_get(serve: Serve) -> None:
    async with serve(catalog_of(3), settings=ALLOW) as server:
        (at,) = server.addresses
        found = records(await dig(at, "consul", "AXFR"))
        assert found[0] == found[-1]
        assert found[0][1] == "SOA"
        assert len(set(found)) == len(found) - 1
        names = {owner for owner, *_ in found}
        assert {
            "svc-0.service.consul.",
            "svc-0.service.dc1.consul.",
            "blue.svc-1.service.consul.",
            "_svc-2._tcp.service.consul.",
            "_svc-2._tcp.consul.",
            "svc-2.service.dc1.dc.consul.",
            "node-1.node.dc1.consul.",
            "0a000201.addr.dc1.consul.",
            "ns.consul.",
        } <= names
        reader, writer = await asyncio.open_connection(*at)
        for owner, kind in sorted({(owner, kind) for owner, kind, _ in found if kind != "SOA"}):
            packet = query(owner, kind)
            writer.write(len(packet).to_bytes(2) + packet)
            size = int.from_bytes(await reader.readexactly(2))
            asked = sorted(str(r.rdata) for r in DNSRecord.parse(await reader.readexactly(size)).rr)
            assert asked == sorted(data for o, k, data in found if (o, k) == (owner, kind)), owner
        writer.close()


async def test_a_large_zone_comes_in_many_messages_of_one_state(serve: Serve) -> None:
    catalog = catalog_of(500)
    async with serve(catalog, settings=ALLOW) as server:
        (at,) = server.addresses
        reading = asyncio.create_task(dig(at, "consul", "AXFR"))
        for n in range(20):
            await asyncio.sleep(0.005)
            catalog.commit([Drop(f"svc-{n}", InstanceId(f"svc-{n}-1"))])
        out = await reading
        found = records(out)
        assert found[0] == found[-1]
        assert int(out.split("messages ")[1].split(",")[0]) > 5
        counts = [
            sum(owner == f"svc-{n}.service.consul." and kind == "A" for owner, kind, _ in found)
            for n in range(20)
        ]
        assert counts == sorted(counts)  # dropped one after the other: no later before an earlier


async def test_who_has_the_present_serial_gets_it_alone(serve: Serve) -> None:
    async with serve(catalog_of(1), settings=ALLOW) as server:
        (at,) = server.addresses
        serial = records(await dig(at, "+noall", "+answer", "consul", "SOA"))[0][2].split()[2]
        assert len(records(await dig(at, "consul", f"IXFR={serial}"))) == 1
        assert len(records(await dig(at, "consul", "IXFR=1"))) > 10


async def test_others_get_nothing(serve: Serve) -> None:
    for settings in ({}, {"transfer_allow": ("192.0.2.0/24",)}):
        async with serve(catalog_of(1), settings=settings) as server:
            assert "Transfer failed." in await dig(server.addresses[0], "consul", "AXFR")
    async with serve(catalog_of(1), settings=ALLOW) as server:
        for name in ("example.org", "service.consul"):
            assert "Transfer failed." in await dig(server.addresses[0], name, "AXFR")


async def test_secondaries_are_told_of_a_change(serve: Serve) -> None:
    told: list[tuple[str, int]] = []

    def hear(query: DNSRecord, _: str) -> list[bytes]:
        told.append((str(query.q.qname), query.header.opcode))
        return [query.reply().pack()]

    catalog = catalog_of(1)
    async with Upstream(hear).running() as secondary:
        settings: dict[str, Any] = {"also_notify": (str(secondary.at),), "alt_domain": ""}
        clock = FakeClock()
        async with serve(catalog, settings=settings, clock=clock):
            async with asyncio.timeout(20):
                while len(told) < 1:
                    await asyncio.sleep(0.01)
                catalog.commit([instance("late")])
                await clock.advance(4)
                assert len(told) == 1
                await clock.advance(2)
                while len(told) < 2:
                    await asyncio.sleep(0.01)
    assert set(told) == {("consul.", 4)}


async def test_a_secondary_that_is_away_harms_nobody(serve: Serve) -> None:
    settings: dict[str, Any] = {"also_notify": (str(Upstream().at),)}
    async with serve(catalog_of(1), settings=settings) as server:
        assert isinstance(server, DnsServer)
        assert records(await dig(server.addresses[0], "+noall", "+answer", "svc-0.service.consul"))
