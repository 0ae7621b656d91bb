"""A check as it is defined over the API: JSON to a frozen CheckDefinition. Pure.

Names of fields, which of them have a snake_case alias, and every text of refusal were recorded
from Consul 1.8.7. Keys match case-insensitively. What Consul takes and we refuse: a duration or
size that would overflow (here 400 too), Docker checks, control characters in an ID or name.
"""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sidecar.catalog.model import Status
from sidecar.checks.durations import duration_of
from sidecar.errors import PermanentError

__all__ = [
    "DEREGISTER_LEAST",
    "INTERVAL_LEAST",
    "OUTPUT_MOST",
    "CheckDefinition",
    "DefinitionError",
    "Kind",
    "definition_of",
]

INTERVAL_LEAST: Final = 1.0  # Consul runs a check of 1 ms once a second
DEREGISTER_LEAST: Final = 60.0
OUTPUT_MOST: Final = 4096
_OUTPUT_CEILING: Final = 1 << 20
_TIMEOUT: Final = 10.0
_STATUSES: Final = frozenset(Status)


class DefinitionError(PermanentError):
    """A definition is refused; ``http_status`` is what Consul answers with this text."""

    def __init__(self, text: str, http_status: int = 400) -> None:
        """Take the whole body of the answer."""
        super().__init__(text)
        self.http_status = http_status


class Kind(enum.StrEnum):
    """What is tried; the values are the API's ``Type``."""

    TTL = "ttl"
    HTTP = "http"
    TCP = "tcp"
    GRPC = "grpc"
    SCRIPT = "script"
    ALIAS = "alias"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckDefinition:
    """What to try, how often, and what to make of the answers. Durations in seconds.

    ``target`` is the URL, ``host:port`` or ``host:port/service`` of the kinds that have one.
    ``deregister_after`` 0 means never. ``status`` is what it starts with.
    """

    name: str
    kind: Kind
    id: str = ""
    notes: str = ""
    service_id: str = ""
    status: Status = Status.CRITICAL
    target: str = ""
    ttl: float = 0.0
    interval: float = 0.0
    timeout: float = _TIMEOUT
    method: str = "GET"
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    body: str = ""
    argv: tuple[str, ...] = ()
    tls: bool = False
    verify_tls: bool = True
    alias_node: str = ""
    alias_service: str = ""
    success_before_passing: int = 0
    failures_before_critical: int = 0
    deregister_after: float = 0.0
    output_most: int = OUTPUT_MOST


_TEXT, _TRUTH, _NUMBER, _TEXTS, _HEADERS, _TIME = (
    "string",
    "bool",
    "int",
    "texts",
    "headers",
    "time",
)
_FIELDS: Final[Mapping[str, str]] = {
    "ID": _TEXT,
    "Name": _TEXT,
    "Notes": _TEXT,
    "ServiceID": _TEXT,
    "Token": _TEXT,
    "Status": _TEXT,
    "Args": _TEXTS,
    "ScriptArgs": _TEXTS,
    "HTTP": _TEXT,
    "Header": _HEADERS,
    "Method": _TEXT,
    "Body": _TEXT,
    "TCP": _TEXT,
    "Interval": _TIME,
    "AliasNode": _TEXT,
    "AliasService": _TEXT,
    "DockerContainerID": _TEXT,
    "Shell": _TEXT,
    "GRPC": _TEXT,
    "GRPCUseTLS": _TRUTH,
    "TLSSkipVerify": _TRUTH,
    "Timeout": _TIME,
    "TTL": _TIME,
    "SuccessBeforePassing": _NUMBER,
    "FailuresBeforeCritical": _NUMBER,
    "DeregisterCriticalServiceAfter": _TIME,
    "OutputMaxSize": _NUMBER,
}
_ALIASES: Final = {
    "script_args": "Args",
    "deregister_critical_service_after": "DeregisterCriticalServiceAfter",
    "docker_container_id": "DockerContainerID",
    "tls_skip_verify": "TLSSkipVerify",
    "service_id": "ServiceID",
}
_NAMES: Final = {name.lower(): name for name in _FIELDS} | _ALIASES


def definition_of(
    data: object, *, default_name: str = "", scripts: bool = False
) -> CheckDefinition:
    """Return the definition in a decoded JSON body. Raises DefinitionError and nothing else.

    ``default_name`` is for checks inside a service registration, which may leave the name out.
    ``scripts`` allows commands: only for what comes from local configuration, never for what
    comes over the API (reliability T8).
    """
    if data is None:
        data = {}
    if not isinstance(data, Mapping):
        raise DefinitionError(f"Request decode failed: {_cannot(data, 'check definition')}")
    found = _fields_of(data)
    name = found.text("Name") or default_name
    if not name:
        raise DefinitionError("Missing check name")
    _refuse_controls("Name", name)
    _refuse_controls("ID", found.text("ID"))
    status = found.text("Status")
    if status and status not in _STATUSES:
        raise DefinitionError("Bad check status")
    return _built(found, name, _kind_of(found, scripts), Status(status or Status.CRITICAL))


class _Found:
    """The values given, by name, each already of its type."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}

    def text(self, name: str) -> str:
        value = self.values.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> int:
        value = self.values.get(name)
        return value if isinstance(value, int) else 0

    def truth(self, name: str) -> bool:
        return self.values.get(name) is True

    def time(self, name: str) -> float:
        value = self.values.get(name)
        return value if isinstance(value, float) else 0.0

    def argv(self) -> tuple[str, ...]:
        for name in ("Args", "ScriptArgs"):
            value = self.values.get(name)
            if value and isinstance(value, tuple):
                return value
        return ()

    def headers(self) -> Mapping[str, tuple[str, ...]]:
        value = self.values.get("Header")
        return value if isinstance(value, dict) else {}


def _fields_of(data: Mapping[object, object]) -> _Found:
    found = _Found()
    for key, value in data.items():
        name = _NAMES.get(str(key).lower())
        if name is None:
            raise DefinitionError(f'Request decode failed: json: unknown field "{key}"')
        if value is None:
            continue
        try:
            found.values[name] = _READERS[_FIELDS[name]](name, value)
        except ValueError as error:
            raise DefinitionError(f"Request decode failed: {error}") from None
    return found


def _json_type(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, Mapping) else "array"


def _cannot(value: object, wanted: str, name: str = "") -> str:
    place = f"struct field .{name} of type {wanted}" if name else f"value of type {wanted}"
    return f"json: cannot unmarshal {_json_type(value)} into Go {place}"


def _field_name(name: str) -> str:
    return "args" if name == "Args" else name


def _plain(kind: type, wanted: str) -> Callable[[str, object], object]:
    def read(name: str, value: object) -> object:
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return value
        raise ValueError(_cannot(value, wanted, _field_name(name)))

    return read


_text: Final = _plain(str, "string")


def _texts(name: str, value: object) -> object:
    if not isinstance(value, list):
        raise ValueError(_cannot(value, "[]string", _field_name(name)))  # noqa: TRY004
    return tuple(_text(name, "" if one is None else one) for one in value)


def _header_lists(name: str, value: object) -> object:
    if not isinstance(value, Mapping):
        raise ValueError(_cannot(value, "map[string][]string", name))  # noqa: TRY004
    headers: dict[str, object] = {}
    for header, values in value.items():
        headers[str(header)] = _texts(name, values)
    return headers


_READERS: Final[Mapping[str, Callable[[str, object], object]]] = {
    _TEXT: _text,
    _TRUTH: _plain(bool, "bool"),
    _NUMBER: _plain(int, "int"),
    _TEXTS: _texts,
    _HEADERS: _header_lists,
    _TIME: lambda _, value: duration_of(value),
}


def _refuse_controls(name: str, value: str) -> None:
    if any(character < " " or character == "\x7f" for character in value):
        raise DefinitionError(f"Invalid check: {name} contains control characters")


def _kind_of(found: _Found, scripts: bool) -> Kind:
    """Decide what is tried, refusing in the order in which Consul does.

    Of several targets the first wins, in the order HTTP, TCP, GRPC.
    """
    interval, ttl = found.time("Interval"), found.time("TTL")
    argv = found.argv()
    remote = next((k for k in (Kind.HTTP, Kind.TCP, Kind.GRPC) if found.text(k.upper())), None)
    alias = bool(found.text("AliasService") or found.text("AliasNode"))
    if interval > 0 and ttl > 0:
        raise DefinitionError("Invalid check: Interval and TTL cannot both be specified")
    if alias and not argv and remote is None:
        if ttl > 0:
            raise DefinitionError("Invalid check: TTL must be not be set for Alias checks")
    elif (argv or remote) and interval <= 0:
        raise DefinitionError("Invalid check: Interval must be > 0 for Script, HTTP, or TCP checks")
    elif not argv and remote is None and ttl <= 0:
        raise DefinitionError("Invalid check: TTL must be > 0 for TTL checks")
    if found.number("OutputMaxSize") < 0:
        raise DefinitionError("Invalid check: MaxOutputMaxSize must be positive")
    if argv:
        return _script_kind(found, scripts)
    if remote is not None:
        return remote
    return Kind.ALIAS if alias else Kind.TTL


def _script_kind(found: _Found, scripts: bool) -> Kind:
    if not scripts:
        raise DefinitionError(
            "Scripts are disabled on this agent from remote calls; "
            "to enable, configure 'enable_script_checks' to true",
            500,
        )
    if found.text("DockerContainerID"):
        raise DefinitionError("Docker checks are not supported; use an HTTP, TCP or TTL check")
    return Kind.SCRIPT


def _built(found: _Found, name: str, kind: Kind, status: Status) -> CheckDefinition:
    timeout = found.time("Timeout")
    deregister = found.time("DeregisterCriticalServiceAfter")
    interval = found.time("Interval")
    remote = kind in {Kind.HTTP, Kind.TCP, Kind.GRPC}
    return CheckDefinition(
        name=name,
        kind=kind,
        id=found.text("ID"),
        notes=found.text("Notes"),
        service_id=found.text("ServiceID"),
        status=status,
        target=found.text(kind.upper()) if remote else "",
        ttl=found.time("TTL") if kind is Kind.TTL else 0.0,
        interval=max(INTERVAL_LEAST, interval) if kind not in {Kind.TTL, Kind.ALIAS} else 0.0,
        timeout=timeout if timeout > 0 else _TIMEOUT,
        method=found.text("Method") or "GET",
        headers=found.headers() or {},
        body=found.text("Body"),
        argv=found.argv(),
        tls=found.truth("GRPCUseTLS"),
        verify_tls=not found.truth("TLSSkipVerify"),
        alias_node=found.text("AliasNode"),
        alias_service=found.text("AliasService"),
        success_before_passing=found.number("SuccessBeforePassing"),
        failures_before_critical=found.number("FailuresBeforeCritical"),
        deregister_after=max(DEREGISTER_LEAST, deregister) if deregister > 0 else 0.0,
        output_most=min(found.number("OutputMaxSize") or OUTPUT_MOST, _OUTPUT_CEILING),
    )
