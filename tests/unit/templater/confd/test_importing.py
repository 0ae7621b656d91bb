"""confd's command line as its settings file: what is printed means the same when it is read."""

import dataclasses

import pytest

from sidecar.errors import ConfigError, PermanentError
from templater.confd.flags import parse
from templater.confd.importing import toml_of
from templater.confd.options import OPTIONS
from templater.confd.settings import Settings, settings_of


def read(text: str, line: str = "") -> Settings:
    return settings_of(parse(line.split()), text, "confd.toml", {}).settings


def _without_default_nodes(settings: Settings) -> Settings:
    return dataclasses.replace(settings, texts={**settings.texts, "node": ""})


@pytest.mark.parametrize(
    "line",
    [
        "-backend consul -node a:1 -node b:2 -interval 30 -watch",
        "-backend env -prefix /app -noop -sync-only -log-level debug -keep-stage-file",
        "-backend file -file a.yml -file b -filter *.yml -confdir /x",
        "-backend etcd -username u -password p'\"\\ -basic-auth -client-ca-keys ca -scheme https",
        "-backend redis -separator : -client-key s -debounce 1500ms -retry-max-attempts 5",
        "-backend vault -auth-type token -auth-token t -check-cmd-timeout 5",
        "",
    ],
)
def test_what_is_printed_reads_as_what_was_meant(line: str) -> None:
    meant = settings_of(parse(line.split()), "", "", {}).settings
    found = read(toml_of(line.split(), {}))
    assert _without_default_nodes(found) == _without_default_nodes(meant)
    assert found.nodes == meant.nodes


def test_every_option_with_a_key_can_be_printed() -> None:
    values = {"bool": "true", "seconds": "7", "number": "7", "text": "x", "list": "x"}
    special = {
        "backend": "env",
        "log-level": "warn",
        "metrics-addr": "127.0.0.1:9100",
        "secret-keyring": "",
        "template-cache": "true",
    }
    for flag, option in OPTIONS.items():
        if option.key:
            value = special.get(flag, values[option.kind])
            text = toml_of(["-backend=env", f"-{flag}={value}"], {})
            assert read(text)[flag] == value if option.kind != "list" else True, flag


def test_a_whole_line_with_variables_and_the_program_is_understood() -> None:
    text = toml_of(
        ["CONFD_CLIENT_CERT=/c ETCDCTL_PEERS=http://a,http://b /bin/confd -prefix '/a b'"], {}
    )
    found = read(text)
    assert (found.backend, found.nodes, found.prefix) == ("etcd", ("http://a", "http://b"), "/a b")
    assert found["client-cert"] == "/c"


def test_the_forks_dialect_is_told_where_it_matters() -> None:
    text = toml_of(["consul", "--prefix", "/p", "-n", "c:8500", "--onetime"], {})
    assert "# pinnace templater consul --config-file FILE" in text
    assert "# -onetime: " in text
    assert read(text, "consul").joins_prefixes


def test_a_config_file_is_told_of() -> None:
    assert "# -config-file: the values of that file belong here too" in toml_of(
        ["-config-file", "/x", "-backend", "env"], {}
    )


@pytest.mark.parametrize("words", [["-nope"], ["-h"], ["-prefix 'open"], ["confd -interval x"]])
def test_a_wrong_line_is_refused(words: list[str]) -> None:
    with pytest.raises(PermanentError):
        toml_of(words, {})


def test_wrong_values_are_refused() -> None:
    with pytest.raises(ConfigError, match="Invalid backend"):
        toml_of(["-backend", "nope"], {})
