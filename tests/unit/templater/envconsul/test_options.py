import signal

import pytest

from sidecar.config.goflags import FlagError
from templater.envconsul.options import command_line


def test_words_after_the_flags_are_the_command_as_one_line() -> None:
    given = command_line(["-prefix", "app", "gunicorn", "-w", "4"])
    assert given.tree["exec"] == {"command": ("gunicorn -w 4",), "enabled": True}
    assert given.tree["prefix"] == [{"path": "app"}]


def test_command_given_by_a_flag_wins_over_words() -> None:
    assert command_line(["-exec", "a b", "c"]).tree["exec"] == {"command": ("a b",)}


def test_formats_belong_to_the_query_before_them() -> None:
    words = ["-service-query", "a", "-service-format-id", "X", "-service-query", "b"]
    words += ["-service-format-port", "Y"]
    assert command_line(words).tree["service"] == [
        {"query": "a", "format_id": "X"},
        {"query": "b", "format_port": "Y"},
    ]


def test_format_without_a_query_is_refused() -> None:
    with pytest.raises(FlagError, match="a -service-query must come before it"):
        command_line(["-service-format-id", "X"])


@pytest.mark.parametrize(
    ("words", "no_prefix"), [(["-no-prefix"], True), (["-no-prefix=false"], False)]
)
def test_no_prefix_counts_for_every_prefix_and_secret(words: list[str], no_prefix: bool) -> None:
    tree = command_line(["-prefix", "/a", *words, "-secret", "b", "-prefix", "c"]).tree
    assert tree["prefix"] == [
        {"path": "a", "no_prefix": no_prefix},
        {"path": "c", "no_prefix": no_prefix},
    ]
    assert tree["secret"] == [{"path": "b", "no_prefix": no_prefix}]


def test_older_flags_set_both_places() -> None:
    tree = command_line(["-retry", "2s", "-auth", "u:p", "-ssl", "-timeout", "3s"]).tree
    assert tree["consul"]["retry"] == {"backoff": 2.0, "max_backoff": 2.0}
    assert tree["vault"]["retry"] == {"backoff": 2.0, "max_backoff": 2.0}
    assert tree["consul"]["auth"] == {"username": "u", "password": "p"}
    assert tree["consul"]["ssl"] == tree["vault"]["ssl"] == {"enabled": True}
    assert tree["exec"] == {"kill_timeout": 3.0}


def test_switches_paths_and_our_own_options() -> None:
    given = command_line(
        [
            "-once",
            "-v",
            "-config",
            "a",
            "-config",
            "b",
            "-exec-restart-on-failure",
            "-exec-reload-signal",
            "HUP",
            "-exec-reload-command=x",
            "-pristine",
            "-upcase=0",
        ]
    )
    assert given.is_once
    assert given.is_version
    assert given.paths == ("a", "b")
    assert given.tree == {
        "exec": {
            "restart_on_failure": True,
            "reload_signal": signal.SIGHUP,
            "reload_command": ("x",),
        },
        "pristine": True,
        "upcase": False,
    }


def test_wrong_value_names_the_flag() -> None:
    with pytest.raises(FlagError, match='invalid value "NOPE" for flag -exec-kill-signal'):
        command_line(["-exec-kill-signal", "NOPE"])
