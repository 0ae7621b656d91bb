"""Two command lines, told apart by their first word that is no flag."""

import pytest

from templater.confd.flags import UsageError, parse, usage
from templater.confd.options import OPTIONS, Dialect


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("-onetime -backend env", {"onetime": ["true"], "backend": ["env"]}),
        ("--onetime --backend=env", {"onetime": ["true"], "backend": ["env"]}),
        ("-node a -node=b", {"node": ["a", "b"]}),
        ("-watch=false", {"watch": ["false"]}),
        ("-watch=0 -noop=T", {"watch": ["0"], "noop": ["T"]}),
        ("-prefix -x", {"prefix": ["-x"]}),
        ("-prefix=", {"prefix": [""]}),
        ("-interval 0x10 -interval=5m", {"interval": ["16", "5m"]}),
        ("-- -watch", {}),
        ("", {}),
    ],
)
def test_gos_flag_syntax(line: str, values: dict[str, list[str]]) -> None:
    assert parse(line.split()) == (Dialect.CONFD, values)


def test_a_boolean_never_eats_the_next_word() -> None:
    given = parse(["-watch", "false", "-onetime"])
    assert given == (Dialect.CONFD, {"watch": ["true"]}), "flags end at the first other word"


@pytest.mark.parametrize(
    "line",
    ["consul --node c:8500 --watch", "--watch consul -n c:8500", "--watch --node=c:8500 consul"],
)
def test_a_backend_as_a_word_makes_it_the_forks(line: str) -> None:
    given = parse(line.split())
    assert given.dialect is Dialect.FORK
    assert given.values == {"backend": ["consul"], "node": ["c:8500"], "watch": ["true"]}


def test_the_value_of_a_flag_is_no_backend() -> None:
    assert parse(["-backend", "consul"]).dialect is Dialect.CONFD
    assert parse(["env", "--no-watch"]).values["watch"] == ["false"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-nope", "flag provided but not defined: -nope"),
        ("-interval", "flag needs an argument: -interval"),
        ("-watch=maybe", 'invalid boolean value "maybe" for -watch: parse error'),
        ("-interval x", 'invalid value "x" for flag -interval: parse error'),
        ("---x", "bad flag syntax: ---x"),
        ("-=x", "bad flag syntax: -=x"),
    ],
)
def test_what_cannot_be_understood_is_told_as_go_does(line: str, words: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse(line.split())
    assert str(raised.value) == words


def test_help_shows_every_flag() -> None:
    with pytest.raises(UsageError, match=r"^$"):
        parse(["-h"])
    text = usage("confd")
    assert all(f"  -{name}" in text for name in OPTIONS)
