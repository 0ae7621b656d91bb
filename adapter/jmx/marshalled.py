"""Arguments of an operation as RMI carries them: a ``java.rmi.MarshalledObject``. Pure.

That is a stream within the stream, so that the server reads it with the classes of the bean. Its
classes carry no annotations of their own: those would stand in ``locBytes``, which is null.
"""

import struct
from collections.abc import Sequence
from typing import Final

from adapter.jmx.text import utf

__all__ = ["arguments"]

_NULL: Final = b"\x70"
_END: Final = b"\x78"


def _array_of(name: str, suid: str, annotation: bytes) -> bytes:
    """Return the head of an array, up to how many there are."""
    described = utf(name) + bytes.fromhex(suid) + b"\x02\x00\x00"
    return b"\x75\x72" + described + annotation + _END + _NULL


_OBJECTS: Final = _array_of("[Ljava.lang.Object;", "90ce589f1073296c", b"")
_LONGS: Final = _array_of("[J", "782004b512b17593", b"")
_BYTES: Final = _array_of("[B", "acf317f8060854e0", _NULL)
_WRAPPER: Final = (
    b"\x73\x72" + utf("java.rmi.MarshalledObject") + bytes.fromhex("7cbd1e97ed63fc3e")
    + b"\x02\x00\x03I" + utf("hash") + b"[" + utf("locBytes") + b"\x74" + utf("[B")
    + b"[" + utf("objBytes") + b"\x74" + utf("[B") + _NULL + _END + _NULL
)  # fmt: skip
_HASH: Final = 13  # of nothing; a server does not look at it


def arguments(*arrays: Sequence[int]) -> bytes:
    """Return the arguments of an operation that takes arrays of ``long``; null for none."""
    if not arrays:
        return _NULL
    inner = b"\xac\xed\x00\x05" + _OBJECTS + struct.pack(">i", len(arrays))
    for numbers in arrays:
        inner += _LONGS + struct.pack(f">i{len(numbers)}q", len(numbers), *numbers)
    return (
        _WRAPPER + struct.pack(">i", _HASH) + _NULL + _BYTES + struct.pack(">i", len(inner)) + inner
    )
