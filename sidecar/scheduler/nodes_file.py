"""Nodes as a JSON document gives them, for decisions without Docker. Pure.

A list of ``{name, labels, cpus, memory, healthy, containers}``; a container is ``{name, image,
labels, ports, cpus, memory, running}``. Sizes may be numbers of bytes or texts such as ``2g``;
``null`` is as if the key were not there.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sidecar.errors import ConfigError
from sidecar.scheduler.compose.values import size
from sidecar.scheduler.model import (
    NANO,
    Availability,
    ContainerView,
    NodeView,
    Port,
    Resources,
    State,
)
from sidecar.scheduler.ports_file import as_written, ports_of

__all__ = ["nodes_of"]

_NODE: Final = frozenset(
    {
        "name", "id", "engine_name", "address", "labels", "engine_labels", "cpus", "memory",
        "healthy", "state", "availability", "images", "containers", "leader_capable", "overcommit",
        "reserve",
    }
)  # fmt: skip
_CONTAINER: Final = frozenset(
    {
        "name", "id", "image", "image_id", "labels", "ports", "cpus", "memory", "running",
        "host_network", "exposed", "volumes",
    }
)  # fmt: skip
_OVERCOMMIT: Final = {"cpus": 1.0, "memory": 1.05}
_CLASSIC_OVERCOMMIT: Final = 5
"""Classic's 0.05 in percent, by integer arithmetic: 5 % of fewer than 20 CPUs is nothing."""


def nodes_of(text: str, source: str, *, classic: bool = False) -> list[NodeView]:
    """Return the nodes of a document. Raises ConfigError with all mistakes and their paths."""
    try:
        found = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise ConfigError([f"{source}:{error.lineno}:{error.colno}: {error.msg}"]) from None
    except RecursionError:
        raise ConfigError([f"{source}: nested too deeply"]) from None
    except ValueError as error:  # a key twice, or a number of thousands of digits
        raise ConfigError([f"{source}: {error}"]) from None
    reader = _Reader(source, classic=classic)
    nodes = [reader.node(each, f"[{n}]") for n, each in enumerate(reader.list_of(found, ""))]
    reader.once([node.name for node in nodes], "", "nodes")
    if reader.problems:
        raise ConfigError(reader.problems)
    return nodes


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        name = next(name for name, number in Counter(key for key, _ in pairs).items() if number > 1)
        raise ValueError(f"the key {name!r} is twice in one object")
    return found


class _Reader:
    def __init__(self, source: str, *, classic: bool) -> None:
        self.problems: list[str] = []
        self._source = source
        self._classic = classic

    def wrong(self, path: str, text: str) -> None:
        self.problems.append(f"{self._source}: {path or 'the document'}: {text}")

    def once(self, names: list[str], path: str, what: str) -> None:
        for name, number in Counter(filter(None, names)).items():
            if number > 1:
                self.wrong(f"{path}[{names.index(name)}]", f"two {what} are called {name!r}")

    def node(self, value: object, path: str) -> NodeView:
        known = self.object_of(value, path, _NODE)
        where = f"{path}.containers"
        containers = tuple(
            self.container(each, f"{where}[{n}]")
            for n, each in enumerate(self.list_of(known.get("containers", []), where))
        )
        self.once([each.name for each in containers], where, "containers")
        return NodeView(
            name=self.text(known, "name", path, is_needed=True),
            id=self.text(known, "id", path),
            engine_name=self.text(known, "engine_name", path),
            address=self.text(known, "address", path),
            labels=self.labels(known, "labels", path),
            engine_labels=self.labels(known, "engine_labels", path),
            capacity=self._capacity(known, path),
            health=100 if self.flag(known, "healthy", path, default=True) else 0,
            state=self._word(known, "state", path, State.UP),
            availability=self._word(known, "availability", path, Availability.ACTIVE),
            is_leader_capable=self.flag(known, "leader_capable", path),
            images=self._images(known, path),
            containers=containers,
        )

    def container(self, value: object, path: str) -> ContainerView:
        known = self.object_of(value, path, _CONTAINER)
        labels = self.labels(known, "labels", path)
        return ContainerView(
            name=self.text(known, "name", path).removeprefix("/"),
            id=self.text(known, "id", path),
            image=self.text(known, "image", path),
            image_id=self.text(known, "image_id", path),
            labels=labels,
            ports=tuple(self.ports(known.get("ports", []), f"{path}.ports")),
            host_network=self.flag(known, "host_network", path),
            exposed=tuple(self.ports(known.get("exposed", []), f"{path}.exposed")),
            resources=Resources(
                round(self.number(known, "cpus", path) * NANO), self.bytes(known, "memory", path)
            ),
            running=self.flag(known, "running", path, default=True),
            volumes=self.texts(known.get("volumes", []), f"{path}.volumes"),
            stack=labels.get("pinnace.stack", ""),
            service=labels.get("pinnace.service", ""),
            slot=labels.get("pinnace.slot", ""),
        )

    def _images(self, known: Mapping[str, Any], path: str) -> Mapping[str, tuple[str, ...]]:
        """Return the names of images by id; a list of names has none."""
        value = known.get("images", {})
        if isinstance(value, list):
            return {"": self.texts(value, f"{path}.images")}
        if not isinstance(value, dict):
            self.wrong(f"{path}.images", "must be names of images, or lists of them by id")
            return {}
        return {id_: self.texts(names, f"{path}.images.{id_}") for id_, names in value.items()}

    def _capacity(self, known: Mapping[str, Any], path: str) -> Resources:
        cpu, memory = self.number(known, "cpus", path), self.bytes(known, "memory", path)
        if self._classic:
            whole = int(cpu)
            return Resources(
                (whole + whole * _CLASSIC_OVERCOMMIT // 100) * NANO,
                memory + memory * _CLASSIC_OVERCOMMIT // 100,
            )
        reserve = self.object_of(known.get("reserve", {}), f"{path}.reserve", {*_OVERCOMMIT})
        factors = self.object_of(known.get("overcommit", {}), f"{path}.overcommit", {*_OVERCOMMIT})
        factor = {
            name: self.number(factors, name, f"{path}.overcommit") if name in factors else default
            for name, default in _OVERCOMMIT.items()
        }
        cpu = max(cpu - self.number(reserve, "cpus", f"{path}.reserve"), 0.0)
        memory = max(memory - self.bytes(reserve, "memory", f"{path}.reserve"), 0)
        return Resources(round(cpu * factor["cpus"] * NANO), int(memory * factor["memory"]))

    def ports(self, value: object, path: str) -> Iterable[Port]:
        for number, each in enumerate(self.list_of(value, path)):
            where = f"{path}[{number}]"
            try:
                yield from ports_of(each)
            except ValueError as error:
                self.wrong(where, str(error))

    def object_of(self, value: object, path: str, known: Iterable[str]) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            self.wrong(path, "must be an object")
            return {}
        for key in value.keys() - {*known}:
            self.wrong(f"{path}.{key}", f"unknown key; known are {', '.join(sorted(known))}")
        return {key: each for key, each in value.items() if each is not None}

    def list_of(self, value: object, path: str) -> list[Any]:
        if isinstance(value, list):
            return value
        self.wrong(path, "must be a list")
        return []

    def texts(self, value: object, path: str) -> tuple[str, ...]:
        found = self.list_of(value, path)
        if all(isinstance(each, str) for each in found):
            return tuple(found)
        self.wrong(path, "must be a list of texts")
        return ()

    def flag(self, known: Mapping[str, Any], key: str, path: str, *, default: bool = False) -> bool:
        value = known.get(key, default)
        if isinstance(value, bool):
            return value
        self.wrong(f"{path}.{key}", "must be true or false")
        return default

    def text(
        self, known: Mapping[str, Any], key: str, path: str, *, is_needed: bool = False
    ) -> str:
        value = known.get(key, "")
        if not isinstance(value, str) or (is_needed and not value):
            self.wrong(f"{path}.{key}", "must be a text" + " that is not empty" * is_needed)
            return ""
        return value

    def labels(self, known: Mapping[str, Any], key: str, path: str) -> Mapping[str, str]:
        value = known.get(key, {})
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return {each.partition("=")[0]: each.partition("=")[2] for each in value}
        if not isinstance(value, dict):
            self.wrong(f"{path}.{key}", "must be an object of texts")
            return {}
        return {
            name: each if isinstance(each, str) else json.dumps(each)
            for name, each in value.items()
        }

    def number(self, known: Mapping[str, Any], key: str, path: str) -> float:
        value = known.get(key, 0)
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = -1.0
        if isinstance(value, bool) or not 0 <= number < 1e9:
            self.wrong(f"{path}.{key}", f"{as_written(value)} is no number from 0 to a billion")
            return 0.0
        return number

    def bytes(self, known: Mapping[str, Any], key: str, path: str) -> int:
        value = known.get(key, 0)
        try:
            return size(value) if isinstance(value, str) else _bytes(value)
        except ValueError as error:
            self.wrong(f"{path}.{key}", str(error))
            return 0

    def _word(self, known: Mapping[str, Any], key: str, path: str, default: Any) -> Any:
        words = type(default)
        try:
            return words(known.get(key, default))
        except ValueError:
            self.wrong(f"{path}.{key}", f"must be one of {', '.join(each.value for each in words)}")
            return default


def _bytes(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e18:
        raise ValueError(f"{as_written(value)} is no number of bytes")
    return int(value)
