"""Commands that may go to a replica though their names say that they write. Pure."""

from collections.abc import Sequence
from typing import Final

__all__ = ["TWINS", "is_harmless_script", "read_twin"]

TWINS: Final = {
    "sort": b"SORT_RO", "georadius": b"GEORADIUS_RO", "georadiusbymember": b"GEORADIUSBYMEMBER_RO",
}  # fmt: skip
"""Commands that write only where they are told to store, and what never does."""
_STORES: Final = frozenset({b"STORE", b"STOREDIST"})
_SHEBANG: Final = b"#!lua"


def read_twin(name: str, words: Sequence[bytes]) -> list[bytes] | None:
    """Return the same command under the name that only reads; None: it stores something.

    A word ``STORE`` that is something else, such as a pattern, keeps the command as it is.
    """
    if any(word.upper() in _STORES for word in words[2:]):
        return None
    return [TWINS[name], *words[1:]]


def is_harmless_script(script: bytes) -> bool:
    """Say whether a script declares that it writes nothing (Redis 7: ``#!lua flags=no-writes``)."""
    line, _, _ = script.partition(b"\n")
    engine, *options = line.split()[:10] or [b""]
    if engine != _SHEBANG:
        return False
    flags = [option[6:].split(b",") for option in options if option.startswith(b"flags=")]
    return any(b"no-writes" in several for several in flags)
