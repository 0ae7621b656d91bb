"""What a TTL does to entries, in true time: all cases at once, as each has to wait."""

import asyncio
import signal

import pytest

from deploy.tools.etcd import Etcd
from sidecar.catalog.model import key_of
from tests.integration.stores.conformance.kit import HERE, entry, eventually, running, wanted
from tests.integration.stores.etcd.harness import (
    edge_on,
    holding,
    v2_entries,
    v3_entries,
    v3_revisions,
)

pytestmark = pytest.mark.etcd
ONE, TWO = entry(port=21001), entry(port=21002)
TTL = 2.0  # etcd's shortest


async def test_entries_live_as_long_as_their_holder(server: Etcd) -> None:
    async with asyncio.TaskGroup() as group:
        for case in (killed, stood_still, started_again, let_go):
            group.create_task(case(server), name=case.__name__)


async def killed(server: Etcd) -> None:
    """Entries go after their holder was killed, and not before."""
    urls = [f"{scheme}://127.0.0.1:{server.port}/killed" for scheme in ("etcd", "etcd2")]

    def counts() -> list[int]:
        return [len(v3_entries(server, "/killed/")), len(v2_entries(server, "/killed/"))]

    async def are_gone() -> bool:
        return counts() == [0, 0]

    async with holding(urls[0], TTL, 21001) as new, holding(urls[1], TTL, 21001) as old:
        for _ in range(6):  # longer than the TTL
            await asyncio.sleep(0.5)
            assert counts() == [1, 1]
        await new.kill()
        await old.kill()
        assert counts() == [1, 1]
        await eventually(are_gone, TTL + 3, "the end of the TTL")
        assert not v3_entries(server, "_pinnace/registrar/killed/")
        status, _ = server.ask("GET", "/v2/keys/_pinnace/registrar/killed/web/" + ONE.id)
        assert status == 404


async def stood_still(server: Etcd) -> None:
    """A holder that stood still for 5 s keeps what its lease still holds, and mends what not."""
    url = f"etcd://127.0.0.1:{server.port}"
    async with (
        holding(f"{url}/short", TTL, 21001, 21002) as short,
        holding(f"{url}/long", 12.0, 21001) as long,
    ):
        for holder in (short, long):
            holder.signal(signal.SIGSTOP)
        for _ in range(10):
            await asyncio.sleep(0.5)
            assert v3_entries(server, "/long/")
        assert not v3_entries(server, "/short/")
        for holder in (short, long):
            holder.signal(signal.SIGCONT)

        async def are_back() -> bool:
            return len(v3_entries(server, "/short/")) == 2

        await eventually(are_back, 2.0, "what was lost")


async def started_again(server: Etcd) -> None:
    """A registrar that starts again goes on with the old lease and writes nothing."""
    first, second = (edge_on(server, path="/again", ttl=TTL) for _ in range(2))
    async with running(first):
        await first.write(wanted(ONE))
    before = v3_revisions(server, "/again/")
    async with running(second):
        assert not await second.audit({key_of(ONE): ONE}, HERE)
        await asyncio.sleep(TTL + 1.5)
        assert v3_revisions(server, "/again/") == before
        assert len(before) == 1


async def let_go(server: Etcd) -> None:
    """What is let go ends, the rest stays; what is written again stays again."""
    new = edge_on(server, path="/left", ttl=TTL)
    old = edge_on(server, "etcd2", path="/left", ttl=TTL, refresh=0.5)

    def counts() -> list[int]:
        return [len(v3_entries(server, "/left/")), len(v2_entries(server, "/left/"))]

    async def are_gone() -> bool:
        return counts() == [1, 1]

    async with running(new, old):
        for edge in (new, old):
            await edge.write(wanted(ONE, TWO))
            edge.let_go([key_of(ONE)])
            assert not await edge.audit({key_of(TWO): TWO}, HERE)
        assert counts() == [2, 2]
        await eventually(are_gone, TTL + 3, "the end of the TTL")
        for edge in (new, old):
            await edge.write(wanted(ONE))
        await asyncio.sleep(TTL + 1)
        assert counts() == [2, 2]
