import pytest

from registrar.endings import Endings
from registrar.sweep import Sweep, box_of
from sidecar.catalog.model import InstanceId, Key


def key(id_: str, service: str = "web") -> Key:
    return Key(service, "vm", InstanceId(id_))


def test_a_leftover_goes_after_two_looks_that_found_it() -> None:
    sweep = Sweep(Endings(), cleanup=False)
    dead, late = key("vm:dead:80"), key("vm:late:80")
    assert sweep.take([dead], [], 1) == frozenset()
    assert [sweep.is_waiting] == [True]
    assert sweep.take([dead], [], 1) == frozenset(), "the same look twice is one"
    assert sweep.take([dead, late], [], 2) == {dead}
    assert sweep.take([], [], 3) == frozenset()
    assert [sweep.is_waiting] == [False]
    assert sweep.take([late], [], 4) == frozenset(), "it was wanted in between"


def test_an_incomplete_look_starts_the_count_over() -> None:
    sweep = Sweep(Endings(), cleanup=False)
    dead = key("vm:dead:80")
    sweep.take([dead], [], 1)
    sweep.start_over()
    assert sweep.take([dead], [], 0) == frozenset()
    assert sweep.take([dead], [], 2) == frozenset()
    assert sweep.take([dead], [], 3) == {dead}


@pytest.mark.parametrize(
    ("endings", "cleanup"),
    [(Endings("never"), True), (Endings(compat=True), False)],
    ids=["never", "compat without cleanup"],
)
def test_some_remove_no_leftovers_at_all(endings: Endings, cleanup: bool) -> None:
    sweep = Sweep(endings, cleanup=cleanup)
    assert [sweep.take([key("vm:dead:80")], [], look) for look in (1, 2, 3)] == [frozenset()] * 3


def test_compat_spares_what_has_the_service_and_container_of_a_living_one() -> None:
    sweep = Sweep(Endings(compat=True), cleanup=True)
    assert not sweep.spares_kept
    other_port, other_service = key("vm:box:9999"), key("vm:box:81", "other")
    custom = key("my-id")
    left, desired = [other_port, other_service, custom], [key("vm:box:80")]
    sweep.take(left, desired, 1)
    assert sweep.take(left, desired, 2) == {other_service, custom}


@pytest.mark.parametrize(
    ("id_", "box"),
    [
        ("vm:box:80", "box"),
        ("vm:box:53:udp", "box"),
        ("vm:a:bb:80", "bb"),
        ("vm:x/y:80", ""),
        ("vm:gh:tcp", ""),
        ("my-id", ""),
    ],
)
def test_the_container_is_read_from_ids_of_the_usual_form(id_: str, box: str) -> None:
    assert box_of(id_) == box
