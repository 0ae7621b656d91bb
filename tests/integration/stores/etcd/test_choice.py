"""Which API a store is asked by, as the scheme and the server say."""

import pytest

from deploy.tools.etcd import Etcd
from sidecar.errors import StoreUnavailable
from sidecar.runtime.clock import SystemClock
from sidecar.stores.base import EdgeOptions
from sidecar.stores.etcd.opening import open_edge
from tests.integration.stores.conformance.kit import entry, wanted
from tests.integration.stores.etcd.harness import v2_entries, v3_entries

pytestmark = pytest.mark.etcd
WITHOUT_V3 = ("--enable-grpc-gateway=false",)
PLAIN = {"/s/web/vm-1:web-21001:80": ("192.0.2.1:21001", 0)}
SKYDNS = {"/skydns/local/cluster/web/vm-1:web-21001:80": ('{"host":"192.0.2.1","port":21001}', 0)}


async def write(etcd: Etcd, url: str, options: EdgeOptions | None = None) -> None:
    edge = open_edge(
        url.replace("HERE", f"127.0.0.1:{etcd.port}"),
        options or EdgeOptions(),
        clock=SystemClock(),
        environ={},
    )
    try:
        await edge.ping()
        await edge.write(wanted(entry()))
    finally:
        await edge.close()


async def test_etcd_means_v3_where_the_server_has_both(server: Etcd) -> None:
    await write(server, "etcd://HERE/s")
    assert v3_entries(server) == PLAIN
    assert not v2_entries(server)


async def test_etcd_means_v2_where_the_server_has_it_in_registrators_place(
    server: Etcd, etcd: Etcd
) -> None:
    await write(server, "etcd://HERE/s", EdgeOptions(v2_first=True))
    assert v2_entries(server) == PLAIN
    assert not v3_entries(server)
    await write(etcd, "etcd://HERE/s", EdgeOptions(v2_first=True))
    assert v3_entries(etcd) == PLAIN


async def test_etcd2_means_v2(server: Etcd) -> None:
    await write(server, "etcd2://HERE/s")
    assert v2_entries(server) == PLAIN
    assert not v3_entries(server)


async def test_skydns_means_v2_where_the_server_has_it(server: Etcd) -> None:
    await write(server, "skydns2://HERE/cluster.local")
    assert v2_entries(server, "/skydns/local/cluster/") == SKYDNS
    assert not v3_entries(server, "/skydns/")


async def test_a_server_without_v2_is_asked_by_v3_alone(etcd: Etcd) -> None:
    await write(etcd, "etcd://HERE/s")
    await write(etcd, "skydns2://HERE/cluster.local")
    assert v3_entries(etcd) == PLAIN
    assert v3_entries(etcd, "/skydns/") == SKYDNS
    with pytest.raises(StoreUnavailable):
        await write(etcd, "etcd2://HERE/s")


@pytest.mark.parametrize("v2", [True, False])
async def test_a_server_without_the_gateway_is_asked_by_v2_or_not_at_all(v2: bool) -> None:
    with Etcd(v2=v2, arguments=WITHOUT_V3) as etcd:
        if v2:
            await write(etcd, "etcd://HERE/s")
            assert v2_entries(etcd) == PLAIN
            return
        for url in ("etcd://HERE/s", "skydns2://HERE/cluster.local"):
            with pytest.raises(StoreUnavailable, match="neither"):
                await write(etcd, url)


async def test_without_a_prefix_entries_stand_at_the_root(server: Etcd) -> None:
    await write(server, "etcd://HERE")
    assert list(v3_entries(server, "/web/")) == ["/web/vm-1:web-21001:80"]
    assert v3_entries(server, "_pinnace/registrar/")
