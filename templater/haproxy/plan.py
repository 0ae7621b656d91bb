"""From one model to the next by Runtime API commands, and from what runs back to the model. Pure.

Every value in a command is of a checked type (`templater.names`, BackendName), so none can hold
the blank, ``;`` or line end that would start another argument or command.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from templater.haproxy.answers import Server
from templater.haproxy.model import (
    HOSTS_MAP,
    PATHS_MAP,
    POLICIES_MAP,
    Backend,
    BackendName,
    Model,
    PolicyWord,
    slot_name,
)
from templater.names import Host, RouteKey, Wildcard
from templater.routes import Endpoint, State
from templater.tls import Certificate

__all__ = ["Plan", "between", "map_repairs", "missing", "path_repairs", "policy_repairs", "repairs"]

_KEY: Final = re.compile(r"[A-Za-z0-9._~+@:/-]+", re.ASCII)
Wildcards = tuple[tuple[Wildcard, BackendName], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Commands in order; ``wildcards`` is the whole new list when that map changes.

    ``certificates`` are those that have other contents.
    """

    commands: tuple[str, ...] = ()
    wildcards: Wildcards | None = None
    touched: frozenset[BackendName] = frozenset()
    certificates: tuple[Certificate, ...] = ()

    def __bool__(self) -> bool:
        """Say whether there is anything to do."""
        return bool(self.commands or self.certificates) or self.wildcards is not None


def between(old: Model, new: Model) -> Plan:
    """Return what turns ``old`` into ``new``, which has the same structure.

    First what adds capacity, then the maps, then what takes away: at no moment does a host lead
    to less than both models give it.
    """
    adding: list[str] = []
    removing: list[str] = []
    touched: set[BackendName] = set()
    for name, backend in new.backends.items():
        before = old.backends[name]
        if before is backend or before.slots == backend.slots:
            continue
        touched.add(name)
        for index, (was, now) in enumerate(zip(before.slots, backend.slots, strict=True)):
            commands = _slot_commands(f"{name}/{slot_name(index)}", was, now)
            (adding if now is not None and now.state is State.READY else removing).extend(commands)
    policies = list(_map_commands(POLICIES_MAP, old.policies, new.policies))
    # What holds for a host is said before it leads anywhere, and forgotten after.
    maps = (
        *(one for one in policies if not one.startswith("del ")),
        *(_map_commands(HOSTS_MAP, old.hosts, new.hosts) if old.hosts != new.hosts else ()),
        *(_map_commands(PATHS_MAP, old.paths, new.paths) if old.paths != new.paths else ()),
        *(one for one in policies if one.startswith("del ")),
    )
    return Plan(
        (*adding, *maps, *removing),
        new.wildcards if old.wildcards != new.wildcards else None,
        frozenset(touched),
        tuple(one for name, one in new.certificates.items() if one != old.certificates.get(name)),
    )


def missing(backends: Iterable[Backend], servers: Mapping[tuple[str, str], Server]) -> str | None:
    """Return the first slot that does not run at all (no command helps), or None."""
    for backend in backends:
        for index in range(len(backend.slots)):
            if (backend.name, slot_name(index)) not in servers:
                return f"{backend.name}/{slot_name(index)}"
    return None


def repairs(
    backends: Iterable[Backend], servers: Mapping[tuple[str, str], Server]
) -> tuple[str, ...]:
    """Return the commands that make the slots that run differently equal to the model."""
    commands: list[str] = []
    for backend in backends:
        for index, endpoint in enumerate(backend.slots):
            server = servers.get((backend.name, slot_name(index)))
            if server is not None and not _agrees(endpoint, server):
                path = f"{backend.name}/{slot_name(index)}"
                commands.extend(_slot_commands(path, None, endpoint, force=True))
    return tuple(commands)


def map_repairs(actual: Mapping[str, str], wanted: Mapping[Host, BackendName]) -> tuple[str, ...]:
    """Return the commands that make the map of hosts that runs equal to the model's.

    A key that is no host name (typed by hand) is left alone: it cannot stand in a command.
    """
    known: dict[Host, str] = {}
    for text, name in actual.items():
        try:
            known[Host(text)] = name
        except ValueError:
            continue
    return tuple(_map_commands(HOSTS_MAP, known, wanted))


def path_repairs(
    actual: Mapping[str, str], wanted: Mapping[RouteKey, BackendName]
) -> tuple[str, ...]:
    """Return the same for the map of paths; a key that we could not have written stays."""
    known = {key: name for key, name in actual.items() if _KEY.fullmatch(key)}
    return tuple(_map_commands(PATHS_MAP, known, wanted))


def policy_repairs(
    actual: Mapping[str, str], wanted: Mapping[Host | Wildcard, PolicyWord]
) -> tuple[str, ...]:
    """Return the same for the map of what holds with TLS."""
    known = {key: word for key, word in actual.items() if _KEY.fullmatch(key)}
    return tuple(_map_commands(POLICIES_MAP, known, wanted))


def _slot_commands(
    path: str, was: Endpoint | None, now: Endpoint | None, *, force: bool = False
) -> Iterator[str]:
    if now is None:
        if was is not None or force:
            yield f"set server {path} state {State.MAINT}"
        return
    restated = was is None or was.state is not now.state
    if was is None or (was.address, was.port) != (now.address, now.port):
        yield f"set server {path} addr {now.address} port {now.port}"
    if restated or (was is not None and was.weight != now.weight):
        yield f"set server {path} weight {now.weight}"
    if restated:
        yield f"set server {path} state {now.state}"


def _map_commands(
    file: str, old: Mapping[Any, str], new: Mapping[Any, BackendName | PolicyWord]
) -> Iterator[str]:
    for key, name in new.items():
        if key not in old:
            yield f"add map {file} {key} {name}"
        elif old[key] != name:
            yield f"set map {file} {key} {name}"
    for key in old:
        if key not in new:
            yield f"del map {file} {key}"


def _agrees(endpoint: Endpoint | None, server: Server) -> bool:
    if endpoint is None or endpoint.state is State.MAINT:
        return server.in_maintenance
    if server.in_maintenance or (server.address, server.port) != (endpoint.address, endpoint.port):
        return False
    if endpoint.state is State.DRAIN:
        # The file has no word for drain and writes weight 0, which has the same effect.
        return server.is_draining or server.weight == 0
    return not server.is_draining and server.weight == endpoint.weight
