"""How a later Compose file changes an earlier one. Pure.

Source: the Compose specification's chapter on merging. Mappings are merged key by key, a value
replaces a value, lists are put one after the other; commands are replaced as a whole; ports,
volumes, configs and secrets that mean the same replace each other. What may be written as a list or
as a mapping is one mapping. ``!reset`` takes a key away, ``!override`` puts its value instead.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from sidecar.scheduler.compose.document import Item
from sidecar.scheduler.compose.values import published

__all__ = ["merged", "without_tags"]

Path = tuple[str, ...]
_REPLACED: Final = frozenset({"command", "entrypoint", "test"})
_PAIRS: Final = frozenset(
    {"environment", "labels", "annotations", "sysctls", "storage_opt", "driver_opts", "options"}
)
_NAMES: Final = frozenset({"depends_on", "networks"})
_LISTS: Final = frozenset({"dns", "dns_search", "env_file", "tmpfs", "label_file", "profiles"})
_CONDITION: Final = "service_started"


def merged(base: Item, over: Item, path: Path = ()) -> Item:
    """Return ``base`` as ``over`` changes it; ``path`` is where both stand in a file."""
    if over.tag == "override" or base.value is None:
        return replace(over, tag="")
    if over.value is None and over.tag != "reset":
        return base
    key = path[-1] if path else ""
    is_of_service = len(path) > 2 and path[0] == "services"
    if is_of_service and key in _REPLACED:
        return over
    if is_of_service:
        base, over = (_alike(each, key, path) for each in (base, over))
    if isinstance(base.value, dict) and isinstance(over.value, dict):
        return _tables(base, over, path)
    if isinstance(base.value, list) and isinstance(over.value, list):
        return _lists(base, over, key if is_of_service else "")
    return over


def without_tags(item: Item) -> Item:
    """Return an item without what is to be reset."""
    if isinstance(item.value, dict):
        kept = {k: without_tags(each) for k, each in item.value.items() if each.tag != "reset"}
        return replace(item, value=kept, tag="")
    if isinstance(item.value, list):
        return replace(item, value=[without_tags(each) for each in item.value], tag="")
    return replace(item, tag="")


def _tables(base: Item, over: Item, path: Path) -> Item:
    if path[-1:] == ("logging",) and _is_other_driver(base, over):
        return over
    found, keys = dict(base.map), dict(base.keys)
    for key, item in over.map.items():
        if item.tag == "reset":
            found.pop(key, None)
            continue
        found[key] = merged(found[key], item, (*path, key)) if key in found else item
        keys[key] = over.place_of(key)
    return replace(base, value=found, keys=keys)


def _is_other_driver(base: Item, over: Item) -> bool:
    one, other = base.map.get("driver"), over.map.get("driver")
    return one is not None and other is not None and one.text != other.text


def _alike(item: Item, key: str, path: Path) -> Item:
    """Return what may be written in several forms in one of them."""
    if key in _LISTS and isinstance(item.value, str):
        return replace(item, value=[replace(item, tag="")])
    is_list = isinstance(item.value, list)
    if is_list and key in _NAMES and len(path) == 3:
        entries = {each.text: _condition(each, key) for each in item.items}
        return replace(item, value=entries, keys={each.text: each.place for each in item.items})
    if is_list and key in _PAIRS:
        return _table_of(item, "=")
    if is_list and key == "extra_hosts":
        return _table_of(item, "=:")
    return item


def _condition(item: Item, key: str) -> Item:
    if key != "depends_on":
        return replace(item, value=None)
    return replace(item, value={"condition": replace(item, value=_CONDITION)})


def _table_of(item: Item, separators: str) -> Item:
    found: dict[str, Item] = {}
    for each in item.items:
        at = min((i for i in map(each.text.find, separators) if i >= 0), default=-1)
        name = each.text if at < 0 else each.text[:at]
        value = None if at < 0 else each.text[at + 1 :]
        found[name] = replace(each, value=value, is_quoted=True)
    return replace(item, value=found, keys={name: each.place for name, each in found.items()})


def _lists(base: Item, over: Item, key: str) -> Item:
    """Return both lists; of entries with the same meaning the later one."""
    identity = _IDENTITIES.get(key, _whole)
    found: dict[object, Item] = {}
    for each in (*base.items, *over.items):
        mark = identity(each)
        if mark in found and isinstance(each.value, dict) and isinstance(found[mark].value, dict):
            found[mark] = _tables(found[mark], each, ())
        else:
            found[mark] = each
    return replace(base, value=list(found.values()))


def _whole(item: Item) -> object:
    return repr(item.plain())


def _port(item: Item) -> object:
    if isinstance(item.value, dict):
        words = (item.map.get(key, Item("")).text for key in ("host_ip", "published", "target"))
        protocol = item.map.get("protocol", Item("tcp")).text or "tcp"
        return (*words, protocol)
    try:
        (one,) = published(item.text)
    except ValueError:
        return item.text
    number = str(one.host.number or "")
    return one.host.address, number, str(one.container), one.host.protocol


def _volume(item: Item) -> object:
    if isinstance(item.value, dict):
        return item.map.get("target", Item("")).text
    words = item.text.split(":")
    return words[1] if len(words) > 1 else words[0]


def _file(item: Item) -> object:
    if isinstance(item.value, dict):
        target = item.map.get("target") or item.map.get("source") or Item("")
        return target.text
    return item.text


_IDENTITIES: Final[Mapping[str, Callable[[Item], object]]] = {
    "ports": _port,
    "volumes": _volume,
    "configs": _file,
    "secrets": _file,
}
