"""Configuration files: every kind of value, mistakes with their place, merging."""

import signal

import pytest

from templater.consul_template.keys import SCHEMA
from templater.consul_template.schema import Tree, merged, read_file, wait_of

WHOLE = """
consul {
  address = "192.0.2.1:8500"
  auth { enabled = true  username = "u" password = "p" }
  retry { attempts = 3 backoff = "1s" }
}
max_stale = "10m"
kill_signal = "sigquit"
reload_signal = ""
wait { min = "1s" max = "5s" }
template {
  source = "a.ctmpl"
  destination = "a"
  perms = "0600"
  command = ["nginx", "-s", "reload"]
  wait = "2s:10s"
  exec { env { custom = ["A=1"] allowlist = "B,C" } timeout = "5s" }
}
template { contents = "x" perms = 0644 command = "a b" error_on_missing_key = true }
"""


def _read(text: str) -> tuple[Tree, list[str]]:
    return read_file(text, "x.hcl", SCHEMA)


def test_a_file_is_read_with_all_kinds_of_values() -> None:
    tree, problems = _read(WHOLE)
    assert problems == []
    assert tree["consul"]["auth"] == {"enabled": True, "username": "u", "password": "p"}
    assert tree["consul"]["retry"] == {"attempts": 3, "backoff": 1.0}
    assert tree["max_stale"] == 600
    assert (tree["kill_signal"], tree["reload_signal"]) == (signal.SIGQUIT, None)
    assert tree["wait"] == {"min": 1.0, "max": 5.0}
    first, second = tree["template"]
    assert first["perms"] == 0o600
    assert first["command"] == ("nginx", "-s", "reload")
    assert first["wait"] == {"min": 2.0, "max": 10.0}
    assert first["exec"]["env"] == {"custom": ["A=1"], "allowlist": ["B", "C"]}
    assert second == {
        "contents": "x", "perms": 0o644, "command": ("a b",), "error_on_missing_key": True,
    }  # fmt: skip


def test_json_stands_for_the_same() -> None:
    tree, problems = _read(
        '{"consul": "192.0.2.1:1", "template": [{"source": "a"}, {"source": "b"}],'
        ' "exec": [{"command": "x"}], "vault": {"lease_renewal_threshold": 0.5}}'
    )
    assert problems == []
    assert tree["consul"] == {"address": "192.0.2.1:1"}
    assert [each["source"] for each in tree["template"]] == ["a", "b"]
    assert tree["exec"] == {"command": ("x",)}
    assert tree["vault"] == {"lease_renewal_threshold": 0.5}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("consul { adress = 1 }", "x.hcl:1:10: consul.adress is no option; did you mean address?"),
        ("zzz = 1", "x.hcl:1:1: zzz is no option"),
        ('max_stale = "5"', 'x.hcl:1:1: max_stale: time: missing unit in duration "5"'),
        ("log_level = 5", "x.hcl:1:1: log_level: must be text, not 5"),
        ("once = 5", "x.hcl:1:1: once: must be true or false, not 5"),
        ('once = "x"', 'x.hcl:1:1: once: strconv.ParseBool: parsing "x": invalid syntax'),
        ('consul { retry { attempts = "x" } }',
         "x.hcl:1:18: consul.retry.attempts: must be a whole number, not 'x'"),
        ("vault { lease_renewal_threshold = true }",
         "x.hcl:1:9: vault.lease_renewal_threshold: must be a number, not True"),
        ('kill_signal = "x"', 'x.hcl:1:1: kill_signal: invalid signal "x"'),
        ('template { perms = "9" }',
         'x.hcl:1:12: template.perms: strconv.ParseUint: parsing "9": invalid syntax'),
        ("template { perms = 99999 }",
         "x.hcl:1:12: template.perms: 303237 (octal) is no mode of a file"),
        ("template { command = 1 }",
         "x.hcl:1:12: template.command: must be text or a list of words, not 1"),
        ("allow_functions = 1", "x.hcl:1:1: allow_functions: must be a list of texts, not 1"),
        ("template = 1", "x.hcl:1:1: template: must be a block in braces"),
        ('wait = "a:b:c"', "x.hcl:1:1: wait: wait: invalid format"),
        ("exec { command = {} }", "must be text or a list of words, not a block"),
        ("consul {", "x.hcl:1:9: "),
        ('{"zzz": 1}', "x.hcl: zzz is no option"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(text: str, problem: str) -> None:
    _, problems = _read(text)
    assert len(problems) == 1
    assert problem in problems[0]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "wait: cannot be empty"),
        ("-1s", "wait: cannot be negative"),
        ("5s:1s", "wait: min must be less than max"),
    ],
)
def test_timers_that_make_no_sense_are_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        wait_of(text)
    assert wait_of("2s") == {"min": 2.0, "max": 8.0}


def test_the_later_wins_blocks_merge_and_lists_grow() -> None:
    one: Tree = {"a": 1, "b": {"c": 1, "d": 2}, "l": [1]}
    assert merged(one, {"a": 2, "b": {"c": 3}, "l": [2]}) == {
        "a": 2, "b": {"c": 3, "d": 2}, "l": [1, 2],
    }  # fmt: skip
    assert one["b"] == {"c": 1, "d": 2}


def test_a_bare_number_is_nanoseconds_as_in_the_peer() -> None:
    assert _read("max_stale = 2000000000")[0] == {"max_stale": 2.0}
