# ruff: noqa: E501, ISC004  (tables of words)
"""The command line, and the settings it makes together with files."""

import signal

import pytest

from sidecar.config.goflags import FlagError
from sidecar.errors import ConfigError
from templater.consul_template.options import command_line, template_of
from templater.consul_template.schema import Tree
from templater.consul_template.settings import (
    EnvSettings,
    Settings,
    WaitSettings,
    argv_of,
    checking,
    is_shell,
)

ENVIRON = {"CONSUL_HTTP_ADDR": "192.0.2.9:1", "CONSUL_HTTP_TOKEN": "t"}


def _settings(*words: str, **tree: object) -> Settings:
    given = command_line(words)
    return Settings.of({**tree, **given.tree}, ENVIRON, is_dry=given.is_dry)


def test_flags_fill_the_same_tree_as_files() -> None:
    given = command_line([
        "-consul-addr=192.0.2.1:8500", "-consul-auth", "u:p", "-consul-retry-attempts", "5",
        "-consul-ssl", "-consul-ssl-verify=false", "--wait", "1s:2s", "-once", "-retry", "1s",
        "-exec", "app -x", "-exec-env-custom", "A=1", "-exec-env-custom", "B=2", "-config", "a",
        "-config", "b", "-template", "in:out:c:d", "-template", "from:to", "-kill-signal", "SIGTERM",
        "-max-stale", "0s", "-dry", "-allow-function", "plugin",
    ])  # fmt: skip
    assert given.paths == ("a", "b")
    assert given.is_dry
    tree = given.tree
    assert tree["consul"] == {
        "address": "192.0.2.1:8500", "auth": {"username": "u", "password": "p"},
        "retry": {"attempts": 5, "backoff": 1.0}, "ssl": {"enabled": True, "verify": False},
    }  # fmt: skip
    assert tree["wait"] == {"min": 1.0, "max": 2.0}
    assert tree["exec"] == {"command": ("app -x",), "env": {"custom": ["A=1", "B=2"]}}
    assert tree["template"] == [
        {"source": "in", "destination": "out", "command": ("c:d",)},
        {"source": "from", "destination": "to"},
    ]
    assert (tree["once"], tree["kill_signal"], tree["max_stale"]) == (True, signal.SIGTERM, 0)


@pytest.mark.parametrize(
    ("words", "mistake"),
    [
        (["-nope"], "flag provided but not defined: -nope"),
        (["x", "y"], 'cli: extra args: ["x" "y"]'),
        (["-wait", "x"], 'invalid value "x" for flag -wait: time: invalid duration "x"'),
        (["-consul-retry-attempts", "x"],
         'invalid value "x" for flag -consul-retry-attempts: strconv.ParseInt: parsing "x": '
         "invalid syntax"),
        (["-template", " "], 'invalid value " " for flag -template: template: cannot be empty'),
        (["-kill-signal", "x"], 'invalid value "x" for flag -kill-signal: invalid signal "x"'),
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_refused(words: list[str], mistake: str) -> None:
    with pytest.raises(FlagError) as refused:
        command_line(words)
    assert str(refused.value) == mistake


def test_a_template_may_have_only_a_source() -> None:
    assert template_of("a") == {"source": "a"}


def test_consul_is_reached_as_files_flags_and_environment_say() -> None:
    consul = _settings().consul
    assert (consul.address.base, consul.address.token) == ("http://192.0.2.9:1", "t")
    tls: Tree = {"address": "192.0.2.1:2", "ssl": {"ca_cert": "/ca", "verify": False},
                 "auth": {"username": "u"}, "retry": {"enabled": False, "max_backoff": 0.0}}  # fmt: skip
    consul = _settings(consul=tls).consul
    assert consul.address.base == "https://192.0.2.1:2"
    assert consul.address.tls is not None
    assert (consul.address.tls.ca_file, consul.address.tls.is_verified) == ("/ca", False)
    assert consul.address.login == ("u", "")
    assert (consul.attempts, consul.max_backoff) == (1, 3600)


def test_a_template_takes_what_holds_for_all_and_its_own() -> None:
    tree: Tree = {
        "default_delimiters": {"left": "<<", "right": ">>"},
        "wait": {"min": 1.0},
        "template": [
            {"source": "a", "destination": "/a", "uid": 5, "group": "g", "command": ("x y",)},
            {"contents": "b", "destination": "/b", "left_delimiter": "[[", "error_fatal": False,
             "wait": {"min": 2.0, "max": 3.0}, "command_timeout": 5.0,
             "function_blacklist": ["a"], "function_denylist": ["b"]},
        ],
        "template_error_fatal": True,
    }  # fmt: skip
    first, second = _settings(**tree).templates
    assert (first.left, first.right, first.user, first.group) == ("<<", ">>", "5", "g")
    assert (first.wait, second.wait) == (WaitSettings(1, 4), WaitSettings(2, 3))
    assert (first.run.command, first.run.timeout) == (("x y",), 30)
    assert (second.left, second.run.timeout, second.denied) == ("[[", 5, ("b", "a"))
    assert (first.error_fatal, second.error_fatal) == (True, True)
    assert (str(first), second.name) == ('"a" => "/a"', "(dynamic)")


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ({"source": "a", "contents": "b"}, "'source' or 'contents', not both"),
        ({"destination": "/a"}, "must specify 'source' or 'contents'"),
        ({"source": "a"}, "'destination' is missing"),
        ({"source": "a", "destination": "/x/.."}, "'destination' names no file"),
    ],
)
def test_a_template_without_sense_is_refused(template: Tree, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        _settings(template=[template])
    assert _settings("-dry", template=[{"source": "a"}]).is_dry


def test_a_longer_name_may_say_the_level() -> None:
    assert Settings.of({}, {"CONSUL_TEMPLATE_LOG": "DEBUG"}).log.level == "DEBUG"
    assert Settings.of({}, {"CONSUL_TOKEN": "old"}).consul.address.token == "old"


def test_a_check_is_told_the_file_and_a_shell_gets_it_quoted() -> None:
    assert checking(("haproxy", "-f", "{src}"), "/a b") == ("haproxy", "-f", "/a b")
    assert checking(("grep x {src}",), "/a'; b") == ("sh", "-c", "grep x '/a'\"'\"'; b'")


def test_a_text_of_several_words_is_for_the_shell() -> None:
    assert argv_of(["a b"]) == ("sh", "-c", "a b")
    assert argv_of(["a"]) == ("a",)
    assert argv_of(["a", "b c"]) == ("a", "b c")
    assert not is_shell(())


def test_a_childs_variables_are_chosen() -> None:
    inherited = {"A": "1", "B": "2", "AB": "3"}
    own = {"CONSUL_HTTP_ADDR": "x"}
    env = EnvSettings.of({"allowlist": ["A*"], "denylist": ["AB"], "custom": ["C=4=5"]})
    assert env.environ(inherited, own) == {"A": "1", "CONSUL_HTTP_ADDR": "x", "C": "4=5"}
    assert EnvSettings(pristine=True).environ(inherited, own) == own
    assert EnvSettings().environ(inherited, {}) == inherited


def test_timers_can_be_switched_off() -> None:
    assert WaitSettings.of({"enabled": False, "min": 1.0}) is None
    assert WaitSettings.of(None) is None


@pytest.mark.parametrize(
    ("tree", "wanted"),
    [
        ({}, None),
        ({"metrics_addr": "127.0.0.1:9"}, ("127.0.0.1", 9)),
        ({"telemetry": {"prometheus": {"port": 8888}}}, ("0.0.0.0", 8888)),
        (
            {"metrics_addr": "[::1]:9", "telemetry": {"prometheus": {"port": 8888}}},
            ("::1", 9),
        ),
        ({"telemetry": {"stdout": {}}}, None),
    ],
)
def test_metrics_have_an_address_of_ours_or_the_originals_port(
    tree: Tree, wanted: tuple[str, int] | None
) -> None:
    assert Settings.of(tree, {}).metrics == wanted


def test_a_wrong_address_for_metrics_is_told() -> None:
    with pytest.raises(ConfigError, match="metrics_addr: "):
        Settings.of({"metrics_addr": "nope"}, {})
