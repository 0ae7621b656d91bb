"""A memory taken apart by service, and put together again."""

from sidecar.scheduler.canary import Trial
from sidecar.scheduler.memory import Failure, Memory, Move
from sidecar.scheduler.parts import Parts


def _failure(service: str, slot: str = "1", at: float = 1.0) -> Failure:
    return Failure(service, slot, "x", "n1", at)


WHOLE = Memory(
    failures=(_failure("a"), _failure("b"), _failure("a", "2")),
    counted=frozenset({("a1", 1, 1.0)}),
    updated={"a": 1.0, "b": 2.0},
    moving=frozenset({"a", "b"}),
    trials={"a": Trial("x"), "b": Trial("y")},
    paused=frozenset({("a", "x"), ("b", "y")}),
    attempts={"a": 1, "b": 2},
    begun={"a": ("x", 1.0), "b": ("y", 2.0)},
    cut_off=7.0,
    moves={("a", "1", 1): Move("n1", 1.0), ("b", "1", 1): Move("n2", 1.0)},
    moved=(1.0, 2.0),
    unmoved={"a": 3.0, "b": 4.0},
)


def test_a_part_has_what_is_of_its_service_and_when_we_were_cut_off() -> None:
    assert Parts(WHOLE).of("a") == Memory(
        failures=(_failure("a"), _failure("a", "2")),
        updated={"a": 1.0},
        moving=frozenset({"a"}),
        trials={"a": Trial("x")},
        paused=frozenset({("a", "x")}),
        attempts={"a": 1},
        begun={"a": ("x", 1.0)},
        cut_off=7.0,
        moves={("a", "1", 1): Move("n1", 1.0)},
        unmoved={"a": 3.0},
    )
    assert Parts(WHOLE).of("c") == Memory(cut_off=7.0)


def test_a_whole_of_which_no_part_changed_is_the_same_object() -> None:
    parts = Parts(WHOLE)
    parts.of("a")
    assert parts.whole() is WHOLE


def test_a_part_that_changed_takes_the_place_of_what_was_known_of_its_service() -> None:
    parts = Parts(WHOLE)
    parts.put("a", Memory(cut_off=7.0, updated={"a": 9.0}))
    assert parts.of("a").updated == {"a": 9.0}
    assert parts.whole() == Memory(
        failures=(_failure("b"),),
        counted=WHOLE.counted,
        updated={"b": 2.0, "a": 9.0},
        moving=frozenset({"b"}),
        trials={"b": Trial("y")},
        paused=frozenset({("b", "y")}),
        attempts={"b": 2},
        begun={"b": ("y", 2.0)},
        cut_off=7.0,
        moves={("b", "1", 1): Move("n2", 1.0)},
        moved=(1.0, 2.0),
        unmoved={"b": 4.0},
    )


def test_all_parts_put_back_are_the_whole() -> None:
    parts = Parts(WHOLE)
    for service in ("a", "b"):
        parts.put(service, parts.of(service))
    found = parts.whole()
    assert sorted(map(repr, found.failures)) == sorted(map(repr, WHOLE.failures))
    assert found == Memory(
        failures=found.failures,
        **{
            name: getattr(WHOLE, name)
            for name in Memory.__dataclass_fields__
            if name not in {"failures", "_index"}
        },
    )


def test_moves_of_late_are_of_all_services_together() -> None:
    parts = Parts(WHOLE)
    parts.moved = (*parts.moved, 3.0)
    assert parts.whole().moved == (1.0, 2.0, 3.0)


def test_failures_are_found_by_service_spec_and_slot() -> None:
    assert WHOLE.failures_of("a", "2", "x") == [1.0]
    assert WHOLE.failures_of("a", "2", "y") == []
    assert (WHOLE.times_failed("a", "x"), Memory().times_failed("a", "x")) == (2, 0)
    assert WHOLE.failed_slots("a", "x") == {"1", "2"}
    assert WHOLE.failed_slots("b", "x") == {"1"}, "another spec is wanted now: all count"
