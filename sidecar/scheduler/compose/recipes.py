"""From a service of a file to how its containers are made. Pure."""

import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec

from sidecar.scheduler.compose.container import config_of, labels_of
from sidecar.scheduler.compose.document import Item
from sidecar.scheduler.compose.host import host_of, integer
from sidecar.scheduler.compose.reader import Reader
from sidecar.scheduler.compose.rules import LABELS
from sidecar.scheduler.compose.setting import Setting
from sidecar.scheduler.compose.values import Published, seconds, weeks
from sidecar.scheduler.compose.volumes import octal, volumes_of
from sidecar.scheduler.conduct import When
from sidecar.scheduler.labels import NEEDS, is_live
from sidecar.scheduler.recipe import EVERY, Build, Care, File, Hook, Joined, Made, Recipe
from sidecar.scheduler.spec import ServiceSpec

__all__ = ["recipe_of"]

_DAY: Final = 86_400
_PULLS: Final = {
    "always": "always", "never": "never", "missing": "missing", "if_not_present": "missing",
    "build": "missing", "daily": f"{EVERY}{_DAY}", "weekly": f"{EVERY}{7 * _DAY}",
}  # fmt: skip
_BY_ENGINE: Final = {
    When.ANY: "unless-stopped", When.ON_FAILURE: "on-failure", When.NONE: "no",
}  # fmt: skip
_AFTER: Final = "every_"
_REFRESH: Final = "refresh"
_HOOK: Final = ("command", "user", "privileged", "working_dir", "environment", "per_replica")
_JOINED: Final = (
    "aliases", "ipv4_address", "ipv6_address", "link_local_ips", "priority", "driver_opts",
    "mac_address", "gw_priority", "interface_name",
)  # fmt: skip


def recipe_of(
    service: Reader, spec: ServiceSpec, ports: Iterable[Published], setting: Setting
) -> Recipe:
    """Return how a service's containers are made; what is wrong is noted."""
    files = [
        *_files(service, "configs", setting.configs, "/"),
        *_files(service, "secrets", setting.secrets, "/run/secrets"),
    ]
    labels = labels_of(service, spec, setting)
    networks = {} if "network_mode" in service else _networks(service, setting)
    build = Build(
        image=spec.image,
        config=config_of(service, spec, setting, labels),
        host=host_of(service, ports, setting) | _restarts(service, spec),
        links=tuple(
            each.text for key in ("links", "external_links") for each in service.texts(key)
        ),
        networks=tuple(networks.values()),
        files=tuple(file for file, _ in files),
        platform=spec.platform,
    )
    care = _care(service, spec, setting, networks, dict(files))
    return Recipe(build=build, care=msgspec.structs.replace(care, labels=_live(spec, labels)))


def _restarts(service: Reader, spec: ServiceSpec) -> dict[str, Any]:
    """Return the engine's own restart policy, which is used where there is but one node."""
    own = service.below("x-pinnace")
    if own.one_of("restart_by", ("pinnace", "engine"), "pinnace") == "pinnace":
        return {}
    return {"RestartPolicy": {"Name": _BY_ENGINE[spec.conduct.restart.condition]}}


def _live(spec: ServiceSpec, labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels that may change without another container."""
    found = {name: text for name, text in labels.items() if is_live(name)}
    if spec.reschedule:
        found[LABELS["reschedule"]] = json.dumps([*spec.reschedule])
    if spec.depends_on:  # in docker-compose's words
        found[NEEDS] = ",".join(
            f"{each.service}:{each.condition}:{str(each.restarts).lower()}"
            for each in spec.depends_on
        )
    return found


def _care(
    service: Reader,
    spec: ServiceSpec,
    setting: Setting,
    networks: Mapping[str, Joined],
    files: Mapping[File, bytes],
) -> Care:
    return Care(
        pull=_policy(service),
        name=spec.container_name,
        post_start=tuple(_hooks(service, "post_start")),
        pre_stop=tuple(_hooks(service, "pre_stop")),
        drain=service.below("x-pinnace").value("drain", seconds, None),
        contents={file.digest: content for file, content in files.items() if not file.is_secret},
        secrets={file.digest: content for file, content in files.items() if file.is_secret},
        volumes=volumes_of(service, setting),
        networks=tuple(_made(networks, setting)),
    )


def _policy(service: Reader) -> str:
    """Return when an image is pulled; ``refresh`` says how often by another key."""
    after = service.value("pull_refresh_after", _every, "")
    word = service.text("pull_policy")
    if word == "build":
        where = service.item.place_of("pull_policy")
        text = f"{service.where}.pull_policy: nothing is built here; build is taken for missing"
        service.problems.warn(where, text)
    if word == _REFRESH:
        if not after:
            item = service.item.map["pull_policy"]
            service.error(item, f"{service.where}.pull_policy: refresh needs pull_refresh_after")
        return after
    if after:
        where = service.item.place_of("pull_refresh_after")
        text = f"{service.where}.pull_refresh_after is ignored: pull_policy is not refresh"
        service.problems.warn(where, text)
    return service.value("pull_policy", _pull, "missing")


def _pull(text: str) -> str:
    if text.startswith(_AFTER):
        return _every(text.removeprefix(_AFTER))
    if text not in _PULLS:
        raise ValueError(f"{text!r} is none of {', '.join(_PULLS)}, every_DURATION, refresh")
    return _PULLS[text]


def _every(text: str) -> str:
    return f"{EVERY}{weeks(text):g}"


def _made(networks: Iterable[str], setting: Setting) -> Iterator[Made]:
    return (setting.networks[name] for name in networks if name in setting.networks)


def _networks(service: Reader, setting: Setting) -> dict[str, Joined]:
    item = service.get("networks")
    if item is None:
        wanted: dict[str, Item | None] = {"default": None}
    elif isinstance(item.value, dict):
        wanted = {**item.map}
    else:
        wanted = {each.text: None for each in service.texts("networks")}
    found = {name: _joined(name, each, service, setting) for name, each in wanted.items()}
    return dict(sorted(found.items(), key=lambda each: -each[1].priority))


def _joined(name: str, item: Item | None, service: Reader, setting: Setting) -> Joined:
    reader = Reader(item, f"{service.where}.networks.{name}", service.problems)
    reader.only(_JOINED)
    reader.ignored("mac_address", "gw_priority", "interface_name")
    if name not in setting.networks:
        place = service.item.place_of("networks")
        service.problems.error(
            place, f"{service.where}: there is no network {name!r} at the top level"
        )
    made = setting.networks.get(name)
    own = service.where.rpartition(".")[2]
    return Joined(
        name=made.name if made else name,
        aliases=(own, *(each.text for each in reader.texts("aliases"))),
        address=reader.text("ipv4_address"),
        address6=reader.text("ipv6_address"),
        link_local=tuple(each.text for each in reader.texts("link_local_ips")),
        options={key: value or "" for key, value in reader.pairs("driver_opts").items()},
        priority=reader.value("priority", integer, 0),
    )


def _files(
    service: Reader, key: str, known: Mapping[str, bytes], folder: str
) -> Iterator[tuple[File, bytes]]:
    for item in service.items(key):
        if isinstance(item.value, str):
            reader = Reader(None, service.where, service.problems)
            name = target = item.value
        else:
            reader = Reader(item, f"{service.where}.{key}", service.problems)
            reader.only(("source", "target", "uid", "gid", "mode"))
            name = reader.text("source")
            target = reader.text("target", name)
        if name not in known:
            text = f"{service.where}.{key}: {name!r} is not at the top level"
            service.problems.error(item.place, text)
        content = known.get(name, b"")
        yield (
            File(
                path=posixpath.normpath(posixpath.join(folder, target)),
                digest=sha256(content).hexdigest(),
                mode=reader.value("mode", octal, 0o444),
                uid=reader.value("uid", integer, 0),
                gid=reader.value("gid", integer, 0),
                is_secret=key == "secrets",
            ),
            content,
        )


def _hooks(service: Reader, key: str) -> Iterator[Hook]:
    for item in service.items(key):
        reader = Reader(item, f"{service.where}.{key}", service.problems)
        reader.only(_HOOK)
        if not reader.flag("per_replica", default=True):
            text = f"{reader.where}.per_replica: it runs in each replica"
            reader.problems.warn(reader.item.place_of("per_replica"), text)
        command = reader.get("command")
        words = ["/bin/sh", "-c", command.text] if command and command.text else None
        if words is None and command is not None:
            words = [each.text for each in command.items]
        if not words:
            reader.error(item, f"{reader.where}: command is missing")
        yield Hook(
            command=tuple(words or ()),
            user=reader.text("user"),
            is_privileged=reader.flag("privileged"),
            folder=reader.text("working_dir"),
            environment=tuple(
                f"{name}={value or ''}" for name, value in reader.pairs("environment").items()
            ),
        )
