"""From a recipe, a slot and a node to what the engine is told. Pure.

What depends on what else the node holds (``service:NAME`` in a network, in ``volumes_from``, in
links) is put in here, from the containers that are there.
"""

import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from sidecar.scheduler import labels as names
from sidecar.scheduler.actions import Create
from sidecar.scheduler.canary import is_canary
from sidecar.scheduler.model import NodeView, Resources
from sidecar.scheduler.recipe import Build, Hook, Joined, Recipe, packed

__all__ = ["Lacking", "Mark", "archive_of", "body_of", "endpoint_of", "exec_of", "name_of"]

_COMPOSE: Final = "com.docker.compose"
_SWARM_ID: Final = "com.docker.swarm.id"
_OWNERS: Final = ("NetworkMode", "IpcMode", "PidMode")
_ONLY_OURS: Final = {"Name": "no"}
_NAME: Final = "SERVICE_NAME"


class Lacking(Exception):
    """What a container needs beside it is not on the node; says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What the labels of a container say that is not in its recipe."""

    stack: str
    service: str
    slot: str
    spec: str
    incarnation: int
    nonce: str
    rev: int
    epoch: int
    previous: Recipe | None = None
    why: str = ""


def name_of(create: Create, recipe: Recipe, node: NodeView) -> str:
    """Return a new container's name, with the incarnation while another has the bare one.

    It is a lock too: whoever makes the same incarnation a second time is told that it is there.
    """
    request = create.placement.request
    name = recipe.care.name or "_".join(filter(None, (request.stack, request.service, create.slot)))
    taken = {each.name for each in node.containers}
    return f"{name}_{create.incarnation}" if name in taken else name


def labels_of(recipe: Recipe, mark: Mark, reserved: Resources) -> dict[str, str]:
    """Return all labels of a container."""
    own = {
        names.STACK: mark.stack,
        names.SERVICE: mark.service,
        names.SLOT: mark.slot,
        names.ID: f"{mark.stack}/{mark.service}/{mark.slot}/{mark.nonce}",
        names.SPEC: mark.spec,
        names.INCARNATION: str(mark.incarnation),
        names.REV: str(mark.rev),
        names.EPOCH: str(mark.epoch),
        names.ROLE: names.CANARY if is_canary(mark.slot) else recipe.care.role,
        names.SHARE: "0" if is_canary(mark.slot) else "",  # until it is weighed
        names.RESERVED: f"{reserved.cpu},{reserved.memory}",
        names.RECIPE: packed(recipe),
        names.WHY: mark.why,
        names.PREV: packed(mark.previous) if mark.previous is not None else "",
    }
    compose = {
        f"{_COMPOSE}.project": mark.stack,
        f"{_COMPOSE}.service": mark.service,
        f"{_COMPOSE}.container-number": mark.slot,
        f"{_COMPOSE}.oneoff": "False",
        _SWARM_ID: sha256(own[names.ID].encode()).hexdigest(),
    }
    given = recipe.build.config.get("Labels", {})
    registered = {} if _is_named(recipe.build) else {_NAME: mark.service}
    found = {**compose, **registered, **given, **recipe.care.labels}
    return {**found, **{key: value for key, value in own.items() if value}}


def _is_named(build: Build) -> bool:
    """Return whether the container says by itself what it is called in the catalogue."""
    variables = {each.partition("=")[0] for each in build.config.get("Env", ())}
    return _NAME in variables or _NAME in build.config.get("Labels", {})


def body_of(
    recipe: Recipe, mark: Mark, reserved: Resources, node: NodeView, *, is_only: bool = False
) -> dict[str, Any]:
    """Return the body of the create call. Raises Lacking.

    The engine never starts it again by itself unless it is the only one: an engine that comes back
    would start what has moved elsewhere meanwhile.
    """
    build = recipe.build
    labels = labels_of(recipe, mark, reserved)
    by_engine = build.host.get("RestartPolicy", _ONLY_OURS)
    host = {**build.host, "RestartPolicy": by_engine if is_only else _ONLY_OURS}
    for key in _OWNERS:
        if str(host.get(key, "")).startswith("service:"):
            wanted = host[key].removeprefix("service:")
            host[key] = f"container:{_beside(wanted, mark, node, is_same_slot=True)}"
    if "VolumesFrom" in host:
        host["VolumesFrom"] = [_source(each, mark, node) for each in host["VolumesFrom"]]
    body: dict[str, Any] = {**build.config, "Image": build.image, "Labels": labels}
    if not build.networks:
        links = _links(build, mark, node)
        return {**body, "HostConfig": {**host, **({"Links": links} if links else {})}}
    first = build.networks[0]
    host["NetworkMode"] = first.name
    endpoints = {first.name: endpoint_of(first, _links(build, mark, node))}
    return {**body, "HostConfig": host, "NetworkingConfig": {"EndpointsConfig": endpoints}}


def endpoint_of(joined: Joined, links: Iterable[str] = ()) -> dict[str, Any]:
    """Return what the engine is told of a container in a network."""
    addresses = {
        "IPv4Address": joined.address,
        "IPv6Address": joined.address6,
        "LinkLocalIPs": list(joined.link_local),
    }
    found: dict[str, Any] = {
        "Aliases": list(joined.aliases),
        "IPAMConfig": {key: value for key, value in addresses.items() if value},
        "DriverOpts": dict(joined.options),
        "Links": list(links),
    }
    return {key: value for key, value in found.items() if value}


def exec_of(hook: Hook) -> dict[str, Any]:
    """Return the body of the exec call for a hook."""
    return {
        "Cmd": list(hook.command),
        "User": hook.user,
        "Privileged": hook.is_privileged,
        "WorkingDir": hook.folder,
        "Env": list(hook.environment),
        "AttachStdout": True,
        "AttachStderr": True,
    }


def archive_of(recipe: Recipe) -> bytes:
    """Return the files of a container as a tar archive; empty without any. Raises Lacking."""
    if not recipe.build.files:
        return b""
    contents = {**recipe.care.contents, **recipe.care.secrets}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for file in recipe.build.files:
            if file.digest not in contents:
                raise Lacking(f"nobody knows any more what {file.path} held")
            entry = tarfile.TarInfo(file.path.lstrip("/"))
            content = contents[file.digest]
            entry.size, entry.mode = len(content), file.mode
            entry.uid, entry.gid = file.uid, file.gid
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _source(text: str, mark: Mark, node: NodeView) -> str:
    """Return where volumes come from: ``container:NAME[:MODE]``, or ``SERVICE[:MODE]``."""
    word, _, rest = text.partition(":")
    if word == "container":
        return rest
    found = _beside(word, mark, node)
    return f"{found}:{rest}" if rest else found


def _links(build: Build, mark: Mark, node: NodeView) -> list[str]:
    """Return links to containers of this node; a service that has none here is left out.

    Names of services are aliases in the stack's networks anyway.
    """
    found = []
    for text in build.links:
        word, _, alias = text.partition(":")
        try:
            found.append(f"{_beside(word, mark, node)}:{alias or word}")
        except Lacking:
            if any(each.name == word for each in node.containers):
                found.append(f"{word}:{alias or word}")
    return found


def _beside(service: str, mark: Mark, node: NodeView, *, is_same_slot: bool = False) -> str:
    """Return a running container of a service on the node, if possible of the same slot."""
    found = [
        each
        for each in node.containers
        if (each.stack, each.service) == (mark.stack, service) and each.running
    ]
    same = [each for each in found if each.slot == mark.slot]
    wanted = same or ([] if is_same_slot else found)
    if not wanted:
        raise Lacking(f"no container of {service} runs on {node.name}")
    newest = max(wanted, key=lambda each: names.number(each.labels, names.INCARNATION))
    return newest.id or newest.name
