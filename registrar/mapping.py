"""One container -> its instances, and what was wrong with its labels. Pure.

Names, ids, tags and attributes are Registrator's for every plain container; where its behaviour
is a trap this module corrects it (see "limits" in the README). Nothing a container says can raise:
what is unsafe is mended or refused, each time with one Problem.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

from registrar.labels import Attributes, attributes_of, settings_of, split_tags
from registrar.names import (
    META_LIMIT,
    TAG_LIMIT,
    cleaned,
    cut,
    is_instance_id,
    is_service_name,
    meta_key,
)
from registrar.ports import Offer, Place, address_of, offers_of
from registrar.routes import routes_of
from sidecar.catalog.model import Check, Instance, InstanceId, Status, worst
from sidecar.catalog.ownership import RESERVED
from sidecar.engine.facts import Container, Port

__all__ = ["Mapped", "Problem", "instances_of"]

_TAGS: Final = 128
_PAIRS: Final = 64
_PROBLEMS: Final = 16
_NAME_READ: Final = 128
_RESERVED_KEYS: Final = ("pinnace-", "consul-")  # ours and Consul's own
_NOT_ATTRIBUTES: Final = frozenset({"name", "tags", "id", "ignore"})
_OFF: Final = frozenset({"false", "0", "no", "off"})
_IMAGE_ID: Final = re.compile(r"(?:sha256:)?[0-9a-f]{64}")
_NOT_NAME: Final = re.compile(r"[^A-Za-z0-9_.-]", re.ASCII)


class Problem(NamedTuple):
    """Something in a container's labels that could not be taken as it is."""

    container: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Mapped:
    """The instances of one container; ``custom`` holds ids that it chose itself."""

    instances: tuple[Instance, ...] = ()
    problems: tuple[Problem, ...] = ()
    custom: frozenset[InstanceId] = frozenset()


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
    problems: list[Problem] = field(default_factory=list)

    def result(self) -> Mapped:
        settings = settings_of(self.container)
        offers = offers_of(self.container, self.place.internal)
        # The suffix depends on what is offered before anything is ignored.
        grouped = len(offers) > 1
        wanted = {
            offer: attributes
            for offer in offers
            if not (attributes := attributes_of(settings, offer.port.number)).get("ignore")
        }
        routes = routes_of(self.container, [o.port for o in wanted], self.complain)
        found: dict[tuple[str, str], Instance] = {}
        custom: set[InstanceId] = set()
        for offer, attributes in wanted.items():
            instance = self.instance(offer, attributes, grouped, routes)
            if instance is None:
                continue
            key = (instance.service, instance.id)
            if key in found:
                self.complain(attributes.label("id"), "refused: two ports have this id")
                continue
            found[key] = instance
            if instance.id != self.derived_id(offer.port):
                custom.add(instance.id)
        return Mapped(tuple(found.values()), self.bounded_problems(), frozenset(custom))

    def instance(
        self,
        offer: Offer,
        attributes: Attributes,
        grouped: bool,
        routes: Mapping[Port, Mapping[str, str]],
    ) -> Instance | None:
        name = self.service_name(offer.port, attributes, grouped)
        if name is None:
            return None
        network = attributes.get("network")
        address = address_of(self.container, offer, self.place, self.peer, network)
        if address is None:
            self.complain("network", f"port {offer.port.number} has no address, not registered")
            return None
        id_ = self.instance_id(offer.port, attributes, grouped)
        checks = checks_of(self.container, attributes, id_)
        return Instance(
            id=id_,
            service=name,
            node=self.place.node,
            address=address,
            port=offer.binding.port if offer.binding is not None else offer.port.number,
            tags=self.tags(offer.port, attributes),
            meta=MappingProxyType(self.meta(attributes) | dict(routes.get(offer.port, {}))),
            checks=checks,
            status=worst(check.status for check in checks),
            owner=self.place.owner,
        )

    def service_name(self, port: Port, attributes: Attributes, grouped: bool) -> str | None:
        given = attributes.get("name")
        name, label = (given, attributes.label("name")) if given else (self.default_name(), "image")
        if grouped and not (given and "name" in attributes.specific):
            name = f"{name[:256]}-{port.number}"
        if name.lower() in RESERVED:
            self.complain(label, f"not registered: the name {name!r} is reserved")
        elif not is_service_name(name):
            self.complain(label, f"not registered: {_quoted(name)} is no safe service name")
        else:
            return name
        return None

    def default_name(self) -> str:
        """The image's last path element without tag or digest; an image id says nothing."""
        image = self.container.image
        if not _IMAGE_ID.fullmatch(image):
            name = image.rpartition("/")[2].partition("@")[0].partition(":")[0]
            if is_service_name(name):
                return name
        if is_service_name(self.container.name):
            return self.container.name
        return self.container.id[:12]

    def derived_id(self, port: Port) -> InstanceId:
        name = _NOT_NAME.sub("_", self.container.name)
        if not 0 < len(name) <= _NAME_READ:  # cut names could be the same
            name = self.container.id[:12]
        return InstanceId(f"{self.place.node}:{name}:{_numbered(port)}")

    def instance_id(self, port: Port, attributes: Attributes, grouped: bool) -> InstanceId:
        given = attributes.get("id")
        if not given:
            return self.derived_id(port)
        if grouped and "id" not in attributes.specific:
            given = f"{given[:256]}:{_numbered(port)}"
        if is_instance_id(given):
            return InstanceId(given)
        label = attributes.label("id")
        self.complain(label, f"usual id instead: {_quoted(given)} is no safe id")
        return self.derived_id(port)

    def tags(self, port: Port, attributes: Attributes) -> tuple[str, ...]:
        label = attributes.label("tags")
        given = split_tags(attributes.get("tags")) + split_tags(self.place.tags)
        if len(given) >= _TAGS:
            self.complain(label, f"only {_TAGS - 1} of {len(given)} tags kept")
        tags = tuple(self.safe(tag, TAG_LIMIT, label) for tag in given[: _TAGS - 1])
        udp = ("udp",) if port.protocol == "udp" else ()
        return tuple(tag for tag in tags if tag) + udp

    def meta(self, attributes: Attributes) -> dict[str, str]:
        """The attributes that are left, at most 64 less two for the load balancer's."""
        meta: dict[str, str] = {}
        for given, value in attributes.values.items():
            label = attributes.label(given)
            key = meta_key(given)
            if given in _NOT_ATTRIBUTES:
                continue
            if key.startswith(_RESERVED_KEYS):
                self.complain(label, "ignored: this prefix of meta keys is reserved")
            elif key in meta:
                self.complain(label, f"ignored: meta key {key!r} was given twice")
            elif len(meta) >= _PAIRS - 2:
                self.complain(label, f"ignored: over {_PAIRS - 2} meta pairs")
            else:
                if key != given:
                    self.complain(label, f"meta key changed to {key[:60]!r}")
                meta[key] = self.safe(value, META_LIMIT, label)
        return meta

    def safe(self, text: str, limit: int, label: str) -> str:
        short = cut(text, limit)
        if len(short) < len(text):
            self.complain(label, f"value cut to {limit} bytes")
        clean = cut(cleaned(short), limit)
        if clean != short:
            self.complain(label, "control characters dropped from the value")
        return clean

    def complain(self, label: str, text: str) -> None:
        problem = Problem(self.container.name or self.container.id[:12], cut(label, 100), text)
        if problem not in self.problems[-_PROBLEMS:]:
            self.problems.append(problem)

    def bounded_problems(self) -> tuple[Problem, ...]:
        distinct = tuple(dict.fromkeys(self.problems))
        if len(distinct) <= _PROBLEMS:
            return distinct
        more = distinct[0]._replace(label="*", text=f"{len(distinct) - _PROBLEMS} more problems")
        return (*distinct[:_PROBLEMS], more)


def checks_of(container: Container, attributes: Attributes, id_: InstanceId) -> tuple[Check, ...]:
    """Return what Docker knows: paused is critical, and so is a HEALTHCHECK that is not healthy."""
    if container.paused:
        says = "paused"
    elif container.health in ("", "none") or attributes.get("check_docker").lower() in _OFF:
        return ()
    else:
        says = container.health
    status = Status.PASSING if says == "healthy" else Status.CRITICAL
    output = cut(cleaned(says), TAG_LIMIT)
    return (Check(id=f"service:{id_}", name="Docker", status=status, output=output, type="docker"),)


def _numbered(port: Port) -> str:
    return f"{port.number}:udp" if port.protocol == "udp" else str(port.number)


def _quoted(text: str) -> str:
    return repr(cleaned(text[:60])) + ("..." if len(text) > 60 else "")
