"""The drop-ins on our own API: its keys and its catalogue, without Consul."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sidecar.stores.keyvalue import EmbeddedKeyValue
from sidecar.web.consul.api import store_routes
from tests.support.confd import Confd
from tests.support.consul_template import ConsulTemplate
from tests.support.keys import checks_of
from tests.support.pinnace import until
from tests.support.served import NODE, Client, World, served


@asynccontextmanager
async def _site() -> AsyncIterator[tuple[Client, str]]:
    """Serve a key and an instance; give a client and the address."""
    world = World()
    keys = store_routes(
        EmbeddedKeyValue(world.catalog, world.clock),
        datacenter="dc1", node=NODE.name, address=NODE.address, checks_of=checks_of,
    )  # fmt: skip
    async with served(world, routes=keys) as client:
        assert (await client.put("/v1/kv/ct/a", b"1")).status == 200
        await _register(client, "w1")
        assert world.server is not None
        assert world.server.address is not None
        yield client, "{}:{}".format(*world.server.address)


async def _register(client: Client, id_: str) -> None:
    service = {"Name": "web", "ID": id_, "Port": 80, "Tags": ["b", "a"], "Meta": {"k": "v"}}
    assert (await client.put("/v1/agent/service/register", service)).status == 200


def _text_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""


async def _until_text(path: Path, text: str) -> None:
    await asyncio.to_thread(until, lambda: _text_of(path) == text)


async def test_our_own_catalogue_is_a_source_of_consul_template(tmp_path: Path) -> None:
    text = (
        '{{ key "ct/a" }}{{ range tree "ct" }} {{ .Path }}{{ end }} '
        '{{ range service "web" }}{{ .Node }}:{{ .Port }}{{ .Tags }}{{ .ServiceMeta.k }}{{ end }} '
        "{{ range services }}{{ .Name }}{{ end }} {{ with node }}{{ .Node.Node }}{{ end }}"
    )
    async with _site() as (client, address):
        with ConsulTemplate(tmp_path, address) as program:
            dest = program.template("web", text)
            program.start("-template", f"{program.folder / 'web.ctmpl'}:{dest}")
            first = "1 ct/a node-1:80[a b]v consulweb node-1"
            await _until_text(dest, first)
            await client.put("/v1/kv/ct/a", b"2")
            await asyncio.to_thread(until, lambda: _text_of(dest).startswith("2 "))
            await client.put("/v1/kv/ct/b", b"2")
            await asyncio.to_thread(until, lambda: "ct/b" in _text_of(dest))
            status = await asyncio.to_thread(program.stop)
    assert status == 0


SERVICES = (
    '{{range ls "/services/web"}}{{.}}={{getv (printf "/services/web/%s" .)}}'
    '{{getv (printf "/services/web/%s/tags" .)}};{{end}}'
)


async def test_confd_reads_keys_and_services_of_our_own_catalogue(tmp_path: Path) -> None:
    async with _site() as (client, address):
        await client.put("/v1/kv/services/web/forged", b"192.0.2.66:1")
        with Confd(tmp_path) as confd:
            confd.backend = ("-backend", "pinnace", "-node", address)
            some = confd.resource("some", SERVICES, keys='["/services/web"]')
            both = confd.resource("both", '{{getv "/ct/a"}} ' + SERVICES, keys='["/"]')
            keys = confd.resource("keys", '{{getv "/ct/a"}}', keys='["/ct"]')
            done = await asyncio.to_thread(confd.once)
            assert done.returncode == 0, done.stderr
            first = f"w1={NODE.address}:80b,a;"
            assert _text_of(some) == first
            assert (_text_of(both), _text_of(keys)) == (f"1 {first}", "1")
            confd.start("-watch")
            await _register(client, "w2")
            second = f"{first}w2={NODE.address}:80b,a;"
            await _until_text(some, second)
            await _until_text(both, f"1 {second}")
            await client.put("/v1/kv/ct/a", b"2")
            await _until_text(both, f"2 {second}")
            await _until_text(keys, "2")
            await client.put("/v1/agent/service/deregister/w1")
            await _until_text(some, f"w2={NODE.address}:80b,a;")
            assert await asyncio.to_thread(confd.stop) == 0


async def test_confd_that_polls_reads_services_too(tmp_path: Path) -> None:
    async with _site() as (client, address):
        with Confd(tmp_path) as confd:
            confd.backend = ("-backend", "pinnace", "-node", address)
            dest = confd.resource("web", SERVICES, keys='["/services/web"]')
            confd.start("-interval", "1")
            await _until_text(dest, f"w1={NODE.address}:80b,a;")
            await _register(client, "w2")
            await _until_text(dest, f"w1={NODE.address}:80b,a;w2={NODE.address}:80b,a;")
            assert await asyncio.to_thread(confd.stop) == 0
