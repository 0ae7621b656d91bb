import subprocess
import sys

import pytest

from dnsd.component import DnsServer
from sidecar.catalog.live import Catalog
from sidecar.config.model import DnsSettings
from sidecar.errors import ConfigError
from sidecar.runtime.component import Reporting


def test_wrong_settings_are_all_named_at_once() -> None:
    settings = DnsSettings(domain="a..b", alt_domain="x" * 64, datacenter="dc.1")
    with pytest.raises(ConfigError) as raised:
        DnsServer(Catalog(), settings, node_name="n")
    keys = [problem.partition(":")[0] for problem in raised.value.problems]
    assert keys == ["dns.domain", "dns.alt_domain", "dns.datacenter"]


def test_it_is_not_ready_before_the_catalogue_is_read() -> None:
    catalog = Catalog()
    server = DnsServer(catalog, DnsSettings(alt_domain=""), node_name="n")
    assert isinstance(server, Reporting)
    assert server.trouble() == "the catalogue has not been read yet"
    catalog.mark_synced()
    assert server.trouble() is None


def test_it_loads_nothing_it_does_not_need() -> None:
    script = (
        "import sys, dnsd.component\n"
        "heavy = {'aiohttp', 'aiodocker', 'jinja2', 'dnslib'} & sys.modules.keys()\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
