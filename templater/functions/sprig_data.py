"""Sprig's commonest functions on lists, maps, defaults and kinds. Pure.

Maps are changed in place by ``set``, ``unset`` and ``merge``, as there.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from sidecar.gotemplate.kinds import STRING, slice_of
from sidecar.gotemplate.values import INVALID, Map, Slice, is_struct, truth, type_of
from templater.functions.bounds import MOST, bounded
from templater.functions.gojson import read_value
from templater.functions.sprig_numbers import NUMBERS
from templater.functions.sprig_text import TEXT, text_of

__all__ = ["SPRIG", "both_names"]

_STRINGS: Final = slice_of(STRING)
_MOST_COMPARED: Final = 1000


def _has_value(value: object) -> bool:
    return value is not INVALID and (is_struct(value) or truth(value))


def _default(value: object, *given: object) -> object:
    return given[0] if given and _has_value(given[0]) else value


def _coalesce(*values: object) -> object:
    return next((value for value in values if _has_value(value)), None)


def _ternary(yes: object, no: object, condition: bool) -> object:
    return yes if condition else no


def _fail(message: str) -> NoReturn:
    raise ValueError(message)


# --- lists ----------------------------------------------------------------------------------------


def _items(values: object) -> list[object]:
    if isinstance(values, list | tuple):
        return list(values)
    raise TypeError(f"Cannot find items of type {type_of(values)}")


def _first(values: object) -> object:
    return next(iter(_items(values)), None)


def _last(values: object) -> object:
    items = _items(values)
    return items[-1] if items else None


def _append(values: object, value: object) -> list[object]:
    return _short([*_items(values), value])


def _prepend(values: object, value: object) -> list[object]:
    return _short([value, *_items(values)])


def _concat(*lists: object) -> list[object]:
    return _short([item for each in lists for item in _items(each)])


def _short(items: list[object]) -> list[object]:
    if len(items) > MOST:
        raise ValueError(f"a list of more than {MOST} items")
    return items


def _uniq(values: object) -> list[object]:
    """Return each value once: plain ones are looked up, others compared."""
    found: list[object] = []
    others: list[object] = []
    seen: set[object] = set()
    for value in bounded(_items(values)):
        if isinstance(value, str | int | float | None):
            mark = (type(value), value)
            if mark not in seen:
                seen.add(mark)
                found.append(value)
        elif not any(_same(value, other) for other in others):
            if len(others) >= _MOST_COMPARED:
                raise ValueError(f"more than {_MOST_COMPARED} lists or maps to compare")
            others.append(value)
            found.append(value)
    return found


def _equal(a: object, b: object) -> bool:
    return _same(bounded(a), bounded(b))


def _same(a: object, b: object) -> bool:
    """Say whether values are deeply equal: of the same type too."""
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    return type_of(a) == type_of(b) and a == b


def _without(values: object, *others: object) -> list[object]:
    items = bounded(_items(values))
    return [one for one in items if not any(_same(one, bounded(other)) for other in others)]


def _has(value: object, values: object) -> bool:
    bounded(value)
    return values is not None and any(_same(value, one) for one in bounded(_items(values)))


def _slice(values: object, *bounds: int) -> list[object]:
    items = _items(values)
    start = bounds[0] if bounds else 0
    end = bounds[1] if len(bounds) > 1 else len(items)
    if not 0 <= start <= end <= len(items):
        raise ValueError("slice bounds out of range")
    return items[start:end]


def _chunk(size: int, values: object) -> list[object]:
    items = _items(values)
    if size < 1:
        raise ValueError("chunk: the size must be at least 1")
    return [items[at : at + size] for at in range(0, len(items), size)]


# --- maps -----------------------------------------------------------------------------------------


def _table(value: object) -> dict[Any, Any]:
    if isinstance(value, dict):
        return value
    raise TypeError(
        f"wrong type for value; expected map[string]interface {{}}; got {type_of(value)}"
    )


def _dict(*values: object) -> Map:
    found: dict[object, object] = {}
    for at in range(0, len(values), 2):
        found[text_of(values[at])] = values[at + 1] if at + 1 < len(values) else ""
    return Map(found)


def _set(table: object, key: str, value: object) -> object:
    _table(table)[key] = value
    return table


def _unset(table: object, key: str) -> object:
    _table(table).pop(key, None)
    return table


def _get(table: object, key: str) -> object:
    return _table(table).get(key, "")


def _keys(*tables: object) -> Slice:
    return Slice([key for table in tables for key in sorted(_table(table))], _STRINGS)


def _values(table: object) -> list[object]:
    found = _table(table)
    return [found[key] for key in sorted(found)]


def _pluck(key: str, *tables: object) -> list[object]:
    return [found[key] for table in tables if key in (found := _table(table))]


def _pick(table: object, *keys: str) -> Map:
    found = _table(table)
    return Map({key: found[key] for key in keys if key in found})


def _omit(table: object, *keys: str) -> Map:
    return Map({key: value for key, value in _table(table).items() if key not in keys})


def _merge(table: object, *others: object, overrides: bool = False) -> object:
    found = _table(table)
    for other in others:
        for key, value in _table(other).items():
            mine = found.get(key)
            if isinstance(mine, dict) and isinstance(value, dict):
                _merge(mine, value, overrides=overrides)
            elif not _has_value(mine) or (overrides and _has_value(value)):
                found[key] = value
    return table


def _merge_over(table: object, *others: object) -> object:
    return _merge(table, *others, overrides=True)


def _dig(*words: object) -> object:
    *path, default, table = words
    found: object = table
    for key in path:
        if not isinstance(found, Mapping) or key not in found:
            return default
        found = found[key]
    return found


def _copy(value: object) -> object:
    if isinstance(value, Map):
        return Map({key: _copy(inner) for key, inner in value.items()}, value.go_type)
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    if isinstance(value, Slice):
        return Slice(map(_copy, value), value.go_type)
    return [_copy(inner) for inner in value] if isinstance(value, list) else value


def _from_json(text: str) -> object:
    try:
        return read_value(text)
    except (ValueError, json.JSONDecodeError):
        return None


# --- kinds ----------------------------------------------------------------------------------------

_KINDS: Final = {"int": "int", "uint": "uint", "float": "float64"}


def _kind(value: object) -> str:
    go_type = type_of(value)
    if value is None or value is INVALID:
        return "invalid"
    return go_type.name if go_type.kind in _KINDS else go_type.kind


DATA: Final[Mapping[str, Callable[..., object]]] = {
    "all": lambda *values: all(map(_has_value, values)),
    "any": lambda *values: any(map(_has_value, values)),
    "append": _append,
    "chunk": _chunk,
    "coalesce": _coalesce,
    "compact": lambda values: [one for one in _items(values) if _has_value(one)],
    "concat": _concat,
    "deepCopy": lambda value: _copy(bounded(value)),
    "deepEqual": _equal,
    "default": _default,
    "dict": _dict,
    "dig": _dig,
    "empty": lambda value: not _has_value(value),
    "fail": _fail,
    "first": _first,
    "fromJson": _from_json,
    "get": _get,
    "has": _has,
    "hasKey": lambda table, key: key in _table(table),
    "initial": lambda values: _items(values)[:-1],
    "keys": _keys,
    "kindIs": lambda kind, value: _kind(value) == kind,
    "kindOf": _kind,
    "last": _last,
    "list": lambda *values: list(values),
    "merge": _merge,
    "mergeOverwrite": _merge_over,
    "omit": _omit,
    "pick": _pick,
    "pluck": _pluck,
    "prepend": _prepend,
    "push": _append,
    "rest": lambda values: _items(values)[1:],
    "reverse": lambda values: _items(values)[::-1],
    "set": _set,
    "slice": _slice,
    "ternary": _ternary,
    "tuple": lambda *values: list(values),
    "typeIs": lambda name, value: type_of(value).name == name,
    "typeOf": lambda value: type_of(value).name,
    "uniq": _uniq,
    "unset": _unset,
    "values": _values,
    "without": _without,
}

_PLAIN: Final = {**NUMBERS, **TEXT, **DATA}
_MUST: Final = (
    "append", "chunk", "compact", "deepCopy", "first", "has", "initial", "last", "merge",
    "mergeOverwrite", "prepend", "push", "regexFind", "regexFindAll", "regexMatch",
    "regexReplaceAll", "regexReplaceAllLiteral", "regexSplit", "rest", "reverse", "slice", "toJson",
    "toPrettyJson", "toRawJson", "uniq", "without",
)  # fmt: skip
"""What has a name with ``must`` too: it fails where the other might be silent; ours always do."""

SPRIG: Final[Mapping[str, Callable[..., object]]] = {
    **_PLAIN,
    **{f"must{name[0].upper()}{name[1:]}": _PLAIN[name] for name in _MUST},
    "mustFromJson": read_value,
}
"""By Sprig's names; those that ask the machine are in ``sprig_world``."""


def both_names(functions: Mapping[str, Callable[..., object]]) -> dict[str, Callable[..., object]]:
    """Return Sprig's functions by their names, and by ``sprig_`` and their names.

    Where a language has a function of the same name, which is put over them, the other finds it.
    """
    return {**functions, **{f"sprig_{name}": call for name, call in functions.items()}}
