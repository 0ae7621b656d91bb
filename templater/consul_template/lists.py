"""consul-template's functions on lists and maps: grouping, searching, merging, nesting. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from sidecar.golang.quoting import quoted
from sidecar.gotemplate.kinds import ANYS, INT, MAP, STRING, map_of
from sidecar.gotemplate.printing import text as shown
from sidecar.gotemplate.signatures import Function
from sidecar.gotemplate.values import INVALID, Int64, Map, Slice, truth, type_of
from templater.consul_template.records import (
    PAIRS,
    SERVICES,
    SNIPPETS,
    STRING_MAP,
    STRINGS,
    Pair,
    strings,
)

__all__ = ["LISTS"]

_MOST: Final = 1_000_000
_ODD: Final = re.compile(r"[^a-zA-Z0-9_-]")
_PAIR_MAP: Final = map_of(STRING, PAIRS.elem or STRING)


def _by_key(pairs: Slice) -> Map:
    """Group pairs by the first part of their key, which is taken off."""
    found: dict[object, object] = {}
    for pair in _pairs(pairs):
        top, _, rest = pair.key.partition("/")
        if rest:
            group = found.setdefault(top, Map({}, _PAIR_MAP))
            group[rest] = pair._replace(key=rest)  # type: ignore[index]
    return Map(found, map_of(STRING, _PAIR_MAP))


def _by_tag(items: object) -> Map:
    found: dict[object, list[object]] = {}
    for item in _services("byTag", items, (SERVICES, SNIPPETS)):
        for tag in item.tags:
            found.setdefault(tag, []).append(item)
    return Map(dict(found), map_of(STRING, ANYS))


def _by_port(items: object) -> Map:
    found: dict[object, list[object]] = {}
    for item in _services("byPort", items, (SERVICES,)):
        found.setdefault(item.port, []).append(item)
    return Map(dict(found), map_of(INT, ANYS))


def _services(name: str, items: object, kinds: tuple[object, ...]) -> Iterable[Any]:
    if items is None or items is INVALID:
        return ()
    if isinstance(items, Slice) and items.go_type in kinds:
        return items
    raise TypeError(f"{name}: wrong argument type {type_of(items)}")


def _by_meta(meta: str, services: Slice) -> Map:
    """Group services by metadata: names joined by commas, ``name|int`` as a number of 5 digits."""
    found: dict[object, object] = {}
    names = meta.split(",")
    for service in _services("byMeta", services, (SERVICES,)):
        group = "_".join(_ODD.sub("_", _meta(service.service_meta, name)) for name in names)
        held = found.setdefault(group, Slice((), SERVICES))
        held.append(service)  # type: ignore[attr-defined]
    return Map(found, map_of(STRING, SERVICES))


def _meta(meta: Mapping[str, str], name: str) -> str:
    key = name.removesuffix("|int")
    if key == name:
        return meta.get(key) or f"_no_{key}_"
    value = meta.get(key) or "0"
    digits = value[1:] if value[:1] in {"+", "-"} else value
    if not (digits.isascii() and digits.isdigit()):
        reason = f"strconv.Atoi: parsing {quoted(value)}: invalid syntax"
        raise ValueError(f"cannot parse {value} as number : {reason}")
    return f"{int(value):05d}"


def _in(items: object, value: object) -> bool:
    """Say whether a list holds a value, or text a text; kinds of numbers are not mixed."""
    if isinstance(items, str):
        return isinstance(value, str) and value in items
    if not isinstance(items, list | tuple):
        return False
    kind = _kind(value)
    return kind != "" and any(_kind(item) == kind and item == value for item in items)


def _kind(value: object) -> str:
    kind = type_of(value).kind
    return kind if kind in ("int", "float", "string") else ""


def _contains(value: object, items: object) -> bool:
    return _in(items, value)


def _some(*, at_end: bool, inverted: bool) -> Callable[[object, object], bool]:
    def act(values: object, items: object) -> bool:
        if not isinstance(values, list | tuple):
            raise TypeError(
                f"wrong type for value; expected []interface {{}}; got {type_of(values)}"
            )
        for value in values:
            if _in(items, value) != inverted:
                return not at_end
        return at_end

    return act


def _merge_map(into: object, other: object) -> Map:
    return _merged(_table(into), _table(other), overrides=False)


def _merge_over(into: object, other: object) -> Map:
    return _merged(_table(into), _table(other), overrides=True)


def _merged(into: Mapping[Any, Any], other: Mapping[Any, Any], *, overrides: bool) -> Map:
    """Merge deeply; an empty value never wins over one that is there."""
    found = dict(into)
    for key, value in other.items():
        mine = found.get(key)
        if isinstance(mine, Mapping) and isinstance(value, Mapping):
            found[key] = _merged(mine, value, overrides=overrides)
        elif mine is None or not truth(mine) or (overrides and truth(value)):
            found[key] = value
    return Map(found, MAP)


def _table(value: object) -> Mapping[Any, Any]:
    if isinstance(value, Mapping):
        return value
    raise TypeError(
        f"wrong type for value; expected map[string]interface {{}}; got {type_of(value)}"
    )


def _explode(pairs: Slice) -> Map:
    """Nest pairs by the parts of their keys."""
    return _nested("explode", ((pair.key, pair.value) for pair in _pairs(pairs)))


def _explode_map(table: object) -> Map:
    items = _table(table)
    return _nested("explodeMap", ((str(key), items[key]) for key in sorted(items)))


def _nested(name: str, items: Iterable[tuple[str, object]]) -> Map:
    whole = Map({}, MAP)
    for path, value in items:
        *folders, leaf = path.split("/")
        place = whole
        for depth, folder in enumerate(folders):
            inner = place.setdefault(folder, Map({}, MAP))
            if not isinstance(inner, Map):
                # The peer names the path from the level above the one that is in the way.
                rest = "/".join(path.split("/")[max(depth - 1, 0) :])
                held = _shown(inner)
                raise ValueError(  # noqa: TRY004  (the text is what counts)
                    f"{name}: not a map: {quoted(rest)}: {quoted(folder)} already has value {held}"
                )
            place = inner
        if leaf:
            place[leaf] = value
    return whole


def _shown(value: object) -> str:
    return quoted(value) if isinstance(value, str) else f"%!q({type_of(value)}={shown(value)})"


def _pairs(pairs: Slice) -> Iterable[Pair]:
    return (pair for pair in pairs if isinstance(pair, Pair))


def _loop(*bounds: object) -> Slice:
    """Return numbers from the first bound (or 0) up to but without the last."""
    if len(bounds) not in (1, 2):
        raise ValueError(f"loop: wrong number of arguments, expected 1 or 2, but got {len(bounds)}")
    first, last = (Int64(0), bounds[0]) if len(bounds) == 1 else bounds
    start, stop = _whole(first), _whole(last)
    if stop - start > _MOST:
        raise ValueError(f"loop: more than {_MOST} numbers")
    return Slice(map(Int64, range(start, stop)), ANYS)


def _whole(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        digits = value[1:] if value[:1] in {"+", "-"} else value
        if not value:
            return 0
        if digits.isascii() and digits.isdigit():
            return int(value)
        reason = f"strconv.ParseInt: parsing {quoted(value)}: invalid syntax"
        raise ValueError(f"parseInt: {reason}")
    raise TypeError(f"loop: bad argument type: {type_of(value)}")


def _join(separator: str, items: Slice) -> str:
    return separator.join(map(str, items))


def _split(separator: str, text: str) -> Slice:
    text = text.strip()
    if not text:
        return strings(())
    return strings(text.split(separator) if separator else text)


def _split_to_map(outer: str, inner: str, text: str) -> Map:
    found: dict[object, object] = {}
    for part in _split(outer, text):
        name, is_there, value = str(part).partition(inner) if inner else ("", "there", str(part))
        if is_there:
            found[name] = value
    return Map(found, STRING_MAP)


LISTS: Final[Mapping[str, Any]] = {
    "byKey": Function(_by_key, (PAIRS,)),
    "byMeta": Function(_by_meta, (STRING, SERVICES)),
    "byPort": _by_port,
    "byTag": _by_tag,
    "contains": _contains,
    "containsAll": _some(at_end=True, inverted=True),
    "containsAny": _some(at_end=False, inverted=False),
    "containsNone": _some(at_end=True, inverted=False),
    "containsNotAll": _some(at_end=False, inverted=True),
    "explode": Function(_explode, (PAIRS,)),
    "explodeMap": _explode_map,
    "in": _in,
    "join": Function(_join, (STRING, STRINGS)),
    "loop": _loop,
    "mergeMap": _merge_map,
    "mergeMapWithOverride": _merge_over,
    "split": _split,
    "splitToMap": _split_to_map,
}
