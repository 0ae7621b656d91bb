"""What a server answers, in terms of this package instead of kazoo's."""

import enum
from typing import Any, Final, NamedTuple

from kazoo.exceptions import (
    AuthFailedError,
    BadVersionError,
    ConnectionLoss,
    NoAuthError,
    NoChildrenForEphemeralsError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    OperationTimeoutError,
    RolledBackError,
    RuntimeInconsistency,
    SessionExpiredError,
)

from sidecar.stores.zookeeper.steps import Held

__all__ = ["LOST", "REFUSED", "Answer", "Fault", "Read", "plain"]


class Fault(enum.Enum):
    """Why a request was not done; the others of its batch may have been."""

    ABSENT = "there is no such node"
    PRESENT = "the node exists"
    CHANGED = "the node was changed by another"
    HAS_CHILDREN = "the node has children"
    EPHEMERAL = "the node above is ephemeral"
    DENIED = "the access list does not allow it"
    REFUSED = "ZooKeeper refuses it"


class Read(NamedTuple):
    """One node; ``created``, ``modified`` and ``moved`` (its children) are transaction numbers."""

    held: Held
    created: int
    modified: int
    moved: int
    children: int


Answer = Any
"""What a call returns, or a Fault."""

_FAULTS: Final[dict[type[Exception], Fault]] = {
    NoNodeError: Fault.ABSENT,
    NodeExistsError: Fault.PRESENT,
    BadVersionError: Fault.CHANGED,
    NotEmptyError: Fault.HAS_CHILDREN,
    NoChildrenForEphemeralsError: Fault.EPHEMERAL,
    NoAuthError: Fault.DENIED,
}
LOST: Final = (ConnectionLoss, SessionExpiredError, OperationTimeoutError)
"""It is not known whether the request was done."""
REFUSED: Final = AuthFailedError
_OTHERS: Final = (RolledBackError, RuntimeInconsistency)  # of a transaction that failed elsewhere


def plain(value: Any) -> Answer:
    """Return what kazoo answered in terms of this package."""
    if isinstance(value, Exception):
        return _FAULTS.get(type(value), Fault.REFUSED)
    if isinstance(value, list) and any(isinstance(each, Exception) for each in value):
        first = next((e for e in value if not isinstance(e, _OTHERS)), RolledBackError())
        return plain(first)  # a transaction: all or nothing
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], bytes):
        data, stat = value
        held = Held(data, stat.ephemeralOwner, stat.version)
        return Read(held, stat.czxid, stat.mzxid, stat.pzxid, stat.numChildren)
    return value
