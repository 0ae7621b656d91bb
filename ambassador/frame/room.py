"""How many clients there are descriptors for, so that those who come get what they came for."""

import resource
from typing import Final

from sidecar.runtime.log import get_logger
from sidecar.runtime.overload import descriptor_limit

__all__ = ["room_for"]

_log = get_logger("ambassador")
_RESERVE: Final = 32  # for listeners, probes, the admin address, logs


def room_for(asked: int, *, each: int = 1, shared: float = 0.0) -> int:
    """Return how many clients to take, at most ``asked``; the soft limit is raised first.

    A client costs ``each`` descriptors; a share of all is kept for what clients ``shared``.
    """
    wanted = int((asked * each + _RESERVE) / (1 - shared)) + 1
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    limit = descriptor_limit()
    if not limit or limit >= wanted:
        return asked
    room = max(1, int(limit * (1 - shared) - _RESERVE) // each)
    _log.warning("descriptors limit the clients", descriptors=limit, wanted=asked, clients=room)
    return min(asked, room)
