"""What templates ask for, as values that can be compared and kept in sets. Pure.

The text forms are consul-template's: ``path?ns=..&partition=..@dc`` for keys, and
``tag.name?query@dc~near|status,status`` for services. ``str`` of a query is the name that the peer
gives it in its log. Mistakes are ValueErrors in the peer's words.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sidecar.golang.quoting import quoted
from templater.consul_template.certificates import CaLeafQuery, CaRootsQuery
from templater.consul_template.pki import PkiQuery

__all__ = [
    "DatacentersQuery",
    "FileQuery",
    "HealthQuery",
    "InstancesQuery",
    "KeyQuery",
    "KeysQuery",
    "ListQuery",
    "NodeQuery",
    "NodesQuery",
    "PkiQuery",
    "Query",
    "Scope",
    "SecretQuery",
    "SecretsQuery",
    "ServicesQuery",
    "datacenters",
    "file",
    "health",
    "instances",
    "key",
    "keys",
    "listing",
    "node",
    "nodes",
    "pki_cert",
    "secret",
    "secrets",
    "services",
]

_PARAMS: Final = r"(?:\?(?P<query>[\w\-=&]+))?"
_DC: Final = r"(?:@(?P<dc>[\w.\-]+))?"
_NEAR: Final = r"(?:~(?P<near>[\w.\-]+))?"
_KEY: Final = re.compile(r"/?(?P<name>[^@?]+)" + _PARAMS + _DC, re.ASCII)
_HEALTH: Final = re.compile(
    r"(?:(?P<tag>[\w=:.\-]+)\.)?(?P<name>[\w\-]+)"
    + _PARAMS
    + _DC
    + _NEAR
    + r"(?:\|(?P<filter>[\w,]+))?",
    re.ASCII,
)
_INSTANCES: Final = re.compile(
    r"(?:(?P<tag>[\w=:.\-]+)\.)?(?P<name>[\w\-]+)" + _PARAMS + _DC + _NEAR, re.ASCII
)
_NODE: Final = re.compile(r"(?P<name>[\w.\-]+)" + _PARAMS + _DC, re.ASCII)
_NODES: Final = re.compile(_PARAMS + _DC + _NEAR, re.ASCII)
_SERVICES: Final = re.compile(_PARAMS + _DC, re.ASCII)
_ALLOWED: Final = ("ns", "peer", "partition", "sameness-group")
_STATUSES: Final = frozenset({"any", "passing", "warning", "critical", "maintenance"})
_CACHED: Final = 20_000


@dataclass(frozen=True, slots=True)
class Scope:
    """Where in a cluster of clusters to ask; empty: where the agent is."""

    dc: str = ""
    partition: str = ""
    ns: str = ""
    peer: str = ""
    sameness: str = ""

    def __str__(self) -> str:
        """Return it as the peer shows it behind a name."""
        named = (
            ("", self.dc), ("partition=", self.partition), ("ns=", self.ns),
            ("peer=", self.peer), ("sameness-group=", self.sameness),
        )  # fmt: skip
        return "".join(f"@{name}{value}" for name, value in named if value)


@dataclass(frozen=True, slots=True)
class KeyQuery:
    """One key's value; one that ``blocks`` has no answer while the key is absent."""

    key: str
    scope: Scope = Scope()
    blocks: bool = False

    def __str__(self) -> str:
        """Return the peer's name."""
        return f"kv.{'block' if self.blocks else 'get'}({self.key}{self.scope})"


@dataclass(frozen=True, slots=True)
class ListQuery:
    """All keys below a prefix, with values."""

    prefix: str
    scope: Scope = Scope()

    def __str__(self) -> str:
        """Return the peer's name."""
        return f"kv.list({self.prefix}{self.scope})"


@dataclass(frozen=True, slots=True)
class KeysQuery:
    """The names of all keys below a prefix."""

    prefix: str
    scope: Scope = Scope()

    def __str__(self) -> str:
        """Return the peer's name."""
        return f"kv.keys({self.prefix}{self.scope})"


@dataclass(frozen=True, slots=True)
class HealthQuery:
    """The instances of a service whose status is one of ``statuses``."""

    name: str
    tag: str = ""
    scope: Scope = Scope()
    near: str = ""
    statuses: tuple[str, ...] = ("passing",)
    is_connect: bool = False

    def __str__(self) -> str:
        """Return the peer's name."""
        name = f"{self.tag}.{self.name}" if self.tag else self.name
        near = f"~{self.near}" if self.near else ""
        statuses = f"|{','.join(self.statuses)}" if self.statuses else ""
        kind = "connect" if self.is_connect else "service"
        return f"health.{kind}({name}{self.scope}{near}{statuses})"


@dataclass(frozen=True, slots=True)
class InstancesQuery:
    """The instances of a service, whatever their status; only envconsul asks so."""

    name: str
    tag: str = ""
    scope: Scope = Scope()
    near: str = ""

    def __str__(self) -> str:
        """Return the peer's name."""
        name = f"{self.tag}.{self.name}" if self.tag else self.name
        return f"catalog.service({name}{self.scope}{'~' if self.near else ''}{self.near})"


@dataclass(frozen=True, slots=True)
class ServicesQuery:
    """The names of all services, with tags."""

    scope: Scope = Scope()

    def __str__(self) -> str:
        """Return the peer's name."""
        return _with("catalog.services", str(self.scope))


@dataclass(frozen=True, slots=True)
class NodesQuery:
    """All nodes."""

    scope: Scope = Scope()
    near: str = ""

    def __str__(self) -> str:
        """Return the peer's name."""
        return _with("catalog.nodes", f"{self.scope}{'~' if self.near else ''}{self.near}")


@dataclass(frozen=True, slots=True)
class NodeQuery:
    """One node and its services; no name: the agent's own."""

    name: str
    scope: Scope = Scope()

    def __str__(self) -> str:
        """Return the peer's name."""
        return _with("catalog.node", f"{self.name}{self.scope}")


@dataclass(frozen=True, slots=True)
class DatacentersQuery:
    """All datacenters; with ``ignores_failing`` only those that answer."""

    ignores_failing: bool = False

    def __str__(self) -> str:
        """Return the peer's name."""
        return "catalog.datacenters"


@dataclass(frozen=True, slots=True)
class FileQuery:
    """A local file's content."""

    path: str

    def __str__(self) -> str:
        """Return the peer's name."""
        return f"file({self.path})"


@dataclass(frozen=True, slots=True)
class SecretQuery:
    """A secret of Vault; with ``data`` it is written and the answer read."""

    path: str
    data: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """Return the peer's name; never the data."""
        return f"vault.{'write' if self.data else 'read'}({self.path})"


@dataclass(frozen=True, slots=True)
class SecretsQuery:
    """The names of Vault's secrets below a path."""

    path: str

    def __str__(self) -> str:
        """Return the peer's name."""
        return f"vault.list({self.path})"


Query = (
    KeyQuery | ListQuery | KeysQuery | HealthQuery | InstancesQuery | ServicesQuery | NodesQuery
    | NodeQuery | DatacentersQuery | FileQuery | SecretQuery | SecretsQuery | CaRootsQuery
    | CaLeafQuery | PkiQuery
)  # fmt: skip


@lru_cache(_CACHED)
def key(text: str, *, blocks: bool = False) -> KeyQuery:
    """Return the query for one key. Raises ValueError."""
    found = _parts(_KEY, text, "kv.get")
    return KeyQuery(found["name"], _scope(found, "kv.get"), blocks)


@lru_cache(_CACHED)
def listing(text: str) -> ListQuery:
    """Return the query for keys and values below a prefix. Raises ValueError."""
    found = _parts(_KEY, text, "kv.list")
    return ListQuery(found["name"], _scope(found, "kv.list"))


@lru_cache(_CACHED)
def keys(text: str) -> KeysQuery:
    """Return the query for names of keys below a prefix. Raises ValueError."""
    found = _parts(_KEY, text, "kv.keys")
    return KeysQuery(found["name"], _scope(found, "kv.keys"))


@lru_cache(_CACHED)
def health(text: str, *, is_connect: bool = False) -> HealthQuery:
    """Return the query for a service's instances. Raises ValueError."""
    label = "health.service"
    found = _parts(_HEALTH, text, label)
    scope = _scope(found, label)
    if scope.sameness and scope.peer:
        raise ValueError(f"{label}: cannot specify both peer and sameness-group")
    statuses = _statuses(found["filter"], text) if found["filter"] else ("passing",)
    return HealthQuery(found["name"], found["tag"], scope, found["near"], statuses, is_connect)


@lru_cache(_CACHED)
def instances(text: str) -> InstancesQuery:
    """Return the query for a service's instances of any status. Raises ValueError."""
    found = _parts(_INSTANCES, text, "catalog.service")
    scope = _scope(found, "catalog.service")
    return InstancesQuery(found["name"], found["tag"], scope, found["near"])


@lru_cache(_CACHED)
def services(text: str) -> ServicesQuery:
    """Return the query for all services. Raises ValueError."""
    found = _parts(_SERVICES, text, "catalog.services")
    return ServicesQuery(_scope(found, "catalog.services"))


@lru_cache(_CACHED)
def nodes(text: str) -> NodesQuery:
    """Return the query for all nodes. Raises ValueError."""
    found = _parts(_NODES, text, "catalog.nodes")
    return NodesQuery(_scope(found, "catalog.nodes"), found["near"])


@lru_cache(_CACHED)
def node(text: str) -> NodeQuery:
    """Return the query for one node. Raises ValueError."""
    if not text:
        return NodeQuery("")
    found = _parts(_NODE, text, "catalog.node")
    return NodeQuery(found["name"], _scope(found, "catalog.node"))


def datacenters(*ignores_failing: bool) -> DatacentersQuery:
    """Return the query for all datacenters. Raises ValueError."""
    if len(ignores_failing) > 1:
        raise ValueError(
            "datacenters: wrong number of arguments, expected 0 or 1"
            f", but got {len(ignores_failing)}"
        )
    return DatacentersQuery(*ignores_failing)


def file(text: str) -> FileQuery:
    """Return the query for a file. Raises ValueError."""
    path = text.strip()
    if not path:
        raise ValueError(f"file: invalid format: {quoted(path)}")
    return FileQuery(path)


def secret(path: str, *pairs: str) -> SecretQuery:
    """Return the query for a secret; pairs ``name=value`` are written. Raises ValueError."""
    clean = path.strip().strip("/")
    if not clean:
        raise ValueError(f"vault.{'write' if pairs else 'read'}: invalid format: {quoted(path)}")
    return SecretQuery(clean, _data(pairs))


def pki_cert(path: str, *pairs: str, destination: str = "") -> PkiQuery:
    """Return the query for a certificate of Vault, made of ``name=value``. Raises ValueError."""
    data = _data(pairs)
    clean = path.strip().strip("/")
    if not clean:
        raise ValueError(f"vault.pki: invalid format: {quoted(path)}")
    return PkiQuery(clean, data, destination)


def secrets(path: str) -> SecretsQuery:
    """Return the query for names of secrets. Raises ValueError."""
    clean = path.strip().strip("/")
    if not clean:
        raise ValueError(f"vault.list: invalid format: {quoted(path)}")
    return SecretsQuery(clean)


def _data(pairs: Iterable[str]) -> tuple[tuple[str, str], ...]:
    data: dict[str, str] = {}
    for pair in filter(None, pairs):
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"not k=v pair {quoted(pair)}")
        data[name.strip()] = value.strip()
    return tuple(data.items())


def _parts(pattern: re.Pattern[str], text: str, label: str) -> Mapping[str, str]:
    found = pattern.fullmatch(text)
    if found is None:
        raise ValueError(f"{label}: invalid format: {quoted(text)}")
    return found.groupdict("")


def _scope(found: Mapping[str, str], label: str) -> Scope:
    query = found["query"]
    given: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name not in _ALLOWED:
            raise ValueError(
                f"{label}: invalid query parameter key {quoted(name)} in query {quoted(query)}: "
                f"supported keys: ns,peer,partition,sameness-group"
            )
        given.setdefault(name, value)
    peer, sameness = given.get("peer", ""), given.get("sameness-group", "")
    return Scope(found["dc"], given.get("partition", ""), given.get("ns", ""), peer, sameness)


def _statuses(text: str, whole: str) -> tuple[str, ...]:
    found = []
    for status in filter(None, text.split(",")):
        if status not in _STATUSES:
            raise ValueError(f"health.service: invalid filter: {quoted(status)} in {quoted(whole)}")
        found.append(status)
    return tuple(sorted(found))


def _with(name: str, detail: str) -> str:
    return f"{name}({detail})" if detail else name
