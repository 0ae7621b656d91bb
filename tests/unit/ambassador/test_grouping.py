"""Commands that come together and go the same way become one run."""

import pytest

from ambassador.redis.commands import Route
from ambassador.redis.framing import Requests, word_of
from ambassador.redis.grouping import common, grouped
from ambassador.redis.resp import packed

GET, SET, PING = packed(b"GET", b"k"), packed(b"SET", b"k", b"v"), packed(b"PING")
ROUTES = {
    word_of(b"GET"): int(Route.READ),
    word_of(b"SET"): int(Route.WRITE),
    word_of(b"PING"): int(Route.LOOK),
}
READ, WRITE, LOOK = Route.READ, Route.WRITE, Route.LOOK


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (GET * 3, (READ, 3, word_of(b"GET"))),
        (GET + SET + GET, (WRITE, 3, b"")),
        (GET + PING, (0, 2, b"")),
        (GET + packed(b"EVAL", b"x", b"0"), (0, 2, b"")),
        (packed(b"EVAL", b"x", b"0") * 2, (0, 2, word_of(b"EVAL"))),
        (GET + GET[:-1], (0, 2, b"")),
    ],
)
def test_the_kind_of_all_is_known_without_a_look_at_each(
    data: bytes, expected: tuple[int, int, bytes]
) -> None:
    assert common(ROUTES, data) == expected


def test_commands_with_one_word_may_have_different_names_in_lower_case() -> None:
    routes = ROUTES | {word_of(b"get"): int(READ)}
    assert common(routes, GET + packed(b"get", b"k")) == (READ, 2, b"")


@pytest.mark.parametrize(
    ("commands", "expected", "taken"),
    [
        ([GET, GET], [(GET * 2, 2, READ)], 2),
        ([GET, SET, GET], [(GET + SET + GET, 3, WRITE)], 3),
        ([GET, PING, GET], [(GET, 1, READ), (PING, 1, LOOK), (GET, 1, READ)], 3),
        ([PING, SET, PING], [(PING + SET + PING, 3, WRITE)], 3),
        ([GET, packed(b"EVAL", b"x", b"0"), GET], [(GET, 1, READ)], 1),
        ([packed(b"EVAL", b"x", b"0")], [], 0),
    ],
)
def test_a_run_ends_where_the_way_parts(
    commands: list[bytes], expected: list[tuple[bytes, int, int]], taken: int
) -> None:
    ((buffer, found),) = Requests().split(b"".join(commands))
    assert grouped(ROUTES, buffer, found) == (expected, taken)
