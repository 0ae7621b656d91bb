"""Says in the log what becomes of entries; the fields are those of ``registrar.loglines``."""

from collections.abc import Iterable

from registrar.holdings import Holdings
from registrar.ports import Place
from registrar.problems import Problem
from sidecar.catalog.model import Instance, Key
from sidecar.engine.facts import Container
from sidecar.metrics import counter
from sidecar.runtime.log import get_logger

__all__ = ["Telling", "ignored_of"]

_problems = counter("pinnace_registrar_problems_total", "Labels that were mended or refused")
_log = get_logger("registrar")


class Telling:
    """Remembers what was told, so that it is told once."""

    def __init__(self) -> None:
        """Start with nothing told."""
        self._shown: set[Key] = set()
        self._unreadable: set[str] = set()

    def entries(self, id_: str, keys: Iterable[Key], holdings: Holdings) -> None:
        """Tell what became of these entries because of one container."""
        for key in sorted(keys):
            self._entry(id_[:12], key, holdings)

    def _entry(self, container: str, key: Key, holdings: Holdings) -> None:
        instance = holdings.claims.winner(key)
        named = {"container": container, "service": key.service, "id": key.id}
        if instance is None:
            self._shown.discard(key)
            if holdings.keeps(key):
                _log.info("instance kept", action="kept", **named)
            else:
                _log.info("instance removed", action="removed", **named)
            return
        _log.info(
            "instance draining" if instance.draining else "instance registered",
            action="changed" if key in self._shown else "added",
            **named,
            address=instance.address,
            port=instance.port,
            status=instance.status,
        )
        self._shown.add(key)

    def ignored(self, container: Container, place: Place, got: Iterable[Instance]) -> None:
        """Tell which ports of a container have no entry, and why."""
        for what in ignored_of(container, place, got):
            _log.info("ignored", action="ignored", container=container.id[:12], what=what)

    def problems(self, found: Iterable[Problem]) -> None:
        """Tell and count what is wrong with labels."""
        for problem in found:
            _problems.inc()
            _log.warning(
                "label problem",
                container=problem.container,
                label=problem.label,
                problem=problem.text,
            )

    def readable(self, id_: str) -> None:
        """Take that a container can be read."""
        self._unreadable.discard(id_)

    def unreadable(self, id_: str, reason: str) -> None:
        """Tell that a container cannot be read; what it was it stays."""
        if id_ not in self._unreadable:
            self._unreadable.add(id_)
            _log.warning("unreadable container", container=id_[:12], reason=reason)


def ignored_of(container: Container, place: Place, got: Iterable[Instance]) -> tuple[str, ...]:
    """Return why ports have no entry, in the words that people look for."""
    ports = sorted({*container.exposed, *container.bindings})
    if not ports:
        return ("no published ports",)
    found = {instance.origin.port for instance in got if instance.origin is not None}
    is_host = container.network_mode == "host"
    return tuple(
        f"service on port {port.number}"
        if is_host or place.internal == "always" or container.bindings.get(port)
        else f"port {port.number} not published on host"
        for port in ports
        if port.number not in found
    )
