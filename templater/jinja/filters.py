"""The filters that templates have: Jinja's that can be bounded, and ours that quote.

Left out: what marks text as safe or takes escapes apart (``safe``, ``striptags``), what differs
each time (``random``), what makes much text out of a number (``center``, ``format``), HTML.
"""

import functools
import json
from collections.abc import Callable, Iterable, Iterator
from types import GeneratorType
from typing import Any, Final

from jinja2.filters import FILTERS

from sidecar.errors import RenderError
from templater.jinja.budget import Budget
from templater.own.quoting import QUOTING
from templater.own.values import text_of, wrapped

__all__ = ["Counted", "filters_of", "weigh"]

_KEPT: Final = (
    "abs", "attr", "batch", "capitalize", "count", "d", "default", "dictsort", "first", "float",
    "groupby", "indent", "int", "items", "join", "last", "length", "list", "lower", "map", "max",
    "min", "reject", "rejectattr", "replace", "reverse", "round", "select", "selectattr", "slice",
    "sort", "string", "title", "trim", "truncate", "unique", "upper", "urlencode", "wordcount",
)  # fmt: skip
_SIZED: Final = (str, list, tuple, dict)
_LONG: Final = 4096
_LARGEST_NUMBER: Final = 1000
"""Of widths, counts and precisions."""
_FREE: Final = frozenset({"d", "default", "int", "float", "max", "min", "replace"})
"""Filters whose numbers are values, not sizes."""

Filter = Callable[..., Any]


def filters_of(budget: Callable[[], Budget]) -> dict[str, Filter]:
    """Return all filters by name; each takes from the budget of the rendering that runs."""
    kept: dict[str, Filter] = {name: FILTERS[name] for name in _KEPT}
    kept |= {"from_json": from_json, "sum": _sum}
    found = {name: _bounded(name, filter_, budget) for name, filter_ in kept.items()}
    found |= {name: _quoting(filter_, budget) for name, filter_ in QUOTING.items()}
    found["join"] = _join_within(found["join"], budget)
    found["replace"] = _replace_within(budget)
    return found


class Counted:
    """What a loop goes through, each turn a step."""

    __slots__ = ("_budget", "_items")

    def __init__(self, items: Iterable[Any], budget: Budget) -> None:
        """Go through ``items``."""
        self._items = items
        self._budget = budget

    def __iter__(self) -> Iterator[Any]:
        """Yield them."""
        step = self._budget.step
        for item in self._items:
            step()
            yield item

    def __len__(self) -> int:
        """Return their number. Raises TypeError where only going through them would tell."""
        return len(self._items)  # type: ignore[arg-type]


def weigh(value: Any, budget: Budget) -> Any:
    """Return a list, tuple or mapping, its members counted as steps, those of members too.

    Lists of lists of the same list are small but long when written; so they are paid for when
    made.
    """
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            one = list(one.values())
        if isinstance(one, list | tuple) and not hasattr(one, "_fields"):
            budget.step(1 + len(one))
            waiting.extend(item for item in one if isinstance(item, list | tuple | dict))
    return value


def from_json(text: Any) -> Any:
    """Return what a JSON text says; its texts are foreign as it was itself."""
    try:
        value = json.loads(text_of(text))
    except (ValueError, RecursionError) as error:
        raise RenderError(f"from_json: {error}") from error
    return _wrapped(value)


def _wrapped(value: Any) -> Any:
    if isinstance(value, str):
        return wrapped(value, "from_json", "a text")
    if isinstance(value, dict):
        return {_wrapped(key): _wrapped(item) for key, item in value.items()}
    return [_wrapped(item) for item in value] if isinstance(value, list) else value


def _bounded(name: str, filter_: Filter, budget: Callable[[], Budget]) -> Filter:
    """Return a filter that pays for what it goes through; its numbers and text are bounded."""
    at = 1 if hasattr(filter_, "jinja_pass_arg") else 0
    checks_numbers = name not in _FREE

    @functools.wraps(filter_)
    def bounded(*args: Any, **named: Any) -> Any:
        left = budget()
        value = args[at]
        left.step(1 + (len(value) if type(value) in _SIZED else 0))
        if isinstance(value, GeneratorType | map | filter | Iterator):
            args = (*args[:at], iter(Counted(value, left)), *args[at + 1 :])
        if checks_numbers and (len(args) > at + 1 or named):
            for number in (*args[at + 1 :], *named.values()):
                if isinstance(number, int) and not -_LARGEST_NUMBER <= number <= _LARGEST_NUMBER:
                    raise RenderError(f"{name}: {number} is out of bounds")
        result = filter_(*args, **named)
        if type(result) is str:
            left.fits(len(result))
        elif type(result) in (list, dict, tuple):
            weigh(result, left)
        return result

    return bounded


def _quoting(filter_: Filter, budget: Callable[[], Budget]) -> Filter:
    """Return a filter whose output is a few times its input; many templates use it on each line."""

    @functools.wraps(filter_)
    def quoting(value: Any, **named: Any) -> Any:
        left = budget()
        left.step()
        text = filter_(value, **named)
        if len(text) > _LONG:
            left.step(len(text))
            left.fits(len(text))
        return text

    return quoting


def _sum(value: Iterable[Any], attribute: str | None = None) -> int | float:
    """Return the sum of numbers."""
    total: int | float = 0
    for item in value:
        number = getattr(item, attribute) if attribute and not attribute.startswith("_") else item
        if not isinstance(number, int | float):
            raise RenderError(f"sum: a {type(number).__name__} is no number")
        total += number
    return total


def _join_within(join: Filter, budget: Callable[[], Budget]) -> Filter:
    """Look at the size before, as it may be the product of two."""

    @functools.wraps(join)
    def bounded(context: Any, value: Any, d: Any = "", attribute: Any = None) -> Any:
        items = list(value)
        left = budget()
        left.step(len(items))
        size = sum(len(item) for item in items if type(item) is str)
        left.fits(size + len(str(d)) * len(items))
        return join(context, items, d, attribute)

    return bounded


def _replace_within(budget: Callable[[], Budget]) -> Filter:
    def replace(value: Any, old: Any, new: Any, count: int | None = None) -> str:
        text, old, new = str(value), str(old), str(new)
        left = budget()
        left.step(1 + len(text) // 64)
        left.fits(len(text) + text.count(old) * len(new))
        return text.replace(old, new, -1 if count is None else count)

    return replace
