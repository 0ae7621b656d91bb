"""A service with sidecars becomes several services that share a network. Pure: items in and out.

    web: {image: nginx, ports: ["80:80"], x-pinnace: {sidecars: [git-sync: {...}]}}

becomes ``web-pod`` (it only sleeps; network, names, ports and shared folders are its own, so that
every other container can be replaced without the rest), ``web-git-sync`` and ``web``. All are
placed where their slot of ``web-pod`` is. Sidecars are ready before ``web`` starts and stop after
it, the pod last.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from sidecar.scheduler.compose.document import Item, Place, Problems
from sidecar.scheduler.compose.merging import merged
from sidecar.scheduler.compose.reader import Reader
from sidecar.scheduler.conduct import Conduct, Order
from sidecar.scheduler.model import Resources
from sidecar.scheduler.spec import ServiceSpec

__all__ = ["KINDS", "Pods", "expanded"]

IMAGE: Final = "pinnace:latest"
OWNER: Final = "pod"
_SHARED: Final = "/pod"
_READY: Final = "127.0.0.1:9100"

_OF_OWNER: Final = (
    "ports", "expose", "networks", "network_mode", "hostname", "domainname", "mac_address", "dns",
    "dns_opt", "dns_search", "extra_hosts", "links", "external_links", "sysctls", "platform",
)  # fmt: skip
"""What belongs to the network, and so to the pod's first container."""
_OF_ALL: Final = ("scale", "profiles", "platform")
_PLACING: Final = ("strategy", "soft", "reschedule", "fencing")
_NO_POD: Final = ("service:", "container:", "none")
_SEEN: Final = ("SERVICE_", "VIRTUAL_", "constraint:", "affinity:", "whitelist:", "reschedule:")
"""Variables that others than the program itself read, of the container that has the ports."""

KINDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "git-sync": {
        "image": "pinnace-git-sync:latest",
        "environment": {
            "GITSYNC_HTTP_BIND": _READY,
            "GITSYNC_MAX_FAILURES": "-1",
        },
        "healthcheck": {
            "test": ["CMD", "pinnace", "healthcheck", "--http", _READY],
            "interval": "2s", "timeout": "5s", "start_period": "60s",
        },
    },
    "registrar": {"command": ["registrar"], "volumes": ["/var/run/docker.sock:/tmp/docker.sock"]},
    "templater": {"command": ["templater"]},
    "exporter:jmx": {"command": ["adapter", "jmx"]},
    "exporter:http": {"command": ["adapter", "http"]},
    "exporter:statsd": {"command": ["adapter", "statsd"]},
    "ambassador:redis": {"command": ["ambassador", "redis"]},
    "ambassador:tcp": {"command": ["ambassador", "tcp"]},
}  # fmt: skip
"""What each kind runs; whoever asks for one may change every key, and add ``args``."""


@dataclass(frozen=True, slots=True)
class Pods:
    """Which services are together: each member's pod, by name, and its role."""

    owners: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)

    def settled(self, services: Iterable[ServiceSpec]) -> list[ServiceSpec]:
        """Return services with what they have together: room and volumes are asked for once."""
        known = list(services)
        together: dict[str, list[ServiceSpec]] = {}
        for each in known:
            if each.name in self.owners:
                together.setdefault(self.owners[each.name], []).append(each)
        return [self._settled(each, together) for each in known]

    def _settled(
        self, service: ServiceSpec, together: Mapping[str, list[ServiceSpec]]
    ) -> ServiceSpec:
        if service.name not in self.owners:
            return service
        owner = self.owners[service.name]
        service = replace(
            _with_role(service, self.roles[service.name]),
            scaled_as=owner.removesuffix(f"-{OWNER}"),
            conduct=_one_by_one(service.conduct),
        )
        if owner != service.name:
            needs = tuple(
                replace(each, is_same_slot=self.owners.get(each.service) == owner)
                for each in service.depends_on
            )
            return replace(service, resources=Resources(), volumes=(), depends_on=needs)
        members = together[service.name]
        return replace(
            service,
            resources=Resources(
                sum(each.resources.cpu for each in members),
                sum(each.resources.memory for each in members),
            ),
            volumes=tuple(dict.fromkeys(name for each in members for name in each.volumes)),
        )


def _one_by_one(conduct: Conduct) -> Conduct:
    """Return a conduct by which two copies of a slot never run: they would share the ports."""
    first = Order.STOP_FIRST
    update, rollback = replace(conduct.update, order=first), replace(conduct.rollback, order=first)
    return replace(conduct, update=update, rollback=rollback)


def _with_role(service: ServiceSpec, role: str) -> ServiceSpec:
    recipe = service.recipe
    care = msgspec.structs.replace(recipe.care, role=role)
    return replace(service, recipe=msgspec.structs.replace(recipe, care=care))


def expanded(services: Mapping[str, Item], problems: Problems) -> tuple[dict[str, Item], Pods]:
    """Return services with those that sidecars make of them; what is wrong is noted."""
    found: dict[str, Item] = {}
    owners: dict[str, str] = {}
    roles: dict[str, str] = {}
    for name, item in services.items():
        own = Reader(item, f"services.{name}", problems).below("x-pinnace")
        if not own.items("sidecars"):
            found[name] = item
            continue
        pod = _Pod(name, item, own, problems)
        for made, entry, role in pod.services():
            if made != name and made in services:
                place = own.item.place_of("sidecars")
                problems.error(place, f"{own.where}.sidecars: there is a service {made!r} already")
            found[made], owners[made], roles[made] = entry, pod.owner, role
    return found, Pods(owners, roles)


class _Pod:
    """One service and its sidecars."""

    def __init__(self, name: str, item: Item, own: Reader, problems: Problems) -> None:
        self.owner = f"{name}-{OWNER}"
        self._name = name
        self._item = item
        self._own = own
        self._problems = problems
        self._place = own.item.place_of("sidecars")
        shared = [each.text for each in own.texts("shared")]
        self._shared = shared or [_SHARED]

    def services(self) -> Iterator[tuple[str, Item, str]]:
        """Yield name, item and role of each, in the order in which they start."""
        mode = self._item.map.get("network_mode", Item("")).text
        if mode.startswith(_NO_POD) or "container_name" in self._item.map:
            text = f"{self._own.where}.sidecars need a network and a name of their own"
            self._problems.error(self._place, text)
        yield self.owner, self._owner(), "pod"
        sidecars: dict[str, Item] = {}
        for entry in self._own.items("sidecars"):
            kind, changes = self._asked(entry)
            made = f"{self._name}-{kind.replace(':', '-')}"
            if made in sidecars:
                self._problems.error(entry.place, f"{self._own.where}: {kind} is there twice")
            sidecars[made] = self._sidecar(kind, changes, entry.place)
            yield made, sidecars[made], f"sidecar:{kind}"
        yield self._name, self._main(sidecars), "main"

    def _asked(self, entry: Item) -> tuple[str, Item]:
        """Return the kind of ``KIND`` or ``{KIND: {...}}``, and what is changed of it."""
        if isinstance(entry.value, dict) and len(entry.map) == 1:
            ((kind, changes),) = entry.map.items()
        else:
            kind, changes = entry.text, Item({}, entry.place)
        if kind not in KINDS:
            from sidecar.config.keys import suggestion  # noqa: PLC0415

            text = f"{kind!r} is none of {', '.join(KINDS)}{suggestion(kind, KINDS)}"
            self._problems.error(entry.place, f"{self._own.where}.sidecars: {text}")
        return kind, changes

    def _owner(self) -> Item:
        moved = {key: each for key, each in self._item.map.items() if key in _OF_OWNER}
        image = self._own.text("pod_image", IMAGE)
        # It has nothing to end in order: a signal that cannot be ignored spares ten seconds.
        sleeps = {
            "image": image, "entrypoint": ["sleep", "infinity"], "command": [],
            "healthcheck": {"disable": "true"}, "stop_signal": "SIGKILL",
            "volumes": self._shared, "environment": self._seen(), "labels": self._labels(),
        }  # fmt: skip
        placing = {k: each for k, each in self._own.item.map.items() if k in _PLACING}
        return self._made(sleeps, {**moved, **self._common(), "x-pinnace": _same(placing)})

    def _seen(self) -> dict[str, str]:
        """Return the variables that the registrar reads and classic Swarm's rules."""
        service = Reader(self._item, self._own.where, self._problems)
        pairs = service.pairs("environment")
        return {name: value or "" for name, value in pairs.items() if name.startswith(_SEEN)}

    def _labels(self) -> dict[str, str]:
        """Return the labels, with the service's name where there is none."""
        service = Reader(self._item, self._own.where, self._problems)
        found = {name: value or "" for name, value in service.pairs("labels").items()}
        has_name = any(name.startswith("SERVICE_") and name.endswith("NAME") for name in found)
        if has_name or any("NAME" in name for name in self._seen()):
            return found
        return {"SERVICE_NAME": self._name, **found}

    def _sidecar(self, kind: str, changes: Item, place: Place) -> Item:
        base: dict[str, Any] = {
            "image": IMAGE, "healthcheck": {"disable": "true"}, "volumes_from": [self.owner],
            **KINDS.get(kind, {}),
        }  # fmt: skip
        if kind == "git-sync":
            root = self._shared[0]
            own = {"GITSYNC_ROOT": f"{root}/git", "GITSYNC_LINK": f"{root}/live"}
            base["environment"] = {**base["environment"], **own}
        if "healthcheck" in changes.map and "disable" in base["healthcheck"]:
            del base["healthcheck"]
        reader = Reader(changes, f"{self._own.where}.sidecars.{kind}", self._problems)
        arguments = [each.text for each in reader.texts("args")]
        base["command"] = [*base.get("command", ()), *arguments]
        rest = replace(changes, value={k: v for k, v in changes.map.items() if k != "args"})
        path = ("services", f"{self._name}-{kind}")
        return self._joined(merged(_item(base, place), rest, path), {self.owner: _started(place)})

    def _main(self, sidecars: Mapping[str, Item]) -> Item:
        kept = {key: each for key, each in self._item.map.items() if key not in _OF_OWNER}
        own = {k: v for k, v in self._own.item.map.items() if k not in ("sidecars", "shared")}
        own.pop("pod_image", None)
        kept["x-pinnace"] = replace(self._own.item, value=own)
        needs = {
            name: _item({"condition": "service_healthy"}, self._place)
            if "test" in each.map["healthcheck"].map
            and "disable" not in each.map["healthcheck"].map
            else _started(self._place)
            for name, each in sidecars.items()
        }
        joined = self._joined(replace(self._item, value=kept), needs)
        labels = Reader(joined, self._own.where, self._problems).pairs("labels")
        # The pod has the ports, and is registered for all.
        hidden = {**{k: v or "" for k, v in labels.items()}, "SERVICE_IGNORE": "true"}
        volumes = _item([self.owner], self._place)
        before = joined.map.get("volumes_from", Item([]))
        table = {
            **joined.map,
            "labels": _item(hidden, joined.place_of("labels")),
            "volumes_from": replace(before, value=[*before.items, *volumes.items]),
        }
        return replace(joined, value=table)

    def _joined(self, item: Item, needs: Mapping[str, Item]) -> Item:
        """Return an item in the pod's network that starts after others."""
        over = {"depends_on": _same(needs), "network_mode": f"service:{self.owner}"}
        labels = {"labels": {"SERVICE_IGNORE": "true"}}
        over_item = replace(_item({**over, **labels}, self._place), keys={})
        whole = merged(item, over_item, ("services", self._name))
        return replace(whole, value={**self._common(), **whole.map})

    def _common(self) -> dict[str, Item]:
        found = {key: each for key, each in self._item.map.items() if key in _OF_ALL}
        deploy = self._item.map.get("deploy")
        if deploy is not None:
            words = ("mode", "replicas", "placement", "restart_policy", "update_config")
            table = {key: each for key, each in deploy.map.items() if key in words}
            found["deploy"] = replace(deploy, value=table)
        return found

    def _made(self, plain: Mapping[str, object], items: Mapping[str, Item]) -> Item:
        whole = _item(plain, self._place)
        return replace(whole, value={**whole.map, **items})


def _started(place: Place) -> Item:
    return _item({"condition": "service_started"}, place)


def _same(table: Mapping[str, Item]) -> Item:
    return Item(dict(table))


def _item(value: object, place: Place) -> Item:
    """Return plain lists, dicts and texts as if they had been written somewhere."""
    if isinstance(value, Item):
        return value
    if isinstance(value, Mapping):
        return Item({key: _item(each, place) for key, each in value.items()}, place)
    if isinstance(value, list | tuple):
        return Item([_item(each, place) for each in value], place)
    return Item(None if value is None else str(value), place, is_quoted=True)
