"""Paths of a Compose file in another folder, as seen from anywhere. Pure."""

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from sidecar.scheduler.compose.document import Item

__all__ = ["rebased", "rebased_service"]

Change = Callable[[Item, str], Item]


def rebased(document: Item, folder: str) -> Item:
    """Return a file whose relative paths begin at ``folder``, with absolute ones."""
    return _each(document, folder, _TOP)


def rebased_service(service: Item, folder: str) -> Item:
    """Return the same of one service."""
    return _each(service, folder, _SERVICE)


def _each(item: Item, folder: str, changes: Mapping[str, Change]) -> Item:
    """Return a mapping whose keys are changed as the table says; ``*`` is any key."""
    found = {}
    for key, each in item.map.items():
        change = changes.get(key) or changes.get("*")
        found[key] = change(each, folder) if change is not None else each
    return replace(item, value=found) if isinstance(item.value, dict) else item


def _path(item: Item, folder: str) -> Item:
    if not item.text or item.text.startswith("~"):
        return item
    return replace(item, value=posixpath.normpath(posixpath.join(folder, item.text)))


def _paths(item: Item, folder: str) -> Item:
    """Return a path, a list of such, or of mappings with ``path``."""
    if isinstance(item.value, list):
        return replace(item, value=[_paths(each, folder) for each in item.value])
    if isinstance(item.value, dict):
        return _each(item, folder, {"path": _path})
    return _path(item, folder)


def _volumes(item: Item, folder: str) -> Item:
    return replace(item, value=[_volume(each, folder) for each in item.items])


def _volume(item: Item, folder: str) -> Item:
    if isinstance(item.value, dict):
        is_bind = item.map.get("type", Item("")).text == "bind"
        return _each(item, folder, {"source": _path}) if is_bind else item
    source, colon, rest = item.text.partition(":")
    if not colon or not source.startswith("."):
        return item
    return replace(item, value=f"{posixpath.normpath(posixpath.join(folder, source))}:{rest}")


def _services(item: Item, folder: str) -> Item:
    return _each(item, folder, {"*": rebased_service})


def _with_files(item: Item, folder: str) -> Item:
    return _each(item, folder, {"*": lambda each, at: _each(each, at, {"file": _path})})


_SERVICE: Final[Mapping[str, Change]] = {
    "env_file": _paths,
    "label_file": _paths,
    "volumes": _volumes,
}
_TOP: Final[Mapping[str, Change]] = {
    "services": _services,
    "configs": _with_files,
    "secrets": _with_files,
}
