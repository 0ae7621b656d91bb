"""Flags, variables and a file become settings; every mistake is told."""

import re
from pathlib import Path

import pytest

from ambassador.frame.address import Address
from ambassador.redis.cli import parser
from ambassador.redis.configuring import Given, settings_of
from ambassador.redis.options import LISTENER, OTHERS, UPSTREAM
from ambassador.tcp.settings import settings_of as tcp_settings_of
from sidecar.errors import ConfigError


def problems(given: Given, environ: dict[str, str], document: object = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as raised:
        settings_of(given, environ, document)
    return raised.value.problems


def test_the_command_line_of_a_static_topology() -> None:
    settings = settings_of(
        Given(
            listen=["127.0.0.1:6379", "unix:/run/r.sock=eventual"],
            primary="192.0.2.1:6379",
            replicas=["192.0.2.2:6379"],
            mode="bounded",
            max_lag="200ms",
            admin="127.0.0.1:9121",
        ),
        {},
    )
    assert settings.source == "static"
    assert settings.servers == (Address("192.0.2.1", 6379), Address("192.0.2.2", 6379))
    first, second = settings.listeners
    assert (first.bind, first.mode, first.max_lag) == (Address("127.0.0.1", 6379), "bounded", 0.2)
    assert (second.bind, second.mode) == (Address("/run/r.sock", 0), "eventual")
    assert settings.admin == Address("127.0.0.1", 9121)
    assert settings.probe_every == 0.1


@pytest.mark.parametrize(
    ("given", "source"),
    [
        (Given(service="redis", store="consul://127.0.0.1:8500"), "catalog"),
        (Given(sentinels=["192.0.2.1:26379"], master_name="m"), "sentinel"),
        (Given(cluster=["192.0.2.1:6379"]), "cluster"),
    ],
)
def test_other_sources(given: Given, source: str) -> None:
    settings = settings_of(given, {})
    assert settings.source == source
    assert settings.listeners[0].bind == Address("127.0.0.1", 6379)
    assert settings.probe_every == 1.0


def test_a_file_and_variables() -> None:
    document = {
        "listeners": [
            {"bind": "127.0.0.1:6379", "users": {"app": "secret"}, "max_bulk": "1MiB"},
            {"bind": "127.0.0.1:6380", "mode": "eventual", "allow_admin": ["config set"]},
        ],
        "upstream": {
            "servers": ["192.0.2.1:6379"], "password": "p", "tls": {"ca": "/ca.pem"},
            "zones": {"192.0.2.1:6379": "a"},
        },
        "memory": "1GiB",
    }  # fmt: skip
    environ = {
        "AMBASSADOR_UPSTREAM__PASSWORD": "other",
        "AMBASSADOR_LISTENER__IDLE": "5m",
        "AMBASSADOR_MAX_CLIENTS": "7",
        "HOME": "/",
    }
    settings = settings_of(Given(), environ, document)
    assert settings.password == "other"
    assert "other" not in repr(settings)
    assert settings.tls is not None
    assert settings.tls.ca == "/ca.pem"
    assert settings.memory == 1 << 30
    assert settings.max_clients == 7
    assert [listener.idle for listener in settings.listeners] == [300.0, 300.0]
    assert settings.listeners[0].limits.bulk == 1 << 20
    assert settings.listeners[1].allow_admin == {"config|set"}


def test_every_mistake_is_told() -> None:
    found = problems(
        Given(workers="0"),
        {"AMBASSADOR_UPSTREAM__PROB": "1s"},
        {
            "listeners": [{"mode": "fast"}, {"bind": "127.0.0.1:1", "tls": {"cert": "c"}}],
            "upstream": {"split_brain": "x", "zones": "a"},
            "slolog": 1,
        },
    )
    text = "\n".join(found)
    for part in (
        "slowlog",
        "split_brain",
        "zones",
        "PROB",
        "bind is missing",
        "mode",
        "cert and key",
    ):
        assert part in text
    assert "a list" in problems(Given(), {}, {"upstream": {"servers": 1}})[0]
    wrong = {"upstream": {"servers": ["192.0.2.1:1"], "tls": {"kee": "a"}}}
    assert "did you mean" in problems(Given(), {}, wrong)[0]
    assert problems(Given(), {}, [1]) == ("file: keys and values are expected",)


def test_what_does_not_fit_together_is_told() -> None:
    assert "none" in problems(Given(), {})[0]
    both = Given(primary="192.0.2.1:1", cluster="192.0.2.1:1")
    assert "at once" in problems(both, {})[0]
    assert "needs it" in problems(Given(sentinels=["192.0.2.1:1"]), {})[0]
    assert "store" in problems(Given(service="a"), {})[0]
    same = Given(primary="192.0.2.1:1", listen=["127.0.0.1:1", "127.0.0.1:1"])
    assert "same address" in problems(same, {})[0]
    assert "at least 1" in problems(Given(primary="192.0.2.1:1", workers="0"), {})[0]
    scope = {"AMBASSADOR_LISTENER__SESSION_SCOPE": "user"}
    assert "workers" in problems(Given(primary="192.0.2.1:1", workers="2"), scope)[0]


def test_the_tcp_ambassador_has_its_own() -> None:
    settings = tcp_settings_of(
        {"listen": ["127.0.0.1:1"], "servers": ["192.0.2.1:5432"], "idle": ""}
    )
    assert settings.servers == (Address("192.0.2.1", 5432),)
    for wrong in (
        {"servers": ["192.0.2.1:1"]},
        {"listen": ["127.0.0.1:1"]},
        {"listen": ["127.0.0.1:1"], "service": "a"},
        {"listen": ["nowhere"], "servers": ["192.0.2.1:1"]},
    ):
        with pytest.raises(ConfigError):
            tcp_settings_of(wrong)


def test_every_key_and_flag_is_in_the_document() -> None:
    text = (Path(__file__).parents[3] / "docs/ambassador.md").read_text()
    rows = "".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))
    named = set(re.findall(r"[a-z_]+", rows))
    assert named >= {*LISTENER, *UPSTREAM, *OTHERS}
    flags = {flag for one in parser("ambassador redis")._actions for flag in one.option_strings}
    usual = {"-h", "--help", "--version", "--log-format", "--log-level", "--check"}
    assert [flag for flag in sorted(flags - usual) if f"`{flag}" not in text] == []
