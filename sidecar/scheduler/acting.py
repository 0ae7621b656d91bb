"""Do what was planned: one action at a time, each of which may be asked for twice.

Between a plan and its action the world may have moved on, so what an action assumes is looked at
again right before: that we lead, that the container is there and the same. What turns out to be
done already is no error. An action may be cancelled anywhere; what is half done then is seen as it
is at the next look, and goes on from there.
"""

import secrets
from collections.abc import Mapping
from contextlib import aclosing

from sidecar.errors import ApiError, EngineConflict, EngineRefused, PinnaceError
from sidecar.runtime.log import get_logger
from sidecar.scheduler import labels as names
from sidecar.scheduler.actions import (
    Action,
    Create,
    Deregister,
    Drain,
    Fence,
    Remove,
    Start,
    Stop,
    Unfence,
    Weigh,
)
from sidecar.scheduler.adopting import ADOPTED
from sidecar.scheduler.cluster import Copy, Stage
from sidecar.scheduler.creating import (
    Lacking,
    Mark,
    archive_of,
    body_of,
    endpoint_of,
    exec_of,
    name_of,
)
from sidecar.scheduler.desk import Desk, Election
from sidecar.scheduler.explaining import why_of
from sidecar.scheduler.fencer import Fencer
from sidecar.scheduler.nodes.link import Link
from sidecar.scheduler.nodes.reading import Seen
from sidecar.scheduler.pulling import have_image
from sidecar.scheduler.recipe import Hook, Joined, Recipe
from sidecar.scheduler.resting import Resting, registered_of
from sidecar.scheduler.traffic import Traffic

__all__ = ["Actor", "NotLeading"]

_log = get_logger("scheduler")


class NotLeading(PinnaceError):
    """Another scheduler leads, or may lead in a moment."""


class Actor:
    """Carries out actions on nodes."""

    def __init__(
        self,
        links: Mapping[str, Link],
        desk: Desk,
        election: Election,
        traffic: Traffic,
        fencer: Fencer,
    ) -> None:
        """All are kept by who made them."""
        self._links = links
        self._desk = desk
        self._election = election
        self._traffic = traffic
        self._fencer = fencer
        self.resting = Resting(traffic)
        self.drained: set[str] = set()
        """Ids of containers that have finished what they had."""

    async def do(self, action: Action) -> None:
        """Do it. Raises PinnaceError, Lacking."""
        match action:
            case Create():
                await self._create(action)
            case Start(service=service, copy=copy):
                await self._start(service, copy)
            case Drain(service=service, copy=copy):
                await self._drain(service, copy)
            case Stop(service=service, copy=copy):
                await self._stop(service, copy)
            case Remove(copy=copy):
                await self._remove(copy)
            case Deregister(copy=copy):
                self._traffic.withdraw(copy.node, copy.id)
            case Weigh(copy=copy, share=share):
                self._traffic.weigh(copy.node, copy.id, share)
            case Unfence(node=node, fencing=fencing):
                await self._fencer.unfence(node, fencing, self.lead())
            case Fence(node=node, fencing=fencing):
                await self._fencer.fence(node, fencing, self.lead())

    def lead(self) -> int:
        """Return our epoch. Raises NotLeading."""
        epoch = self._election.epoch
        if epoch is None:
            raise NotLeading("another scheduler leads")
        return epoch

    async def _same(self, copy: Copy, *stages: Stage) -> tuple[Link, Seen] | None:
        """Return the container as it is now, None when it is not what it was."""
        link = self._links[copy.node]
        seen = await link.refresh(copy.id)
        self.lead()
        if seen is None or (seen.copy is None) is not (copy.spec == ADOPTED):
            return None
        if seen.copy is not None and seen.copy.incarnation != copy.incarnation:
            return None
        return (link, seen) if seen.stage in stages else None

    # Begin

    async def _create(self, action: Create) -> None:
        link = self._links[action.placement.node]
        recipe = self._recipe(action.service, action.spec)
        await self._prepare(link, recipe)
        epoch = self.lead()
        if self._is_there(link, action):
            return
        view = link.view()
        name = name_of(action, recipe, view)
        request = action.placement.request
        mark = Mark(
            stack=request.stack,
            service=request.service,
            slot=action.slot,
            spec=action.spec,
            incarnation=action.incarnation,
            nonce=secrets.token_hex(4),
            rev=self._rev(action),
            epoch=epoch,
            previous=self._previous(action),
            why=why_of(action.placement, link.wall()),
        )
        body = body_of(recipe, mark, request.resources, view, is_only=len(self._links) == 1)
        try:
            id_ = await link.operations.create(name, body, platform=recipe.build.platform)
        except EngineConflict:
            link.look_soon()  # it is there already; or the name is somebody else's
            raise
        seen = await link.refresh(id_)
        if seen is not None:
            if recipe.care.role == names.POD:  # nobody is in it yet who could serve
                self._traffic.relabel(link.name, id_, names.hidden(seen.view.labels))
            await self._begin(link, id_, recipe)

    def _is_there(self, link: Link, action: Create) -> bool:
        return any(
            (service, copy.slot, copy.incarnation)
            == (action.service, action.slot, action.incarnation)
            for service, copy in link.copies()
        )

    def _recipe(self, service: str, spec: str) -> Recipe:
        recipe = self._desk.recipe(service, spec)
        if recipe is None:
            raise Lacking(f"nobody knows how {service} is made by spec {spec}")
        return recipe

    def _labels(self, service: str) -> list[Mapping[str, str]]:
        return [
            labels
            for link in self._links.values()
            for key, labels in link.labels()
            if key == service
        ]

    def _rev(self, action: Create) -> int:
        """Return the revision's number: that of containers of the same spec, or the next."""
        found = self._labels(action.service)
        same = [each for each in found if each.get(names.SPEC) == action.spec]
        if same:
            return max(names.number(each, names.REV) for each in same)
        return max((names.number(each, names.REV) for each in found), default=0) + 1

    def _previous(self, action: Create) -> Recipe | None:
        """Return how the revision before this one is made, if that is known."""
        found = self._labels(action.service)
        others = [each for each in found if each.get(names.SPEC) != action.spec]
        newest = max(others, key=lambda each: names.number(each, names.REV), default=None)
        if newest is None:
            return None
        return self._desk.recipe(action.service, newest.get(names.SPEC, ""))

    async def _prepare(self, link: Link, recipe: Recipe) -> None:
        """Get the image if it is missing, make networks and volumes that are missing."""
        await have_image(link, recipe)
        ask = link.operations
        there = await ask.networks() if recipe.care.networks else frozenset()
        for network in recipe.care.networks:
            if network.is_external and network.name not in there:
                raise EngineRefused(f"the network {network.name} is not on {link.name}")
            if network.name not in there:
                self.lead()
                await ask.make_network(network.name, network.settings)
        for volume in recipe.care.volumes:
            if not await ask.has_volume(volume.name):
                if volume.is_external:
                    raise EngineRefused(f"the volume {volume.name} is not on {link.name}")
                self.lead()
                await ask.make_volume(volume.name, volume.settings)

    async def _start(self, service: str, copy: Copy) -> None:
        found = await self._same(copy, Stage.CREATED)
        if found is not None:
            await self._begin(found[0], copy.id, self._desk.recipe(service, copy.spec))

    async def _begin(self, link: Link, id_: str, recipe: Recipe | None) -> None:
        """Bring a container that was made to run; what was done of that already does no harm."""
        try:
            if recipe is not None:
                archive = archive_of(recipe)
                if archive:
                    await link.operations.put(id_, archive)
                await self._join(link, id_, recipe.build.networks[1:])
            self.lead()
            await link.operations.start(id_)
            for hook in recipe.care.post_start if recipe is not None else ():
                await self._run(link, id_, hook)
        finally:
            link.look_soon(id_)
        await link.refresh(id_)

    async def _join(self, link: Link, id_: str, networks: tuple[Joined, ...]) -> None:
        if not networks:
            return
        document = await link.operations.inspect(id_) or {}
        there = (document.get("NetworkSettings") or {}).get("Networks") or {}
        for joined in networks:
            if joined.name not in there:
                await link.operations.connect(joined.name, id_, endpoint_of(joined))

    async def _run(self, link: Link, id_: str, hook: Hook) -> None:
        status = await link.operations.run(id_, exec_of(hook))
        if status:
            words = " ".join(hook.command)
            _log.warning("hook failed", node=link.name, command=words, status=status)

    # End

    async def _drain(self, service: str, copy: Copy) -> None:
        found = await self._same(copy, Stage.RUNNING)
        drains = self._traffic.drains(copy.node)
        if found is not None and drains is not None:
            recipe = self._desk.recipe(service, copy.spec)
            limit = recipe.care.drain if recipe is not None else None
            try:
                steps = drains.drain(registered_of(copy), timeout=limit, stop=False)
                async with aclosing(steps):
                    async for _ in steps:
                        pass
            except ApiError as error:  # it ended meanwhile, or somebody else drains it
                _log.info("not drained", container=copy.name, reason=error)
            self.resting.note(copy)
        self.drained.add(copy.id)

    async def _stop(self, service: str, copy: Copy) -> None:
        found = await self._same(copy, Stage.RUNNING, Stage.CREATED)
        if found is None:
            return
        link, seen = found
        if seen.stage is Stage.CREATED:
            await link.operations.remove(copy.id)
            await link.refresh(copy.id)
            return
        recipe = self._desk.recipe(service, copy.spec)
        for hook in recipe.care.pre_stop if recipe is not None else ():
            await self._run(link, copy.id, hook)
        self.lead()
        await link.operations.stop(copy.id)
        await link.refresh(copy.id)

    async def _remove(self, copy: Copy) -> None:
        found = await self._same(copy, Stage.EXITED, Stage.CREATED)
        if found is None:
            return
        await found[0].operations.remove(copy.id)
        await found[0].refresh(copy.id)
        self.drained.discard(copy.id)
