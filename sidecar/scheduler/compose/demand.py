"""What a service asks a node for: CPUs and memory, from the many keys that say so. Pure."""

from typing import NamedTuple

from sidecar.scheduler.compose.reader import Reader
from sidecar.scheduler.compose.values import cpus, size, whole
from sidecar.scheduler.model import NANO, Resources

__all__ = ["Demand", "demand_of"]


class Demand(NamedTuple):
    """What is to be free, and what classic Swarm looks at instead."""

    resources: Resources
    classic: Resources
    """``cpu_shares`` as whole CPUs, and the limit of memory; what is reserved where there is none.

    Classic Swarm knew no reservations of memory: whoever writes one wants it minded.
    """


def demand_of(service: Reader, deploy: Reader) -> Demand:
    """Return what is asked for: reservations first, then limits of the classic keys."""
    resources = deploy.below("resources")
    resources.only(("limits", "reservations"))
    reserved, limits = resources.below("reservations"), resources.below("limits")
    for each in (reserved, limits):
        each.only(("cpus", "memory", "pids", "devices", "generic_resources"))
        if "devices" in each or "generic_resources" in each:
            service.error(each.item, f"{each.where}: devices are not supported")
    quota, period = (
        service.value("cpu_quota", whole, 0),
        service.value("cpu_period", whole, 100_000),
    )
    cpu = (
        reserved.value("cpus", cpus, 0)
        or service.value("cpus", cpus, 0)
        or limits.value("cpus", cpus, 0)
        or quota * NANO // max(period, 1)
    )
    limit = service.value("mem_limit", size, 0) or limits.value("memory", size, 0)
    memory = reserved.value("memory", size, 0) or service.value("mem_reservation", size, 0) or limit
    shares = service.value("cpu_shares", whole, 0) * NANO
    return Demand(Resources(cpu, memory), Resources(shares, limit or memory))
