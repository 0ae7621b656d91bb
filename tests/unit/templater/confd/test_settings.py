"""Settings from file, environment and flags, in the documented order."""

import pytest

from sidecar.errors import ConfigError
from templater.confd.flags import parse
from templater.confd.options import OPTIONS
from templater.confd.settings import Settings, own_backend, settings_of

FILE = "/etc/confd/confd.toml"


def settings(line: str = "", text: str = "", **environ: str) -> Settings:
    return settings_of(parse(line.split()), text, FILE, environ).settings


def test_the_defaults_are_confds() -> None:
    found = settings()
    assert (found.backend, found.nodes) == ("etcd", ("http://127.0.0.1:4001",))
    assert (found.confdir, found.interval, found.has_interval) == ("/etc/confd", 600.0, False)
    modes = (found.is_watching, found.is_onetime, found.is_noop, found.is_sync_only)
    assert not any(modes)
    assert found["scheme"] == "http"


def test_a_flag_beats_the_file_and_that_is_told() -> None:
    sources = settings_of(
        parse(["-noop=false", "-interval", "5"]), "noop = true\ninterval = 60\n", FILE, {}
    )
    assert not sources.settings.is_noop
    assert sources.settings.interval == 5
    assert sources.notes == (
        f"{FILE}: interval is overridden by the command line",
        f"{FILE}: noop is overridden by the command line",
    )


def test_every_key_of_the_file_is_taken_in_any_case() -> None:
    text = """
backend = "redis"
nodes = ["a:1", "b:2"]
sync-only = true
KeepStageFile = true
client_key = "secret"
log-level = "debug"
srv_domain = "example.org"
file = ["x.yml"]
interval = 30
"""
    found = settings(text=text)
    assert (found.backend, found.nodes) == ("redis", ("a:1", "b:2"))
    assert found.is_sync_only
    assert found.keeps_stage
    assert found["client-key"] == "secret"
    assert found["srv-domain"] == "example.org"
    assert found.files == ("x.yml",)
    assert (found.interval, found.has_interval) == (30.0, True)
    assert "secret" not in repr(found)


def test_an_unknown_key_is_a_note_and_a_wrong_type_an_error() -> None:
    notes = settings_of(parse([]), 'colour = "red"\n', FILE, {}).notes
    assert notes == (f"{FILE}: unknown key 'colour'",)
    with pytest.raises(ConfigError) as raised:
        settings(text='watch = "yes"\nprefix = 5\ninterval = true\nscheme = 2020-01-01\n')
    assert len(raised.value.problems) == 4
    assert settings(text='nodes = "a"').nodes == ("a",), "one text will do for a list"
    with pytest.raises(ConfigError, match=r"confd.toml:1:"):
        settings(text="watch = \n")


def test_confds_variables_count_where_nothing_else_is_said() -> None:
    environ = {"CONFD_CLIENT_CAKEYS": "/ca", "CONFD_CLIENT_KEY": "/key", "CONFD_PREFIX": "/no"}
    found = settings("-client-key /flag", **environ)
    assert (found["client-ca-keys"], found["client-key"], found.prefix) == ("/ca", "/flag", "")


def test_a_value_that_is_the_same_everywhere_is_not_told() -> None:
    assert settings_of(parse(["-prefix", "/p"]), 'prefix = "/p"\n', FILE, {}).notes == ()


def test_the_forks_variables_are_all_flags() -> None:
    environ = {"CONFD_PREFIX": "/p", "CONFD_NODE": "a:1,b:2", "CONFD_WATCH": "true"}
    found = settings("consul", **environ)
    assert (found.prefix, found.nodes, found.is_watching) == ("/p", ("a:1", "b:2"), True)
    assert found.joins_prefixes


def test_etcdctl_peers_are_the_nodes_of_etcd() -> None:
    peers = {"ETCDCTL_PEERS": "http://a:1,http://b:2"}
    assert settings(**peers).nodes == ("http://a:1", "http://b:2")
    assert settings("-backend consul", **peers).nodes == ("127.0.0.1:8500",)
    assert settings("-node c", **peers).nodes == ("c",)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-backend nope", "Invalid backend"),
        ("-backend ssm -watch", "Watch is not supported for backend ssm"),
        ("-backend dynamodb", "no DynamoDB table configured"),
        ("-log-level loud", "not a valid log level"),
        ("-debounce soon", "debounce: "),
        ("-secret-keyring x", "not supported"),
        ("-metrics-addr here", "^metrics-addr: 'here' has no port"),
    ],
)
def test_a_value_that_cannot_be_is_told(line: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        settings(line)


def test_a_wrong_value_is_told_with_the_place_where_it_stands() -> None:
    with pytest.raises(ConfigError, match=r"^not a valid log level: 'loud'$"):
        settings("-log-level loud")
    with pytest.raises(ConfigError, match=r"^environment: debounce: "):
        settings("env", CONFD_DEBOUNCE="soon")
    with pytest.raises(ConfigError, match=r"^confd.toml: not a valid log level: 'loud'$"):
        settings_of(parse([]), 'log-level = "loud"', "confd.toml", {})


def test_a_boolean_of_the_environment_is_checked() -> None:
    with pytest.raises(ConfigError, match=r"noop: strconv\.ParseBool"):
        settings("env", CONFD_NOOP="maybe")


def test_a_diff_changes_nothing_and_durations_are_gos() -> None:
    found = settings("-diff -reload-cmd-timeout 1m30s")
    assert found.is_noop
    assert found.is_on("diff")
    assert found.seconds("reload-cmd-timeout") == 90


def test_a_resource_may_have_a_backend_of_its_own() -> None:
    base = settings("-backend consul -node c:1 -prefix /p")
    own = own_backend(base, {"backend": "redis", "nodes": ["r:1"]}, "r.toml")
    assert (own.backend, own.nodes, own.prefix) == ("redis", ("r:1",), "/p")
    assert own_backend(base, {"backend": "redis"}, "r.toml").nodes == ("127.0.0.1:6379",)
    with pytest.raises(ConfigError, match=r"r\.toml: backend has the wrong type"):
        own_backend(base, {"backend": 5}, "r.toml")


def test_no_two_flags_share_a_key() -> None:
    keys = [option.key for option in OPTIONS.values() if option.key]
    assert len(keys) == len(set(keys))
