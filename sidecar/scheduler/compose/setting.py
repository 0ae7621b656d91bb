"""What a stack's services share: its name, its folder, its networks, volumes, files. Pure."""

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sidecar.scheduler.compose.document import Item, Problems
from sidecar.scheduler.compose.reader import Reader
from sidecar.scheduler.compose.words import pairs_of_file
from sidecar.scheduler.recipe import Made

__all__ = ["Setting", "setting_of"]

Read = Callable[[str], bytes | None]
"""Returns a file's content by its absolute path; None when it cannot be read."""

_NETWORK: Final = (
    "name", "driver", "driver_opts", "attachable", "enable_ipv4", "enable_ipv6", "external",
    "internal", "ipam", "labels",
)  # fmt: skip
_VOLUME: Final = ("name", "driver", "driver_opts", "external", "labels")
_FILE: Final = (
    "name", "file", "environment", "content", "external", "labels", "template_driver", "driver",
    "driver_opts",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Setting:
    """The surroundings of a service."""

    stack: str
    problems: Problems
    folder: str = ""
    """Where relative paths begin; absolute."""
    environ: Mapping[str, str] = field(default_factory=dict, hash=False)
    read: Read = lambda _: None
    networks: Mapping[str, Made] = field(default_factory=dict, hash=False)
    volumes: Mapping[str, Made] = field(default_factory=dict, hash=False)
    configs: Mapping[str, bytes] = field(default_factory=dict, hash=False)
    secrets: Mapping[str, bytes] = field(default_factory=dict, hash=False)

    def path(self, text: str) -> str:
        """Return an absolute path."""
        if text == "~" or text.startswith("~/"):
            text = self.environ.get("HOME", "") + text[1:]
        return posixpath.normpath(posixpath.join(self.folder or "/", text))

    def text_of(self, item: Item, path: str, *, is_needed: bool = True) -> str | None:
        """Return a file's text; what keeps it from being read is noted."""
        found = self.read(self.path(path))
        if found is None:
            if is_needed:
                self.problems.error(item.place, f"{self.path(path)} cannot be read")
            return None
        try:
            return found.decode()
        except UnicodeDecodeError as error:
            self.problems.error(item.place, f"{path} is no UTF-8 at byte {error.start}")
            return None

    def pairs(self, item: Item, path: str, *, is_needed: bool, is_raw: bool) -> dict[str, str]:
        """Return what a file of variables says; a bare name takes ours, if we have it."""
        text = self.text_of(item, path, is_needed=is_needed) or ""
        try:
            found = dict(pairs_of_file(text, is_raw=is_raw))
        except ValueError as error:
            self.problems.error(item.place, f"{path}: {error}")
            return {}
        return {
            name: self.environ[name] if value is None else value
            for name, value in found.items()
            if value is not None or name in self.environ
        }


def setting_of(
    top: Reader,
    stack: str,
    *,
    folder: str = "",
    environ: Mapping[str, str] | None = None,
    read: Read | None = None,
) -> Setting:
    """Return what the top level of a file declares."""
    bare = Setting(stack, top.problems, folder, environ or {}, read or (lambda _: None))
    networks = {"default": _made(top.below("networks").below("default"), stack, "default")}
    for name, reader in _each(top, "networks", _NETWORK):
        networks[name] = _made(reader, stack, name, **_network(reader))
    volumes = {
        name: _made(reader, stack, name, **_volume(reader))
        for name, reader in _each(top, "volumes", _VOLUME)
    }
    return Setting(
        bare.stack, bare.problems, bare.folder, bare.environ, bare.read,
        networks, volumes, _contents(top, "configs", bare), _contents(top, "secrets", bare),
    )  # fmt: skip


def _each(top: Reader, key: str, known: tuple[str, ...]) -> list[tuple[str, Reader]]:
    tables = top.below(key)
    found = [(name, tables.below(name)) for name in tables.item.map]
    for _, reader in found:
        reader.only(known)
    return found


def _made(reader: Reader, stack: str, name: str, **settings: Any) -> Made:
    external = reader.get("external")
    is_external = external is not None and (external.text == "true" or bool(external.map))
    own_name = reader.text("name")
    if external is not None and external.map:
        own_name = Reader(external, f"{reader.where}.external", reader.problems).text("name")
    if is_external:
        return Made(name=own_name or name, is_external=True)
    given = {key: value for key, value in settings.items() if value not in (None, {}, [], "")}
    labels = {
        **{key: value or "" for key, value in reader.pairs("labels").items()},
        "pinnace.stack": stack,
    }
    return Made(name=own_name or f"{stack}_{name}", settings={**given, "Labels": labels})


def _options(reader: Reader) -> dict[str, str]:
    return {name: value or "" for name, value in reader.pairs("driver_opts").items()}


def _network(reader: Reader) -> dict[str, Any]:
    return {
        "Driver": reader.text("driver") or "bridge",
        "Options": _options(reader),
        "Attachable": reader.flag("attachable") or None,
        "Internal": reader.flag("internal") or None,
        "EnableIPv6": reader.flag("enable_ipv6") or None,
        "EnableIPv4": None if reader.flag("enable_ipv4", default=True) else False,
        "IPAM": _ipam(reader.below("ipam")),
    }


def _ipam(reader: Reader) -> dict[str, Any]:
    reader.only(("driver", "config", "options"))
    pools = []
    for item in reader.items("config"):
        pool = Reader(item, f"{reader.where}.config", reader.problems)
        pool.only(("subnet", "ip_range", "gateway", "aux_addresses"))
        words = {"Subnet": "subnet", "IPRange": "ip_range", "Gateway": "gateway"}
        found: dict[str, Any] = {theirs: pool.text(ours) for theirs, ours in words.items()}
        found["AuxiliaryAddresses"] = dict(pool.pairs("aux_addresses"))
        pools.append({key: value for key, value in found.items() if value})
    found = {
        "Driver": reader.text("driver"),
        "Config": pools,
        "Options": {key: value or "" for key, value in reader.pairs("options").items()},
    }
    return {key: value for key, value in found.items() if value}


def _volume(reader: Reader) -> dict[str, Any]:
    return {"Driver": reader.text("driver"), "DriverOpts": _options(reader)}


def _contents(top: Reader, key: str, setting: Setting) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name, reader in _each(top, key, _FILE):
        item = reader.item
        reader.ignored("labels", "template_driver", "driver", "driver_opts", "name")
        if reader.flag("external"):
            reader.error(item, f"{reader.where}: external {key} are kept by nobody here")
        elif "file" in reader:
            content = setting.read(setting.path(reader.text("file")))
            if content is None:
                where = reader.item.place_of("file")
                top.problems.error(where, f"{setting.path(reader.text('file'))} cannot be read")
            found[name] = content or b""
        elif "environment" in reader:
            variable = reader.text("environment")
            if variable not in setting.environ:
                reader.error(item, f"{reader.where}: the variable {variable} is not set")
            found[name] = setting.environ.get(variable, "").encode()
        elif "content" in reader and key == "configs":
            found[name] = reader.text("content").encode()
        else:
            reader.error(item, f"{reader.where} needs file or environment")
    return found
