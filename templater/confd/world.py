"""The functions of confd's templates that ask the machine: environment, time, names, files.

They block, so templates are rendered in a thread.
"""

import socket
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sidecar.errors import StoreUnavailable
from sidecar.gotemplate.kinds import GoType, pointer_to, slice_of
from sidecar.gotemplate.values import Slice
from sidecar.runtime.clock import Clock
from templater.confd.functions import strings
from templater.confd.interfaces import ipv4_of, ipv6_of
from templater.confd.srv import Srv, lookup
from templater.functions.moment import Moment
from templater.functions.sprig_data import both_names
from templater.functions.sprig_world import sprig_world

__all__ = ["world_functions"]

_RECORDS: Final = slice_of(pointer_to(GoType("net.SRV", "struct")))


def world_functions(
    environ: Mapping[str, str], clock: Clock
) -> Mapping[str, Callable[..., object]]:
    """Return them; an empty variable counts as unset, as in confd."""
    begun = clock.monotonic()

    def getenv(name: str, *default: str) -> str:
        return environ.get(name) or (default[0] if default else "")

    def datetime_() -> Moment:
        wall = clock.wall()
        now = datetime.fromtimestamp(wall, UTC).astimezone()
        return Moment(now, int(wall % 1 * 1e9), clock.monotonic() - begun)

    return {
        **both_names(sprig_world(environ, clock.wall)),
        "datetime": datetime_,
        "fileExists": _file_exists,
        "getenv": getenv,
        "hostname": socket.gethostname,
        "lookupIfaceIPV4": ipv4_of,
        "lookupIfaceIPV6": ipv6_of,
        "lookupIP": _addresses,
        "lookupIPV4": _addresses_4,
        "lookupIPV6": _addresses_6,
        "lookupSRV": _services,
    }


def _file_exists(path: str) -> bool:
    return Path(path).exists()


def _found(name: str) -> list[str]:
    try:
        rows = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return sorted({str(row[4][0]).partition("%")[0] for row in rows})


def _addresses(name: str) -> Slice:
    return strings(_found(name))


def _addresses_4(name: str) -> Slice:
    return strings([address for address in _found(name) if "." in address])


def _addresses_6(name: str) -> Slice:
    return strings([address for address in _found(name) if ":" in address])


def _services(service: str, protocol: str, name: str) -> Slice:
    full = f"_{service}._{protocol}.{name}" if service or protocol else name
    try:
        records = lookup(full)
    except (StoreUnavailable, ValueError):
        records = []
    records.sort(key=_order)
    return Slice(records, _RECORDS)


def _order(record: Srv) -> str:
    return f"{record.Target}{record.Port}{record.Priority}{record.Weight}"
