"""Flags, variables and a file become settings; every mistake is told."""

import re
from pathlib import Path

import pytest

from ambassador.frame.address import Address
from ambassador.frame.document import document_of
from ambassador.redis.cli import parser
from ambassador.redis.configuring import Given, settings_of
from ambassador.redis.options import LISTENER, OTHERS, UPSTREAM
from ambassador.redis.settings import RedisSettings
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


def settings_in(text: str, environ: dict[str, str] | None = None) -> RedisSettings:
    return settings_of(Given(), environ or {}, *document_of(text, "amb.yaml"))


def mistakes(text: str, environ: dict[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as raised:
        settings_in(text, environ)
    return raised.value.problems


NO_SUCH = "there is no such variable"
ONE = "upstream:\n  servers: [192.0.2.1:6379]\n"


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("slolog: 1", "1:1: slolog: there is no such key; did you mean slowlog?"),
        ("listner:\n- bind: a", "1:1: listner: there is no such key; did you mean listeners?"),
        ("upstream:\n  prob: 1s", "2:3: upstream.prob: there is no such key; did you mean probe?"),
        (
            "listeners:\n- mode: sesion",
            "2:3: listeners[0].mode: 'sesion' is none of primary, eventual, bounded, session; did",
        ),
        (
            "upstream:\n  servers: [192.0.2.1:1, nowhere]",
            "2:26: upstream.servers[1]: 'nowhere' has no port; write ADDR:PORT",
        ),
        (
            "listeners:\n- tls: {cert: a, kee: b}",
            "2:18: listeners[0].tls.kee: there is no such key; did you mean key?",
        ),
        (
            "listeners:\n- allow_admin: [confg set]",
            "2:3: listeners[0].allow_admin: 'confg set' is not disabled by itself; did you mean",
        ),
        (
            "listeners:\n- replica_answers: [tim]",
            "2:3: listeners[0].replica_answers: 'tim' is none of dbsize, keys, lastsave, random",
        ),
        ("slow_ms: 5", "1:1: slow_ms: there is no such key"),
        ("memory_ms: 5", "1:1: memory_ms: there is no such key; did you mean memory?"),
        ("slowlog: 1s\nslowlog_ms: 5", "2:1: slowlog_ms: is given twice"),
        ("slowlog: 1s\nslowlog: 2s", "2:1: slowlog stands twice"),
        ("memory: [1", "1:11: expected ',' or ']', but got '<stream end>'"),
        ("? [a]\n: b", "1:3: this is no key"),
        ("a: &a\n- *a", "1:4: this is too much or too deep"),
        ("memory: \x01", "amb.yaml: unacceptable character"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_told_with_its_place(text: str, mistake: str) -> None:
    assert any(mistake in one for one in mistakes(text)), mistakes(text)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (ONE + "  probe: 0", "3:3: upstream.probe: cannot be 0"),
        (ONE + "  user: app", "3:3: upstream.user: a user needs a password"),
        (ONE + "  dedicated_max: 0", "3:3: upstream.dedicated_max: is at least 1"),
        (ONE + "  dedicated_min: 1001", "3:3: upstream.dedicated_min: is more than dedicated_max"),
        (ONE + "max_clients: 0", "3:1: max_clients: is at least 1"),
        (ONE + "reply_soft: 1GiB", "3:1: reply_soft: is more than reply_hard"),
        (
            ONE + "listeners:\n- bind: 127.0.0.1:1\n- bind: 127.0.0.1:1",
            "5:3: listeners[1].bind: two listeners have the same address 127.0.0.1:1",
        ),
        (
            ONE + "listeners:\n- {bind: 127.0.0.1:1, balance: zone_first}",
            "4:23: listeners[0].balance: zone_first needs to know where we are (upstream.zone)",
        ),
        (
            ONE + "listeners:\n- {bind: 127.0.0.1:1, read_after_inflight_write: replica}",
            "4:23: listeners[0].read_after_inflight_write: replica is for mode eventual alone",
        ),
        (
            ONE + "listeners:\n- {bind: 127.0.0.1:1, session_window: 1s, mode: bounded}",
            "4:23: listeners[0].session_window: is for mode session",
        ),
        (
            ONE + "listeners:\n- {bind: 127.0.0.1:1, max_bulk: 0}",
            "4:23: listeners[0].max_bulk: is at least 1 and at most max_query",
        ),
        (
            ONE + "  source: cluster\nlisteners:\n- {bind: 127.0.0.1:1, cursor: sticky,"
            " mode: eventual, read_after_inflight_write: replica}",
            "5:55: listeners[0].read_after_inflight_write: reads of a slot stay behind its writes",
        ),
        (ONE + "  source: cluster\n  multiplex: no", "4:3: upstream.multiplex: clients of a"),
        (ONE + "workers: 2\nlisteners:\n- {bind: 127.0.0.1:1, session_scope: user}",
         "5:23: listeners[0].session_scope: with several workers"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_with_its_place(text: str, mistake: str) -> None:
    assert any(one.startswith(f"amb.yaml:{mistake}") for one in mistakes(text)), mistakes(text)


def test_scalars_of_the_file_stay_texts() -> None:
    settings = settings_in(
        "listeners:\n- &one {bind: 127.0.0.1:1, users: {app: 0123, off: '~'}, cross_slot: on}\n"
        "- <<: *one\n  bind: 127.0.0.1:2\n  idle: ~\n" + ONE + "  slow_ms: 20\n  password: 0017\n"
    )
    first, second = settings.listeners
    assert first.users == second.users == (("app", "0123"), ("off", "~"))
    assert first.is_cross_slot
    assert settings.slow == 0.02
    assert settings.password == "0017"
    assert document_of("", "empty")[0] is None


def test_a_variable_that_is_wrong_is_told_by_its_name() -> None:
    environ = {
        "AMBASSADOR_UPSTREAM__PROB": "1s",
        "AMBASSADOR_LISTENER__MODE": "fast",
        "AMBASSADOR_MEMRY": "1",
        "AMBASSADOR_UPSTREAM__TLS__KEE": "x",
        "AMBASSADOR_OTHER__MODE": "x",
    }
    found = mistakes(ONE, environ)
    assert found == (
        f"AMBASSADOR_UPSTREAM__PROB: {NO_SUCH}; did you mean AMBASSADOR_UPSTREAM__PROBE?",
        "AMBASSADOR_LISTENER__MODE: 'fast' is none of primary, eventual, bounded, session",
        f"AMBASSADOR_MEMRY: {NO_SUCH}; did you mean AMBASSADOR_MEMORY?",
        "AMBASSADOR_UPSTREAM__TLS__KEE: there is no such key; did you mean key?",
        f"AMBASSADOR_OTHER__MODE: {NO_SUCH}; did you mean AMBASSADOR_LISTENER__MODE?",
    )


def test_variables_reach_tables_and_pairs() -> None:
    environ = {
        "AMBASSADOR_UPSTREAM__TLS__CA": "/ca.pem",
        "AMBASSADOR_UPSTREAM__ZONES": "192.0.2.1:6379=a,192.0.2.2:6379=b",
        "AMBASSADOR_LISTENER__BIND": "127.0.0.1:7",
        "AMBASSADOR_LISTENER__USERS": "app=secret",
        "AMBASSADOR_LISTENER__SESSION_WINDOW_MS": "1500",
        # What Kubernetes tells of a service of that name.
        "AMBASSADOR_SERVICE_HOST": "192.0.2.9",
        "AMBASSADOR_SERVICE_PORT_REDIS": "6379",
        "AMBASSADOR_PORT": "tcp://192.0.2.9:6379",
        "AMBASSADOR_PORT_6379_TCP_ADDR": "192.0.2.9",
    }
    settings = settings_in(ONE, environ)
    (listener,) = settings.listeners
    assert settings.tls is not None
    assert settings.tls.ca == "/ca.pem"
    assert settings.zones == (("192.0.2.1:6379", "a"), ("192.0.2.2:6379", "b"))
    assert listener.bind == Address("127.0.0.1", 7)
    assert listener.users == (("app", "secret"),)
    assert listener.window == 1.5
    assert "no NAME=VALUE" in mistakes(ONE, {"AMBASSADOR_LISTENER__USERS": "app"})[0]
