"""How an agent lets us in: TLS with certificates of both sides, tokens, a socket."""

import asyncio
import logging
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sidecar.metrics  # noqa: F401 - its import reads /proc, which no loop should wait for
from deploy.tools.consul import Consul
from sidecar.catalog.live import Catalog
from sidecar.errors import StoreDenied, StoreUnavailable
from sidecar.runtime.clock import SystemClock
from sidecar.stores.base import Edge, EdgeOptions
from sidecar.stores.opening import open_edge, open_mirror
from tests.integration.stores.consul.agents import (
    HOLDER,
    ask,
    at_work,
    edge_at,
    entry,
    eventually,
    service,
    url,
    wanted,
)
from tests.support.oracle import consul_program
from tests.support.pace import allowed
from tests.support.ports import free_port

NAME = "server.dc1.consul"
MASTER = str(uuid.uuid4())


# --- TLS -----------------------------------------------------------------------------------------


def openssl(folder: Path, *arguments: str) -> None:
    """Run openssl in a folder."""
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a server's certificate for a name, and a client's."""
    folder = tmp_path_factory.mktemp("tls")
    ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(
        folder,
        *("req", "-x509", *ec, "-days", "2", "-subj", "/CN=authority"),
        *("-keyout", "ca.key", "-out", "ca.pem"),
    )
    for who, names in (("server", f"DNS:{NAME}"), ("client", "DNS:client.example.org")):
        (folder / f"{who}.ext").write_text(f"subjectAltName={names}\n")
        openssl(
            folder,
            *("req", *ec, "-subj", f"/CN={who}", "-keyout", f"{who}.key", "-out", f"{who}.csr"),
        )
        openssl(
            folder,
            *("x509", "-req", "-days", "2", "-in", f"{who}.csr", "-CA", "ca.pem"),
            *("-CAkey", "ca.key", "-CAcreateserial", "-extfile", f"{who}.ext"),
            *("-out", f"{who}.pem"),
        )
    return folder


@pytest.fixture(scope="module")
def guarded(certificates: Path) -> Iterator[tuple[Consul, int]]:
    """An agent that wants a certificate of its clients, and its port."""
    port = free_port()
    config = {
        "addresses": {"https": "127.0.0.1"},
        "ports": {"https": port},
        "ca_file": str(certificates / "ca.pem"),
        "cert_file": str(certificates / "server.pem"),
        "key_file": str(certificates / "server.key"),
        "verify_incoming_https": True,
    }
    with _WithPorts(config=config, program=consul_program()) as running:
        yield running, port


class _WithPorts(Consul):
    """An agent whose further ports do not replace those that the tool chose."""

    def start(self) -> None:
        given = dict(self._config.pop("ports", {}))
        self._more = getattr(self, "_more", given)
        super().start()

    def _launch(self) -> None:
        self._config["ports"] = {**self.ports, **self._more}
        super()._launch()


def environ(folder: Path, **changes: str) -> dict[str, str]:
    """Return what Consul's own client would be given."""
    known = {
        "CONSUL_CACERT": str(folder / "ca.pem"),
        "CONSUL_CLIENT_CERT": str(folder / "client.pem"),
        "CONSUL_CLIENT_KEY": str(folder / "client.key"),
        "CONSUL_TLS_SERVER_NAME": NAME,
    } | changes
    return {name: value for name, value in known.items() if value}


async def test_certificates_of_both_sides_let_us_in(
    guarded: tuple[Consul, int], certificates: Path
) -> None:
    consul, port = guarded
    store, given = f"consul-tls://127.0.0.1:{port}", environ(certificates)
    catalog = Catalog()
    mirror = open_mirror(store, catalog, clock=SystemClock(), environ=given)
    async with edge_at(store, given) as edge, at_work([mirror]):
        await edge.ping()
        assert await edge.write(wanted(entry())) == {}
        assert await service(consul, "vm:web:21001") is not None
        await eventually(lambda: _has(catalog, "web"))
        assert edge.url == store


@pytest.mark.parametrize(
    "changes",
    [
        {"CONSUL_CLIENT_CERT": "", "CONSUL_CLIENT_KEY": ""},
        {"CONSUL_CACERT": ""},
        {"CONSUL_TLS_SERVER_NAME": "other.example.org"},
        {"CONSUL_CACERT": "", "CONSUL_HTTP_SSL_VERIFY": "false"},
    ],
    ids=["no certificate", "unknown authority", "other name", "verification is not for tls"],
)
async def test_a_wrong_certificate_is_an_error_that_says_so(
    guarded: tuple[Consul, int], certificates: Path, changes: dict[str, str]
) -> None:
    store = f"consul-tls://127.0.0.1:{guarded[1]}"
    edge = open_edge(
        store, EdgeOptions(), clock=SystemClock(), environ=environ(certificates, **changes)
    )
    with pytest.raises(StoreUnavailable, match=r"(?i)certificate|ssl|tls"):
        await edge.ping()
    await edge.close()


async def test_verification_can_be_switched_off_for_consul(
    guarded: tuple[Consul, int], certificates: Path
) -> None:
    off = {"CONSUL_HTTP_SSL": "true", "CONSUL_HTTP_SSL_VERIFY": "false", "CONSUL_CACERT": ""}
    async with edge_at(f"consul://127.0.0.1:{guarded[1]}", environ(certificates, **off)) as edge:
        await edge.ping()


# --- Tokens --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def denying() -> Iterator[Consul]:
    """An agent that refuses everybody without a token."""
    acl = {
        "enabled": True,
        "default_policy": "deny",
        "tokens": {"master": MASTER, "agent": MASTER},
    }
    with Consul(config={"acl": acl}, program=consul_program()) as running:
        yield running


async def token(consul: Consul, rules: str) -> str:
    """Return a token that may do this."""
    name = uuid.uuid4().hex

    async def led() -> bool:
        try:
            await ask(consul, "GET", "acl/tokens", token=MASTER)
        except AssertionError:
            return False
        return True

    await eventually(led, 10.0)
    await ask(consul, "PUT", "acl/policy", {"Name": name, "Rules": rules}, MASTER)
    body = {"Policies": [{"Name": name}]}
    found = await ask(consul, "PUT", "acl/token", body, MASTER)
    secret: str = found["SecretID"]
    return secret


async def services(consul: Consul) -> Any:
    return await ask(consul, "GET", "agent/services", token=MASTER)


FULL = """
service_prefix "" { policy = "write" }
node_prefix "" { policy = "read" }
agent_prefix "" { policy = "read" }
key_prefix "pinnace/" { policy = "write" }
"""


async def test_a_token_with_all_rights_does_all(
    denying: Consul, caplog: pytest.LogCaptureFixture
) -> None:
    given = {"CONSUL_HTTP_TOKEN": await token(denying, FULL)}
    catalog = Catalog()
    mirror = open_mirror(url(denying), catalog, clock=SystemClock(), environ=given)
    async with edge_at(url(denying), given) as edge, at_work([mirror]):
        assert await edge.write(wanted(entry())) == {}
        assert await edge.audit(wanted(entry()), HOLDER) == frozenset()
        assert await ask(denying, "GET", "kv/pinnace/owners/?keys=", token=MASTER)
        await eventually(lambda: _has(catalog, "web"))
        await _disturbed_by_removal(denying, edge)
        await edge.write(dict.fromkeys(wanted(entry())))
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


async def test_a_token_that_may_only_register_does_that_and_warns_once(
    denying: Consul, caplog: pytest.LogCaptureFixture
) -> None:
    given = {"CONSUL_HTTP_TOKEN": await token(denying, 'service_prefix "" { policy = "write" }')}
    async with edge_at(url(denying), given) as edge:
        assert await edge.write(wanted(entry())) == {}
        for _ in range(2):
            assert await edge.audit(wanted(entry()), HOLDER) == frozenset()
        assert "vm:web:21001" in await services(denying)
        assert edge.trouble() is None
        await _disturbed_by_removal(denying, edge)
        await edge.write(dict.fromkeys(wanted(entry())))
    warnings = [each.message for each in caplog.records if each.levelno >= logging.WARNING]
    assert sorted(warnings) == [
        "looking once a second: the agent's name is not told",
        "no marks of ownership: the token may not use keys",
    ]
    assert given["CONSUL_HTTP_TOKEN"] not in caplog.text


async def test_a_service_that_the_token_may_not_register_harms_only_itself(
    denying: Consul,
) -> None:
    rules = FULL.replace('service_prefix ""', 'service_prefix "web"')
    async with edge_at(url(denying), {"CONSUL_HTTP_TOKEN": await token(denying, rules)}) as edge:
        refused = await edge.write(wanted(entry(), entry("api", 21002)))
        assert refused.keys() == wanted(entry("api", 21002)).keys()
        assert "Permission denied" in str(refused.values())
        await edge.write(dict.fromkeys(wanted(entry())))


async def test_a_token_that_nobody_knows_is_denied(denying: Consul) -> None:
    unknown = str(uuid.uuid4())
    async with edge_at(url(denying), {"CONSUL_HTTP_TOKEN": unknown}) as edge:
        with pytest.raises(StoreDenied) as caught:
            await edge.write(wanted(entry()))
        assert unknown not in str(caught.value)
        with pytest.raises(StoreDenied):
            await edge.audit({}, HOLDER)


async def test_a_mirror_whose_token_sees_nothing_says_so(
    denying: Consul, caplog: pytest.LogCaptureFixture
) -> None:
    mirror = open_mirror(url(denying), Catalog(), clock=SystemClock(), environ={})
    async with at_work([mirror]):
        assert "no node is seen: does the token lack node:read?" in caplog.text


async def _disturbed_by_removal(consul: Consul, edge: Edge) -> None:
    await asyncio.sleep(0.3)
    await ask(consul, "PUT", "agent/service/deregister/vm:web:21001", token=MASTER)
    async with asyncio.timeout(allowed(2)):
        await edge.disturbed()
        while not await edge.audit(wanted(entry()), HOLDER):
            await edge.disturbed()


# --- A socket ------------------------------------------------------------------------------------


async def test_an_agent_is_reached_by_its_socket(tmp_path: Path) -> None:
    socket = tmp_path / "consul.sock"
    config = {"addresses": {"http": f"127.0.0.1 unix://{socket}"}}
    running = Consul(config=config, program=consul_program())
    await asyncio.to_thread(running.__enter__)
    try:
        async with edge_at(f"consul-unix://{socket}") as edge:
            assert await edge.write(wanted(entry())) == {}
            assert await service(running, "vm:web:21001") is not None
        async with edge_at(f"consulkv-unix://{socket}:/pre/fix") as edge:
            assert await edge.write(wanted(entry())) == {}
            keys = await ask(running, "GET", "kv/pre/?keys=")
            assert keys == ["pre/fix/web/vm:web:21001"]
    finally:
        await asyncio.to_thread(running.__exit__)


async def _has(catalog: Catalog, name: str) -> bool:
    return name in catalog.snapshot.services
