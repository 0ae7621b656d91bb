"""A YAML file to plain values, with the line and column of each; every scalar stays a text.

So a password of digits is not a number, and what each key takes is decided where it is checked.
"""

from typing import Any, Final

import yaml

from ambassador.frame.fields import Place, Steps
from sidecar.errors import ConfigError

__all__ = ["document_of"]

_NOTHING: Final = {"", "~", "null"}
_MOST_NODES: Final = 100_000
_DEEPEST: Final = 20


def document_of(text: str, name: str) -> tuple[object, Place]:
    """Return what a file says and where. Raises ConfigError."""
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigError([f"{name}{_at(mark)}: {error.problem or error.context}"]) from error
    except yaml.YAMLError as error:
        raise ConfigError([f"{name}: {' '.join(str(error).split())}"]) from error
    reading = _Reading(loader, name)
    value = reading.value(node, ())
    if reading.problems:
        raise ConfigError(reading.problems)
    return value, Place(name, reading.positions)


def _at(mark: Any) -> str:
    return f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""


class _Reading:
    def __init__(self, loader: yaml.SafeLoader, name: str) -> None:
        self._loader = loader
        self._name = name
        self._nodes = 0
        self.positions: dict[Steps, str] = {}
        self.problems: list[str] = []

    def value(self, node: yaml.Node | None, steps: Steps) -> object:
        if node is None:
            return None
        self._nodes += 1
        if self._nodes > _MOST_NODES or len(steps) > _DEEPEST:
            raise ConfigError([f"{self._name}{_at(node.start_mark)}: this is too much or too deep"])
        self.positions.setdefault(steps, _at(node.start_mark)[1:])
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, steps)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(one, (*steps, number)) for number, one in enumerate(node.value)]
        word = str(node.value)
        is_plain = isinstance(node, yaml.ScalarNode) and node.style is None
        return None if is_plain and word.lower() in _NOTHING else word

    def _mapping(self, node: yaml.MappingNode, steps: Steps) -> dict[str, object]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                self.problems.append(f"{self._name}{_at(key.start_mark)}: {key.value} stands twice")
            seen.add(key.value)
        self._loader.flatten_mapping(node)  # what ``<<`` brings, before its own
        found: dict[str, object] = {}
        for key, one in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.problems.append(f"{self._name}{_at(key.start_mark)}: this is no key")
                continue
            self.positions[*steps, key.value] = _at(key.start_mark)[1:]
            found[key.value] = self.value(one, (*steps, key.value))
        return found
