import socket
import subprocess
import sys
from typing import Any

import pytest

from dnsd import server
from dnsd.component import DnsServer
from dnsd.site import site_of
from sidecar.catalog.live import Catalog
from sidecar.config.model import DnsSettings
from sidecar.config.units import Endpoint, endpoint
from sidecar.errors import AddressInUse, ConfigError
from sidecar.runtime import listen
from sidecar.runtime.component import Reporting


def test_wrong_settings_are_all_named_at_once() -> None:
    settings = DnsSettings(domain="a..b", alt_domain="x" * 64, datacenter="dc.1")
    with pytest.raises(ConfigError) as raised:
        DnsServer(Catalog(), settings, node_name="n")
    keys = [problem.partition(":")[0] for problem in raised.value.problems]
    assert keys == ["dns.domain", "dns.alt_domain", "dns.datacenter"]


def test_it_is_not_ready_before_the_catalogue_is_read() -> None:
    catalog = Catalog()
    dns = DnsServer(catalog, DnsSettings(alt_domain=""), node_name="n")
    assert isinstance(dns, Reporting)
    assert dns.trouble() == "the catalogue has not been read yet"
    catalog.mark_synced()
    assert dns.trouble() is None


def test_it_loads_nothing_it_does_not_need() -> None:
    script = (
        "import sys, dnsd.component\n"
        "heavy = {'aiohttp', 'sidecar.engine', 'jinja2', 'dnslib'} & sys.modules.keys()\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_server_knows_the_addresses_it_listens_on() -> None:
    hosts = tuple(map(endpoint, ("127.0.0.1:1", "[::1]:1", "0.0.0.0:1", "localhost:1")))
    site = site_of(DnsSettings(ttl=1.9, max_udp_payload=9000), hosts, "Node-1")
    assert site.addresses == (b"\x7f\0\0\1", b"\0" * 15 + b"\1")
    assert (site.node, site.ttl, site.payload) == (b"node-1", 1, 4096)


def test_port_0_is_one_port_for_both_transports(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    def bind(host: str, port: int, *, kind: socket.SocketKind, **how: Any) -> socket.socket:
        if kind is socket.SOCK_STREAM and len(taken) < 2:
            taken.append(port)
            raise AddressInUse("taken")
        return listen.bind(host, port, kind=kind, **how)

    monkeypatch.setattr(server, "bind", bind)
    listener = server.Listener(Endpoint("127.0.0.1", 0))
    assert len(taken) == 2
    assert listener.address.port == listener._tcp.getsockname()[1]
    listener._udp.close()
    listener._tcp.close()
    taken.clear()
    with pytest.raises(AddressInUse):
        server.Listener(listener.address)
