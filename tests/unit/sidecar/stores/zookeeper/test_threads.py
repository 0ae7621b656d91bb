"""Ending kazoo's threads."""

from typing import Any

import pytest
from kazoo.exceptions import KazooException

from sidecar.stores.zookeeper import threads


class Kazoo:
    """Has stopped only when it was asked to so many times."""

    def __init__(self, slow: int) -> None:
        self.slow = slow
        self.is_closed = False

    def stop(self) -> None:
        self.slow -= 1
        if self.slow > 0:
            raise KazooException("a thread is at work still")

    def close(self) -> None:
        if self.slow > 0:
            raise Exception("Cannot close connection until it is stopped")  # noqa: TRY002 - as it is
        self.is_closed = True


class Handler:
    """Cuts nothing."""

    def cut(self) -> None:
        return


@pytest.mark.parametrize(("slow", "closed"), [(0, True), (3, True), (10_000, False)])
def test_kazoo_is_asked_to_stop_until_it_has_but_not_for_ever(
    slow: int, closed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "_STOP_PAUSE", 0.0)
    kazoo: Any = Kazoo(slow)
    handler: Any = Handler()
    threads.hang_up(kazoo, handler)
    assert kazoo.is_closed is closed
