import pytest

from sidecar.errors import ConfigError
from sidecar.stores.consul.address import Address, Tls, address_of


@pytest.mark.parametrize(
    ("url", "base", "shown"),
    [
        ("consul://c.example.org:8500", "http://c.example.org:8500", "consul://c.example.org:8500"),
        ("consul://c.example.org", "http://c.example.org", "consul://c.example.org"),
        ("consul://[2001:db8::1]:85", "http://[2001:db8::1]:85", "consul://[2001:db8::1]:85"),
        ("consul://", "http://127.0.0.1:8500", "consul://127.0.0.1:8500"),
        ("consul-tls://c:8501", "https://c:8501", "consul-tls://c:8501"),
        ("consul://u:p@c:1/", "http://c:1", "consul://c:1"),
        ("consulkv://c:1/a/b/", "http://c:1", "consulkv://c:1/a/b"),
        ("consulkv:///services", "http://127.0.0.1:8500", "consulkv://127.0.0.1:8500/services"),
    ],
)
def test_a_url_names_an_agent(url: str, base: str, shown: str) -> None:
    found = address_of(url, {})
    assert (found.base, found.url, found.socket) == (base, shown, "")


@pytest.mark.parametrize(
    ("url", "socket", "prefix", "shown"),
    [
        ("consul-unix:///run/c.sock", "/run/c.sock", "", "consul-unix:///run/c.sock"),
        ("consulkv-unix:///c.sock:/a", "/c.sock", "a", "consulkv-unix:///c.sock:/a"),
    ],
)
def test_a_url_names_a_socket(url: str, socket: str, prefix: str, shown: str) -> None:
    found = address_of(url, {})
    assert (found.socket, found.prefix, found.url) == (socket, prefix, shown)
    assert found.base.startswith("http://")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("consulkv://c:1", "consulkv:// needs the path of its keys"),
        ("consulkv-unix:///c.sock", "needs the path of its keys"),
        ("consul://c:1/path", "takes no path"),
        ("consul-unix://c", "needs an absolute path"),
        ("consul://c:port", "not followed by HOST:PORT"),
        ("etcd://c", "no URL of Consul"),
    ],
)
def test_a_wrong_url_is_a_mistake_in_the_settings(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        address_of(url, {})


def test_a_wrong_url_never_shows_its_password() -> None:
    with pytest.raises(ConfigError) as caught:
        address_of("consul://user:c4n4ry@c:port/path", {})
    assert "c4n4ry" not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "base", "socket"),
    [
        ({"CONSUL_HTTP_ADDR": "c:1"}, "http://c:1", ""),
        ({"CONSUL_HTTP_ADDR": "https://c/"}, "https://c", ""),
        ({"CONSUL_HTTP_ADDR": "unix:///c.sock"}, "http://consul", "/c.sock"),
        ({"CONSUL_HTTP_ADDR": "c:1", "CONSUL_HTTP_SSL": "true"}, "https://c:1", ""),
        ({"CONSUL_HTTP_SSL": "0"}, "http://127.0.0.1:8500", ""),
    ],
)
def test_without_a_host_the_environment_names_the_agent(
    environ: dict[str, str], base: str, socket: str
) -> None:
    found = address_of("consul://", environ)
    assert (found.base, found.socket) == (base, socket)
    assert address_of("consul://other:9", environ).base.endswith("://other:9")


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"CONSUL_HTTP_ADDR": "ftp://c"}, "CONSUL_HTTP_ADDR: ftp:// is not supported"),
        ({"CONSUL_HTTP_SSL": "perhaps"}, "CONSUL_HTTP_SSL: 'perhaps' is neither"),
        (
            {"CONSUL_HTTP_SSL": "1", "CONSUL_CLIENT_CERT": "c.pem"},
            "CONSUL_CLIENT_CERT and CONSUL_CLIENT_KEY go together",
        ),
    ],
)
def test_a_wrong_variable_is_named(environ: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        address_of("consul://", environ)


def test_a_socket_of_the_environment_is_shown_as_one() -> None:
    environ = {"CONSUL_HTTP_ADDR": "unix:///c.sock"}
    assert address_of("consul://", environ).url == "consul-unix:///c.sock"
    assert address_of("consulkv:///p", environ).url == "consulkv-unix:///c.sock:/p"


def test_certificates_come_from_the_environment() -> None:
    environ = {
        "CONSUL_CACERT": "ca.pem",
        "CONSUL_CAPATH": "cas",
        "CONSUL_CLIENT_CERT": "c.pem",
        "CONSUL_CLIENT_KEY": "k.pem",
        "CONSUL_TLS_SERVER_NAME": "server.dc1.consul",
        "CONSUL_HTTP_SSL_VERIFY": "false",
    }
    expected = Tls(
        ca_file="ca.pem",
        ca_folder="cas",
        certificate="c.pem",
        key="k.pem",
        server_name="server.dc1.consul",
    )
    assert address_of("consul-tls://c", environ).tls == expected
    tls = address_of("consul://c", environ | {"CONSUL_HTTP_SSL": "true"}).tls
    assert tls is not None
    assert not tls.is_verified
    assert address_of("consul://c", environ).tls is None


def test_secrets_are_taken_and_not_shown() -> None:
    environ = {"CONSUL_HTTP_TOKEN": "t0ken", "CONSUL_HTTP_AUTH": "me:passw0rd"}
    found = address_of("consul://c", environ)
    assert (found.token, found.login) == ("t0ken", ("me", "passw0rd"))
    assert "t0ken" not in repr(found)
    assert "passw0rd" not in repr(found)
    assert address_of("consul://u%40:p%2f@c", environ).login == ("u@", "p/")
    assert address_of("consul://c", {"CONSUL_HTTP_AUTH": "me"}).login == ("me", "")


def test_nothing_given_is_nothing_sent() -> None:
    assert address_of("consul://c:1", {}) == Address(url="consul://c:1", base="http://c:1")
