"""Which nodes there are and how each is reached, from a file. Pure.

``[[node]]`` tables of TOML, or a list of objects in JSON: ``name``, ``endpoint``, ``advertise``,
``labels``, ``reserve``, ``overcommit``, ``ca``, ``cert``, ``key``, ``verify``, ``manager``.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sidecar.config.keys import suggestion
from sidecar.errors import ConfigError
from sidecar.scheduler.compose.values import size
from sidecar.scheduler.model import NANO, Resources
from sidecar.scheduler.nodes.node import Files, NodeSettings

__all__ = ["merged", "registered", "settings_of"]

_SCHEMES: Final = ("unix", "tcp", "http", "https", "ssh")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_KEYS: Final = (
    "name", "endpoint", "advertise", "labels", "reserve", "overcommit", "ca", "cert", "key",
    "verify", "manager",
)  # fmt: skip
_SSH: Final = re.compile(r"[A-Za-z0-9_.@:\[\]-]+")


def settings_of(text: str, source: str) -> list[NodeSettings]:
    """Return the nodes of a document. Raises ConfigError with all mistakes."""
    reader = _Reader(source)
    tables = reader.tables(text)
    nodes = [reader.node(each, f"node {n}") for n, each in enumerate(tables, 1)]
    if not nodes and not reader.problems:
        reader.wrong("the file", "there are no nodes")
    names = [node.name for node in nodes]
    for name in sorted({each for each in names if each and names.count(each) > 1}):
        reader.wrong(f"node {names.index(name) + 1}", f"two nodes are called {name!r}")
    if reader.problems:
        raise ConfigError(reader.problems)
    return nodes


def registered(table: Mapping[str, Any], source: str) -> NodeSettings:
    """Return a node that says itself how it is reached. Raises ConfigError.

    Who may write to a store says so: no file of this host is read for it, no command run.
    """
    reader = _Reader(source)
    where = str(table.get("name") or source)
    for key in table.keys() & {"ca", "cert", "key", "verify", "manager"}:
        reader.wrong(where, f"{key} is set in a file of nodes only")
    found = reader.node(table, where)
    if not found.endpoint.startswith(("tcp://", "https://", "http://")):
        reader.wrong(where, f"endpoint: {found.endpoint!r} must start with tcp:// or https://")
    if reader.problems:
        raise ConfigError(reader.problems)
    return found


class _Reader:
    def __init__(self, source: str) -> None:
        self.problems: list[str] = []
        self._source = source

    def wrong(self, where: str, text: str) -> None:
        self.problems.append(f"{self._source}: {where}: {text}")

    def tables(self, text: str) -> list[Mapping[str, Any]]:
        try:
            found = json.loads(text) if text.lstrip()[:1] in {"[", "{"} else None
        except (json.JSONDecodeError, RecursionError):
            found = None  # a TOML file begins with a bracket too
        if found is None:
            try:
                found = tomllib.loads(text).get("node", [])
            except (tomllib.TOMLDecodeError, RecursionError) as error:
                raise ConfigError([f"{self._source}: {error}"]) from None
        if isinstance(found, dict):
            found = found.get("nodes", found.get("node", []))
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            self.wrong("the file", "must be a list of nodes: [[node]] tables, or JSON objects")
            return []
        return found

    def node(self, table: Mapping[str, Any], where: str) -> NodeSettings:
        for key in table.keys() - {*_KEYS}:
            self.wrong(where, f"unknown key {key!r}{suggestion(key, _KEYS)}")
        name = self.text(table, "name", where)
        if not _NAME.fullmatch(name):
            self.wrong(where, f"the name {name!r} must be letters, digits, '-', '_' and dots")
        where = name or where
        return NodeSettings(
            name=name,
            endpoint=self._endpoint(table, where),
            advertise=self.text(table, "advertise", where),
            labels=self._labels(table, where),
            reserve=self._reserve(table, where),
            overcommit=self._overcommit(table, where),
            files=self._files(table, where),
            is_leader_capable=self._flag(table, "manager", where, default=True),
        )

    def _endpoint(self, table: Mapping[str, Any], where: str) -> str:
        text = self.text(table, "endpoint", where)
        scheme, _, rest = text.partition("://")
        if scheme not in _SCHEMES or not rest:
            known = " ".join(f"{each}://" for each in _SCHEMES)
            self.wrong(where, f"endpoint: {text!r} must start with one of {known}")
        elif scheme == "ssh" and not (_SSH.fullmatch(rest) and not rest.startswith("-")):
            self.wrong(where, f"endpoint: {text!r} is not ssh://[USER@]HOST[:PORT]")
        return text

    def _labels(self, table: Mapping[str, Any], where: str) -> Mapping[str, str]:
        found = table.get("labels", {})
        if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
            self.wrong(where, "labels must be a table of texts")
            return {}
        return found

    def _reserve(self, table: Mapping[str, Any], where: str) -> Resources:
        found = self._pair(table, "reserve", where)
        memory = found.get("memory", 0)
        try:
            amount = size(memory) if isinstance(memory, str) else int(memory)
        except (TypeError, ValueError) as error:
            self.wrong(where, f"reserve.memory: {error}")
            amount = 0
        return Resources(round(self._number(found, "cpus", where, 0.0) * NANO), amount)

    def _overcommit(self, table: Mapping[str, Any], where: str) -> tuple[float, float]:
        found = self._pair(table, "overcommit", where)
        return self._number(found, "cpus", where, 1.0), self._number(found, "memory", where, 1.05)

    def _pair(self, table: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
        found = table.get(key, {})
        if not isinstance(found, dict) or found.keys() - {"cpus", "memory"}:
            self.wrong(where, f"{key} must be a table of cpus and memory")
            return {}
        return found

    def _number(self, table: Mapping[str, Any], key: str, where: str, default: float) -> float:
        found = table.get(key, default)
        if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < 1e6:
            self.wrong(where, f"{key}: {found!r} is no number from 0 on")
            return default
        return float(found)

    def _files(self, table: Mapping[str, Any], where: str) -> Files | None:
        if not table.keys() & {"ca", "cert", "key", "verify"}:
            return None
        ca, cert, key = (self.text(table, each, where) for each in ("ca", "cert", "key"))
        if bool(cert) != bool(key):
            self.wrong(where, "cert and key go together")
        return Files(ca, cert, key, self._flag(table, "verify", where, default=True))

    def _flag(self, table: Mapping[str, Any], key: str, where: str, *, default: bool) -> bool:
        found = table.get(key, default)
        if not isinstance(found, bool):
            self.wrong(where, f"{key} must be true or false")
        return found is True

    def text(self, table: Mapping[str, Any], key: str, where: str) -> str:
        found = table.get(key, "")
        if not isinstance(found, str):
            self.wrong(where, f"{key} must be a text")
            return ""
        return found


def merged(lists: Iterable[Iterable[NodeSettings]]) -> list[NodeSettings]:
    """Return the nodes of several documents; two of one name are an error: ConfigError."""
    found: dict[str, NodeSettings] = {}
    for nodes in lists:
        for node in nodes:
            if node.name in found:
                raise ConfigError([f"two nodes are called {node.name!r}"])
            found[node.name] = node
    return list(found.values())
