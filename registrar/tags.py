"""``-tags`` as a Go template of a container's inspect document: its functions, its result. Pure.

Names, order of arguments and results are Registrator's; where it would end with a runtime error
of Go, here the template fails, and only that container goes without these tags.
"""

import json
from collections.abc import Callable, Mapping
from typing import Final

from registrar.inspected import inspected
from sidecar.catalog.automaton import Automaton, Budget, TooExpensive, TooLarge
from sidecar.catalog.pattern import parse_pattern
from sidecar.gotemplate.kinds import STRING, slice_of
from sidecar.gotemplate.template import Template, compile_template
from sidecar.gotemplate.values import Slice

__all__ = ["TagTemplate", "functions", "json_parse"]

_STEPS: Final = 1_000_000
_STRINGS: Final = slice_of(STRING)
_BLANKS: Final = " \t\r\n"
_decoder: Final = json.JSONDecoder()

Function = Callable[..., object]
Fetch = Callable[[str], bytes]


class TagTemplate:
    """A compiled template of tags."""

    def __init__(self, text: str, fetch: Fetch) -> None:
        """Compile; ``fetch`` is ``httpGet``. Raises TemplateError."""
        self._template: Template = compile_template("tags", text, functions(fetch))

    def of(self, document: object) -> str:
        """Return the comma list for a container. Raises TemplateError."""
        return self._template.execute(inspected(document))


def functions(fetch: Fetch) -> Mapping[str, Function]:
    """Return the functions beyond Go's own."""
    return {
        "strSlice": _str_slice,
        "sIndex": _s_index,
        "mIndex": _m_index,
        "toUpper": _to_upper,
        "toLower": _to_lower,
        "replace": _replace,
        "join": _join,
        "split": _split,
        "splitIndex": _split_index,
        "matchFirstElement": _match_first,
        "matchAllElements": _match_all,
        "httpGet": _http_get(fetch),
        "jsonParse": json_parse,
    }


def _str_slice(text: str, *bounds: int) -> str:
    data = text.encode("utf-8", "surrogateescape")
    if not 1 <= len(bounds) <= 2 or any(len(data) < bound for bound in bounds):
        return text
    start, end = bounds[0], bounds[1] if len(bounds) == 2 else len(data)
    if len(bounds) == 2 and start and end < start:
        end = len(data)
    if start < 0 or end < 0:
        raise ValueError("slice bounds out of range")
    return data[start:end].decode("utf-8", "surrogateescape")


def _s_index(index: int, items: object) -> str:
    return _element(index, _texts(items))


def _element(index: int, items: list[str]) -> str:
    if not items:
        raise ValueError("index out of range")
    if index < 0:
        return items[0] if -index >= len(items) else items[index]
    return items[min(index, len(items) - 1)]


def _m_index(key: str, table: object) -> str:
    if not isinstance(table, Mapping):
        raise ValueError("mIndex: not a map")  # noqa: TRY004  (what a template's error is made of)
    return str(table.get(key, ""))


def _to_upper(text: str) -> str:
    return "".join(up if len(up := char.upper()) == 1 else char for char in text)


def _to_lower(text: str) -> str:
    return text.lower()


def _replace(count: int, old: str, new: str, text: str) -> str:
    return text.replace(old, new, count)


def _join(separator: str, items: object) -> str:
    return separator.join(_texts(items))


def _split(separator: str, text: str) -> Slice:
    return Slice(_parts(separator, text), _STRINGS)


def _split_index(index: int, separator: str, text: str) -> str:
    return _element(index, _parts(separator, text))


def _parts(separator: str, text: str) -> list[str]:
    return text.split(separator) if separator else list(text)


def _match_first(pattern: str, items: object) -> str:
    return next(iter(_matching(pattern, items)), "")


def _match_all(pattern: str, items: object) -> Slice:
    return Slice(_matching(pattern, items), _STRINGS)


def _matching(pattern: str, items: object) -> list[str]:
    budget = Budget(_STEPS)
    try:
        automaton = Automaton(parse_pattern(pattern))
        return [item for item in _texts(items) if automaton.search(item, budget)]
    except (TooLarge, TooExpensive):
        raise ValueError("the pattern takes too long") from None


def _http_get(fetch: Fetch) -> Function:
    def http_get(url: str) -> bytes:
        return fetch(url)

    return http_get


def _texts(items: object) -> list[str]:
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise ValueError("not a list of strings")
    return list(items)


def json_parse(data: object, path: str) -> str:
    """Return the value at ``key::key`` as it stands in a document; empty when there is none.

    A text is without its quotes and otherwise as it is written. ``[0]`` is an element of a list.
    """
    if not isinstance(data, bytes):
        raise ValueError("jsonParse: not bytes")  # noqa: TRY004
    text = data.decode("utf-8", "surrogateescape")
    try:
        start, end = _found(text, path.split("::"))
    except (ValueError, IndexError, StopIteration, RecursionError):
        return ""
    return text[start + 1 : end - 1] if text[start] == '"' else text[start:end]


def _found(text: str, keys: list[str]) -> tuple[int, int]:
    """Return where the value begins and ends. Raises ValueError or IndexError."""
    start = _past_blanks(text, 0)
    end = _decoder.raw_decode(text, start)[1]
    for key in keys:
        start, end = next(
            (begin, stop) for name, begin, stop in _members(text, start) if name == key
        )
    return start, end


def _members(text: str, at: int) -> list[tuple[str, int, int]]:
    """Return name, begin and end of what an object or a list holds."""
    is_object = text[at] == "{"
    if not is_object and text[at] != "[":
        raise ValueError("neither an object nor a list")
    found: list[tuple[str, int, int]] = []
    at = _past_blanks(text, at + 1)
    while text[at] not in "}]":
        name = f"[{len(found)}]"
        if is_object:
            decoded, at = _decoder.raw_decode(text, at)
            name = str(decoded)
            at = _past_blanks(text, _past_blanks(text, at) + 1)  # the colon
        end = _decoder.raw_decode(text, at)[1]
        found.append((name, at, end))
        at = _past_blanks(text, end)
        if text[at] == ",":
            at = _past_blanks(text, at + 1)
    return found


def _past_blanks(text: str, at: int) -> int:
    while text[at] in _BLANKS:
        at += 1
    return at
