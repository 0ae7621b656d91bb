"""How much an answer may be, and how one ends that cannot be written. Pure."""

from typing import Final, NamedTuple

from adapter.jmx.records import JavaObject
from sidecar.errors import ProtocolError

__all__ = ["LIMITS", "Limits", "WriteAborted"]


class Limits(NamedTuple):
    """How much one answer may be: bytes, nesting, and things that get a number."""

    size: int = 16 << 20  # a thousand beans' names are 200 kB
    depth: int = 60  # each level takes up to four of Python's calls
    handles: int = 500_000


LIMITS: Final = Limits()


class WriteAborted(ProtocolError):
    """The peer could not write a value and broke off; it closes the connection now."""

    def __init__(self, thrown: object) -> None:
        """Take the exception that it sent instead."""
        name = thrown.type if isinstance(thrown, JavaObject) else "an exception"
        detail = thrown.fields.get("detailMessage") if isinstance(thrown, JavaObject) else None
        super().__init__(f"a value cannot be serialized: {name}: {detail}")
