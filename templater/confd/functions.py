"""The functions of confd's templates that need nothing but their arguments. Pure.

The annotations are what the template engine checks arguments by, as Go does by signature. Go's
``[]string`` is a ``Slice`` of that type; some functions take nothing else.
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

from sidecar.golang.quoting import quoted
from sidecar.golang.reading import base64_of, truth
from sidecar.gotemplate.kinds import INT, STRING, GoType, slice_of
from sidecar.gotemplate.signatures import Function
from sidecar.gotemplate.values import Slice, type_of
from templater.confd import paths
from templater.confd.store import KVPair, Store
from templater.functions.gojson import read_array, read_object

__all__ = ["INTS", "PAIRS", "STRINGS", "TABLE", "store_functions", "strings"]

STRINGS: Final = slice_of(STRING)
INTS: Final = slice_of(INT)
PAIRS: Final = GoType("memkv.KVPairs", "slice", KVPair.go_type)
"""What confd's store gives; it is a []memkv.KVPair where one is wanted."""
_INT_MOST: Final = 1 << 63


def strings(items: list[str]) -> Slice:
    """Return a Go ``[]string``."""
    return Slice(items, STRINGS)


def store_functions(store: Store) -> Mapping[str, Callable[..., object]]:
    """Return the functions that read a resource's keys."""

    def gets(pattern: str) -> Slice:
        return Slice(store.gets(pattern), PAIRS)

    def getvs(pattern: str) -> Slice:
        return strings(store.getvs(pattern))

    def ls(folder: str) -> Slice:
        return strings(store.ls(folder))

    def lsdir(folder: str) -> Slice:
        return strings(store.lsdir(folder))

    return {
        "exists": store.exists,
        "get": store.get,
        "gets": gets,
        "getv": store.getv,
        "getvs": getvs,
        "ls": ls,
        "lsdir": lsdir,
    }


def _split(text: str, separator: str) -> Slice:
    if not separator:
        return strings(list(text))
    return strings(text.split(separator))


def _join(items: Slice, separator: str) -> str:
    return separator.join(map(str, items))


def _replace(text: str, old: str, new: str, count: int) -> str:
    return text.replace(old, new, count if count >= 0 else -1)


def _contains(text: str, part: str) -> bool:
    return part in text


def _upper(text: str) -> str:
    """Go maps letter by letter: ß stays."""
    return "".join(char.upper() if len(char.upper()) == 1 else char for char in text)


def _lower(text: str) -> str:
    return "".join(char.lower() if len(char.lower()) == 1 else char for char in text)


def _trim_suffix(text: str, suffix: str) -> str:
    return text.removesuffix(suffix)


def _map(*values: object) -> dict[str, object]:
    if len(values) % 2:
        raise ValueError("invalid map call")
    found: dict[str, object] = {}
    for key, value in zip(values[::2], values[1::2], strict=True):
        if not isinstance(key, str):
            raise TypeError("map keys must be strings")
        found[key] = value
    return found


def _json(text: str) -> dict[str, object]:
    return read_object(text)


def _json_array(text: str) -> list[object]:
    return read_array(text)


def _json_exact(text: str) -> dict[str, object]:
    return read_object(text, is_exact=True)


def _json_array_exact(text: str) -> list[object]:
    return read_array(text, is_exact=True)


def _encode64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode()


def _decode64(text: str) -> str:
    return base64_of(text).decode("utf-8", "surrogateescape")


def _atoi(text: str) -> int:
    digits = text[1:] if text[:1] in {"+", "-"} else text
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"strconv.Atoi: parsing {quoted(text)}: invalid syntax")
    value = -int(digits) if text[0] == "-" else int(digits)
    if not -_INT_MOST <= value < _INT_MOST:
        raise ValueError(f"strconv.Atoi: parsing {quoted(text)}: value out of range")
    return value


def _wrapped(value: int) -> int:
    """Return a number as 64 bits hold it."""
    return (value + _INT_MOST) % (2 * _INT_MOST) - _INT_MOST


def _add(a: int, b: int) -> int:
    return _wrapped(a + b)


def _sub(a: int, b: int) -> int:
    return _wrapped(a - b)


def _mul(a: int, b: int) -> int:
    return _wrapped(a * b)


def _div(a: int, b: int) -> int:
    """Divide toward zero."""
    if b == 0:
        raise ZeroDivisionError("runtime error: integer divide by zero")
    return _wrapped(abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1))


def _mod(a: int, b: int) -> int:
    """Return the rest with the sign of ``a``."""
    if b == 0:
        raise ZeroDivisionError("runtime error: integer divide by zero")
    return abs(a) % abs(b) * (-1 if a < 0 else 1)


_SEQUENCE: Final = 10_000_000


def _seq(first: int, last: int) -> Slice:
    if last - first > _SEQUENCE:
        raise ValueError(f"seq: more than {_SEQUENCE} numbers")
    return Slice(range(first, last + 1), INTS)


def _reverse(values: object) -> object:
    """Reverse in place; pairs too, as confd's documentation says (measured: it leaves them)."""
    if isinstance(values, Slice) and values.go_type in {STRINGS, PAIRS}:
        values.reverse()
    return values


def _by_length(values: Slice) -> Slice:
    values.sort(key=lambda item: len(str(item).encode("utf-8", "surrogateescape")))
    return values


def _pairs_by_length(values: object) -> Slice:
    if not (isinstance(values, Slice) and values.go_type == PAIRS):
        raise TypeError(f"expected []memkv.KVPair; got {type_of(values)}")
    values.sort(key=lambda pair: len(pair.Key) if isinstance(pair, KVPair) else 0)
    return values


TABLE: Final[Mapping[str, Any]] = {
    "add": _add,
    "atoi": _atoi,
    "base": paths.base,
    "base64Decode": _decode64,
    "base64Encode": _encode64,
    "contains": _contains,
    "dir": paths.directory,
    "div": _div,
    "join": Function(_join, (STRINGS, STRING)),
    "json": _json,
    "jsonArray": _json_array,
    "jsonArrayInt": _json_array_exact,
    "jsonInt": _json_exact,
    "map": _map,
    "mod": _mod,
    "mul": _mul,
    "parseBool": truth,
    "replace": _replace,
    "reverse": _reverse,
    "seq": _seq,
    "sortByLength": Function(_by_length, (STRINGS,)),
    "sortKVByLength": _pairs_by_length,
    "split": _split,
    "sub": _sub,
    "toLower": _lower,
    "toUpper": _upper,
    "trimSuffix": _trim_suffix,
}
"""By name; ``jsonInt`` and ``jsonArrayInt`` are ours: whole numbers stay whole (confd #186)."""
