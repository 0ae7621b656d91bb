"""What Docker says of a container or an event, as frozen facts. Pure.

Documents come from ``GET /containers/<id>/json`` and ``GET /events``. Their values are written by
whoever starts containers, their shape by many versions of many engines: a missing or odd field
becomes an empty one, and only a document without a usable id is refused (ProtocolError).
"""

import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from sidecar.errors import ProtocolError

__all__ = [
    "Binding",
    "Container",
    "Event",
    "Network",
    "Port",
    "container_of",
    "ended_of",
    "event_of",
    "is_container_reference",
    "signal_number",
]

_REFERENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}", re.ASCII)
_PORT: Final = re.compile(r"(\d{1,5})(?:/([a-z]{1,8}))?", re.ASCII)
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)", re.ASCII
)
_EXITED: Final = re.compile(r"Exited \((\d{1,3})\)", re.ASCII)
_NANO: Final = 1_000_000_000


class Port(NamedTuple):
    """A container port."""

    number: int
    protocol: str = "tcp"


class Binding(NamedTuple):
    """Where a container port is published on the host."""

    address: str
    port: int


class Network(NamedTuple):
    """A container's addresses on one network."""

    address: str
    address6: str = ""


def _nothing() -> Mapping[Any, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container at the moment of an inspect.

    ``bindings`` has a key for each port the engine lists; an empty tuple means "not published".
    ``started`` is in nanoseconds since 1970, as the times of events, or 0 when unknown.
    ``exit_code`` is that of the last run that ended.
    ``extra_tags`` is no fact of the engine's: what the operator's template says of this container
    (``registrar.tagging``).
    """

    id: str
    name: str = ""
    image: str = ""
    hostname: str = ""
    state: str = ""
    running: bool = False
    restarting: bool = False
    dead: bool = False
    paused: bool = False
    pid: int = 0
    exit_code: int = 0
    started: int = 0
    health: str = ""
    stop_signal: int = signal.SIGTERM
    env: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=_nothing, hash=False)
    exposed: tuple[Port, ...] = ()
    bindings: Mapping[Port, tuple[Binding, ...]] = field(default_factory=_nothing, hash=False)
    network_mode: str = ""
    networks: Mapping[str, Network] = field(default_factory=_nothing, hash=False)
    address: str = ""
    address6: str = ""
    extra_tags: str = ""

    @property
    def alive(self) -> bool:
        """Say whether a process runs; between two restarts Docker still says ``Running``."""
        return self.running and not self.restarting and not self.dead

    @property
    def peer(self) -> str | None:
        """Return the container whose network this one shares (``--network container:x``)."""
        kind, _, reference = self.network_mode.partition(":")
        return reference if kind == "container" and is_container_reference(reference) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A hint that something happened to a container."""

    id: str
    action: str
    time_nano: int = 0
    signal: int | None = None
    exit_code: int | None = None


def is_container_reference(text: str) -> bool:
    """Say whether text may stand in a request path as a container's id or name."""
    return _REFERENCE.fullmatch(text) is not None


def container_of(document: object) -> Container:
    """Return the facts of an inspect document. Raises ProtocolError when it has no usable id."""
    id_ = _text(document, "Id")
    if not is_container_reference(id_):
        raise ProtocolError(f"an inspect document has no usable id: {id_[:80]!r}")
    state = _table(document, "State")
    config = _table(document, "Config")
    settings = _table(document, "NetworkSettings")
    return Container(
        id=id_,
        name=_text(document, "Name").removeprefix("/"),
        image=_text(config, "Image"),
        hostname=_text(config, "Hostname"),
        state=_text(state, "Status"),
        running=state.get("Running") is True,
        restarting=state.get("Restarting") is True,
        dead=state.get("Dead") is True,
        paused=state.get("Paused") is True,
        pid=_number(state, "Pid"),
        exit_code=_number(state, "ExitCode"),
        started=_nanoseconds(_text(state, "StartedAt")),
        health=_text(_table(state, "Health"), "Status"),
        stop_signal=signal_number(_text(config, "StopSignal")) or signal.SIGTERM,
        env=tuple(item for item in _list(config, "Env") if isinstance(item, str)),
        labels=MappingProxyType(_strings(_table(config, "Labels"))),
        exposed=tuple(sorted(set(_ports(_table(config, "ExposedPorts"))))),
        bindings=MappingProxyType(_bindings(_table(settings, "Ports"))),
        network_mode=_text(_table(document, "HostConfig"), "NetworkMode"),
        networks=MappingProxyType(_networks(_table(settings, "Networks"))),
        address=_text(settings, "IPAddress"),
        address6=_text(settings, "GlobalIPv6Address"),
    )


def ended_of(document: object) -> tuple[str, int]:
    """Return name and exit status of an entry in the list of containers that have ended.

    The list says the status in words only, as ``Exited (3) 2 minutes ago``.
    """
    names = _list(document, "Names") if isinstance(document, Mapping) else []
    match = _EXITED.match(_text(document, "Status"))
    own = (name for name in names if isinstance(name, str) and name.count("/") == 1)
    return next(own, "").removeprefix("/"), int(match[1]) if match is not None else 0


def event_of(document: object) -> Event | None:
    """Return the event about a container, or None when it is about something else.

    A network's connect and disconnect count as events of the container they name. Raises
    ProtocolError when an event about a container has no usable id.
    """
    actor = _table(document, "Actor")
    attributes = _table(actor, "Attributes")
    action, _, _ = _text(document, "Action").partition(":")
    match _text(document, "Type"):
        case "container":
            id_ = _text(actor, "ID")
        case "network" if action in ("connect", "disconnect"):
            id_ = _text(attributes, "container")
        case _:
            return None
    if not is_container_reference(id_):
        raise ProtocolError(f"event {action[:40]!r} has no usable container id: {id_[:80]!r}")
    return Event(
        id=id_,
        action=action,
        time_nano=_number(document, "timeNano"),
        signal=signal_number(_text(attributes, "signal")) if action == "kill" else None,
        exit_code=_exit_code(_text(attributes, "exitCode")) if action == "die" else None,
    )


def _exit_code(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else None


def signal_number(text: str) -> int | None:
    """Return a signal's number for ``15``, ``TERM``, ``SIGTERM`` or ``SIGRTMIN+3``, or None."""
    if text.isascii() and text.isdigit() and len(text) <= 3:
        number = int(text)
        return number if 0 < number < signal.NSIG else None
    name, _, offset = text.upper().removeprefix("SIG").partition("+")
    if offset and not (offset.isascii() and offset.isdigit() and len(offset) <= 2):
        return None
    found = signal.Signals.__members__.get(f"SIG{name}")
    number = found.value + int(offset or 0) if found is not None else 0
    return number if 0 < number < signal.NSIG else None


def _table(document: object, key: str) -> Mapping[str, Any]:
    value = document.get(key) if isinstance(document, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _text(document: object, key: str) -> str:
    value = document.get(key) if isinstance(document, Mapping) else None
    return value if isinstance(value, str) else ""


def _list(document: Mapping[str, Any], key: str) -> list[Any]:
    value = document.get(key)
    return value if isinstance(value, list) else []


def _number(document: object, key: str) -> int:
    value = document.get(key) if isinstance(document, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _strings(table: Mapping[str, Any]) -> dict[str, str]:
    return {key: value for key, value in table.items() if isinstance(value, str)}


def _port(text: str) -> Port | None:
    match = _PORT.fullmatch(text)
    if match is None or not 0 < int(match[1]) < 65536:
        return None
    return Port(int(match[1]), match[2] or "tcp")


def _ports(table: Mapping[str, Any]) -> list[Port]:
    return [port for key in table if (port := _port(key)) is not None]


def _bindings(table: Mapping[str, Any]) -> dict[Port, tuple[Binding, ...]]:
    found: dict[Port, tuple[Binding, ...]] = {}
    for key, entries in table.items():
        port = _port(key)
        if port is not None:
            entries = entries if isinstance(entries, list) else []  # noqa: PLW2901
            found[port] = tuple(b for entry in entries if (b := _binding(entry)) is not None)
    return found


def _binding(entry: object) -> Binding | None:
    port = _port(_text(entry, "HostPort"))
    return Binding(_text(entry, "HostIp"), port.number) if port is not None else None


def _networks(table: Mapping[str, Any]) -> dict[str, Network]:
    return {
        name: Network(_text(entry, "IPAddress"), _text(entry, "GlobalIPv6Address"))
        for name, entry in sorted(table.items())
    }


def _nanoseconds(text: str) -> int:
    match = _TIME.fullmatch(text)
    if match is None:
        return 0
    try:
        seconds = int(datetime.fromisoformat(match[1] + match[3]).timestamp())
    except ValueError:
        return 0
    return max(0, seconds * _NANO + int((match[2] or "0").ljust(9, "0")))
