import pytest

from sidecar.errors import ConfigError
from sidecar.stores.zookeeper.location import Location, location


@pytest.mark.parametrize(
    ("url", "servers", "base"),
    [
        ("zookeeper://zk.example.org:2182/services", ("zk.example.org:2182",), "/services"),
        ("zookeeper://zk.example.org/", ("zk.example.org:2181",), ""),
        ("zookeeper://zk", ("zk:2181",), ""),
        ("zookeeper:///a/b/", ("127.0.0.1:2181",), "/a/b"),
        ("zookeeper://a:1,b,[2001:db8::1]:3/x", ("a:1", "b:2181", "[2001:db8::1]:3"), "/x"),
        ("zookeeper://a/with%20blank", ("a:2181",), "/with blank"),
    ],
)
def test_a_url_names_servers_and_a_base(url: str, servers: tuple[str, ...], base: str) -> None:
    assert location(url) == Location(servers, base)


def test_the_shown_url_is_the_normal_form() -> None:
    assert location("zookeeper://a,b:1").url == "zookeeper://a:2181,b:1/"
    assert location("zookeeper://a:1/x/").url == "zookeeper://a:1/x"
    assert location("zookeeper://a,b:1/x").hosts == "a:2181,b:1"


@pytest.mark.parametrize(
    "url",
    [
        "zookeeper:a",
        "etcd://a",
        "zookeeper://a:0/x",
        "zookeeper://a:70000/x",
        "zookeeper://a:b/x",
        "zookeeper://a,,b/x",
        "zookeeper://a/x?y=1",
        "zookeeper://a/x#y",
        "zookeeper://a/x/../y",
        "zookeeper://a/x//y",
        "zookeeper://a/x%00y",
        "zookeeper://::1:2181/x",
    ],
)
def test_any_other_url_is_a_mistake(url: str) -> None:
    with pytest.raises(ConfigError):
        location(url)


def test_credentials_in_the_url_are_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="ZOOKEEPER_AUTH_FILE") as caught:
        location("zookeeper://user:hunter2@zk.example.org/x")
    assert "hunter2" not in str(caught.value)
