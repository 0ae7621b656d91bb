import pytest

from adapter.exposition import Kind
from adapter.statsd.series import CounterSeries, Series
from adapter.statsd.store import Store
from adapter.statsd.tally import Tally


def add(
    store: Store, name: str, kind: Kind = "counter", ttl: float = 0.0, **labels: str
) -> Series | None:
    return store.series(
        name, kind, labels, lambda text, _: CounterSeries(text), help_text="H", ttl=ttl
    )


def test_the_same_labels_are_the_same_series_in_any_order() -> None:
    store = Store(Tally(), 0)
    first = store.series("x", "counter", {"b": "1", "a": "2"}, lambda t, _: Series(t), help_text="")
    assert first is add(store, "x", a="2", b="1")
    assert first is not None
    assert first.text == 'x{a="2",b="1"}'
    assert store.count == 1


def test_sets_of_labels_may_differ_and_are_counted() -> None:
    store = Store(Tally(), 0)
    assert add(store, "x")
    assert add(store, "x", a="1")
    assert add(store, "x", b="1")
    assert add(store, "x", a="2")
    assert add(store, "x", a="2") is add(store, "x", a="2")
    assert len(store.groups["x"].shapes) == 3
    assert len(list(store.groups["x"])) == 4


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("x", "counter"), ("x", "gauge")),
        (("x", "gauge"), ("x", "summary")),
        (("x", "summary"), ("x_sum", "counter")),
        (("x", "histogram"), ("x_bucket", "gauge")),
        (("x", "gauge"), ("x_count", "counter")),
        (("x_sum", "counter"), ("x", "summary")),
        (("x_count", "gauge"), ("x", "histogram")),
        (("x_bucket", "counter"), ("x", "histogram")),
        # Both of one type: no parser takes an exposition with both.
        (("x", "summary"), ("x_count", "summary")),
        (("x_count", "summary"), ("x", "summary")),
        (("x", "histogram"), ("x_sum", "histogram")),
        (("x_bucket", "histogram"), ("x", "histogram")),
        (("x", "histogram"), ("x_bucket", "summary")),
    ],
)
def test_a_name_is_its_first_types(first: tuple[str, Kind], second: tuple[str, Kind]) -> None:
    tally = Tally()
    store = Store(tally, 0)
    assert add(store, *first)
    assert add(store, *second) is None
    kind = "observer" if second[1] in ("summary", "histogram") else second[1]
    assert tally.conflicts == {(kind, second[0]): 1}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("x", "counter"), ("x_sum", "counter")),
        (("x_bucket", "counter"), ("x", "summary")),
        (("x_bucket", "summary"), ("x", "summary")),
        (("x", "counter"), ("x_sum", "summary")),
    ],
)
def test_names_that_only_look_alike_are_no_conflict(
    first: tuple[str, Kind], second: tuple[str, Kind]
) -> None:
    store = Store(Tally(), 0)
    assert add(store, *first)
    assert add(store, *second)


def test_names_of_our_own_are_not_for_senders() -> None:
    tally = Tally()
    assert add(Store(tally, 0, frozenset({"own_total"})), "own_total") is None
    assert tally.conflicts == {("counter", "own_total"): 1}


def test_there_is_room_for_so_many_series() -> None:
    tally = Tally()
    store = Store(tally, 2)
    assert add(store, "x")
    assert add(store, "y")
    assert add(store, "z") is None
    assert add(store, "x")
    assert tally.overflows == {"z": 1}


def test_there_is_room_for_so_much_text() -> None:
    tally = Tally()
    store = Store(tally, 2)
    assert add(store, "x", a="b" * 2000) is None
    assert add(store, "x", a="b" * 900)
    assert tally.overflows == {"x": 1}


def test_series_go_when_nobody_changes_them_and_free_name_and_room() -> None:
    tally = Tally()
    store = Store(tally, 3)
    mortal = [add(store, "x", ttl=5.0), add(store, "x", ttl=5.0, a="1"), add(store, "y")]
    assert not store.sweep(5.0)
    assert store.sweep(5.1)
    assert list(store.groups) == ["y"]
    assert store.count == 1
    assert mortal[0] is not None
    assert mortal[0].ttl < 0
    assert add(store, "x", "gauge", a="1")
    assert not store.sweep(100.0)


def test_one_series_of_a_name_may_go_and_the_others_stay() -> None:
    store = Store(Tally(), 0)
    add(store, "x")
    add(store, "x", ttl=1.0, a="1")
    add(store, "x", ttl=9.0, a="2")
    store.sweep(2.0)
    assert [series.text for series in store.groups["x"]] == ["x", 'x{a="2"}']
    assert store.groups["x"].find('x{a="1"}') is None


def test_the_first_series_may_go_and_come_back() -> None:
    store = Store(Tally(), 0)
    add(store, "x", ttl=1.0)
    add(store, "x", a="1")
    store.sweep(2.0)
    assert [series.text for series in store.groups["x"]] == ['x{a="1"}']
    assert add(store, "x")
    assert len(list(store.groups["x"])) == 2
    assert store.groups["x"].find("x") is not None


def test_many_sets_of_labels_share_what_they_can() -> None:
    store = Store(Tally(), 0)
    for n in range(1002):
        store.series(f"x{n}", "counter", {f"l{n}": "v"}, lambda text, _: Series(text), help_text="")
    assert store.count == 1002
