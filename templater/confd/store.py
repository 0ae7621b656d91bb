"""The keys of one resource, as its template reads them; and which of them it read. Pure.

What was read is kept as questions, not answers: a later set of values asks again only what could
have changed. So a resource is rendered when a key that matters to it changes, and only then.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from sidecar.gotemplate.kinds import GoType
from templater.confd.paths import base, compiled, directory, key_in, terms

__all__ = ["KVPair", "Reads", "Store"]


@dataclass(frozen=True, slots=True)
class KVPair:
    """A key and its value; prints as ``{/key value}``."""

    go_type: ClassVar = GoType("memkv.KVPair", "struct")
    Key: str
    Value: str


class Reads:
    """What a template asked for."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.keys: set[str] = set()
        self.patterns: set[str] = set()
        self.folders: set[str] = set()

    def concern(self, changed: Iterable[str]) -> bool:
        """Say whether an answer could be another now that these keys changed."""
        expressions = [compiled(pattern) for pattern in self.patterns]
        folders = [(terms(folder), folder) for folder in self.folders]
        return any(
            key in self.keys
            or any(expression.fullmatch(key) for expression in expressions)
            or any(_starts(parts, terms(directory(key))) or key == at for parts, at in folders)
            for key in changed
        )


class Store:
    """Values without the resource's prefix."""

    def __init__(self, prefix: str = "/") -> None:
        """Start empty."""
        self._prefix = prefix
        self.values: dict[str, str] = {}
        self.reads = Reads()

    def fill(self, values: Mapping[str, str]) -> None:
        """Take values as the backend has them instead of the old, and forget what was read."""
        self.values = {key_in(self._prefix, key): value for key, value in values.items()}
        self.reads = Reads()

    def concerned(self, changed: Iterable[str]) -> bool:
        """Say whether an answer could be another now; the keys are the backend's."""
        return self.reads.concern([key_in(self._prefix, key) for key in changed])

    def exists(self, key: str) -> bool:
        """Say whether there is a value under exactly this key."""
        self.reads.keys.add(key)
        return key in self.values

    def get(self, key: str) -> KVPair:
        """Return the pair. Raises LookupError with confd's words."""
        if not self.exists(key):
            raise LookupError(f"key does not exist: {key}")
        return KVPair(key, self.values[key])

    def getv(self, key: str, *default: str) -> str:
        """Return the value, else the first default."""
        if default and not self.exists(key):
            return default[0]
        return self.get(key).Value

    def gets(self, pattern: str) -> list[KVPair]:
        """Return the pairs whose key matches, by key. Raises ValueError for a bad pattern."""
        expression = compiled(pattern) if self.values else None
        self.reads.patterns.add(pattern)
        if expression is None:
            return []
        found = [key for key in self.values if expression.fullmatch(key)]
        return [KVPair(key, self.values[key]) for key in sorted(found, key=_bytes)]

    def getvs(self, pattern: str) -> list[str]:
        """Return the values whose key matches, sorted themselves."""
        return sorted((pair.Value for pair in self.gets(pattern)), key=_bytes)

    def ls(self, folder: str) -> list[str]:
        """Return the names one level below; of a key itself, its last part."""
        self.reads.folders.add(folder)
        wanted = terms(folder)
        names = set()
        for key in self.values:
            if key == folder:
                names.add(base(key))
            elif _starts(wanted, terms(directory(key))):
                names.add(key.removeprefix(folder).removeprefix("/").split("/")[0])
        return sorted(names, key=_bytes)

    def lsdir(self, folder: str) -> list[str]:
        """Return the names one level below that have something below them."""
        self.reads.folders.add(folder)
        wanted = terms(folder)
        names = set()
        for key in self.values:
            if key.startswith(folder):
                parts = terms(directory(key))
                if _starts(wanted, parts) and len(parts) > len(wanted):
                    names.add(parts[len(wanted)])
        return sorted(names, key=_bytes)


def _starts(wanted: list[str], parts: list[str]) -> bool:
    return parts[: len(wanted)] == wanted


def _bytes(text: str) -> bytes:
    """Order as Go does: by bytes."""
    return text.encode("utf-8", "surrogateescape")
