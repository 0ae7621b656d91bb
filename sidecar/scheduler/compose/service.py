"""One service of a stack file as the core sees it. Pure.

Here only what decides about places and order is read; what the engine is told is made from the same
item by whoever creates the container.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Final

from sidecar.scheduler.compose.demand import demand_of
from sidecar.scheduler.compose.document import Item, Place, Problems
from sidecar.scheduler.compose.keys import DEPLOY, SERVICE, Class, class_of
from sidecar.scheduler.compose.policies import conduct_of
from sidecar.scheduler.compose.reader import Reader
from sidecar.scheduler.compose.recipes import recipe_of
from sidecar.scheduler.compose.rules import Rules
from sidecar.scheduler.compose.setting import Setting
from sidecar.scheduler.compose.values import Published, published, whole
from sidecar.scheduler.model import Port, Strategy
from sidecar.scheduler.spec import Condition, Dependency, Mode, ServiceSpec

__all__ = ["service_of"]

_STRATEGIES: Final = {**{each.value: each for each in Strategy}, "binpacking": Strategy.BINPACK}
_OWN: Final = (
    "strategy", "soft", "reschedule", "autoscale", "canary", "drain", "sidecars", "fencing",
    "adopt", "rollout", "reconcile", "shared", "pod_image", "rebalance", "orphan",
    "restart_by",
)  # fmt: skip


def service_of(
    name: str,
    item: Item,
    problems: Problems,
    *,
    classic: bool = False,
    setting: Setting | None = None,
) -> ServiceSpec:
    """Return a service; what is wrong with it is noted in ``problems``.

    ``setting`` is what it shares with others of its stack; without it there is no recipe.
    """
    service = Reader(item, f"services.{name}", problems)
    _classify(service)
    deploy, own = service.below("deploy"), service.below("x-pinnace")
    own.only(_OWN)
    placement = deploy.below("placement")
    placement.only(("constraints", "preferences", "max_replicas_per_node"))
    rules = Rules(problems, classic)
    environment, labels = _rules(service, placement, own, rules)
    ports = _ports(service)
    mode = Mode(deploy.one_of("mode", ("replicated", "global"), "replicated"))
    network = service.text("network_mode")
    volumes = _volumes(service)
    demand = demand_of(service, deploy)
    spec = ServiceSpec(
        name=name,
        image=service.text("image"),
        container_name=service.text("container_name"),
        mode=mode,
        replicas=_replicas(service, deploy),
        labels=labels,
        environment=environment,
        strategy=own.value("strategy", _strategy, Strategy.SPREAD),
        resources=demand.resources,
        classic=demand.classic,
        ports=tuple(each.host for each in ports),
        exposed=_exposed(service, ports),
        host_network=network == "host",
        constraints=tuple(rules.constraints),
        affinities=tuple(rules.affinities),
        whitelists=tuple(rules.whitelists),
        reschedule=tuple(rules.reschedule),
        soft=tuple(rules.soft),
        beside=_beside(service, network),
        pod=network.removeprefix("service:") if network.startswith("service:") else "",
        volumes=volumes,
        platform=service.text("platform"),
        max_per_node=placement.value("max_replicas_per_node", whole, 0),
        spread_over=tuple(rules.spread_over),
        depends_on=_dependencies(service),
        has_healthcheck=_has_healthcheck(service),
        adopts=own.flag("adopt"),
        conduct=conduct_of(
            service,
            deploy,
            own,
            is_alone=_is_alone(service, ports, network, volumes),
            classic=rules.reschedule,
        ),
    )
    if setting is None:
        return spec
    recipe = recipe_of(service, spec, ports, setting)
    return replace(spec, recipe=recipe, volumes=tuple(each.name for each in recipe.care.volumes))


def _is_alone(
    service: Reader, ports: Iterable[Published], network: str, volumes: Collection[str]
) -> bool:
    """Return whether two copies of a slot exclude each other: by a port, an address, a volume."""
    networks = service.get("networks")
    has_address = any(
        each.map.keys() & {"ipv4_address", "ipv6_address", "mac_address"}
        for each in (networks.map.values() if networks else ())
    )
    has_port = any(each.host.number for each in ports)
    has_name = "container_name" in service
    return has_port or has_address or has_name or network == "host" or bool(volumes)


def _classify(service: Reader) -> None:
    problems = service.problems
    for key in service.item.map:
        place = service.item.place_of(key)
        kind = class_of(SERVICE, key)
        if kind is Class.REFUSED:
            problems.error(place, f"{service.where}.{key} is not supported")
        elif kind is Class.IGNORED:
            problems.warn(place, f"{service.where}.{key} is ignored")
        elif key == "build":
            if "image" not in service:
                problems.error(place, f"{service.where}: build without image; build it beforehand")
            else:
                problems.warn(place, f"{service.where}.build is ignored: the image is taken")
        elif kind is Class.UNKNOWN:
            known = [*SERVICE, "build"]
            problems.error(place, f"{service.where}: unknown key {key!r}{_near(key, known)}")
    if "image" not in service and "build" not in service:
        problems.error(service.item.place, f"{service.where} has no image")
    deploy = service.below("deploy")
    for key in deploy.item.map:
        if class_of(DEPLOY, key) is Class.UNKNOWN:
            text = f"{deploy.where}: unknown key {key!r}{_near(key, DEPLOY)}"
            problems.error(deploy.item.place_of(key), text)


def _near(key: str, known: list[str] | dict[str, Class]) -> str:
    from sidecar.config.keys import suggestion  # noqa: PLC0415

    return suggestion(key, known)


def _rules(
    service: Reader, placement: Reader, own: Reader, rules: Rules
) -> tuple[Mapping[str, str | None], Mapping[str, str]]:
    environment = rules.take_environment(
        service.pairs("environment"), lambda name: _at(service, "environment", name)
    )
    labels = rules.take_labels(service.pairs("labels"), lambda name: _at(service, "labels", name))
    rules.take_placement((each.text, each.place) for each in placement.texts("constraints"))
    for preference in placement.items("preferences"):
        reader = Reader(preference, f"{placement.where}.preferences", service.problems)
        reader.only(("spread",))
        rules.take_preference(reader.text("spread"), preference.place)
    for wish in own.items("soft"):
        if isinstance(wish.value, str):
            rules.take_wish(wish.value, 1, wish.place)
            continue
        reader = Reader(wish, f"{own.where}.soft", service.problems)
        reader.only(("rule", "weight"))
        rules.take_wish(reader.text("rule"), reader.value("weight", _weight, 1), wish.place)
    return environment, labels


def _at(service: Reader, key: str, name: str) -> Place:
    item = service.item.map[key]
    for each in item.items:
        if each.text.partition("=")[0] == name:
            return each.place
    return item.place_of(name)


def _weight(text: str) -> int:
    return whole(text, 1)


def _strategy(text: str) -> Strategy:
    if text not in _STRATEGIES:
        raise ValueError(f"{text!r} is none of {', '.join(_STRATEGIES)}")
    return _STRATEGIES[text]


def _replicas(service: Reader, deploy: Reader) -> int:
    if deploy.text("mode") == Mode.GLOBAL:
        deploy.ignored("replicas")
    if "scale" in service and "replicas" in deploy:
        item = service.item.map["scale"]
        if item.text != deploy.text("replicas"):
            service.error(item, f"{service.where}: scale and deploy.replicas differ")
    default = service.value("scale", whole, 1)
    return deploy.value("replicas", whole, default)


def _ports(service: Reader) -> list[Published]:
    found: list[Published] = []
    for item in service.items("ports"):
        if isinstance(item.value, dict):
            found += _long_port(Reader(item, f"{service.where}.ports", service.problems))
            continue
        below = Reader(None, f"{service.where}.ports", service.problems)
        found += _short_port(item.text, item.place, below)
    return found


def _short_port(text: str, place: Place, service: Reader) -> list[Published]:
    try:
        found = published(text)
    except ValueError as error:
        service.problems.error(place, f"{service.where}: {error}")
        return []
    host = text.rpartition(":")[0].rpartition(":")[2]
    if len(found) == 1 and "-" in host:
        first = f"{service.where}: of {host} always {found[0].host.number} is taken"
        service.problems.warn(place, f"{first}; leave it out for any free port")
    return found


def _long_port(port: Reader) -> list[Published]:
    port.only(("target", "published", "host_ip", "protocol", "mode", "name", "app_protocol"))
    port.ignored("name", "app_protocol")
    if port.one_of("mode", ("host", "ingress"), "host") == "ingress":
        text = f"{port.where}.mode: only hosts that run it publish the port, as in mode host"
        port.problems.warn(port.item.place_of("mode"), text)
    address, host = port.text("host_ip"), port.text("published")
    address = f"[{address}]" if ":" in address else address
    before = f"{address}:{host}:" if address else f"{host}:" if host else ""
    text = f"{before}{port.text('target')}/{port.text('protocol', 'tcp')}"
    return _short_port(text, port.item.place, port)


def _exposed(service: Reader, ports: list[Published]) -> tuple[Port, ...]:
    found = {Port(each.container, each.host.protocol) for each in ports}
    for item in service.texts("expose"):
        try:
            found |= {Port(each.container, each.host.protocol) for each in published(item.text)}
        except ValueError as error:
            service.error(item, f"{service.where}.expose: {error}")
    return tuple(sorted(found, key=lambda port: (port.number, port.protocol)))


def _beside(service: Reader, network: str) -> tuple[str, ...]:
    """Return the containers that must be there; of services that are named one will do."""
    names = [network.removeprefix("container:")] if network.startswith("container:") else []
    names += [item.text.partition(":")[0] for item in service.texts("external_links")]
    sources = [item.text.split(":") for item in service.texts("volumes_from")]
    names += [words[1] for words in sources if words[0] == "container" and len(words) > 1]
    return tuple(names)


def _volumes(service: Reader) -> tuple[str, ...]:
    """Return the named volumes."""
    names: list[str] = []
    for item in service.items("volumes"):
        if isinstance(item.value, dict):
            reader = Reader(item, f"{service.where}.volumes", service.problems)
            if reader.text("type") == "volume" and "source" in reader:
                names.append(reader.text("source"))
            continue
        source, colon, _ = item.text.partition(":")
        if colon and source and source[0] not in "./~\\":
            names.append(source)
    return tuple(dict.fromkeys(names))


def _dependencies(service: Reader) -> tuple[Dependency, ...]:
    item = service.get("depends_on")
    if item is None or not isinstance(item.value, dict):
        return tuple(Dependency(each.text) for each in service.texts("depends_on"))
    found = []
    for name, each in item.map.items():
        reader = Reader(each, f"{service.where}.depends_on.{name}", service.problems)
        reader.only(("condition", "required", "restart"))
        condition = reader.one_of("condition", list(Condition), Condition.STARTED)
        found.append(
            Dependency(
                name,
                Condition(condition),
                reader.flag("required", default=True),
                reader.flag("restart"),
            )
        )
    return tuple(found)


def _has_healthcheck(service: Reader) -> bool:
    """Return whether it has one; keys without ``test`` are about the one of its image."""
    check = service.below("healthcheck")
    test = check.get("test")
    is_none = test is not None and (test.text == "NONE" or [e.text for e in test.items] == ["NONE"])
    return bool(check.item.map) and not is_none and not check.flag("disable")
