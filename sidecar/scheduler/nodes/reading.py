"""What an engine's documents say: of its host, and of each container. Pure.

Documents are written by many versions of many engines: a missing or odd field is an empty one.
Times are turned into seconds of age, by the engine's own clock.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sidecar.scheduler import labels as names
from sidecar.scheduler.cluster import Copy, Health, Stage
from sidecar.scheduler.model import NANO, ContainerView, NodeView, Port, Resources
from sidecar.scheduler.nodes.node import NodeSettings
from sidecar.scheduler.recipe import key_of

__all__ = ["Seen", "images_of", "node_of", "seen_of", "wall_of"]

_STAGES: Final = {
    "created": Stage.CREATED,
    "running": Stage.RUNNING,
    "paused": Stage.RUNNING,
    "restarting": Stage.RUNNING,
}
_TIME_OF: Final = {
    Stage.CREATED: "Created",
    Stage.RUNNING: "StartedAt",
    Stage.EXITED: "FinishedAt",
}
_ANONYMOUS: Final = 64
_NEVER: Final = "0001-"


@dataclass(frozen=True, slots=True)
class Seen:
    """One container as it was inspected; ``copy`` is there when it is ours.

    ``moment`` is the engine's time at which it came into its stage, as seconds since 1970.
    """

    view: ContainerView
    stage: Stage
    copy: Copy | None = None
    service: str = ""
    moment: float = 0.0
    ran: float | None = None
    """How long it had run when it ended; 0 while it runs, None when that is not known."""


def node_of(settings: NodeSettings, info: Mapping[str, Any]) -> NodeView:
    """Return a node without its containers: labels are the engine's, the default tags, ours."""
    engine_labels = dict(_pairs(_list(info, "Labels")))
    tags = {
        "node": settings.name,
        "storagedriver": _text(info, "Driver"),
        "kernelversion": _text(info, "KernelVersion"),
        "operatingsystem": _text(info, "OperatingSystem"),
        "ostype": _text(info, "OSType"),
        "arch": _text(info, "Architecture"),
        "engineversion": _text(info, "ServerVersion"),
    }
    cpu = max(_number(info, "NCPU") * NANO - settings.reserve.cpu, 0)
    memory = max(_number(info, "MemTotal") - settings.reserve.memory, 0)
    return NodeView(
        name=settings.name,
        id=_text(info, "ID"),
        engine_name=_text(info, "Name"),
        address=settings.advertise,
        labels={**engine_labels, **tags, **settings.labels},
        engine_labels=engine_labels,
        capacity=Resources(int(cpu * settings.overcommit[0]), int(memory * settings.overcommit[1])),
        is_leader_capable=settings.is_leader_capable,
    )


def images_of(listed: Iterable[Mapping[str, Any]]) -> Mapping[str, tuple[str, ...]]:
    """Return the names of each image by its id."""
    return {
        _text(each, "Id"): tuple(name for name in _list(each, "RepoTags") if isinstance(name, str))
        for each in listed
    }


def wall_of(text: str) -> float:
    """Return an engine's time as seconds since 1970; 0 for what is no time."""
    if not text or text.startswith(_NEVER):
        return 0.0
    head, dot, rest = text.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    zone = rest[len(digits) :] if dot else ""
    try:
        moment = datetime.fromisoformat(head + zone if dot else text)
    except ValueError:
        return 0.0
    return moment.timestamp() + float(f"0.{digits or 0}")


def seen_of(document: Mapping[str, Any], node: str) -> Seen:
    """Return what the inspect document of a container says."""
    state, config = _table(document, "State"), _table(document, "Config")
    labels = {k: v for k, v in _table(config, "Labels").items() if isinstance(v, str)}
    stage = _stage(state)
    is_ours = names.is_ours(labels)
    view = _view(document, labels, stage)
    if not is_ours:
        return Seen(view, stage)
    field = _TIME_OF[stage]
    text = _text(document, "Created") if field == "Created" else _text(state, field)
    moment = wall_of(text) or wall_of(_text(document, "Created"))
    copy = Copy(
        name=view.name,
        id=view.id,
        role=labels.get(names.ROLE, "main"),
        needs=names.needs_of(labels),
        within=_within(_text(_table(document, "HostConfig"), "NetworkMode")),
        node=node,
        slot=labels[names.SLOT],
        spec=labels[names.SPEC],
        incarnation=names.number(labels, names.INCARNATION),
        epoch=names.number(labels, names.EPOCH),
        stage=stage,
        health=_health(state),
        exit_code=_number(state, "ExitCode"),
    )
    service = key_of(labels[names.STACK], labels[names.SERVICE])
    return Seen(view, stage, copy, service, moment, _ran(state, stage, moment))


def _ran(state: Mapping[str, Any], stage: Stage, moment: float) -> float | None:
    begun = wall_of(_text(state, "StartedAt"))
    if stage is Stage.RUNNING:
        return 0.0
    return max(moment - begun, 0.0) if stage is Stage.EXITED and begun else None


def _within(mode: str) -> str:
    head, _, id_ = mode.partition(":")
    return id_ if head == "container" else ""


def _stage(state: Mapping[str, Any]) -> Stage:
    """Return the stage; what could not be started has ended."""
    found = _STAGES.get(_text(state, "Status"), Stage.EXITED)
    if found is Stage.CREATED and (_text(state, "Error") or _number(state, "ExitCode")):
        return Stage.EXITED
    return found


def _health(state: Mapping[str, Any]) -> Health:
    if _text(state, "Status") == "restarting":  # by its engine, after a while
        return Health.STARTING
    try:
        return Health(_text(_table(state, "Health"), "Status") or "none")
    except ValueError:
        return Health.NONE


def _view(document: Mapping[str, Any], labels: Mapping[str, str], stage: Stage) -> ContainerView:
    config, host = _table(document, "Config"), _table(document, "HostConfig")
    is_running = stage is Stage.RUNNING
    is_host = _text(host, "NetworkMode") == "host"
    bindings = dict(_table(host, "PortBindings"))
    if is_running:
        bindings |= _table(_table(document, "NetworkSettings"), "Ports")
    return ContainerView(
        name=_text(document, "Name").removeprefix("/"),
        id=_text(document, "Id"),
        image=_text(config, "Image"),
        image_id=_text(document, "Image"),
        labels=labels,
        ports=tuple(dict.fromkeys(_bindings(bindings))),
        host_network=is_host,
        exposed=tuple(filter(None, map(_port, _table(config, "ExposedPorts")))),
        resources=_reserved(labels) or _resources(host),
        running=is_running,
        is_over=stage is Stage.EXITED and names.is_ours(labels),
        volumes=tuple(_volumes(_list(document, "Mounts"))),
        stack=labels.get(names.STACK, ""),
        service=labels.get(names.SERVICE, ""),
        slot=labels.get(names.SLOT, ""),
    )


def _reserved(labels: Mapping[str, str]) -> Resources | None:
    words = labels.get(names.RESERVED, "").split(",")
    if len(words) != 2 or not all(word.isascii() and word.isdigit() for word in words):
        return None
    return Resources(int(words[0]), int(words[1]))


def _resources(host: Mapping[str, Any]) -> Resources:
    quota, period = _number(host, "CpuQuota"), _number(host, "CpuPeriod") or 100_000
    cpu = _number(host, "NanoCpus") or max(quota, 0) * NANO // period
    memory = _number(host, "MemoryReservation") or _number(host, "Memory")
    return Resources(max(cpu, 0), max(memory, 0))


def _bindings(table: Mapping[str, Any]) -> Iterator[Port]:
    for key, entries in table.items():
        inner = _port(key)
        for entry in entries if isinstance(entries, list) else ():
            text = _text(entry, "HostPort")
            if inner is not None and text.isascii() and text.isdigit() and int(text):
                yield Port(int(text), inner.protocol, _text(entry, "HostIp"))


def _port(text: str) -> Port | None:
    head, _, protocol = text.partition("/")
    return Port(int(head), protocol or "tcp") if head.isascii() and head.isdigit() else None


def _volumes(mounts: Iterable[Any]) -> Iterator[str]:
    for each in mounts:
        name = _text(each, "Name")
        if _text(each, "Type") == "volume" and name and len(name) != _ANONYMOUS:
            yield name


def _pairs(found: Iterable[Any]) -> Iterator[tuple[str, str]]:
    for each in found:
        if isinstance(each, str):
            name, _, value = each.partition("=")
            yield name, value


def _table(document: object, key: str) -> Mapping[str, Any]:
    found = document.get(key) if isinstance(document, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _list(document: Mapping[str, Any], key: str) -> list[Any]:
    found = document.get(key)
    return found if isinstance(found, list) else []


def _text(document: object, key: str) -> str:
    found = document.get(key) if isinstance(document, Mapping) else None
    return found if isinstance(found, str) else ""


def _number(document: Mapping[str, Any], key: str) -> int:
    found = document.get(key)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0
