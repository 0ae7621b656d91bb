"""What people may ask of the scheduler: each order is checked, written as keys, and noted."""

import asyncio
from collections.abc import Callable, Iterable

from sidecar.errors import ApiError
from sidecar.scheduler.bundle import Bundle, stack_in
from sidecar.scheduler.compose.document import Problems
from sidecar.scheduler.control import Control
from sidecar.scheduler.model import Availability
from sidecar.scheduler.recipe import key_of, spec_of
from sidecar.scheduler.spec import Mode, ServiceSpec
from sidecar.scheduler.wanted import Change, Stack, deploy, move, say

__all__ = ["Orders"]


class Orders:
    """Orders to one control."""

    def __init__(self, control: Control, wall: Callable[[], float]) -> None:
        """``wall`` tells the time of day."""
        self._control = control
        self._wall = wall

    async def deploy(self, name: str, bundle: Bundle | None, *, source: str = "") -> int:
        """Put a stack in force; None takes it down. Returns its revision. Raises ApiError."""
        if bundle is not None:
            problems = Problems()
            spec = await asyncio.to_thread(stack_in, bundle, problems)
            if problems.errors:
                raise ApiError(400, "\n".join(map(str, problems.errors)))
            if not spec.services:
                raise ApiError(400, f"{name} has no services")
        elif (
            name not in self._control.stacks
            or self._control.stacks[name].stack.newest.bundle is None
        ):
            raise ApiError(404, self._no_stack(name))
        at = self._wall()
        await self._control.order(name, lambda stack: deploy(stack, bundle, at=at, source=source))
        number = self._control.stacks[name].stack.newest.number
        kind = "deployed" if bundle is not None else "taken down"
        self._note(kind, stack=name, revision=number, source=source or "api")
        return number

    async def scale(self, stack: str, service: str, replicas: int | None, *, by: str) -> None:
        """Have so many replicas from now on; None: as many as the stack says. Raises ApiError."""
        found = self._service(stack, service)
        if found.mode is Mode.GLOBAL:
            raise ApiError(400, f"{service} is global: it has one container on each node")
        await self._control.order(stack, lambda known: say(known, service, replicas=replicas))
        number = found.replicas if replicas is None else replicas
        self._note("scaled", stack=stack, service=key_of(stack, service), replicas=number, by=by)

    async def pause(self, stack: str, service: str) -> None:
        """Begin no update of another slot. Raises ApiError."""
        self._service(stack, service)
        await self._control.order(stack, lambda known: say(known, service, is_paused=True))
        self._note("paused", stack=stack, service=key_of(stack, service))

    async def resume(self, stack: str, service: str) -> None:
        """Go on with a rollout that was paused, or that failed. Raises ApiError."""
        self._service(stack, service)

        def go_on(known: Stack) -> Change:
            attempt = known.override(service).attempt + 1
            return say(known, service, is_paused=False, stopped="", attempt=attempt)

        await self._control.order(stack, go_on)
        self._note("resumed", stack=stack, service=key_of(stack, service))

    async def rollback(self, stack: str, service: str) -> int:
        """Go back to what a service's containers were before. Returns the revision, or -1.

        Raises ApiError.
        """
        self._service(stack, service)
        number = self._control.before(stack, service)
        if number is None:
            raise ApiError(409, f"{service} has no earlier spec that is kept")

        def back(known: Stack) -> Change:
            attempt = known.override(service).attempt + 1
            return say(
                known, service, pinned=number, is_paused=False, stopped="", attempt=attempt,
                promoted="", trial=None,
            )  # fmt: skip

        await self._control.order(stack, back)
        self._note("rolled back", stack=stack, service=key_of(stack, service), revision=number)
        return number

    async def promote(self, stack: str, service: str) -> None:
        """Find the canary of a service good. Raises ApiError."""
        found = self._service(stack, service)
        if found.conduct.canary is None:
            raise ApiError(409, f"{service} has no canary: x-pinnace.canary says how one is tried")
        spec = spec_of(found.recipe)
        await self._control.order(stack, lambda known: say(known, service, promoted=spec))
        self._note("promoted", stack=stack, service=key_of(stack, service), spec=spec)

    async def move(self, node: str, availability: Availability) -> None:
        """Empty a node, leave it as it is, or use it again. Raises ApiError."""
        known = {each.name for each in self._control.scene.cluster.nodes}
        if node not in known:
            raise ApiError(404, f"there is no node {node!r}; {_known(known)}")
        await self._control.write(move(node, availability))
        self._note("node", node=node, availability=availability.value)

    def _note(self, kind: str, **fields: object) -> None:
        self._control.journal.note(kind, **fields)

    def _service(self, stack: str, service: str) -> ServiceSpec:
        told = self._control.stacks.get(stack)
        if told is None:
            raise ApiError(404, self._no_stack(stack))
        found = told.now(service)
        if found is None:
            known = _known(each.name for each in told.newest.services)
            raise ApiError(404, f"{stack} has no service {service!r}; {known}")
        return found

    def _no_stack(self, name: str) -> str:
        known = [
            each
            for each, told in self._control.stacks.items()
            if told.stack.newest.bundle is not None
        ]
        return f"there is no stack {name!r}; {_known(known)}"


def _known(names: Iterable[str]) -> str:
    found = sorted(names)
    return f"known are {', '.join(found)}" if found else "there is none"
