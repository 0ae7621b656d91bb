"""Whether an endpoint may be used: what probes and traffic say, with hysteresis. Pure."""

import enum

__all__ = ["Health", "State"]


class State(enum.StrEnum):
    """What is thought of an endpoint."""

    UNKNOWN = "unknown"
    UP = "up"
    SUSPECT = "suspect"
    DOWN = "down"


class Health:
    """One endpoint's state.

    The first success makes it up. Trouble with traffic makes it suspect at once, three failed
    probes down; after either it takes two good probes in a row to be up again.
    """

    __slots__ = ("_bad", "_down_after", "_good", "_up_after", "state")

    def __init__(self, *, up_after: int = 2, down_after: int = 3) -> None:
        """Start unknown."""
        self.state = State.UNKNOWN
        self._up_after = up_after
        self._down_after = down_after
        self._good = 0
        self._bad = 0

    @property
    def is_up(self) -> bool:
        """Whether it may be used."""
        return self.state is State.UP

    def succeed(self) -> None:
        """Take a good probe."""
        self._good += 1
        self._bad = 0
        if self.state is State.UNKNOWN or self._good >= self._up_after:
            self.state = State.UP

    def fail(self) -> None:
        """Take a failed probe."""
        self._bad += 1
        self._good = 0
        if self._bad >= self._down_after or self.state is State.UNKNOWN:
            self.state = State.DOWN
        elif self.state is State.UP:
            self.state = State.SUSPECT

    def suspect(self) -> None:
        """Take trouble with traffic: a connection refused, reset or without an answer."""
        self._good = 0
        if self.state is State.UP:
            self.state = State.SUSPECT
