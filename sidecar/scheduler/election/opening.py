"""The election that a URL means. A store's own modules are imported for its scheme only."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from sidecar.errors import ConfigError
from sidecar.runtime.clock import Clock, LeaseClock
from sidecar.scheduler.election.contest import Contest
from sidecar.scheduler.election.lock import KEY, Lock
from sidecar.stores.opening import SCHEMES

__all__ = ["TTL", "open_election"]

TTL: Final = 5.0
_MARGIN: Final = 0.2
"""Of the time of a lease: so long before its end it is not used any more."""
_SHORTEST: Final = 1.0
_LONGEST: Final = 30.0  # ZooKeeper grants 40 s at most unless it is told otherwise
_EMBEDDED: Final = "embedded"
_FILE: Final = "file"


def open_election(
    url: str | None,
    name: str,
    *,
    ttl: float = TTL,
    state_dir: Path | None = None,
    clock: Clock | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Contest:
    """Return how ``name`` takes part; without a URL by a file in ``state_dir``. Raises ConfigError.

    ``file:///PATH`` names the file itself. ``ttl`` is how long a lease lasts that is not renewed.
    """
    if not _SHORTEST <= ttl <= _LONGEST:
        raise ConfigError([f"election: a lease lasts {_SHORTEST:g} to {_LONGEST:g} s, not {ttl:g}"])
    seat = _Seat(name, ttl, clock or LeaseClock(), environ)
    lock = _lock(url or f"{_EMBEDDED}:", seat, state_dir)
    return Contest(lock, ttl=ttl, margin=ttl * _MARGIN, clock=seat.clock)


class _Seat(NamedTuple):
    """Who takes part, and what any store has to know of it."""

    name: str
    ttl: float
    clock: Clock
    environ: Mapping[str, str]


def _lock(url: str, seat: _Seat, folder: Path | None) -> Lock:
    scheme, _, rest = url.partition(":")
    if scheme in {_EMBEDDED, _FILE}:
        from sidecar.scheduler.election.file import FileLock  # noqa: PLC0415

        path = Path(rest.removeprefix("//")) if scheme == _FILE else _default(folder, seat.environ)
        if not path.is_absolute():
            raise ConfigError([f"election: {url} names no absolute path: file:///PATH"])
        return FileLock(path, seat.name, clock=seat.clock)
    opening = _STORES.get(SCHEMES.get(scheme, ""))
    if opening is None:
        known = ", ".join(f"{each}://" for each in (*SCHEMES, _FILE))
        raise ConfigError([f"election: {scheme}: is none of {known}"])
    return opening(url, seat)


def _default(folder: Path | None, environ: Mapping[str, str]) -> Path:
    run = Path(environ.get("XDG_RUNTIME_DIR") or "/run")
    return (folder or run / "pinnace").absolute() / "scheduler.lock"


def _consul(url: str, seat: _Seat) -> Lock:
    from sidecar.scheduler.election.consul import ConsulLock  # noqa: PLC0415
    from sidecar.stores.consul.address import address_of  # noqa: PLC0415
    from sidecar.stores.consul.client import Client  # noqa: PLC0415

    address = address_of(url, seat.environ)
    key = f"{address.prefix}/{KEY}".lstrip("/")
    return ConsulLock(Client(address), seat.name, ttl=seat.ttl, clock=seat.clock, key=key)


def _etcd(url: str, seat: _Seat) -> Lock:
    from sidecar.scheduler.election.etcd import EtcdLock  # noqa: PLC0415
    from sidecar.stores.etcd.address import address_of  # noqa: PLC0415

    address = address_of(url, seat.environ)
    if address.kind == "etcd2":
        raise ConfigError([f"election: {address.url}: needs the v3 API, write etcd://"])
    key = f"{address.path}/{KEY}".lstrip("/")
    return EtcdLock(address, seat.name, ttl=seat.ttl, clock=seat.clock, key=key)


def _zookeeper(url: str, seat: _Seat) -> Lock:
    from sidecar.stores.zookeeper.opening import open_client  # noqa: PLC0415

    client = open_client(url, seat.environ, session=seat.ttl)
    from sidecar.scheduler.election.zookeeper import ZooKeeperLock  # noqa: PLC0415

    return ZooKeeperLock(client, seat.name, ttl=seat.ttl, clock=seat.clock)


_STORES: Final[Mapping[str, Callable[[str, _Seat], Lock]]] = {
    "consul": _consul,
    "etcd": _etcd,
    "zookeeper": _zookeeper,
}
