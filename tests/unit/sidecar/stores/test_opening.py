from collections.abc import Callable
from importlib.util import find_spec

import pytest

from sidecar.catalog.live import Catalog
from sidecar.errors import ConfigError
from sidecar.runtime.clock import FakeClock
from sidecar.stores.base import EdgeOptions
from sidecar.stores.consul.edge import ConsulEdge
from sidecar.stores.consul.key_edge import ConsulKeyEdge
from sidecar.stores.consul.key_mirror import ConsulKeyMirror
from sidecar.stores.consul.keyvalue import ConsulKeyValue
from sidecar.stores.consul.mirror import ConsulMirror
from sidecar.stores.opening import SCHEMES, open_edge, open_keyvalue, open_mirror

Open = Callable[[str], object]


def edge(url: str) -> object:
    return open_edge(url, EdgeOptions(), clock=FakeClock(), environ={})


def mirror(url: str) -> object:
    return open_mirror(url, Catalog(), clock=FakeClock(), environ={})


def keys(url: str) -> object:
    return open_keyvalue(url, clock=FakeClock(), environ={})


@pytest.mark.parametrize(
    ("opened", "url", "kind"),
    [
        (edge, "consul://c:1", ConsulEdge),
        (edge, "consul-tls://c:1", ConsulEdge),
        (edge, "consul-unix:///c.sock", ConsulEdge),
        (edge, "consulkv://c:1/a", ConsulKeyEdge),
        (edge, "consulkv-unix:///c.sock:/a", ConsulKeyEdge),
        (mirror, "consul://c:1", ConsulMirror),
        (mirror, "consulkv://c:1/a", ConsulKeyMirror),
        (keys, "consul://c:1", ConsulKeyValue),
        (keys, "consulkv://c:1/a", ConsulKeyValue),
    ],
)
def test_a_scheme_says_which_store(opened: Open, url: str, kind: type) -> None:
    assert isinstance(opened(url), kind)


@pytest.mark.parametrize("opened", [edge, mirror, keys])
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("consl://c:1", "store: consl:// is not the URL of a known store"),
        ("c4n4ry-t0ken", "store: this is not the URL of a known store"),
        ("consul://c:x", "store: consul:// is not followed by HOST:PORT"),
    ],
)
def test_a_wrong_url_is_a_mistake_in_the_settings(opened: Open, url: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        opened(url)
    assert words in str(caught.value)
    assert "c4n4ry" not in str(caught.value)


def test_every_scheme_names_a_package() -> None:
    for scheme, package in SCHEMES.items():
        if find_spec(f"sidecar.stores.{package}") is None:
            with pytest.raises(ConfigError, match="not installed"):
                edge(f"{scheme}://c/a")
