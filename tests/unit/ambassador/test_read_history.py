"""The checker of histories finds what it is for."""

from tests.support.read_history import Operation, violations


def wrote(client: str, number: int, begin: float, end: float) -> Operation:
    return Operation(client, "k", True, number, begin, end)


def saw(client: str, number: int, begin: float, end: float) -> Operation:
    return Operation(client, "k", False, number, begin, end)


def test_what_overlaps_may_come_in_any_order() -> None:
    for number in (0, 1):
        history = [wrote("a", 1, 0, 10), saw("a", number, 5, 6), saw("b", number, 7, 8)]
        assert violations(history, is_shared=True) == []


def test_a_client_must_see_what_it_wrote() -> None:
    assert violations([wrote("a", 1, 0, 1), saw("a", 0, 2, 3)]) == ["a saw k = 0 after 1"]
    assert violations([wrote("a", 1, 0, 1), saw("b", 0, 2, 3)]) == []
    assert violations([wrote("a", 1, 0, 1), saw("b", 0, 2, 3)], is_shared=True)


def test_nobody_goes_back() -> None:
    history = [wrote("a", 1, 0, 9), saw("b", 1, 1, 2), saw("b", 0, 3, 4)]
    assert violations(history) == ["b saw k = 0 after 1"]


def test_nothing_is_seen_before_it_is_written() -> None:
    assert violations([saw("b", 1, 0, 1), wrote("a", 1, 2, 3)])
