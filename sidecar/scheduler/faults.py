"""What goes wrong in a simulation, and when: a document of faults. Pure.

A list of ``{at, do, on}``: seconds, what, and to which node or slot (``web/2``).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sidecar.errors import ConfigError
from sidecar.scheduler.cluster import Stage
from sidecar.scheduler.model import State
from sidecar.scheduler.simulation import Simulation

__all__ = ["Fault", "befall", "faults_of"]

_NODES: Final = ("down", "up", "suspect", "off", "drain")
_COPIES: Final = ("crash", "sicken")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault."""

    at: float
    do: str
    on: str


def faults_of(text: str, source: str, nodes: Iterable[str]) -> list[Fault]:
    """Return the faults of a document, by time. Raises ConfigError with all mistakes."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ConfigError([f"{source}: {error}"]) from None
    except RecursionError:
        raise ConfigError([f"{source}: nested too deeply"]) from None
    if not isinstance(found, list):
        raise ConfigError([f"{source}: must be a list"])
    known, problems, faults = {*nodes}, [], []
    for number, each in enumerate(found):
        try:
            faults.append(_fault(each, known))
        except ValueError as error:
            problems.append(f"{source}: [{number}]: {error}")
    if problems:
        raise ConfigError(problems)
    return sorted(faults, key=lambda each: each.at)


def _fault(value: Any, nodes: set[str]) -> Fault:
    if not isinstance(value, dict) or value.keys() != {"at", "do", "on"}:
        raise ValueError("must be an object with at, do and on")
    at, do, on = value["at"], value["do"], value["on"]
    if isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at < 1e7:
        raise ValueError("at must be seconds from 0 on")
    if do not in (*_NODES, *_COPIES):
        raise ValueError(f"do must be one of {', '.join((*_NODES, *_COPIES))}")
    if not isinstance(on, str) or (do in _COPIES and "/" not in on):
        raise ValueError("on must be a node's name, or SERVICE/SLOT")
    if do in _NODES and on not in nodes:
        raise ValueError(f"there is no node {on!r}")
    return Fault(float(at), do, on)


def befall(world: Simulation, fault: Fault, stack: str) -> None:
    """Let it happen."""
    if fault.do in _COPIES:
        service, _, slot = fault.on.rpartition("/")
        for copy in world.copies.get(f"{stack}/{service}", ()):
            if copy.slot == slot and copy.stage is Stage.RUNNING:
                (world.crash if fault.do == "crash" else world.sicken)(copy.name)
    elif fault.do == "off":
        world.power_off(fault.on)
    elif fault.do == "drain":
        world.drain_node(fault.on)
    else:
        world.set_node(fault.on, State(fault.do))
