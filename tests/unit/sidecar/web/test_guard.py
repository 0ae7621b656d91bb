"""Who may ask: tokens, hosts, pages of other sites; and what may be listened on without one."""

from pathlib import Path

import pytest
from multidict import CIMultiDict

from sidecar.config.model import HttpSettings
from sidecar.errors import ApiError, ConfigError
from sidecar.web.guard import Guard, is_loopback
from sidecar.web.token import token_of
from tests.support.served import World, served

TOKEN = "0123456789abcdef-token"


def refused(guard: Guard, peer: str | None = "192.0.2.9", query: str = "", **headers: str) -> str:
    """Return why a request is refused; empty when it is not."""
    given = {"Host": "127.0.0.1:8500"} | {k.replace("_", "-"): v for k, v in headers.items()}
    try:
        guard.check(peer, CIMultiDict(given), {"token": query} if query else {})
    except ApiError as error:
        return str(error) if error.status == 403 else f"status {error.status}"
    return ""


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8500", "[::1]:8500", "192.0.2.1", "localhost", "web.localhost:1", "pinnace:8500",
     "x.Consul", "host.example.org.", ""],
)  # fmt: skip
def test_hosts_of_ours_pass(host: str) -> None:
    guard = Guard(names=frozenset({"consul", "host.example.org"}))
    assert [refused(guard, Host=host) for _ in range(2)] == ["", ""]


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:8500", "notconsul.x", "a:b:c"]
)
def test_another_host_is_refused_as_rebinding(host: str) -> None:
    assert "is not this server" in refused(Guard(names=frozenset({"consul"})), Host=host)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_pages_of_other_sites_are_refused(headers: dict[str, str]) -> None:
    assert "other sites" in refused(Guard(), **headers)


def test_our_own_page_and_plain_clients_pass() -> None:
    assert refused(Guard(), Origin="http://127.0.0.1:8500", Sec_Fetch_Site="same-origin") == ""
    assert refused(Guard()) == ""


def test_a_token_is_asked_of_other_hosts_only() -> None:
    guard = Guard(TOKEN)
    assert [refused(guard, peer) for peer in ("127.0.0.1", "::1", "::ffff:127.0.0.1", None)] == [
        ""
    ] * 4
    assert refused(guard) == "Permission denied"
    assert refused(guard, X_Consul_Token="wrong") == "ACL not found"
    assert refused(guard, X_Consul_Token="é") == "ACL not found"
    assert refused(guard, X_Consul_Token=TOKEN) == ""
    assert refused(guard, Authorization=f"Bearer {TOKEN}") == ""
    assert refused(guard, Authorization=f"Basic {TOKEN}") == "Permission denied"
    assert refused(guard, query=TOKEN) == ""


def test_addresses_of_this_host() -> None:
    assert [is_loopback(h) for h in ("127.9.9.9", "::1", "localhost", "LOCALHOST")] == [True] * 4
    assert [is_loopback(h) for h in ("", "0.0.0.0", "::", "192.0.2.1", "pinnace")] == [False] * 5


@pytest.mark.parametrize("listen", ["0.0.0.0:8500", "[::]:8500", ":8500", "192.0.2.1:8500"])
def test_listening_beyond_loopback_needs_a_token_or_a_word(listen: str) -> None:
    with pytest.raises(ConfigError, match=r"http\.token_file"):
        token_of(HttpSettings(listen=listen))
    assert token_of(HttpSettings(listen=listen, insecure=True)) == ""


def test_the_token_comes_from_a_file_of_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "token"
    settings = HttpSettings(listen=":8500", token_file=str(file))
    for content, mode, text in (
        ("short", 0o600, "at least 16"),
        ("two words of a token", 0o600, "one token"),
        ("ümlaut-" + TOKEN, 0o600, "plain ASCII"),
        (TOKEN, 0o644, "chmod 600"),
    ):
        file.write_text(content)
        file.chmod(mode)
        with pytest.raises(ConfigError, match=text):
            token_of(settings)
    file.write_text(TOKEN + "\n")
    file.chmod(0o600)
    assert token_of(settings) == TOKEN
    file.unlink()
    with pytest.raises(ConfigError, match="No such file"):
        token_of(settings)


async def test_the_server_refuses_a_cross_site_write_but_always_tells_its_health() -> None:
    async with served(World()) as client:
        evil = {"Origin": "https://evil.example"}
        write = await client.ask("PUT", "/v1/agent/service/register", {"Name": "web"}, evil)
        assert write.status == 403
        assert (await client.get("/v1/agent/services")).json == {}
        assert (await client.get("/ui/", {"Host": "evil.example"})).status == 403
        assert (await client.get("/healthz", {"Host": "evil.example"})).status == 200


async def test_the_server_does_not_start_in_the_open() -> None:
    with pytest.RaisesGroup(ConfigError, allow_unwrapped=True):
        async with served(World(), settings=HttpSettings(listen="0.0.0.0:0")):
            pass
