"""YAML with the place of every value. Pure: text in, items and problems out.

A scalar is kept as its text: what it means is decided by who asks for it, because Compose puts
variables in before types are looked at. Aliases and merge keys are followed; how much they may
multiply is bounded.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import yaml

__all__ = ["Item", "Place", "Problem", "Problems", "parse"]

_MOST_ITEMS: Final = 100_000
_DEEPEST: Final = 60
_MOST_BYTES: Final = 4 << 20
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})


class Place(NamedTuple):
    """Where something stands; line and column from 1."""

    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """Return ``file:line:column``."""
        return f"{self.file}:{self.line}:{self.column}"


class Problem(NamedTuple):
    """What is wrong or not done, and where."""

    place: Place
    text: str
    is_error: bool = True

    def __str__(self) -> str:
        """Return a line for users."""
        return f"{self.place}: {'' if self.is_error else 'warning: '}{self.text}"


class Problems:
    """Collects what is found, so that one run tells all."""

    def __init__(self) -> None:
        """Begin with none."""
        self._found: list[Problem] = []

    def error(self, place: Place, text: str) -> None:
        """Note a mistake."""
        self._found.append(Problem(place, text))

    def warn(self, place: Place, text: str) -> None:
        """Note what will not be done, or hardly be meant."""
        self._found.append(Problem(place, text, is_error=False))

    def __iter__(self) -> Iterator[Problem]:
        """Return all, in the order of their places."""
        return iter(sorted({*self._found}, key=lambda each: (*each.place, each.text)))

    @property
    def errors(self) -> list[Problem]:
        """Return the mistakes."""
        return [problem for problem in self if problem.is_error]


_NOWHERE: Final = Place()


@dataclass(frozen=True, slots=True)
class Item:
    """A scalar's text, a list of items, or items by key; None when nothing was written."""

    value: "str | list[Item] | dict[str, Item] | None"
    place: Place = _NOWHERE
    tag: str = ""
    """``reset`` or ``override``, from Compose's own tags."""
    is_quoted: bool = False
    keys: Mapping[str, Place] = field(default_factory=dict, hash=False)
    """Where the keys of a mapping stand."""

    @property
    def map(self) -> "dict[str, Item]":
        """Return the items by key; none when this is no mapping."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> "list[Item]":
        """Return the items of a list; none when this is no list."""
        return self.value if isinstance(self.value, list) else []

    @property
    def text(self) -> str:
        """Return the text of a scalar, empty for anything else."""
        return self.value if isinstance(self.value, str) else ""

    @property
    def kind(self) -> str:
        """Return what it is, for messages."""
        if self.value is None:
            return "nothing"
        return {str: "text", list: "a list", dict: "a mapping"}[type(self.value)]

    def place_of(self, key: str) -> Place:
        """Return where a key stands."""
        return self.keys.get(key, self.place)

    def plain(self) -> object:
        """Return it as lists, dicts and texts."""
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        return self.value


class _TooMuch(Exception):
    pass


class _Loader(yaml.SafeLoader):
    """Composes nodes without giving scalars a type."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, object]]] = {}  # noqa: RUF012


def parse(text: str, file: str, problems: Problems) -> Item | None:
    """Return the document of a file, None when it cannot be read; says why in ``problems``."""
    if len(text) > _MOST_BYTES:
        problems.error(Place(file, 1, 1), f"the file is larger than {_MOST_BYTES} bytes")
        return None
    try:
        node = yaml.compose(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
        problems.error(place, error.problem or "this is no YAML")
        return None
    except (yaml.YAMLError, RecursionError) as error:
        first = str(error).partition("\n")[0]
        problems.error(Place(file, 1, 1), first or "this is no YAML")
        return None
    if node is None:
        return Item({}, Place(file, 1, 1))
    try:
        return _Reader(file, problems).item(node, 0)
    except _TooMuch as error:
        problems.error(Place(file, 1, 1), str(error))
        return None


class _Reader:
    def __init__(self, file: str, problems: Problems) -> None:
        self._file = file
        self._problems = problems
        self._count = 0

    def item(self, node: yaml.Node, depth: int) -> Item:
        self._count += 1
        if self._count > _MOST_ITEMS:
            raise _TooMuch(f"more than {_MOST_ITEMS} values; do aliases multiply?")
        if depth > _DEEPEST:
            raise _TooMuch(f"nested deeper than {_DEEPEST}; does an alias lead to itself?")
        place = self._place(node)
        tag = node.tag.removeprefix("!") if node.tag in {"!reset", "!override"} else ""
        if isinstance(node, yaml.SequenceNode):
            return Item([self.item(each, depth + 1) for each in node.value], place, tag)
        if isinstance(node, yaml.MappingNode):
            return replace(self._mapping(node, depth), tag=tag)
        is_plain = getattr(node, "style", None) is None
        if is_plain and node.value in _NULLS:
            return Item(None, place, tag)
        return Item(str(node.value), place, tag, not is_plain)

    def _place(self, node: yaml.Node) -> Place:
        mark = node.start_mark
        return Place(self._file, mark.line + 1, mark.column + 1)

    def _mapping(self, node: yaml.MappingNode, depth: int) -> Item:
        found: dict[str, Item] = {}
        keys: dict[str, Place] = {}
        merged: list[Item] = []
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._problems.error(self._place(key_node), "a key must be text")
                continue
            key, item = str(key_node.value), self.item(value_node, depth + 1)
            if key == "<<" and key_node.style is None:
                merged += item.items or [item]
                continue
            if key in found:
                self._problems.error(self._place(key_node), f"{key!r} is given twice")
            found[key], keys[key] = item, self._place(key_node)
        for other in merged:
            self._merge(other, found, keys)
        return Item(found, self._place(node), keys=keys)

    def _merge(self, other: Item, found: dict[str, Item], keys: dict[str, Place]) -> None:
        if not isinstance(other.value, dict):
            self._problems.error(other.place, f"<< needs a mapping, not {other.kind}")
        for key, item in other.map.items():
            if key not in found:
                found[key], keys[key] = item, other.place_of(key)
