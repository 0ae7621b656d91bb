"""Inline commands are split as Redis splits them."""

import pytest

from ambassador.redis.inline import UnbalancedQuotes, command_of, words_of


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", []),
        (b"  \t ", []),
        (b"PING", [b"PING"]),
        (b" set  a b ", [b"set", b"a", b"b"]),
        (b'set "a b" c', [b"set", b"a b", b"c"]),
        (rb'"\n\r\t\b\a\\\"\q"', [b'\n\r\t\b\a\\"q']),
        (rb'"\x41\xzz"', [b"Axzz"]),
        (rb"'it\'s \n'", [rb"it's \n"]),
        (b'a"b"', [b"ab"]),
        (b'""', [b""]),
        (b"a\0b", [b"a"]),
    ],
)
def test_a_line_is_split_like_a_shell_does(line: bytes, words: list[bytes]) -> None:
    if b"\0" in line:
        assert words_of(line)[:1] == words
    else:
        assert words_of(line) == words


@pytest.mark.parametrize("line", [b'"a', b"'a", b'"a"b', b"'a'b", b'"a\\'])
def test_quotes_that_do_not_end_are_refused(line: bytes) -> None:
    with pytest.raises(UnbalancedQuotes):
        words_of(line)


def test_an_inline_command_becomes_an_array() -> None:
    assert command_of(b"get a") == (b"get", b"*2\r\n$3\r\nget\r\n$1\r\na\r\n")
    assert command_of(b"") == (b"", b"")
