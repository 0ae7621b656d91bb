"""URLs of etcd: members, path, login, TLS, and what is no such URL."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.errors import ConfigError
from sidecar.stores.etcd.address import Certificates, address_of


@pytest.mark.parametrize(
    ("url", "endpoints", "path"),
    [
        ("etcd://db.example.org:4001/services", ("http://db.example.org:4001",), "/services"),
        ("etcd://db.example.org/a/b/", ("http://db.example.org:2379",), "/a/b"),
        ("etcd://", ("http://127.0.0.1:2379",), ""),
        ("etcd:///services", ("http://127.0.0.1:2379",), "/services"),
        ("etcd://a:1,b,c:3/x", ("http://a:1", "http://b:2379", "http://c:3"), "/x"),
        ("etcd://[2001:db8::1]:1,[::1]/x", ("http://[2001:db8::1]:1", "http://[::1]:2379"), "/x"),
        ("etcds://a/x", ("https://a:2379",), "/x"),
        ("etcd://a/x?tls", ("https://a:2379",), "/x"),
        ("etcd2://a/x?tls=true", ("https://a:2379",), "/x"),
        ("etcd2s://a/x", ("https://a:2379",), "/x"),
        ("etcd://a/x?tls=false", ("http://a:2379",), "/x"),
        ("skydns2:///cluster.local", ("http://127.0.0.1:4001",), "/cluster.local"),
        ("skydns2s://a/cluster.local", ("https://a:2379",), "/cluster.local"),
        ("etcd://a/with%20blank", ("http://a:2379",), "/with blank"),
    ],
)
def test_members_and_path_are_as_given(url: str, endpoints: tuple[str, ...], path: str) -> None:
    address = address_of(url, {})
    assert (address.endpoints, address.path) == (endpoints, path)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("etcd://a", "etcd"),
        ("etcds://a", "etcd"),
        ("etcd2://a", "etcd2"),
        ("etcd2s://a", "etcd2"),
        ("skydns2://a/d", "skydns2"),
        ("skydns2s://a/d", "skydns2"),
    ],
)
def test_the_scheme_says_which_kind_of_store_is_meant(url: str, kind: str) -> None:
    assert address_of(url, {}).kind == kind


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("consul://a", "unknown scheme"),
        ("etcd://a:b/x", "no host and port"),
        ("etcd://a:0", "no host and port"),
        ("etcd://a:65536", "no host and port"),
        ("etcd://a,,b", "no host and port"),
        ("etcd://[::1/x", "no host and port"),
        ("etcd://a/x?wait=1", "unknown option 'wait'"),
        ("etcd://a/x?tls=perhaps", "tls is true or false"),
        ("skydns2://a", "must name the domain"),
        ("skydns2://a/", "must name the domain"),
        ("skydns2://a/x/y", "no domain"),
        ("skydns2://a/x..y", "no domain"),
    ],
)
def test_a_mistake_in_the_url_is_told(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        address_of(url, {})


def test_the_login_stands_in_the_url_or_in_the_variables_of_etcdctl() -> None:
    login = [
        (a.user, a.password)
        for a in (
            address_of("etcd://bob:p%40ss@a", {"ETCDCTL_USER": "eve:x"}),
            address_of("etcd://a", {"ETCDCTL_USER": "eve:x"}),
            address_of("etcd://a", {"ETCDCTL_USER": "eve", "ETCDCTL_PASSWORD": "y"}),
            address_of("etcd2://a", {"ETCDCTL_USERNAME": "old:z"}),
            address_of("etcd://a", {"ETCDCTL_PASSWORD": "y"}),
        )
    ]
    assert login == [("bob", "p@ss"), ("eve", "x"), ("eve", "y"), ("old", "z"), ("", "")]


def test_members_and_certificates_may_come_from_the_variables_of_etcdctl() -> None:
    environ = {
        "ETCDCTL_ENDPOINTS": "https://a:1, http://b",
        "ETCDCTL_CACERT": "/ca",
        "ETCDCTL_CERT": "/cert",
        "ETCDCTL_KEY": "/key",
    }
    address = address_of("etcds:///x", environ)
    assert address.endpoints == ("https://a:1", "https://b:2379")
    assert address.tls == Certificates("/ca", "/cert", "/key")
    assert address_of("etcd:///x", environ).tls is None
    old = {"ETCDCTL_CA_FILE": "/ca", "ETCDCTL_CERT_FILE": "/cert", "ETCDCTL_KEY_FILE": "/key"}
    assert address_of("etcds://a", old).tls == Certificates("/ca", "/cert", "/key")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("etcd://bob:pw@a:1,b:2/x", "etcd://a:1,b:2/x"),
        ("skydns2:///cluster.local", "skydns2://127.0.0.1:4001/cluster.local"),
        ("etcd://", "etcd://127.0.0.1:2379"),
    ],
)
def test_what_is_shown_names_the_members_and_no_login(url: str, shown: str) -> None:
    assert address_of(url, {}).url == shown


@given(st.text(), st.text(alphabet="0123456789abc:@/?[]", max_size=20))
def test_any_text_is_an_address_or_a_mistake_and_tells_no_password(rest: str, tail: str) -> None:
    url = f"etcd://bob:c4n4ry@{rest}{tail}"
    try:
        seen = repr(address_of(url, {}))
    except ConfigError as error:
        seen = str(error)
    assert "c4n4ry" not in seen


@pytest.mark.parametrize("password", ["c4n/4ry", "c4n?4ry", "c4n4ry/"])
def test_a_password_that_ends_the_members_is_refused_without_being_shown(password: str) -> None:
    with pytest.raises(ConfigError) as caught:
        address_of(f"etcd://bob:{password}@a/x", {})
    assert "c4n" not in str(caught.value)
    assert "%2F" in str(caught.value)
