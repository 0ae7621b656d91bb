"""One container -> its instances, and what was wrong with its labels. Pure.

Names, ids, tags and attributes are Registrator's for every plain container; where its behaviour
is a trap this module corrects it (see "limits" in the README), unless ``Place.compat`` asks for
the trap. Nothing a container says can raise: what is unsafe is mended or refused, each time with
one Problem.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from registrar.addresses import Reach, label_address, original_address, reach_of
from registrar.checks import Target, checks_of
from registrar.labels import Attributes, Setting, attributes_of, settings_of, truth
from registrar.mending import meta_of, tags_of
from registrar.names import cut, is_address
from registrar.naming import Naming
from registrar.overrides import (
    chosen_address,
    chosen_port,
    own_addresses,
    own_binding,
    portless_offer,
)
from registrar.ports import Offer, Place, offers_of
from registrar.problems import Complaints, Problem
from registrar.routes import routes_of, weight_of
from sidecar.catalog.model import Instance, InstanceId, Origin, worst
from sidecar.engine.facts import Container, Port

__all__ = ["Mapped", "Problem", "instances_of"]


@dataclass(frozen=True, slots=True)
class Mapped:
    """The instances of one container; ``custom`` holds ids that it chose itself.

    ``ignored`` says what it has that is no instance, in Registrator's words.
    """

    instances: tuple[Instance, ...] = ()
    problems: tuple[Problem, ...] = ()
    custom: frozenset[InstanceId] = frozenset()
    ignored: tuple[str, ...] = ()


def instances_of(container: Container, place: Place, peer: Container | None = None) -> Mapped:
    """Return what a container is registered as; nothing when it is not alive.

    ``peer`` is the container whose network it shares, needed only in that case.
    """
    return _Mapping(container, place, peer).result() if container.alive else Mapped()


@dataclass(slots=True)
class _Mapping:
    """The mapping of one container: gathers instances and problems."""

    container: Container
    place: Place
    peer: Container | None
    complain: Complaints = field(init=False)
    settings: tuple[Setting, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.complain = Complaints(self.container)
        self.settings = settings_of(self.container)

    def result(self) -> Mapped:
        offers = offers_of(self.container, self.place, self.is_internal) or self.portless()
        # The suffix depends on what is offered before anything is ignored.
        naming = Naming(self.container, self.place, len(offers) > 1, self.complain)
        wanted = {
            offer: attributes
            for offer in offers
            if not (attributes := self.attributes(offer.port)).get("ignore")
        }
        found: dict[tuple[str, str], Instance] = {}
        custom: set[InstanceId] = set()
        routes = self.routes(wanted)
        for offer, attributes in wanted.items():
            names = naming.names(offer.port, attributes)
            for instance in self.instances(offer, attributes, naming, names, routes):
                key = (instance.service, instance.id)
                if key in found and not self.place.compat:
                    label = attributes.label("id")
                    self.complain(label, "refused: two ports have this id")
                    continue
                found[key] = instance
                if instance.id != naming.derived_id(offer.port):
                    custom.add(instance.id)
        ignored = tuple(self.ignored(offers, found.values()))
        return Mapped(tuple(found.values()), self.complain.bounded(), frozenset(custom), ignored)

    def ignored(self, offers: Collection[Offer], found: Collection[Instance]) -> Iterator[str]:
        listed = sorted({*self.container.exposed, *self.container.bindings})
        if not listed and not offers:
            yield "no published ports"
        offered = {offer.port for offer in offers}
        registered = {instance.origin[2:] for instance in found if instance.origin is not None}
        for port in listed:
            if port not in offered:
                yield f"port {port.number} not published on host"
            elif port not in registered:
                yield f"service on port {port.number}"

    def attributes(self, port: Port) -> Attributes:
        return attributes_of(self.settings, port, compat=self.place.compat)

    def is_internal(self, port: Port) -> bool | None:
        return truth(self.attributes(port).get("internal"))

    def portless(self) -> tuple[Offer, ...]:
        """Return what a container offers that lists no port and yet names one of its own."""
        if self.place.compat:
            return ()
        offer = portless_offer(self.container, self.place, self.settings)
        return () if offer is None else (offer,)

    def routes(self, wanted: Mapping[Offer, Attributes]) -> Mapping[Port, Mapping[str, str]]:
        if not self.place.is_ours:
            return {}
        return routes_of(self.container, [offer.port for offer in wanted], self.complain)

    def weight(self, attributes: Attributes) -> int:
        if not self.place.is_ours:
            return 1
        given = attributes.get("weight")
        return weight_of(self.container, given, attributes.label("weight"), self.complain)

    def instances(
        self,
        offer: Offer,
        attributes: Attributes,
        naming: Naming,
        names: tuple[str, ...],
        routes: Mapping[Port, Mapping[str, str]],
    ) -> Iterator[Instance]:
        if not names:
            return
        reach, port = self.located(offer, attributes)
        if reach is None:
            self.complain("network", f"port {offer.port.number} has no address, not registered")
            return
        tags = tags_of(self.container, offer.port, attributes, self.place, self.complain)
        meta = meta_of(attributes, self.place, self.complain)
        for name, id_ in zip(names, naming.ids(offer.port, attributes, names), strict=True):
            target = Target(self.container, offer.port, name, id_, reach.address, port)
            checks = checks_of(target, attributes, self.place, self.complain)
            yield Instance(
                id=id_,
                service=name,
                node=self.place.node,
                address=reach.address,
                port=port,
                tags=tags,
                meta=MappingProxyType(meta | dict(routes.get(offer.port, {}))),
                checks=checks,
                weight=self.weight(attributes),
                status=worst(check.status for check in checks),
                owner=self.place.owner,
                tagged=_tagged(reach, port),
                origin=Origin(
                    self.container.id,
                    cut(self.container.hostname, 255),
                    offer.port.number,
                    offer.port.protocol,
                ),
            )

    def located(self, offer: Offer, attributes: Attributes) -> tuple[Reach | None, int]:
        """Return where an offer is reached, as it is or as the labels choose."""
        if self.place.compat:
            address = original_address(self.container, offer, self.place, self.peer)
            return Reach(address), offer.number
        offer = own_binding(self.container, offer, attributes)
        port = chosen_port(offer, attributes, self.place, self.complain)
        chosen = self.chosen(offer, port, attributes)
        if chosen is not None:
            return Reach(chosen), port
        network = attributes.get("network")
        return reach_of(self.container, offer, self.place, self.peer, network), port

    def chosen(self, offer: Offer, port: int, attributes: Attributes) -> str | None:
        """Return the address of a label, the operator's before the container's own."""
        labelled = label_address(self.container, self.place)
        if labelled is not None:
            if is_address(labelled):
                return labelled
            self.complain(self.place.ip_label, "usual address instead: this is no address")
        own = own_addresses(self.container, offer)
        return chosen_address(own, port, attributes, self.place, self.complain)


def _tagged(reach: Reach, port: int) -> Mapping[str, tuple[str, int]]:
    """Return the addresses by family, when there are two (Consul's names)."""
    if not reach.second:
        return {}
    four, six = sorted((reach.address, reach.second), key=lambda address: ":" in address)
    return MappingProxyType(
        {f"{kind}_ipv{v}": (a, port) for kind in ("lan", "wan") for v, a in ((4, four), (6, six))}
    )
