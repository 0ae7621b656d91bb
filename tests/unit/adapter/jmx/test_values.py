import math

import pytest

from adapter.jmx.feed import Feed
from adapter.jmx.leaves import Unsupported, leaves
from adapter.jmx.numbers import java_number, java_text
from adapter.jmx.records import ClassDesc, JavaArray, JavaObject, Single
from adapter.jmx.stream import Reader
from adapter.jmx.values import (
    UNSUPPORTED,
    Composite,
    Slot,
    Tabular,
    Unlearnable,
    items_of,
    meant,
    pairs_of,
    text_of,
)
from tests.support import java_stream as java


def _value(data: bytes) -> object:
    pieces = iter([data])
    return Reader(Feed(lambda: next(pieces, b""), 1 << 20)).value()


def _object(name: str, fields: dict[str, bytes], codes: str = "") -> object:
    kinds = [*zip(codes or "L" * len(fields), fields, strict=True)]
    return _value(java.obj(java.desc(name, kinds), b"".join(fields.values())))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"), (True, "true"), (False, "false"), ("x", "x"), (0.0, "0.0"), (-0.0, "-0.0"),
        (1.0, "1.0"), (1e7, "1.0E7"), (9999999.0, "9999999.0"), (12345678.5, "1.23456785E7"),
        (0.001, "0.001"), (0.00025, "2.5E-4"), (1e10, "1.0E10"), (-1.5e-9, "-1.5E-9"),
        (math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity"), (100.0, "100.0"),
        (5e-324, "4.9E-324"), (1e-323, "9.9E-324"), (Single(1.4e-45), "1.4E-45"),
        (0.5, "0.5"), (-12.25, "-12.25"), (Single(0.10000000149011612), "0.1"),
        (Single(16777216.0), "1.6777216E7"), (Single(0.3333333432674408), "0.33333334"),
        (Single(1.00000011920929), "1.0000001"), (Single(33554430.0), "3.355443E7"),
    ],
)  # fmt: skip
def test_numbers_look_as_java_shows_them(value: object, text: str) -> None:
    assert java_text(value) == text


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1.0), (" 1.5\n", 1.5), ("1d", 1.0), ("2.5F", 2.5), (".5", 0.5), ("5.", 5.0),
        ("-1e3", -1000.0), ("Infinity", math.inf), ("-Infinity", -math.inf), ("0x1p4", 16.0),
        ("+0x1.8p1d", 3.0), ("nan", None), ("1_000", None), ("", None), ("inf", None),
        ("0x10", None), ("٣", None), ("1e999", math.inf), ("0xp1", None),
    ],
)  # fmt: skip
def test_texts_become_numbers_as_by_double_value_of(text: str, number: float | None) -> None:
    assert java_number(text) == number


def test_not_a_number_is_read() -> None:
    found = java_number("NaN")
    assert found is not None
    assert math.isnan(found)


def test_big_numbers_are_read() -> None:
    def integer(sign: int, magnitude: bytes) -> bytes:
        raw = b"\x75" + java.desc("[B") + len(magnitude).to_bytes(4, "big") + magnitude
        kinds = [("I", "signum"), ("[", "magnitude")]
        number = java.desc("java.lang.Number")
        described = java.desc("java.math.BigInteger", kinds, parent=number)
        return java.obj(described, sign.to_bytes(4, "big", signed=True) + raw)

    def decimal(scale: int, whole: bytes) -> bytes:
        described = java.desc("java.math.BigDecimal", [("I", "scale"), ("L", "intVal")])
        return java.obj(described, scale.to_bytes(4, "big", signed=True) + whole)

    assert meant(_value(integer(-1, b"\x01\x00"))) == -256
    assert meant(_value(decimal(2, integer(1, b"\x04\xfb")))) == 12.75
    assert meant(_value(decimal(100_000, integer(1, b"\x01")))) is UNSUPPORTED
    assert meant(_value(decimal(2, java.NULL))) is UNSUPPORTED
    assert meant(_value(integer(7, b"\x01"))) is UNSUPPORTED
    assert meant(_value(integer(1, b"\xff" * 500))) is UNSUPPORTED
    assert meant(_object("java.math.BigInteger", {"signum": java.NULL})) is UNSUPPORTED


@pytest.mark.parametrize(
    ("whole", "scale", "text"), [(1000, 4, "0.1000"), (1, -3, "1E+3"), (1, 8, "1E-8"), (7, 0, "7")]
)
def test_a_decimal_shows_its_last_zeros(whole: int, scale: int, text: str) -> None:
    magnitude = JavaArray("[B")
    magnitude.items = whole.to_bytes(2, "big")
    integer = JavaObject(ClassDesc("java.math.BigInteger"))
    integer.fields |= {"signum": 1, "magnitude": magnitude}
    decimal = JavaObject(ClassDesc("java.math.BigDecimal"))
    decimal.fields |= {"scale": scale, "intVal": integer}
    assert java_text(meant(decimal)) == text
    assert meant(decimal) == float(text)


def test_other_numbers_are_found_by_what_they_hold() -> None:
    adder = "java.util.concurrent.atomic.LongAdder$SerializationProxy"
    assert meant(_object(adder, {"value": (44).to_bytes(8, "big")}, "J")) == 44
    number = java.desc("java.lang.Number")
    described = java.desc("a.AtomicDouble", [("J", "bits")], parent=number)
    bits = b"\x3f\xf8" + bytes(6)
    assert meant(_value(java.obj(described, bits))) == 1.5
    assert meant(_value(java.obj(java.desc("a.Odd", parent=number)))) is UNSUPPORTED


def test_dates_are_seconds_and_enumerations_names() -> None:
    assert meant(_value(java.date(1234567890123))) == 1234567890.123
    stamp = _value(java.date(5000))
    assert isinstance(stamp, JavaObject)
    stamp.fields["nanos"] = 234_999_999  # as a java.sql.Timestamp has them
    assert meant(stamp) == 5.234
    assert meant(_value(java.enum("a.B", "ON"))) == "ON"
    damaged = java.obj(java.desc("java.util.Date", flags=3), b"", b"")
    assert meant(_value(damaged)) is UNSUPPORTED
    assert meant(object()) is UNSUPPORTED


def _leaves(value: object, **more: str) -> list[tuple[object, ...]]:
    found = leaves({"type": "T", **more}, "Attr", "said", value)
    return [(dict(leaf.properties), leaf.path, leaf.name, leaf.value) for leaf in found]


def test_a_composite_is_a_path() -> None:
    inner = java.composite({"used": java.boxed(1), "max": java.boxed(2)})
    value = _value(java.composite({"z": inner, "a": java.boxed(3)}))
    found = [*leaves({"type": "T"}, "Attr", "said", value)]
    assert [(leaf.path, leaf.name, leaf.value) for leaf in found] == [
        (("Attr",), "a", 3),
        (("Attr", "z"), "max", 2),
        (("Attr", "z"), "used", 1),
    ]
    assert found[0].description == "about it"


def test_index_columns_become_properties_and_a_value_column_is_not_named() -> None:
    rows = [
        (java.string("b"), {"key": java.string("b"), "value": java.boxed(2)}),
        (java.string("a"), {"key": java.string("a"), "value": java.boxed(1)}),
    ]
    assert _leaves(_value(java.tabular(["key"], rows)), key="mine") == [
        ({"type": "T", "key": "mine", "key_": "b"}, (), "Attr", 2),
        ({"type": "T", "key": "mine", "key_": "a"}, (), "Attr", 1),
    ]


def test_other_columns_go_below_the_attribute_and_composite_indexes_apart() -> None:
    index = java.composite({"x": java.string("1"), "y": java.boxed(2)})
    rows = [(java.NULL, {"id": index, "n": java.boxed(5), "m": java.NULL})]
    assert _leaves(_value(java.tabular(["id", "gone"], rows))) == [
        ({"type": "T", "id_x": "1", "id_y": "2"}, ("Attr",), "n", 5)
    ]


def test_an_index_that_is_no_text_is_left_out() -> None:
    rows = [(java.NULL, {"id": java.array([]), "n": java.boxed(5)})]
    assert _leaves(_value(java.tabular(["id"], rows))) == [({"type": "T"}, ("Attr",), "n", 5)]


def test_nothing_is_made_of_null_and_arrays_and_the_rest_is_refused() -> None:
    assert _leaves(None) == []
    assert _leaves(_value(java.array([]))) == []
    with pytest.raises(Unsupported):
        _leaves(_value(java.obj(java.desc("a.Thread"))))
    with pytest.raises(Unsupported):
        _leaves(_object("javax.management.openmbean.TabularDataSupport", {"dataMap": java.NULL}))


def test_an_item_that_is_no_number_costs_no_other() -> None:
    name = java.name_of("a:b=c")
    inside = {"a": java.boxed(1), "on": name, "z": java.boxed(2)}
    found = _leaves(_value(java.composite(inside)))
    assert [leaf[2:] for leaf in found] == [("a", 1), ("z", 2)]
    rows = [(java.NULL, {"id": name, "n": java.boxed(5), "on": name})]
    assert _leaves(_value(java.tabular(["id"], rows))) == [
        ({"type": "T", "id": "a:b=c"}, ("Attr",), "n", 5)
    ]


def test_objects_with_a_text_can_be_labels() -> None:
    assert text_of(_value(java.name_of("a:b=c"))) == "a:b=c"
    assert text_of(_object("java.lang.Character", {"value": b"\x00x"}, "C")) == "x"
    assert text_of(_object("java.lang.Thread", {"value": java.NULL})) is None


def test_values_that_contain_themselves_end() -> None:
    value = _value(java.composite({"a": java.boxed(1)}))
    items: dict[str, object] = {"deep": 1}
    loop = Composite(items)
    items["self"] = loop
    assert len(_leaves(loop)) <= 25
    assert isinstance(value, JavaObject)


def test_collections_are_read_behind_their_views() -> None:
    assert items_of(_value(java.array_list([java.string("a")]))) == ["a"]
    view = {"list": java.array_list([java.string("b")])}
    assert items_of(_object("java.util.Collections$UnmodifiableList", view)) == ["b"]
    as_list = {"a": java.array([java.string("c")])}
    assert items_of(_object("java.util.Arrays$ArrayList", as_list)) == ["c"]
    assert items_of("text") == []
    around = JavaObject(_object("X", {}).desc)  # type: ignore[attr-defined]
    around.fields["c"] = around
    assert items_of(around) == []
    tree = {"m": java.tree_map({"k": java.boxed(1)})}
    assert dict(pairs_of(_object("java.util.Collections$UnmodifiableMap", tree))) == {"k": 1}
    assert dict(pairs_of(None)) == {}
    assert dict(pairs_of(_value(java.hash_map([(java.boxed(1), java.boxed(2))])))) == {}
    assert items_of(JavaArray("[I")) == []


def test_a_number_of_which_only_the_place_is_known_cannot_be_a_label() -> None:
    assert text_of(5) == "5"
    assert text_of(None) is None
    with pytest.raises(Unlearnable):
        text_of(Slot(0))
    table = Tabular(("id",), (Composite({"id": Slot(0), "n": 1}),))
    with pytest.raises(Unlearnable):
        _leaves(table)
