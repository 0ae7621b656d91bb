"""YAML files read by what is expected in them; each mistake with its line and column. Pure.

The reader walks the tree of nodes, not the values, because only nodes know their place. Every
mistake of a file is found in one go. Nothing is built from tags: a file can only hold values.
"""

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import yaml

from sidecar.config.units import go_duration
from sidecar.errors import ConfigError

__all__ = ["Node", "Problems", "document"]

T = TypeVar("T")
_DEEPEST: Final = 64
_PREFIX: Final = "tag:yaml.org,2002:"
_MERGE: Final = f"{_PREFIX}merge"
_NO_MERGE: Final = "<< wants a mapping, or a list of them"
_NUMBERS: Final = frozenset({"int", "float"})
_TRUE: Final = frozenset({"true", "yes", "on", "y"})
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Problems:
    """The mistakes of one file."""

    def __init__(self, name: str) -> None:
        """``name`` stands in front of each."""
        self.name = name
        self.lines: list[str] = []
        self.warnings: list[str] = []

    def add(self, mark: Any, text: str) -> None:
        """Add a mistake at a place (None: none is known)."""
        self.lines.append(self._placed(mark, text))

    def warn(self, mark: Any, text: str) -> None:
        """Add what is no mistake, but has no effect either."""
        self.warnings.append(self._placed(mark, text))

    def _placed(self, mark: Any, text: str) -> str:
        place = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
        return f"{self.name}{place}: {text}"

    def check(self) -> None:
        """Raise ConfigError when there are any."""
        if self.lines:
            raise ConfigError(self.lines)


class Node:
    """A place in the file, asked for what it should be; a wrong one is noted and gives a default.

    An absent place is a Node too, so that defaults need no test.
    """

    def __init__(self, problems: Problems, node: Any, path: str, mark: Any = None) -> None:
        """Take PyYAML's node, or None for an absent one."""
        self._problems = problems
        self._node = None if node is None or node.tag == f"{_PREFIX}null" else node
        self._mark = node.start_mark if node is not None else mark
        self.path = path

    def __bool__(self) -> bool:
        """Return whether something stands here."""
        return self._node is not None

    def wrong(self, text: str) -> None:
        """Note a mistake at this place."""
        self._problems.add(self._mark, f"{self.path}: {text}" if self.path else text)

    def warn(self, text: str) -> None:
        """Note what is no mistake to the peer, but has no effect either."""
        self._problems.warn(self._mark, f"{self.path}: {text}" if self.path else text)

    @property
    def line(self) -> int:
        """Return the line, from 1."""
        return self._mark.line + 1 if self._mark is not None else 0

    @property
    def is_mapping(self) -> bool:
        """Return whether it has keys."""
        return isinstance(self._node, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        """Return whether it is a list."""
        return isinstance(self._node, yaml.SequenceNode)

    def fields(self, known: Sequence[str], *, is_strict: bool = True) -> "Mapping[str, Node]":
        """Return the values by key, absent ones included; notes unknown and repeated keys.

        Not strict, it only warns of those that are unknown.
        """
        found = {key: Node(self._problems, None, self._below(key), self._mark) for key in known}
        for key, mark, value in self._pairs(lambda key: _unknown(key, known) if is_strict else ""):
            if key in found:
                found[key] = Node(self._problems, value, self._below(key))
            else:
                self._problems.warn(mark, _unknown(key, known))
        return found

    def items(self) -> "Iterator[tuple[str, Node]]":
        """Yield keys and values of a mapping whose keys are free."""
        for key, mark, value in self._pairs(lambda _key: ""):
            node = Node(self._problems, value, self._below(key))
            node._mark = mark
            yield key, node

    def elements(self) -> "Iterator[Node]":
        """Yield the elements of a list."""
        if self._node is None:
            return
        if not isinstance(self._node, yaml.SequenceNode):
            self.wrong("must be a list")
            return
        for number, node in enumerate(self._node.value):
            yield Node(self._problems, node, f"{self.path}[{number}]")

    def text(self, default: str = "") -> str:
        """Return a scalar as it is written."""
        node = self._node
        if node is None:
            return default
        if not isinstance(node, yaml.ScalarNode):
            self.wrong("must be text")
            return default
        return str(node.value)

    def plain(self) -> bool | float | str | None:
        """Return a scalar as what YAML takes it for; dates are text."""
        if self._node is None or not isinstance(self._node, yaml.ScalarNode):
            if self._node is not None:
                self.wrong("must be a number, text or true or false")
            return None
        kind = self._node.tag.removeprefix(_PREFIX)
        if kind not in {"bool", *_NUMBERS}:
            return str(self._node.value)
        found: bool | float = _constructed(self._node)
        return found

    def choice(self, choices: Sequence[str], default: str) -> str:
        """Return one of these words."""
        text = self.text(default)
        if text and text not in choices:
            self.wrong(f"{text!r} is none of {', '.join(choices)}")
            return default
        return text or default

    def truth(self, *, default: bool = False) -> bool:
        """Return true or false."""
        text = self._scalar("bool", "must be true or false")
        return default if text is None else text.lower() in _TRUE

    def number(self, default: float) -> float:
        """Return a number."""
        node = self._node
        if node is None:
            return default
        kind = node.tag.removeprefix(_PREFIX)
        if not isinstance(node, yaml.ScalarNode) or kind not in _NUMBERS:
            try:  # 1e3 is a number to everybody but YAML 1.1
                return float(node.value)
            except (TypeError, ValueError):
                self.wrong("must be a number")
                return default
        return float(_constructed(node))

    def whole(self, default: int, *, least: int = 0) -> int:
        """Return a whole number that is not too small."""
        number = self.number(default)
        if number != number // 1 or not least <= number < 1 << 32:
            self.wrong(f"must be a whole number of at least {least}")
            return default
        return int(number)

    def duration(self, default: float) -> float:
        """Return seconds; as Go writes them, because a bare number would be nanoseconds there."""
        text = self.text()
        if not text or text == "0":
            return default if not text else 0.0
        try:
            seconds = go_duration(text)
        except ValueError:
            self.wrong(f"{text!r} is not a duration; write for example 30s or 1m20s")
            return default
        if seconds < 0:
            self.wrong("must not be negative")
            return default
        return seconds

    def each(self, read: "Callable[[Node], T]") -> list[T]:
        """Return what every element is read as."""
        return [read(element) for element in self.elements()]

    def _below(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def _scalar(self, kind: str, complaint: str) -> str | None:
        node = self._node
        if node is None:
            return None
        if not isinstance(node, yaml.ScalarNode) or node.tag != _PREFIX + kind:
            self.wrong(complaint)
            return None
        return str(node.value)

    def _pairs(self, refusal: Callable[[str], str]) -> Iterator[tuple[str, Any, Any]]:
        if self._node is None:
            return
        if not isinstance(self._node, yaml.MappingNode):
            self.wrong("must be a mapping")
            return
        seen: set[str] = set()
        for key_node, value, is_own in _with_merged(self._node):
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else ""
            complaint = refusal(key) if key_node.tag != _MERGE else _NO_MERGE
            if key in seen:
                complaint = f"key {key!r} is given twice" if is_own else ""
            if complaint:
                where = f"{self.path}: " if self.path else ""
                self._problems.add(key_node.start_mark, where + complaint)
            elif key not in seen:
                seen.add(key)
                yield key, key_node.start_mark, value


def _with_merged(node: Any) -> Iterator[tuple[Any, Any, bool]]:
    """Yield keys and values, and whether they are its own; then those that ``<<`` takes over.

    A key ``<<`` itself is yielded only where it stands before something else than mappings.
    """
    seen = {id(node)}
    waiting = [node]
    while waiting:
        current = waiting.pop(0)
        merged = []
        for key, value in current.value:
            if key.tag != _MERGE:
                yield key, value, current is node
                continue
            sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
            if not all(isinstance(source, yaml.MappingNode) for source in sources):
                yield key, value, current is node
                continue
            merged += [source for source in sources if id(source) not in seen]
            seen.update(map(id, merged))
        waiting[:0] = merged


def _unknown(key: str, known: Sequence[str]) -> str:
    if key in known:
        return ""
    near = difflib.get_close_matches(key, known, n=1)
    return f"unknown key {key!r}" + (f"; did you mean {near[0]}?" if near else "")


def _constructed(node: Any) -> Any:
    constructor = yaml.constructor.SafeConstructor()
    return constructor.construct_object(node)


def document(text: str, name: str) -> tuple[Node, Problems]:
    """Return the root of a file's only document. Raises ConfigError when it is no YAML."""
    problems = Problems(name)
    try:
        _check_depth(text)
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        problems.add(error.problem_mark, error.problem or str(error))
        root = None
    except (yaml.YAMLError, ValueError) as error:
        problems.add(None, " ".join(str(error).split()))
        root = None
    problems.check()
    return Node(problems, root, ""), problems


def _check_depth(text: str) -> None:
    """Raise ValueError where a file is nested deeper than any of ours; the C stack has an end."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ValueError(f"nested deeper than {_DEEPEST} levels")
