import logging
import subprocess
import sys

import pytest

from sidecar.catalog.live import Catalog
from sidecar.errors import ConfigError
from sidecar.runtime.clock import FakeClock
from sidecar.stores.base import EdgeOptions
from sidecar.stores.zookeeper.opening import open_edge, open_keyvalue, open_mirror

URL = "zookeeper://zk.example.org/services"


def test_nothing_is_connected_before_the_first_request() -> None:
    edge = open_edge(URL, EdgeOptions(), clock=FakeClock(), environ={"ZOOKEEPER_AUTH": "u:pw"})
    assert edge.url == "zookeeper://zk.example.org:2181/services"
    assert edge.trouble() is None
    assert open_mirror(URL, Catalog(), clock=FakeClock(), environ={}).trouble() is None
    assert open_keyvalue(URL, clock=FakeClock(), environ={}) is not None


@pytest.mark.parametrize(
    ("environ", "told"), [({}, 1), ({"ZOOKEEPER_AUTH_FILE": "/run/secrets/zookeeper"}, 0)]
)
def test_without_credentials_it_says_that_everybody_may_change_entries(
    environ: dict[str, str], told: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        open_edge(URL, EdgeOptions(), clock=FakeClock(), environ=environ)
    assert len([r for r in caplog.records if "changed by everybody" in r.message]) == told


def test_a_wrong_url_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ConfigError):
        open_edge("zookeeper://a/?b", EdgeOptions(), clock=FakeClock(), environ={})


def test_without_kazoo_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.startswith("sidecar.stores.zookeeper.") and "opening" not in name:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "kazoo.client", None)
    with pytest.raises(ConfigError, match=r"pinnace\[zookeeper\]"):
        open_keyvalue(URL, clock=FakeClock(), environ={})


def test_kazoo_is_loaded_only_when_a_zookeeper_is_opened() -> None:
    code = "import sys, sidecar.stores.zookeeper.opening; assert 'kazoo' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
