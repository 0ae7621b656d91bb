"""Who may change what, where the servers are, and what is too large."""

from pathlib import Path

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError
from kazoo.security import ACL

from sidecar.catalog.model import key_of
from sidecar.errors import StoreDenied
from sidecar.runtime.clock import SystemClock
from sidecar.stores.base import Edge, EdgeOptions
from sidecar.stores.zookeeper.opening import open_edge
from tests.integration.stores.conformance.kit import HERE, entry, running, wanted
from tests.integration.stores.conformance.zookeeper import BASE, ZooKeeperBackend
from tests.support.ports import free_port

pytestmark = pytest.mark.zookeeper
PLAIN = entry()
PATH = f"{BASE}/web/192.0.2.1:21001"


def opened(url: str, **environ: str) -> Edge:
    return open_edge(url, EdgeOptions(), clock=SystemClock(), environ=environ)


async def test_with_credentials_others_may_read_and_only_we_may_change(
    zookeeper: ZooKeeperBackend, tmp_path: Path
) -> None:
    secret = tmp_path / "auth"
    secret.write_text("registrar:s3cret\n")
    zookeeper._auth.append(("digest", "registrar:s3cret"))  # to clean up
    url = f"zookeeper://{zookeeper.server.address}{BASE}"
    edge = opened(url, ZOOKEEPER_AUTH="registrar:wrong", ZOOKEEPER_AUTH_FILE=str(secret))
    stranger = opened(url)

    def acls(client: KazooClient) -> list[ACL]:
        return client.get_acls(PATH)[0]

    async with running(edge, stranger):
        await edge.write(wanted(PLAIN))
        held = {
            (each.id.scheme, each.id.id.partition(":")[0]) for each in await zookeeper.ask(acls)
        }
        assert held == {("digest", "registrar"), ("world", "anyone")}
        other = entry(port=21002)
        assert await stranger.write(wanted(other)) == {
            key_of(other): "the access list does not allow it"
        }
        assert await stranger.audit({key_of(PLAIN): PLAIN}, HERE) == {key_of(PLAIN)}

        def spoil(client: KazooClient) -> None:
            client.set(PATH, b"{}")

        zookeeper._auth.remove(("digest", "registrar:s3cret"))
        with pytest.raises(NoAuthError):
            await zookeeper.ask(spoil)
        zookeeper._auth.append(("digest", "registrar:s3cret"))
        assert await zookeeper.raw() == zookeeper.expected([PLAIN])
        await edge.write({key_of(PLAIN): None})
        assert await zookeeper.raw() == {}


async def test_credentials_that_cannot_be_read_are_told_without_them(
    zookeeper: ZooKeeperBackend, tmp_path: Path
) -> None:
    edge = opened(
        f"zookeeper://{zookeeper.server.address}{BASE}",
        ZOOKEEPER_AUTH_FILE=str(tmp_path / "missing"),
        ZOOKEEPER_AUTH="registrar:s3cret",
    )
    with pytest.raises(StoreDenied, match="missing") as caught:
        await edge.write(wanted(PLAIN))
    assert "s3cret" not in str(caught.value)
    await edge.close()


async def test_a_dead_server_of_several_is_passed_over(zookeeper: ZooKeeperBackend) -> None:
    servers = f"127.0.0.1:{free_port()},{zookeeper.server.address},127.0.0.1:{free_port()}"
    edge = opened(f"zookeeper://{servers}{BASE}")
    async with running(edge):
        await edge.write(wanted(PLAIN))
        assert await zookeeper.raw() == zookeeper.expected([PLAIN])
        assert edge.url == f"zookeeper://{servers}{BASE}"


async def test_an_entry_too_large_for_a_server_is_refused_before_it_hangs_up(
    zookeeper: ZooKeeperBackend,
) -> None:
    large = entry(port=21002, meta={"x": "y" * 1_100_000})
    edge = opened(f"zookeeper://{zookeeper.server.address}{BASE}")
    async with running(edge):
        assert set(await edge.write(wanted(PLAIN, large))) == {key_of(large)}
        assert await zookeeper.raw() == zookeeper.expected([PLAIN])
        assert edge.trouble() is None


async def test_an_ephemeral_node_in_the_place_of_a_service_harms_only_that(
    zookeeper: ZooKeeperBackend,
) -> None:
    odd = entry("odd", 21002)
    edge = opened(f"zookeeper://{zookeeper.server.address}{BASE}")
    async with running(edge):
        await edge.write(wanted(PLAIN))
        blocker = KazooClient(zookeeper.server.address)
        blocker.start()
        blocker.create(f"{BASE}/odd", b"", ephemeral=True)
        refused = await edge.write(wanted(odd, entry(port=21003)))
        assert refused == {key_of(odd): "the node above is ephemeral"}
        blocker.stop()
        blocker.close()
        assert await edge.write(wanted(odd)) == {}
        expected = zookeeper.expected([PLAIN, odd, entry(port=21003)])
        assert await zookeeper.raw() == expected


async def test_a_lasting_node_in_the_place_of_an_entry_is_replaced(
    zookeeper: ZooKeeperBackend,
) -> None:
    edge = opened(f"zookeeper://{zookeeper.server.address}{BASE}")
    async with running(edge):
        await zookeeper.put_foreign(PLAIN)
        assert await edge.audit({key_of(PLAIN): PLAIN}, HERE) == {key_of(PLAIN)}
        await edge.write(wanted(PLAIN))
        assert await zookeeper.raw() == zookeeper.expected([PLAIN])

        def owner(client: KazooClient) -> int:
            return client.get(PATH)[1].ephemeralOwner

        assert await zookeeper.ask(owner) != 0
