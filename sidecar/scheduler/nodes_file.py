"""Nodes as a JSON document gives them, for decisions without Docker. Pure.

A list of ``{name, labels, cpus, memory, healthy, containers}``; a container is ``{name, image,
labels, ports, cpus, memory, running}``. Sizes may be numbers of bytes or texts such as ``2g``; a
port is a number, ``[[ADDRESS:]HOST:]CONTAINER[/PROTOCOL]`` or an object.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sidecar.errors import ConfigError
from sidecar.scheduler.compose.values import published, size
from sidecar.scheduler.model import (
    NANO,
    Availability,
    ContainerView,
    NodeView,
    Port,
    Resources,
    State,
)

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
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError([f"{source}:{error.lineno}:{error.colno}: {error.msg}"]) from None
    except RecursionError:
        raise ConfigError([f"{source}: nested too deeply"]) from None
    reader = _Reader(source, classic=classic)
    nodes = [reader.node(each, f"[{n}]") for n, each in enumerate(reader.list_of(found, ""))]
    names = [node.name for node in nodes]
    for name in sorted({name for name in names if names.count(name) > 1}):
        reader.wrong(f"[{names.index(name)}]", f"two nodes are called {name!r}")
    if reader.problems:
        raise ConfigError(reader.problems)
    return nodes


class _Reader:
    def __init__(self, source: str, *, classic: bool) -> None:
        self.problems: list[str] = []
        self._source = source
        self._classic = classic

    def wrong(self, path: str, text: str) -> None:
        self.problems.append(f"{self._source}: {path or 'the document'}: {text}")

    def node(self, value: object, path: str) -> NodeView:
        known = self.object_of(value, path, _NODE)
        containers = self.list_of(known.get("containers", []), f"{path}.containers")
        healthy = known.get("healthy", True)
        if not isinstance(healthy, bool):
            self.wrong(f"{path}.healthy", "must be true or false")
        return NodeView(
            name=self.text(known, "name", path, is_needed=True),
            id=self.text(known, "id", path),
            engine_name=self.text(known, "engine_name", path),
            address=self.text(known, "address", path),
            labels=self.labels(known, "labels", path),
            engine_labels=self.labels(known, "engine_labels", path),
            capacity=self._capacity(known, path),
            health=100 if healthy else 0,
            state=self._word(known, "state", path, State.UP),
            availability=self._word(known, "availability", path, Availability.ACTIVE),
            is_leader_capable=known.get("leader_capable") is True,
            images=self._images(known, path),
            containers=tuple(
                self.container(each, f"{path}.containers[{n}]") for n, each in enumerate(containers)
            ),
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
            host_network=known.get("host_network") is True,
            exposed=tuple(self.ports(known.get("exposed", []), f"{path}.exposed")),
            resources=Resources(
                round(self.number(known, "cpus", path) * NANO), self.bytes(known, "memory", path)
            ),
            running=known.get("running", True) is True,
            volumes=tuple(map(str, self.list_of(known.get("volumes", []), f"{path}.volumes"))),
            stack=labels.get("pinnace.stack", ""),
            service=labels.get("pinnace.service", ""),
            slot=labels.get("pinnace.slot", ""),
        )

    def _images(self, known: Mapping[str, Any], path: str) -> Mapping[str, tuple[str, ...]]:
        """Return the names of images by id; a list of names has none."""
        value = known.get("images") or {}
        if isinstance(value, list):
            return {"": tuple(map(str, value))}
        if not isinstance(value, dict):
            self.wrong(f"{path}.images", "must be names of images, or lists of them by id")
            return {}
        return {
            id_: tuple(map(str, self.list_of(names, f"{path}.images.{id_}")))
            for id_, names in value.items()
        }

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
                yield from _ports(each)
            except ValueError as error:
                self.wrong(where, str(error))

    def object_of(self, value: object, path: str, known: Iterable[str]) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            self.wrong(path, "must be an object")
            return {}
        for key in value.keys() - {*known}:
            self.wrong(f"{path}.{key}", f"unknown key; known are {', '.join(sorted(known))}")
        return value

    def list_of(self, value: object, path: str) -> list[Any]:
        if isinstance(value, list):
            return value
        self.wrong(path, "must be a list")
        return []

    def text(
        self, known: Mapping[str, Any], key: str, path: str, *, is_needed: bool = False
    ) -> str:
        value = known.get(key, "")
        if not isinstance(value, str) or (is_needed and not value):
            self.wrong(f"{path}.{key}", "must be a text" + " that is not empty" * is_needed)
            return ""
        return value

    def labels(self, known: Mapping[str, Any], key: str, path: str) -> Mapping[str, str]:
        value = known.get(key) or {}
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
        value = known.get(key) or 0
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = -1.0
        if isinstance(value, bool) or not 0 <= number < 1e9:
            self.wrong(f"{path}.{key}", f"{value!r} is no number from 0 on")
            return 0.0
        return number

    def bytes(self, known: Mapping[str, Any], key: str, path: str) -> int:
        value = known.get(key) or 0
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
        raise ValueError(f"{value!r} is no number of bytes")
    return int(value)


def _ports(value: object) -> list[Port]:
    """Return the host's ports that one entry means; a bare number is the host's."""
    if isinstance(value, int) and not isinstance(value, bool):
        return [each.host for each in published(f"{value}:{value}")]
    if isinstance(value, str):
        bare = value.partition("/")[0].isdigit()
        return [
            Port(each.container, each.host.protocol) if bare else each.host
            for each in published(value)
        ]
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} is no port")  # noqa: TRY004 - a value of the file
    lowered = {str(key).lower().replace("_", ""): each for key, each in value.items()}
    host = _first(lowered, "hostport", "published", "publicport", "host", "port")
    protocol = str(_first(lowered, "protocol", "proto", "type") or "tcp")
    address = str(_first(lowered, "hostip", "ip", "address") or "")
    address = f"[{address}]:" if ":" in address else f"{address}:" if address else ""
    if not host:
        return []
    return [each.host for each in published(f"{address}{host}:{host}/{protocol}")]


def _first(values: Mapping[str, object], *keys: str) -> object:
    return next((values[key] for key in keys if values.get(key)), None)
