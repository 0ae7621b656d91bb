"""What range goes through: lists, maps in sorted order of keys, numbers, iterators. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import cast

from sidecar.gotemplate.numerals import Flags
from sidecar.gotemplate.printing import formatted, sorted_items
from sidecar.gotemplate.signatures import Fault
from sidecar.gotemplate.values import INVALID, Uint8, indirect

__all__ = ["elements", "pairs"]


def elements(value: object, limit: int) -> Sequence[object]:
    """Return what a range with at most one variable gives, one after the other."""
    if type(value) is list:
        return value
    value = indirect(value)[0]
    if isinstance(value, Mapping):
        return [held for _, held in sorted_items(value)]
    if isinstance(value, int) and not isinstance(value, bool):
        kind = type(value)
        # One more than the bound on steps, which is charged for what is returned here.
        whole = range(min(value, limit + 1))
        return whole if kind is int else [kind(at) for at in whole]
    return _listed(value, limit)


def pairs(value: object, limit: int) -> Sequence[tuple[object, object]]:
    """Return what a range with two variables gives: index or key, and element."""
    value = indirect(value)[0]
    if isinstance(value, Mapping):
        return sorted_items(value)
    if isinstance(value, int) and not isinstance(value, bool):
        raise Fault(f"can't use {value} to iterate over more than one variable")
    return list(enumerate(_listed(value, limit)))


def _listed(value: object, limit: int) -> Sequence[object]:
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return value
    if value is INVALID:
        return ()
    if isinstance(value, bytes):
        return [Uint8(byte) for byte in value]
    if isinstance(value, Iterator):
        return list(islice(cast("Iterator[object]", value), limit + 1))
    raise Fault(f"range can't iterate over {formatted(value, 'v', Flags())}")
