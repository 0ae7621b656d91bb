"""What the scheduler sees, as metrics: nodes, slots, what has no place."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from sidecar.metrics import gauge
from sidecar.scheduler.cluster import Goal
from sidecar.scheduler.model import State
from sidecar.scheduler.rollout import Phase, rollout_of
from sidecar.scheduler.scene import Scene
from sidecar.scheduler.sight import Sight
from sidecar.scheduler.sizing import sized

__all__ = ["Gauges"]

_nodes = gauge("pinnace_scheduler_nodes", "nodes by state", ["state"])
_slots = gauge(
    "pinnace_scheduler_slots", "slots of each service: wanted, current, ready", ["service", "state"]
)
_refused = gauge("pinnace_scheduler_slots_refused", "slots that have no place")
_alarms = gauge("pinnace_scheduler_alarms", "what a person should look at now")
_rollouts = gauge("pinnace_scheduler_rollouts", "services by the phase of their rollout", ["phase"])
_EVERY: Final = 1.0


class Gauges:
    """Sets them, no more often than once a second: counting takes time where much runs."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._at = float("-inf")

    def take(self, goals: Iterable[Goal], scene: Scene) -> None:
        """Count what was seen."""
        _refused.set(len(scene.refusals))
        _alarms.set(len(scene.alarms))
        states = Counter(each.state for each in scene.cluster.nodes)
        for state in State:
            _nodes.labels(state.value).set(states[state])
        if scene.now - self._at < _EVERY:
            return
        self._at = scene.now
        phases: Counter[Phase] = Counter()
        known = set()
        sight = Sight(scene.cluster, scene.now)
        for goal in goals:
            found = rollout_of(
                sized(goal, scene.cluster), scene.cluster, scene.memory, scene.now, sight
            )
            phases[found.phase] += 1
            for word, number in (
                ("wanted", found.wanted), ("current", found.current), ("ready", found.ready),
            ):  # fmt: skip
                _slots.labels(goal.service, word).set(number)
                known.add((goal.service, word))
        for key in _slots.cells.keys() - known:
            del _slots.cells[key]
        for phase in Phase:
            _rollouts.labels(phase.value).set(phases[phase])
