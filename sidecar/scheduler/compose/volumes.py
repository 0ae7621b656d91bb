"""The volumes, folders and tmpfs of a service, as the engine takes them. Pure."""

from typing import Any, Final

from sidecar.scheduler.compose.container import given
from sidecar.scheduler.compose.document import Item
from sidecar.scheduler.compose.reader import Reader
from sidecar.scheduler.compose.setting import Setting
from sidecar.scheduler.compose.values import size
from sidecar.scheduler.recipe import Made

__all__ = ["mounts_of", "octal", "volumes_of"]

_LONG: Final = (
    "type", "source", "target", "read_only", "bind", "volume", "tmpfs", "consistency", "image",
)  # fmt: skip
_KINDS: Final = ("bind", "volume", "tmpfs", "npipe", "image")
_RECURSIVE: Final = {
    "disabled": "NonRecursive",
    "writable": "ReadOnlyNonRecursive",
    "readonly": "ReadOnlyForceRecursive",
}
"""The engine's names of what Compose says of mounts below a mounted folder."""
_PATHS: Final = (".", "/", "~")


def mounts_of(service: Reader, setting: Setting) -> dict[str, Any]:
    """Return ``Binds`` for short forms and ``Mounts`` for long ones."""
    binds: list[str] = []
    mounts: list[dict[str, Any]] = []
    for item in service.items("volumes"):
        if isinstance(item.value, str):
            binds += _bind(item, service, setting)
        else:
            mounts.append(
                _mount(Reader(item, f"{service.where}.volumes", service.problems), setting)
            )
    return {"Binds": binds, "Mounts": mounts}


def volumes_of(service: Reader, setting: Setting) -> tuple[Made, ...]:
    """Return the named volumes it uses."""
    found: dict[str, Made] = {}
    for item in service.items("volumes"):
        if isinstance(item.value, str):
            source, colon, _ = item.text.partition(":")
            name = source if colon and not source.startswith(_PATHS) else ""
        else:
            reader = Reader(item, f"{service.where}.volumes", service.problems)
            name = reader.text("source") if reader.text("type") == "volume" else ""
        if name in setting.volumes:
            found[name] = setting.volumes[name]
    return tuple(found.values())


def _named(name: str, item: Item, service: Reader, setting: Setting) -> str:
    if name not in setting.volumes:
        text = f"{service.where}: there is no volume {name!r} at the top level"
        service.problems.error(item.place, text)
        return name
    return setting.volumes[name].name


def _bind(item: Item, service: Reader, setting: Setting) -> list[str]:
    source, colon, rest = item.text.partition(":")
    if not colon:
        return []  # an anonymous volume: it stands with the container itself
    is_path = source.startswith(_PATHS)
    source = setting.path(source) if is_path else _named(source, item, service, setting)
    if not rest.startswith("/"):
        text = f"{service.where}.volumes: {item.text!r} has no absolute path in the container"
        service.problems.error(item.place, text)
    return [f"{source}:{rest}"]


def _mount(reader: Reader, setting: Setting) -> dict[str, Any]:
    reader.only(_LONG)
    kind = reader.one_of("type", _KINDS, "volume")
    source = reader.text("source")
    if kind == "bind":
        source = setting.path(source)
    elif kind == "volume" and source:
        source = _named(source, reader.item, reader, setting)
    mount = {
        "Type": kind,
        "Source": source,
        "Target": reader.text("target"),
        "ReadOnly": reader.flag("read_only") or None,
        "Consistency": reader.text("consistency"),
        "BindOptions": _bind_options(reader.below("bind")) if kind == "bind" else None,
        "VolumeOptions": _volume_options(reader.below("volume")),
        "ImageOptions": _image_options(reader.below("image")),
        "TmpfsOptions": _tmpfs_options(reader.below("tmpfs")),
    }
    if not mount["Target"]:
        reader.error(reader.item, f"{reader.where}: target is missing")
    return given(mount)


def _bind_options(reader: Reader) -> dict[str, Any]:
    reader.only(("propagation", "create_host_path", "selinux", "recursive"))
    reader.ignored("selinux")
    makes = reader.flag("create_host_path", default=True)
    word = reader.one_of("recursive", ("enabled", *_RECURSIVE), "enabled")
    return given(
        {
            "Propagation": reader.text("propagation"),
            "CreateMountpoint": makes or None,
            **({_RECURSIVE[word]: True} if word in _RECURSIVE else {}),
        }
    )


def _image_options(reader: Reader) -> dict[str, Any]:
    reader.only(("subpath",))
    return given({"Subpath": reader.text("subpath")})


def _volume_options(reader: Reader) -> dict[str, Any]:
    reader.only(("nocopy", "subpath", "labels"))
    labels = {name: value or "" for name, value in reader.pairs("labels").items()}
    found = {"NoCopy": reader.flag("nocopy") or None, "Subpath": reader.text("subpath")}
    return given({**found, "Labels": labels})


def _tmpfs_options(reader: Reader) -> dict[str, Any]:
    reader.only(("size", "mode"))
    mode = reader.value("mode", octal, 0) or None
    return given({"SizeBytes": reader.value("size", size, 0) or None, "Mode": mode})


def octal(text: str) -> int:
    """Return a file's mode; a bare number is octal, as people write it."""
    try:
        return int(text.removeprefix("0o"), 8)
    except ValueError:
        raise ValueError(f"{text!r} is no octal mode") from None
