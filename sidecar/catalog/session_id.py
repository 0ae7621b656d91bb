"""The id of a session as Consul reads one: its bytes count, not how they are written. Pure.

Consul decodes an id before it looks for it (hashicorp/go-memdb ``UUIDFieldIndex``): 36 characters,
at most four of them hyphens *anywhere*, the rest an even number of hexadecimal digits. So
capitals and hyphens in other places find the same session, and 36 digits are an id that nobody has.
"""

import re
from typing import Final

from sidecar.errors import ApiError

__all__ = ["canonical", "checked_id"]

_LENGTH: Final = 36
_HYPHENS: Final = 4
_NOT_HEXADECIMAL: Final = re.compile(rb"[^0-9a-fA-F]")


def checked_id(session: str) -> str:
    """Return the id in its one spelling; raises ApiError with Consul's words."""
    if not session:
        raise ApiError(500, "missing session")
    mistake = _mistake(session.encode("utf-8", "surrogateescape"))
    if mistake:
        raise ApiError(500, f"failed session lookup: index error: {mistake}")
    return canonical(session)


def canonical(session: str) -> str:
    """Return the spelling that all of an id's spellings share; what is none stays as it is."""
    if len(session) != _LENGTH or session.count("-") != _HYPHENS:
        return session
    digits = session.replace("-", "").lower()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _mistake(data: bytes) -> str:
    hyphens = data.count(b"-")
    if len(data) != _LENGTH:
        return f"UUID must be {_LENGTH} characters"
    if hyphens > _HYPHENS:
        return f'UUID should have maximum of {_HYPHENS} "-"; got {hyphens}'
    digits = data.replace(b"-", b"")
    if len(digits) % 2:
        return "Input (without hyphens) must be even length"
    wrong = _NOT_HEXADECIMAL.search(digits)
    if wrong is None:
        return ""
    code = wrong[0][0]
    shown = f" '{chr(code)}'" if chr(code).isprintable() else ""
    return f"Invalid UUID: encoding/hex: invalid byte: U+{code:04X}{shown}"
