"""The drop-in for consul-template on our own API instead of Consul."""

import asyncio
from pathlib import Path

from sidecar.stores.keyvalue import EmbeddedKeyValue
from sidecar.web.consul.api import store_routes
from tests.support.consul_template import ConsulTemplate
from tests.support.keys import checks_of
from tests.support.pinnace import until
from tests.support.served import NODE, Client, World, served


async def _fill(client: Client) -> None:
    assert (await client.put("/v1/kv/ct/a", b"1")).status == 200
    service = {"Name": "web", "ID": "w1", "Port": 80, "Tags": ["b", "a"], "Meta": {"k": "v"}}
    assert (await client.put("/v1/agent/service/register", service)).status == 200


def _text_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""


async def test_our_own_catalogue_is_a_source(tmp_path: Path) -> None:
    text = (
        '{{ key "ct/a" }}{{ range tree "ct" }} {{ .Path }}{{ end }} '
        '{{ range service "web" }}{{ .Node }}:{{ .Port }}{{ .Tags }}{{ .ServiceMeta.k }}{{ end }} '
        "{{ range services }}{{ .Name }}{{ end }} {{ with node }}{{ .Node.Node }}{{ end }}"
    )
    world = World()
    keys = store_routes(
        EmbeddedKeyValue(world.catalog, world.clock),
        datacenter="dc1", node=NODE.name, address=NODE.address, checks_of=checks_of,
    )  # fmt: skip
    async with served(world, routes=keys) as client:
        await _fill(client)
        assert world.server is not None
        assert world.server.address is not None
        with ConsulTemplate(tmp_path, "{}:{}".format(*world.server.address)) as program:
            dest = program.template("web", text)
            program.start("-template", f"{program.folder / 'web.ctmpl'}:{dest}")
            first = "1 ct/a node-1:80[a b]v consulweb node-1"
            await asyncio.to_thread(until, dest.exists)
            assert _text_of(dest) == first
            await client.put("/v1/kv/ct/a", b"2")
            await asyncio.to_thread(until, lambda: _text_of(dest).startswith("2 "))
            await client.put("/v1/kv/ct/b", b"2")
            await asyncio.to_thread(until, lambda: "ct/b" in _text_of(dest))
            status = await asyncio.to_thread(program.stop)
    assert status == 0
