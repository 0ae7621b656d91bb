import contextlib
import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.jmx.feed import Feed, Truncated
from adapter.jmx.limits import LIMITS, WriteAborted
from adapter.jmx.records import ClassDesc, JavaArray, JavaEnum, JavaObject, Single, is_a
from adapter.jmx.stream import Reader
from adapter.jmx.values import Slot
from sidecar.errors import ProtocolError
from tests.support import java_stream as java


def _feed(data: bytes, *cuts: int, budget: int = 1 << 20) -> Feed:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    pieces = iter([data[a:b] for a, b in itertools.pairwise(edges)])
    return Feed(lambda: next(pieces, b""), budget)


def _read(data: bytes, *cuts: int) -> object:
    return Reader(_feed(data, *cuts)).value()


def _plain(value: object) -> object:
    """Return records as tuples, so that they can be compared."""
    if isinstance(value, JavaArray):
        items = value.items if isinstance(value.items, bytes) else [*map(_plain, value.items)]
        return ("array", value.type, items)
    if isinstance(value, JavaObject):
        fields = {name: _plain(item) for name, item in value.fields.items()}
        return ("object", value.type, fields, [*map(_plain, value.data)])
    return value


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.booleans()
values = st.recursive(
    st.none() | texts | numbers,
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)


def _written(value: object) -> bytes:
    if isinstance(value, list):
        return java.array([*map(_written, value)])
    return java.flat(value)


def _meant(value: object) -> object:
    if isinstance(value, list):
        return ("array", "[Ljava.lang.Object;", [*map(_meant, value)])
    return value


@given(values, st.lists(st.integers(0, 10_000), max_size=5))
def test_what_is_written_is_read_however_it_is_cut(value: object, cuts: list[int]) -> None:
    assert _plain(_read(_written(value), *cuts)) == _meant(value)


@given(st.binary(max_size=200))
def test_garbage_raises_nothing_but_protocol_errors(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        _read(data)


def test_strings_that_java_writes_otherwise_are_read() -> None:
    assert _read(java.string("é\0😀")) == "é\0😀"
    lone = b"\x74\x00\x03\xed\xa0\x80"
    assert _read(lone) == "\ufffd"
    with pytest.raises(ProtocolError, match="UTF-8"):
        _read(b"\x74\x00\x01\xff")


def test_a_long_string_and_a_long_block_are_read() -> None:
    assert _read(b"\x7c" + struct.pack(">q", 70_000) + b"x" * 70_000) == "x" * 70_000
    assert _read(b"\x7a" + struct.pack(">i", 300) + b"y" * 300) == b"y" * 300


def test_what_was_written_before_is_named_by_number() -> None:
    # The array's class, its name is no handle; then the array, then the first text.
    items = [java.string("a"), b"\x71" + struct.pack(">i", 0x7E0002)]
    assert _plain(_read(java.array(items))) == ("array", "[Ljava.lang.Object;", ["a", "a"])


def test_a_boxed_number_named_again_is_its_number() -> None:
    # Handles: array class 0, array 1, Integer's class 2, Number 3, the object 4.
    items = [java.boxed(7, "Integer"), b"\x71" + struct.pack(">i", 0x7E0004)]
    assert _plain(_read(java.array(items))) == ("array", "[Ljava.lang.Object;", [7, 7])


def test_a_float_stays_a_float() -> None:
    value = _read(java.boxed(0.5, "Float"))
    assert value == 0.5
    assert isinstance(value, Single)


def test_arrays_of_primitives_are_read() -> None:
    whole = b"\x75" + java.desc("[J") + struct.pack(">iqq", 2, 5, -6)
    assert _plain(_read(whole)) == ("array", "[J", [5, -6])
    raw = b"\x75" + java.desc("[B") + struct.pack(">i", 3) + b"abc"
    assert _plain(_read(raw)) == ("array", "[B", b"abc")


def test_an_enumeration_is_its_name() -> None:
    found = _read(java.enum("org.example.Mood", "CALM"))
    assert isinstance(found, JavaEnum)
    assert (found.type, found.name) == ("org.example.Mood", "CALM")


def test_a_class_and_a_proxy_are_read() -> None:
    found = _read(b"\x76" + java.desc("org.example.A"))
    assert isinstance(found, ClassDesc)
    proxy = b"\x7d" + struct.pack(">i", 1) + b"\x00\x01I" + b"\x78" + java.NULL
    value = _read(b"\x73" + proxy)
    assert isinstance(value, JavaObject)
    assert value.desc.interfaces == ("I",)


def test_fields_are_read_from_the_top_class_down_and_the_upper_one_wins() -> None:
    top = java.desc("org.example.Top", [("I", "a"), ("L", "b"), ("J", "c")])
    low = java.desc("org.example.Low", [("I", "a"), ("Z", "d")], parent=top)
    data = struct.pack(">i", 1) + java.string("two") + struct.pack(">q", 3)
    value = _read(java.obj(low, data + struct.pack(">i?", 9, True)))
    assert isinstance(value, JavaObject)
    assert value.fields == {"a": 1, "b": "two", "c": 3, "d": True}
    assert is_a(value, "org.example.Top")
    assert not is_a(value, "org.example.Other")
    assert not is_a("text", "org.example.Top")
    assert repr(value) == "<org.example.Low>"


def test_raw_data_in_several_blocks_is_one() -> None:
    data = java.block(b"ab") + java.block(b"cd") + java.string("x") + java.block(b"e")
    value = _read(java.obj(java.desc("org.example.A", flags=3), b"", data))
    assert isinstance(value, JavaObject)
    assert value.data == [b"abcd", "x", b"e"]
    outside = _read(java.obj(java.desc("org.example.E", flags=12), b"", java.block(b"z")))
    assert isinstance(outside, JavaObject)
    assert outside.data == [b"z"]


def test_reset_forgets_the_numbers() -> None:
    with pytest.raises(ProtocolError, match="named before it came"):
        _read(java.array([java.string("a"), b"\x79\x71" + struct.pack(">i", 0x7E0002)]))


def test_a_value_that_could_not_be_written_says_why() -> None:
    thrown = java.obj(
        java.desc("java.io.NotSerializableException", [("L", "detailMessage")]),
        java.string("java.lang.Thread"),
    )
    with pytest.raises(WriteAborted, match=r"NotSerializableException: java\.lang\.Thread"):
        _read(java.array([b"\x7b" + thrown]))
    with pytest.raises(WriteAborted, match="an exception"):
        _read(b"\x7b\x70")


def test_numbers_are_told_by_their_places_when_asked() -> None:
    data = java.array([java.boxed(7, "Integer"), java.boxed(1.5), java.string("x")])
    slots: list[tuple[int, str]] = []
    found = Reader(_feed(data), slots=slots).value()
    assert isinstance(found, JavaArray)
    assert found.items == [Slot(0), Slot(1), "x"]
    assert [struct.unpack_from(">" + code, data, at)[0] for at, code in slots] == [7, 1.5]


def test_an_odd_box_is_no_place_for_a_number() -> None:
    parent = java.desc("java.lang.Number", [("I", "value")])
    data = java.obj(java.desc("java.lang.Integer", parent=parent), struct.pack(">i", 5))
    slots: list[tuple[int, str]] = []
    assert Reader(_feed(data), slots=slots).value() == 5
    writes = java.obj(java.desc("java.lang.Long", [("J", "value")], flags=3), bytes(8), b"")
    assert Reader(_feed(writes), slots=slots).value() == 0
    assert slots == []


def test_a_box_without_a_number_is_an_object() -> None:
    odd = java.obj(java.desc("java.lang.Integer", [("L", "value")]), java.string("x"))
    found = _read(odd)
    assert isinstance(found, JavaObject)
    assert found.fields == {"value": "x"}


def test_a_box_below_another_with_fields_is_no_place_for_a_number() -> None:
    parent = java.desc("java.lang.Number", [("I", "value")])
    both = java.desc("java.lang.Integer", [("I", "value")], parent=parent)
    slots: list[tuple[int, str]] = []
    found = Reader(_feed(java.obj(both, struct.pack(">ii", 5, 6))), slots=slots).value()
    assert (found, slots) == (5, [])


def test_a_class_above_itself_far_up_is_refused() -> None:
    # Each class names the one before as its parent, deeper than any chain of Java's.
    before = java.desc("A0")
    items = [b"\x76" + before]
    for number in range(1, 80):
        # Handles: the array's class 0, the array 1, then for each item a class and what holds it.
        above = b"\x71" + struct.pack(">i", 0x7E0002 + 2 * (number - 1))
        items.append(b"\x76" + java.desc(f"A{number}", parent=above))
    with pytest.raises(ProtocolError, match="is no class"):
        _read(java.array(items))


_DEEP = b"\x75" + java.desc("[Ljava.lang.Object;") + b"\x00\x00\x00\x01"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x00", "starts no value"),
        (b"\x78", "end of a block was not expected"),
        (b"\x71\x00\x00\x00\x00", "named before it came"),
        (b"\x73\x70", "a class was expected"),
        (b"\x7e" + java.desc("E", flags=18) + b"\x70", "no text"),
        (b"\x73\x72\x00\x01A" + bytes(8) + b"\x02\x00\x01?\x00\x01f", "no type of a field"),
        (b"\x73\x72\x00\x01A" + bytes(8) + b"\x02\x00\x01L\x00\x01f\x70", "is no text"),
        (b"\x73" + java.desc("A", parent=java.string("x")), "is no class"),
        (b"\x73" + java.desc("A", parent=b"\x71\x00\x7e\x00\x00"), "is no class"),
        (b"\x73" + java.desc("A", flags=4), "nobody else can read"),
        (b"\x7d\xff\xff\xff\xff", "a proxy of"),
        (b"\x7c" + b"\xff" * 8, "a length of -1"),
        (b"\x75" + java.desc("[I") + b"\xff\xff\xff\xff", "a length of -1"),
        (b"\x75" + java.desc("[B") + b"\x7f\xff\xff\xff", "longer than maxReplyBytes"),
        (b"\x7c\x7f" + b"\xff" * 7, "longer than maxReplyBytes"),
        (_DEEP * 100, "nested deeper"),
        (b"\x74\x00\x05ab", "closed in the middle"),
    ],
)
def test_nonsense_is_told(data: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        _read(data)


def test_there_are_only_so_many_values_in_an_answer() -> None:
    data = java.array([java.string("")] * 20)
    with pytest.raises(ProtocolError, match="more than 10 values"):
        Reader(_feed(data), LIMITS._replace(handles=10)).value()


def test_a_class_chain_without_end_is_refused() -> None:
    # A long chain of parents, each new: deeper than any of Java's.
    described = java.NULL
    for _ in range(100):
        described = java.desc("A", parent=described)
    with pytest.raises(ProtocolError):
        _read(b"\x73" + described)


def test_a_stream_begins_with_its_number() -> None:
    reader = Reader(_feed(b"\xca\xfe\xba\xbe"))
    with pytest.raises(ProtocolError, match="cafebabe"):
        reader.header()
    with pytest.raises(ProtocolError, match="raw data was expected"):
        Reader(_feed(b"\x70")).block()


def test_what_came_early_belongs_to_the_next_answer() -> None:
    feed = _feed(java.string("one") + java.string("two"))
    assert Reader(feed).value() == "one"
    assert feed.rest > 0
    feed.start(100)
    assert Reader(feed).value() == "two"
    feed.start(100)
    with pytest.raises(Truncated):
        Reader(feed).value()
