"""Builders for tests of keys and sessions."""

from collections.abc import Mapping
from typing import Any

from sidecar.catalog.draft import Draft, Operation, State, T
from sidecar.catalog.sessions import Moment, Session, SessionRequest, new_session

A = "aaaaaaaa-0000-4000-8000-000000000001"
B = "bbbbbbbb-0000-4000-8000-000000000002"
NOBODY = "ffffffff-0000-4000-8000-00000000000f"


def checks_of(node: str) -> Mapping[str, str] | None:
    """Return the checks of the only node there is."""
    if node != "node-1":
        return None
    return {"serfHealth": "passing", "sick": "critical"}


def session(id_: str = A, index: int = 1, **overrides: Any) -> Session:
    """Return a session of node-1 with Consul's defaults unless told otherwise."""
    fields: dict[str, Any] = {"node": "node-1"}
    return new_session(SessionRequest(**(fields | overrides)), id_, index, checks_of)


class Tables:
    """The tables with a clock and an index that count by themselves."""

    def __init__(self) -> None:
        self.state = State()
        self.index = 0
        self.now = 0.0

    def moment(self) -> Moment:
        """Return the next index at the present time."""
        self.index += 1
        return Moment(self.index, self.now, self.now)

    def do(self, operation: Operation[T]) -> T:
        """Run and commit one operation."""
        draft = Draft(self.state)
        moment = self.moment()
        result = operation(draft, moment)
        self.state.commit(draft, moment)
        return result

    def put(self, *keys: str, value: bytes = b"v") -> None:
        """Write keys, one commit each."""
        for key in keys:
            self.do(lambda draft, at, key=key: draft.put(key, value, 0, at))  # type: ignore[misc]

    def add(self, *sessions: Session) -> None:
        """Take sessions."""
        for each in sessions:
            self.do(lambda draft, _, each=each: draft.add(each))  # type: ignore[misc]
