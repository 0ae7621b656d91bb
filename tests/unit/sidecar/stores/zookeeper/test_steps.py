import pytest

from sidecar.stores.zookeeper.steps import Actual, Doubt, Held, Step, is_right, next_step

OURS, OTHER, EARLIER = 7, 8, 6
NEW, OLD = b"new", b"old"


@pytest.mark.parametrize(
    ("wanted", "actual", "was_ours", "step"),
    [
        (NEW, Doubt.UNSEEN, False, Step.CREATE),
        (NEW, Doubt.PRESENT, False, Step.READ),
        (None, Doubt.UNSEEN, False, Step.READ),
        (None, Doubt.PRESENT, False, Step.READ),
        (NEW, None, False, Step.CREATE),
        (None, None, False, None),
        (NEW, Held(NEW, OURS, 0), True, None),
        (NEW, Held(OLD, OURS, 0), True, Step.SET),
        (None, Held(OLD, OURS, 0), True, Step.DELETE),
        (None, Held(OLD, EARLIER, 0), False, Step.DELETE),
        (None, Held(OLD, OTHER, 0), False, None),
        (None, Held(OLD, 0, 0), False, None),
        (NEW, Held(NEW, OTHER, 0), False, Step.REPLACE),
        (NEW, Held(OLD, OTHER, 0), False, Step.REPLACE),
        (NEW, Held(NEW, OTHER, 0), True, None),
        (NEW, Held(OLD, OTHER, 0), True, Step.REPLACE),
        (NEW, Held(NEW, 0, 0), False, Step.REPLACE),
    ],
)
def test_the_next_request_follows_from_what_is_known(
    wanted: bytes | None, actual: Actual, was_ours: bool, step: Step | None
) -> None:
    assert next_step(wanted, actual, OURS, was_ours=was_ours, earlier={EARLIER}) is step


def test_what_is_in_doubt_is_never_right() -> None:
    for doubt in Doubt:
        assert not is_right(NEW, doubt, OURS, was_ours=True)
        assert not is_right(None, doubt, OURS, was_ours=True)
