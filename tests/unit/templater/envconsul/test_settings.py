import pytest

from sidecar.errors import ConfigError
from templater.consul_template.schema import Tree
from templater.envconsul.settings import Settings, modern, notes_of

COMMAND: Tree = {"exec": {"command": ("env",)}}


def test_defaults_are_those_of_the_original() -> None:
    settings = Settings.of(COMMAND, {})
    assert settings.child.command == ("env",)
    assert (settings.is_pristine, settings.is_sanitized, settings.is_upper) == (False,) * 3
    assert settings.shared.log.level == "WARN"
    assert settings.wait is None
    assert not settings.child.restarts


def test_log_level_comes_from_the_environment_unless_given() -> None:
    assert Settings.of(COMMAND, {"ENVCONSUL": "debug"}).shared.log.level == "debug"
    given: Tree = {**COMMAND, "log_level": "info"}
    assert Settings.of(given, {"CT_LOG": "debug"}).shared.log.level == "info"


def test_no_command_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.of({"prefix": [{"path": "a"}]}, {})
    assert caught.value.problems == ("No command given",)


@pytest.mark.parametrize("block", ["prefix", "secret", "service"])
def test_malformed_format_is_refused_with_its_place(block: str) -> None:
    key = "format_id" if block == "service" else "format"
    tree: Tree = {**COMMAND, block: [{"path": "a"}, {"path": "b", "query": "b", key: "{{nope"}]}
    with pytest.raises(ConfigError) as caught:
        Settings.of(tree, {})
    assert caught.value.problems[0].startswith(f"{block} 2: template: filter:1: ")


def test_keys_go_without_the_path_and_secrets_with_it() -> None:
    tree: Tree = {**COMMAND, "prefix": [{"path": "a"}, {}], "secret": [{"path": "b"}]}
    settings = Settings.of(tree, {})
    assert [one.has_prefix for one in settings.prefixes] == [False]
    assert [one.has_prefix for one in settings.secrets] == [True]


def test_old_keys_are_read_where_they_are_now_and_what_stands_there_wins() -> None:
    old: Tree = {
        "splay": 1.0, "timeout": 2.0, "path": "x", "token": "t", "exec": {"splay": 3.0},
    }  # fmt: skip
    assert modern(old) == {
        "exec": {"splay": 3.0, "kill_timeout": 2.0},
        "consul": {"token": "t"},
    }


def test_notes_tell_what_moved_and_what_has_no_effect() -> None:
    tree: Tree = {"path": "x", "splay": 1.0, "vault": {"namespace": "n"}, "syslog": {}}
    assert notes_of(tree) == [
        "path is read as nothing",
        "splay is read as exec.splay",
        "vault.namespace has no effect: give the namespace as the start of the paths",
    ]
