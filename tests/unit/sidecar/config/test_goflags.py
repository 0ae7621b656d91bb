"""Go's flag syntax, with its words of refusal."""

import pytest

from sidecar.config.goflags import Flag, FlagError, Help, parse, usage

FLAGS = (
    Flag("ip", "string", "An address", ""),
    Flag("mode", "string", "A mode", "always"),
    Flag("ttl", "int", "Seconds", 7),
    Flag("on", "bool", "A switch", False),
)


@pytest.mark.parametrize(
    ("words", "given", "rest"),
    [
        (["-ip", "a", "uri"], {"ip": ["a"]}, ("uri",)),
        (["--ip=a=b"], {"ip": ["a=b"]}, ()),
        (["-ip="], {"ip": [""]}, ()),
        (["-ip", "-on"], {"ip": ["-on"]}, ()),
        (["-on", "true"], {"on": [True]}, ("true",)),
        (["-on=F", "--on=1"], {"on": [False, True]}, ()),
        (["uri", "-on"], {}, ("uri", "-on")),
        (["-on", "--", "-ip"], {"on": [True]}, ("-ip",)),
        (["-"], {}, ("-",)),
        (["-ttl", "-5"], {"ttl": [-5]}, ()),
        (["-ttl", "0x1F"], {"ttl": [31]}, ()),
        (["-ttl", "010"], {"ttl": [8]}, ()),
        (["-ttl", "+1_000"], {"ttl": [1000]}, ()),
        (["-ttl", "0"], {"ttl": [0]}, ()),
        (["-ttl", "-0b11"], {"ttl": [-3]}, ()),
        (["-ttl", "0o17"], {"ttl": [15]}, ()),
    ],
)
def test_flags_end_at_the_first_word_that_is_none(
    words: list[str], given: dict[str, list[object]], rest: tuple[str, ...]
) -> None:
    parsed = parse(FLAGS, words)
    assert (parsed.given, parsed.rest) == (given, rest)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["-x"], "flag provided but not defined: -x"),
        (["--x=1"], "flag provided but not defined: -x"),
        (["---ip"], "bad flag syntax: ---ip"),
        (["-=a"], "bad flag syntax: -=a"),
        (["-ip"], "flag needs an argument: -ip"),
        (["-on=maybe"], 'invalid boolean value "maybe" for -on: parse error'),
        (["-ttl", "5s"], 'invalid value "5s" for flag -ttl: parse error'),
        (["-ttl", "08"], 'invalid value "08" for flag -ttl: parse error'),
        (["-ttl", '"'], 'invalid value "\\"" for flag -ttl: parse error'),
        (["-ttl", "9" * 19], f'invalid value "{"9" * 19}" for flag -ttl: value out of range'),
        (["-ttl", "9" * 200], f'invalid value "{"9" * 200}" for flag -ttl: value out of range'),
    ],
)
def test_what_is_wrong_is_said_in_the_words_of_go(words: list[str], text: str) -> None:
    with pytest.raises(FlagError) as caught:
        parse(FLAGS, words)
    assert str(caught.value) == text


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_is_no_error(word: str) -> None:
    with pytest.raises(Help):
        parse(FLAGS, [word])


def test_of_several_values_the_last_counts_unless_all_are_asked_for() -> None:
    parsed = parse(FLAGS, ["-ip", "a", "-ip", "b", "-ttl", "1", "-ttl", "2", "-on"])
    assert (parsed.text("ip"), parsed.all("ip")) == ("b", ("a", "b"))
    assert (parsed.number("ttl", 0), parsed.is_on("on")) == (2, True)
    empty = parse(FLAGS, [])
    assert (empty.text("ip"), empty.number("ttl", 9), empty.is_on("on")) == ("", 9, False)


def test_the_usage_is_laid_out_as_go_does() -> None:
    assert usage(FLAGS).splitlines() == [
        "  -ip string",
        "    \tAn address",
        "  -mode string",
        '    \tA mode (default "always")',
        "  -on",
        "    \tA switch",
        "  -ttl int",
        "    \tSeconds (default 7)",
    ]
