"""Ask a mapping of a stack file for values of a type; what does not fit is noted once. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from sidecar.scheduler.compose.document import Item, Problems
from sidecar.scheduler.compose.values import truth

__all__ = ["Reader"]

T = TypeVar("T")


class Reader:
    """Reads one mapping; ``where`` names it in messages."""

    def __init__(self, item: Item | None, where: str, problems: Problems) -> None:
        """Take a mapping; anything else is noted and read as empty."""
        self.where = where
        self.problems = problems
        self.item = item or Item({})
        if self.item.value is not None and not isinstance(self.item.value, dict):
            self.error(self.item, f"{where} must be a mapping, not {self.item.kind}")

    def __contains__(self, key: str) -> bool:
        """Return whether something was written for a key."""
        return key in self.item.map and self.item.map[key].value is not None

    def get(self, key: str) -> Item | None:
        """Return what was written for a key."""
        found = self.item.map.get(key)
        return None if found is None or found.value is None else found

    def below(self, key: str) -> "Reader":
        """Return the reader of a mapping in this one."""
        return Reader(self.item.map.get(key), f"{self.where}.{key}", self.problems)

    def error(self, item: Item, text: str) -> None:
        """Note a mistake at an item."""
        self.problems.error(item.place, text)

    def only(self, known: Iterable[str]) -> None:
        """Note keys that are none of these."""
        from sidecar.config.keys import suggestion  # noqa: PLC0415

        names = [*known]
        for key in self.item.map:
            if key not in names and not key.startswith("x-"):
                text = f"{self.where}: unknown key {key!r}{suggestion(key, names)}"
                self.problems.error(self.item.place_of(key), text)

    def ignored(self, *keys: str) -> None:
        """Say of these that they are not done, where they were written."""
        for key in keys:
            if key in self:
                self.problems.warn(self.item.place_of(key), f"{self.where}.{key} is ignored")

    def value(self, key: str, parse: Callable[[str], T], default: T) -> T:
        """Return a scalar as ``parse`` reads it; it raises ValueError."""
        item = self.get(key)
        if item is None:
            return default
        if not isinstance(item.value, str):
            self.error(item, f"{self.where}.{key} must be text, not {item.kind}")
            return default
        try:
            return parse(item.value)
        except ValueError as error:
            self.error(item, f"{self.where}.{key}: {error}")
            return default

    def text(self, key: str, default: str = "") -> str:
        """Return a scalar's text."""
        return self.value(key, str, default)

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return true or false."""
        return self.value(key, truth, default)

    def one_of(self, key: str, known: Iterable[str], default: str) -> str:
        """Return one of these words."""
        words = [*known]

        def known_word(text: str) -> str:
            if text not in words:
                raise ValueError(f"{text!r} is none of {', '.join(words)}")
            return text

        return self.value(key, known_word, default)

    def items(self, key: str) -> list[Item]:
        """Return the items of a list; a scalar alone is a list of one."""
        item = self.get(key)
        if item is None:
            return []
        if isinstance(item.value, dict):
            self.error(item, f"{self.where}.{key} must be a list, not a mapping")
        return [item] if isinstance(item.value, str) else item.items

    def texts(self, key: str) -> list[Item]:
        """Return the scalars of a list."""
        found = self.items(key)
        for each in found:
            if not isinstance(each.value, str):
                self.error(each, f"{self.where}.{key} must hold texts, not {each.kind}")
        return [each for each in found if isinstance(each.value, str)]

    def pairs(self, key: str) -> Mapping[str, str | None]:
        """Return ``{K: V}`` or ``[K=V, K]``; None where no value was written."""
        item = self.get(key)
        if item is None:
            return {}
        if isinstance(item.value, dict):
            for name, each in item.map.items():
                if each.value is not None and not isinstance(each.value, str):
                    self.error(each, f"{self.where}.{key}.{name} must be text, not {each.kind}")
            return {
                name: each.text if each.value is not None else None
                for name, each in item.map.items()
            }
        found: dict[str, str | None] = {}
        for each in self.texts(key):
            name, equals, value = each.text.partition("=")
            found[name] = value if equals else None
        return found
