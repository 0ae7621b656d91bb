"""YAML read with its places: every mistake names file, line and column. Pure.

A reader of a format takes the keys it knows from a ``Table`` and calls ``finish``, which reports
the ones it does not know. All mistakes of a file are found in one go.
"""

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

import yaml

from sidecar.errors import ConfigError

__all__ = ["Document", "Item", "Table", "read"]

T = TypeVar("T", bool, int, float, str)

_KINDS: Final[dict[type, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
}


class Document:
    """One file: its name, and the mistakes found so far."""

    def __init__(self, source: str) -> None:
        """Take the name that mistakes begin with."""
        self.source = source
        self.problems: list[str] = []
        self.loader = yaml.SafeLoader("")

    def problem(self, node: yaml.Node, text: str) -> None:
        """Note a mistake at a node."""
        mark = node.start_mark
        self.problems.append(f"{self.source}:{mark.line + 1}:{mark.column + 1}: {text}")

    def check(self) -> None:
        """Raise ConfigError if there was a mistake."""
        if self.problems:
            raise ConfigError(self.problems)


class Item:
    """One value and where it stands."""

    __slots__ = ("document", "node", "path")

    def __init__(self, document: Document, node: yaml.Node, path: str) -> None:
        """Take a node and what it is called in messages."""
        self.document = document
        self.node = node
        self.path = path

    def wrong(self, text: str) -> None:
        """Note a mistake here."""
        self.document.problem(self.node, f"{self.path}: {text}")

    @property
    def is_null(self) -> bool:
        """Whether nothing was given."""
        return self.node.tag == "tag:yaml.org,2002:null"

    @property
    def is_table(self) -> bool:
        """Whether it has keys."""
        return isinstance(self.node, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return isinstance(self.node, yaml.SequenceNode)

    def plain(self) -> Any:
        """Return what is written: a number, text or boolean; None for all else."""
        if not isinstance(self.node, yaml.ScalarNode):
            return None
        try:
            return self.document.loader.construct_object(self.node)
        except (yaml.YAMLError, ValueError):
            return None

    @property
    def written(self) -> str:
        """The text as it stands in the file, whatever YAML makes of it."""
        return self.node.value if isinstance(self.node, yaml.ScalarNode) else ""

    def a(self, kind: type[T], default: T) -> T:
        """Return the value as this kind, or the default and a mistake."""
        value = self.plain()
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return kind(value)
        if kind is str and isinstance(self.node, yaml.ScalarNode) and not self.is_null:
            return kind(self.node.value)
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return value
        self.wrong(f"has to be {_KINDS[kind]}")
        return default

    def items(self) -> list["Item"]:
        """Return the entries of a list; anything else is a mistake."""
        if not isinstance(self.node, yaml.SequenceNode):
            self.wrong("has to be a list")
            return []
        return [
            Item(self.document, node, f"{self.path}[{index}]")
            for index, node in enumerate(self.node.value)
        ]

    def texts(self) -> list["Item"]:
        """Return the entries of a list of texts."""
        found = self.items()
        for item in found:
            if not isinstance(item.node, yaml.ScalarNode) or item.is_null:
                item.wrong("has to be text")
        return [item for item in found if item.written]

    def table(self) -> "Table":
        """Return it as a table; anything else is a mistake."""
        if not isinstance(self.node, yaml.MappingNode):
            if not self.is_null:
                self.wrong("has to be a table of keys")
            return Table(self, [])
        self._no_repeats(self.node)
        try:
            self.document.loader.flatten_mapping(self.node)
        except yaml.YAMLError:
            self.wrong("cannot be merged")
        return Table(self, self.node.value)

    def _no_repeats(self, node: yaml.MappingNode) -> None:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen and name != "<<":
                self.document.problem(key, f"{name} is given twice")
            seen.add(name)


class Table:
    """The keys of a mapping; those nobody took are mistakes."""

    def __init__(self, item: Item, pairs: Sequence[tuple[yaml.Node, yaml.Node]]) -> None:
        """Take what ``Item.table`` found."""
        self.item = item
        self._pairs = {str(key.value): (key, value) for key, value in pairs}
        self._known: set[str] = set()

    def __contains__(self, key: str) -> bool:
        """Say whether a key was given."""
        return key in self._pairs

    def get(self, key: str) -> Item | None:
        """Return what a key has, if it was given."""
        self._known.add(key)
        pair = self._pairs.get(key)
        if pair is None:
            return None
        prefix = f"{self.item.path}." if self.item.path else ""
        return Item(self.item.document, pair[1], f"{prefix}{key}")

    def pairs(self) -> Iterator[tuple[str, Item]]:
        """Yield every key, whatever it is."""
        for key in self._pairs:
            if (item := self.get(key)) is not None:
                yield key, item

    def a(self, key: str, kind: type[T], default: T) -> T:
        """Return a value of this kind; the default if it is not given or null."""
        item = self.get(key)
        return default if item is None or item.is_null else item.a(kind, default)

    def one_of(self, key: str, choices: Sequence[str], default: str) -> str:
        """Return one of these words."""
        item = self.get(key)
        if item is None:
            return default
        if (value := item.a(str, default)) not in choices:
            item.wrong(f"is {value!r}; it can be {', '.join(choices)}")
            return default
        return value

    def finish(self) -> None:
        """Report the keys that nobody asked for."""
        for key, (node, _) in self._pairs.items():
            if key not in self._known:
                near = difflib.get_close_matches(key, self._known, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                prefix = f"{self.item.path}: " if self.item.path else ""
                self.item.document.problem(node, f"{prefix}there is no key {key!r}{hint}")


def read(text: str, source: str) -> Item:
    """Return the whole of a file; an empty one is an empty table. Raises ConfigError."""
    document = Document(source)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{mark.line + 1}:{mark.column + 1}: " if mark else ""
        raise ConfigError([f"{source}:{place}{error.problem}"]) from error
    except yaml.YAMLError as error:
        raise ConfigError([f"{source}: {' '.join(str(error).split())}"]) from error
    except RecursionError as error:
        raise ConfigError([f"{source}: nested too deeply"]) from error
    if node is None:
        node = yaml.MappingNode("tag:yaml.org,2002:map", [], yaml.Mark(source, 0, 0, 0, "", 0))
    return Item(document, node, "")
