"""What the API answers: documents of all stacks and nodes, and why something is where it is."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from sidecar.errors import ApiError
from sidecar.scheduler.bundle import Bundle, stack_in
from sidecar.scheduler.cluster import Copy, Stage
from sidecar.scheduler.compose.document import Problems
from sidecar.scheduler.control import Control
from sidecar.scheduler.explaining import lines_of, told_why
from sidecar.scheduler.foreseeing import foreseen
from sidecar.scheduler.goals import Told
from sidecar.scheduler.journal import Entry
from sidecar.scheduler.labels import WHY
from sidecar.scheduler.model import Policy
from sidecar.scheduler.scene import Scene
from sidecar.scheduler.views import node_view, stack_view

__all__ = ["Teller", "document_of"]


class Teller:
    """Answers from one control; ``leads`` says whether this scheduler acts."""

    def __init__(
        self, control: Control, leads: Callable[[], bool], policy: Policy | None = None
    ) -> None:
        """Ask ``control``; ``policy`` is the one that containers are placed by."""
        self._control = control
        self._leads = leads
        self._policy = policy or Policy()

    def state(self) -> dict[str, Any]:
        """Return how the scheduler itself is."""
        scene = self._control.scene
        return {"leads": self._leads(), "looks": scene.looks, "alarms": list(scene.alarms)}

    def stacks(self) -> dict[str, Any]:
        """Return all stacks with their services."""
        scene = self._control.scene
        goals = self._control.goals(scene.cluster)
        errors = self._control.journal.errors()
        found = [stack_view(told, goals, scene, errors) for _, told in self._items() if told.is_up]
        return {"scheduler": self.state(), "stacks": found}

    def _items(self) -> list[tuple[str, Told]]:
        return sorted(self._control.stacks.items())

    def stack(self, name: str) -> dict[str, Any]:
        """Return one stack. Raises ApiError."""
        told = self._control.stacks.get(name)
        if told is None:
            known = ", ".join(each for each, found in self._items() if found.is_up) or "none"
            raise ApiError(404, f"there is no stack {name!r}; known are {known}")
        scene = self._control.scene
        goals = self._control.goals(scene.cluster)
        return stack_view(told, goals, scene, self._control.journal.errors())

    async def plan(self, name: str, bundle: Bundle) -> dict[str, Any]:
        """Return what a stack would change if it were put in force. Raises ApiError."""
        scene = self._control.scene
        if not scene.looks:
            raise ApiError(503, "the nodes have not been looked at yet")
        problems = Problems()
        spec = await asyncio.to_thread(stack_in, bundle, problems)
        if problems.errors:
            raise ApiError(400, "\n".join(map(str, problems.errors)))
        goals = self._control.goals_with(name, bundle, spec)
        return foreseen(name, goals, scene.cluster, self._policy)

    def nodes(self) -> dict[str, Any]:
        """Return all nodes."""
        scene = self._control.scene
        views = sorted(scene.cluster.nodes, key=lambda each: each.name)
        found = [node_view(each, scene.cluster.since, scene.now) for each in views]
        for each in found:
            each["availability"] = self._control.availability(each["name"]).value
        return {"scheduler": self.state(), "nodes": found}

    def why(self, target: str) -> dict[str, Any]:
        """Return why a slot, a service's slots or a container are where they are, or nowhere.

        Raises ApiError.
        """
        slots = self._slots(target)
        if not slots:
            raise ApiError(404, f"there is no container, service or slot {target!r}")
        return {"target": target, "slots": [self._why(*each) for each in sorted(slots)]}

    def _slots(self, target: str) -> set[tuple[str, str]]:
        scene = self._control.scene
        found = {
            (service, copy.slot)
            for service, copies in scene.cluster.copies.items()
            for copy in copies
            if target == copy.name or (len(target) >= 4 and copy.id.startswith(target))
        }
        if found:
            return found
        known = {
            (service, copy.slot)
            for service, copies in scene.cluster.copies.items()
            for copy in copies
        } | {(service, refusal.request.slot) for service, refusal in scene.refusals}
        return {(service, slot) for service, slot in known if target in _names_of(service, slot)}

    def _labelled(self, service: str, slot: str) -> dict[str, Any] | None:
        """Return what the newest container of a slot says itself: it was placed before we began."""
        scene = self._control.scene
        copy = _copy_of(scene, service, slot)
        if copy is None:
            return None
        views = [view for node in scene.cluster.nodes for view in node.containers]
        labels = next((view.labels for view in views if view.id == copy.id), {})
        told = told_why(labels.get(WHY, ""))
        if not told:
            return None
        about = {"service": service, "slot": slot, "node": copy.node, "spec": copy.spec}
        more = {"incarnation": copy.incarnation, **told}
        return {"number": 0, "at": told["at"], "kind": "placed", **about, **more}

    def _why(self, service: str, slot: str) -> dict[str, Any]:
        scene, journal = self._control.scene, self._control.journal
        decided = journal.of_slot(service, slot)
        refusal = next(
            (
                each
                for name, each in scene.refusals
                if name == service and each.request.slot == slot
            ),
            None,
        )
        _, entries = journal.since(0)
        return {
            "service": service,
            "slot": slot,
            "containers": [
                {"name": copy.name, "node": copy.node, "state": copy.stage.value}
                for copy in scene.cluster.copies.get(service, ())
                if copy.slot == slot
            ],
            "decided": document_of(decided) if decided else self._labelled(service, slot),
            "refused": None
            if refusal is None
            else {"reasons": lines_of(refusal), "relaxation": refusal.relaxation},
            "events": [
                document_of(each) for each in entries if _is_about(each.fields, service, slot)
            ][-20:],
        }


def _copy_of(scene: Scene, service: str, slot: str) -> Copy | None:
    found = [
        each for each in scene.cluster.copies.get(service, ()) if each.slot == slot and each.id
    ]
    return max(found, key=lambda each: (each.stage is not Stage.EXITED, each.age), default=None)


def _names_of(service: str, slot: str) -> set[str]:
    _, _, name = service.partition("/")
    return {
        service, name, f"{service}/{slot}", f"{name}/{slot}", f"{service}.{slot}", f"{name}.{slot}",
    }  # fmt: skip


def _is_about(fields: Mapping[str, object], service: str, slot: str) -> bool:
    if (fields.get("service"), str(fields.get("slot"))) == (service, slot):
        return True
    return f"/{service}/{slot}/" in str(fields.get("action", ""))


def document_of(entry: Entry) -> dict[str, Any]:
    """Return an entry of the journal."""
    return {"number": entry.number, "at": entry.at, "kind": entry.kind, **entry.fields}
