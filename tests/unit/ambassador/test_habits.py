"""What a client sends again and again is known at one look, and nothing else is taken for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador.redis.framing import Requests, word_of
from ambassador.redis.habits import Habit
from ambassador.redis.patterns import form_of
from ambassador.redis.resp import packed

GET, SET = word_of(b"GET"), word_of(b"SET")
OFTEN = 40


def get(number: int, count: int = 1) -> bytes:
    return b"".join(packed(b"GET", b"key:%06d" % (number + one)) for one in range(count))


def settled(data: bytes, word: bytes, count: int) -> Habit:
    """Return the habit of who sent something so often that its lengths are looked for."""
    habit = Habit()
    habit.expect(count)
    for _ in range(OFTEN):
        if not habit.knows(data):
            habit.repeats(data, word, count)
    return habit


def test_single_short_commands_are_known_from_the_beginning() -> None:
    habit = Habit()
    for data, word in ((get(1), GET), (packed(b"SET", b"k", b"v" * 500), SET)):
        assert habit.knows(data)
        assert (habit.word, habit.count) == (word, 1)
    assert not habit.knows(get(1, 2))
    assert not habit.knows(get(1)[:-1])
    assert not habit.knows(packed(b"SET", b"k", b"v" * 1000))


def test_as_many_as_came_last_are_known() -> None:
    habit = Habit()
    habit.expect(16)
    assert habit.knows(get(1, 16))
    assert (habit.word, habit.count) == (GET, 16)
    assert not habit.knows(get(1, 15))
    assert not habit.knows(get(1, 15) + packed(b"DEL", b"key"))
    habit.expect(10)  # there is no pattern of ten: nothing changes
    assert habit.knows(get(1, 16))


@pytest.mark.parametrize("count", [1, 16])
def test_other_values_of_the_same_lengths_are_known_however_often_they_come(count: int) -> None:
    habit = Habit()
    habit.expect(count)
    for number in range(1000, 1000 + OFTEN):
        assert habit.knows(get(number, count))
        assert (habit.word, habit.count) == (GET, count)


@pytest.mark.parametrize(
    "other",
    [
        packed(b"GET", b"k"),
        packed(b"DEL", b"key:000000"),
        packed(b"SET", b"k", b"v"),
        packed(b"GET", b"\r\n" * 7),
    ],
)
def test_other_short_commands_are_known_after_often_the_same(other: bytes) -> None:
    habit = settled(get(1), GET, 1)
    word = other[4:].partition(b"\r\n$")[0]
    assert habit.knows(other)
    assert (habit.word, habit.count) == (word, 1)
    assert habit.knows(get(2))
    assert habit.word == GET


def test_ten_at_once_and_long_ones_are_known_once_they_came_often() -> None:
    ten = settled(get(1, 10), GET, 10)
    assert ten.knows(get(100, 10))
    assert (ten.word, ten.count) == (GET, 10)
    assert not ten.knows(get(1, 9))
    assert not ten.knows(get(1, 10))  # after anything else they have to come often again
    value = packed(b"SET", b"k", b"v" * 2000)
    long = settled(value * 3, SET, 3)
    assert long.knows(value.replace(b"v", b"w") * 3)
    assert (long.word, long.count) == (SET, 3)
    assert not long.knows(value * 3 + value)
    assert not long.knows(value[:-1] + b"x" + value * 2)


def test_commands_of_unlike_lengths_are_not_taken_for_the_first_again_and_again() -> None:
    data = packed(b"GET", b"abc") + packed(b"GET", b"a") * 2 + packed(b"GET", b"ab")
    habit = settled(data, GET, 4)
    assert habit.knows(data)
    assert not habit.knows(packed(b"GET", b"abc") * 4 + b"x")


def test_more_than_sixty_four_at_once_get_no_pattern_of_their_own() -> None:
    data = get(1, 65)
    assert not settled(data, GET, 65).knows(data)


def test_lengths_are_looked_for_after_twice_as_many_each_time() -> None:
    habit, other, needed = Habit(), packed(b"GET", b"k"), []
    for _ in range(3):
        assert habit.knows(other)
        looks = 0
        while not habit._is_narrow:
            looks += 1
            assert habit.knows(get(looks))
        needed.append(looks)
    assert needed == [9, 17, 33]


def test_a_form_has_empty_and_odd_values() -> None:
    data = packed(b"SET", b"", b"*$.\r\n")
    assert form_of(data, 2).fullmatch(data + packed(b"SET", b"", b"\xff\r\n\n$")) is not None
    assert form_of(data, 2).fullmatch(data) is None
    assert form_of(packed(b"PING"), 1).fullmatch(packed(b"PING")) is not None
    assert form_of(packed(b"A.B", b"k"), 1).fullmatch(packed(b"AxB", b"k")) is None


@pytest.mark.parametrize("count", [1, 2, 3, 16])
def test_a_form_of_many_arguments_knows_the_same_lengths_and_nothing_else(count: int) -> None:
    def mset(value: bytes) -> bytes:
        return packed(b"MSET", *[b"%b%d" % (value, place) for place in range(130)])

    find = form_of(mset(b"a"), count).fullmatch
    same = b"".join(mset(bytes([97 + number])) for number in range(count))
    assert find(same) is not None
    for at in range(len(same)):
        if same[at : at + 1] in {b"*", b"$", b"\r", b"\n"} or same[at : at + 4] == b"MSET":
            assert find(same[:at] + b"x" + same[at + 1 :]) is None
    assert find(same + mset(b"a")) is None
    assert find(same[: -len(mset(b"a"))]) is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"GET", b"get", b"SET"]),
            st.lists(st.binary(max_size=12) | st.sampled_from([b"x" * 120]), max_size=3),
            st.sampled_from([1, 1, 2, 3, 4]),
            st.integers(1, 12),
            st.binary(max_size=2),
        ),
        max_size=6,
    )
)
def test_what_is_known_is_what_the_walk_finds(
    sent: list[tuple[bytes, list[bytes], int, int, bytes]],
) -> None:
    habit = Habit()
    for name, arguments, count, times, more in sent:
        data = packed(name, *arguments) * count + more
        for _ in range(times):
            is_known = habit.knows(data)
            requests = Requests()
            found = [one[0] for _, batch in requests.split(data) for one in batch]
            if is_known:
                assert not requests.is_begun
                assert found == [habit.word] * habit.count
            elif not requests.is_begun and found == [found[0]] * len(found):
                habit.expect(len(found))
                habit.repeats(data, found[0], len(found))
