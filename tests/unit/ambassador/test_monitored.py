"""Whose command a line of MONITOR tells."""

import pytest

from ambassador.redis.buffers import PEAK_RESET, reply_buffer
from ambassador.redis.monitored import LINE, Log, line_of, redacted
from ambassador.redis.replies import elements
from ambassador.redis.resp import packed

ANN, BOB = b"192.0.2.1:5000", b"192.0.2.2:6000"


def test_a_command_is_shown_as_redis_shows_it() -> None:
    words = [b"set", b'a "b"', b"\\\n\r\t\a\b\x00\xff~"]
    assert line_of(words) == rb'"set" "a \"b\"" "\\\n\r\t\a\b\x00\xff~"'


@pytest.mark.parametrize("place", [b"127.0.0.1:5000", b"[::1]:5000", b"unix:/run/redis.sock"])
def test_a_line_has_a_place_and_a_command(place: bytes) -> None:
    match = LINE.fullmatch(b'+1700000000.123456 [3 %b] "get" "a ] b"\r\n' % place)
    assert match is not None
    assert match.groups() == (b"+1700000000.123456 [3 ", place, b'"get" "a ] b"')


def test_commands_on_one_connection_are_told_apart_by_their_order() -> None:
    log = Log()
    log.add(packed(b"GET", b"a") + packed(b"ROLE"), ANN)
    log.add(packed(b"ROLE"), None)
    log.add(packed(b"GET", b"a"), BOB)
    places = []
    for line in (b'"GET" "a"', b'"ROLE"', b'"ROLE"', b'"GET" "a"'):
        found = log.find(line)
        assert found is not None
        places.append(found.place)
    assert places == [ANN, ANN, None, BOB]
    assert log.find(b'"GET" "a"') is None


def test_what_was_not_executed_is_passed_over() -> None:
    log = Log()
    log.add(packed(b"NOSUCH") + packed(b"SET", b"a"), ANN)
    log.add(packed(b"SET", b"a", b"1"), BOB)
    found = log.find(b'"SET" "a" "1"')
    assert found is not None
    assert found.place == BOB
    assert log.find(b'"NOSUCH"') is None


def test_a_line_of_nobody_takes_nothing_from_the_log() -> None:
    log = Log()
    log.add(packed(b"GET", b"a"), ANN)
    assert log.find(b'"GET" "b"') is None
    assert log.find(b'"GET" "a"') is not None


@pytest.mark.parametrize("size", [511, 512, 513, 5000])
def test_a_long_command_is_known_by_its_beginning(size: int) -> None:
    log = Log()
    words = [b"SET", b"k", b"\n" * size]
    log.add(packed(*words), ANN)
    assert log.find(line_of([b"SET", b"j", words[2]])) is None
    assert log.find(line_of(words)) is not None


def test_a_command_of_many_words_is_known_by_its_beginning() -> None:
    log = Log()
    words = [b"SADD", b"k", *(b"%d" % number for number in range(900))]
    log.add(packed(*words), ANN)
    assert log.find(line_of(words)) is not None


def test_what_the_server_hides_is_found_by_name() -> None:
    log = Log()
    log.add(packed(b"GET", b"a") + packed(b"MIGRATE", b"h", b"AUTH", b"secret"), ANN)
    found = log.find(b'"MIGRATE" "h" "AUTH" "(redacted)"')
    assert found is not None
    assert found.place == ANN


def test_a_command_may_be_shown_as_another() -> None:
    log = Log()
    log.add(packed(b"PING"), ANN, b'"SELECT" "1"')
    found = log.find(b'"PING"')
    assert found is not None
    assert found.shown == b'"SELECT" "1"'


@pytest.mark.parametrize(
    ("name", "words", "shown"),
    [
        ("auth", "AUTH a b", "AUTH (redacted) (redacted)"),
        ("auth", "AUTH a", "AUTH (redacted)"),
        ("hello", "HELLO 3 SETNAME x auth u p", "HELLO 3 SETNAME x auth (redacted) (redacted)"),
        ("hello", "HELLO 3", "HELLO 3"),
        ("select", "SELECT 1", "SELECT 1"),
    ],
)
def test_passwords_are_not_told(name: str, words: str, shown: str) -> None:
    assert redacted(name, words.encode().split()) == shown.encode().split()


@pytest.mark.parametrize(
    ("age", "peak", "since", "reset", "found"),
    [
        (0.0, 0, 0.0, PEAK_RESET, (16384, 16384)),
        (9.0, 0, 9.0, PEAK_RESET, (1024, 0)),
        (9.0, 40000, 1.0, PEAK_RESET, (16384, 16384)),
        (9.0, 40000, 6.0, PEAK_RESET, (1024, 0)),
        (9.0, 40000, 6.0, -1.0, (16384, 16384)),
        (9.0, 3000, 1.0, PEAK_RESET, (3001, 3000)),
        (9.0, 1, 1.0, PEAK_RESET, (1024, 1)),
    ],
)
def test_a_buffer_is_as_large_as_redis_would_have_it(
    age: float, peak: int, since: float, reset: float, found: tuple[int, int]
) -> None:
    assert reply_buffer(age, peak, since, reset) == found


def test_an_array_is_taken_apart() -> None:
    reply = b"*4\r\n:1\r\n*2\r\n+a\r\n$1\r\nb\r\n$-1\r\n>1\r\n+p\r\n"
    assert elements(reply) == [
        b"*4\r\n", b":1\r\n", b"*2\r\n+a\r\n$1\r\nb\r\n", b"$-1\r\n", b">1\r\n+p\r\n",
    ]  # fmt: skip
