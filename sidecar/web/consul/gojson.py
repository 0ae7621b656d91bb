"""JSON as Go's encoding/json reads it from a stream: one value, the rest ignored. Pure.

Clients match on the texts of its errors. Values come from the standard library's reader; only
when that fails is the text scanned again, slowly, to say what is wrong in Go's words.
"""

import json
import re
from dataclasses import dataclass
from typing import Final, NoReturn

from sidecar.golang.quoting import quoted

__all__ = ["BadJson", "Number", "Object", "Value", "read"]

DEPTH: Final = 64
"""Nesting that a body may have; no request of this API needs more than four."""

_SPACE: Final = " \t\r\n"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_STRING: Final = re.compile(r'(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*')
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NUMBER_START: Final = re.compile(r"-?(?:0|[1-9][0-9]*)?(?:\.[0-9]*)?(?:[eE][+-]?)?[0-9]*")
_LITERALS: Final = {"t": "true", "f": "false", "n": "null"}


class BadJson(ValueError):
    """The text is not JSON; says why as Go does."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written."""

    text: str


@dataclass(frozen=True, slots=True)
class Object:
    """An object's members in the order they were written, doubles included."""

    members: tuple[tuple[str, "Value"], ...]


Value = None | bool | str | Number | Object | list["Value"]


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


_decoder: Final = json.JSONDecoder(
    object_pairs_hook=lambda pairs: Object(tuple(pairs)),
    parse_int=Number,
    parse_float=Number,
    parse_constant=_no_constant,
)


def read(data: bytes) -> Value:
    """Return the first value of the text; raises BadJson."""
    text = data.decode("utf-8", "replace").lstrip(_SPACE)
    if not text:
        raise BadJson("EOF")
    if _too_deep(text):
        raise BadJson("exceeded max depth")
    try:
        value: Value = _decoder.raw_decode(text)[0]
    except (ValueError, RecursionError):
        raise BadJson(_Scanner(text).mistake()) from None
    return _without_surrogates(value) if "\\u" in text else value


def _too_deep(text: str) -> bool:
    depth = 0
    for match in re.finditer(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', text, re.DOTALL):
        if match[0] in "[{":
            depth += 1
            if depth > DEPTH:
                return True
        elif match[0] in "]}":
            depth -= 1
            if depth <= 0:
                return False
    return False


def _without_surrogates(value: Value) -> Value:
    """Replace halves of surrogate pairs, which no encoder could write again."""
    match value:
        case str():
            return _SURROGATE.sub("\ufffd", value)
        case list():
            return [_without_surrogates(each) for each in value]
        case Object(members):
            clean = ((_SURROGATE.sub("\ufffd", k), _without_surrogates(v)) for k, v in members)
            return Object(tuple(clean))
    return value


class _Scanner:
    """Finds the first mistake; the stack holds the brackets that are open."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._open: list[str] = []

    def mistake(self) -> str:
        """Return Go's words for it."""
        try:
            self._scan()
        except BadJson as error:
            return str(error)
        return "invalid character after top-level value"

    def _scan(self) -> None:
        self._value()
        while self._open:
            if self._open[-1] == "{":
                self._after_pair()
            else:
                self._after_element()

    def _next(self) -> str:
        while self._at < len(self._text) and self._text[self._at] in _SPACE:
            self._at += 1
        if self._at == len(self._text):
            raise BadJson("unexpected EOF")
        return self._text[self._at]

    def _value(self) -> None:
        """Read one value, or open an array or object and read its first."""
        start = self._next()
        if start == "{":
            self._begin(start, "}")
        elif start == "[":
            self._begin(start, "]")
        elif start == '"':
            self._string()
        elif start in _LITERALS:
            self._literal(_LITERALS[start])
        elif start == "-" or "0" <= start <= "9":
            self._number()
        else:
            self._refuse("looking for beginning of value")

    def _begin(self, bracket: str, end: str) -> None:
        self._at += 1
        if self._next() == end:
            self._at += 1
            return
        self._open.append(bracket)
        if bracket == "{":
            self._key()
        else:
            self._value()

    def _key(self) -> None:
        if self._next() != '"':
            self._refuse("looking for beginning of object key string")
        self._string()
        if self._next() != ":":
            self._refuse("after object key")
        self._at += 1
        self._value()

    def _after_pair(self) -> None:
        match self._next():
            case ",":
                self._at += 1
                self._key()
            case "}":
                self._at += 1
                self._open.pop()
            case _:
                self._refuse("after object key:value pair")

    def _after_element(self) -> None:
        match self._next():
            case ",":
                self._at += 1
                self._value()
            case "]":
                self._at += 1
                self._open.pop()
            case _:
                self._refuse("after array element")

    def _string(self) -> None:
        found = _STRING.match(self._text, self._at + 1)
        self._at = found.end() if found is not None else self._at  # it matches anything
        if self._at == len(self._text):
            raise BadJson("unexpected EOF")
        if self._text[self._at] == "\\":
            self._at += 1
            self._escape()
        if self._text[self._at] != '"':
            self._refuse("in string literal")
        self._at += 1

    def _escape(self) -> None:
        if self._at < len(self._text) and self._text[self._at] == "u":
            self._at += 1
            while self._at < len(self._text) and self._text[self._at] in "0123456789abcdefABCDEF":
                self._at += 1
            where = "in \\u hexadecimal character escape"
        else:
            where = "in string escape code"
        if self._at == len(self._text):
            raise BadJson("unexpected EOF")
        self._refuse(where)

    def _literal(self, word: str) -> None:
        for expected in word:
            if self._at == len(self._text):
                raise BadJson("unexpected EOF")
            if self._text[self._at] != expected:
                self._refuse(f"in literal {word} (expecting {_quoted(expected)})")
            self._at += 1

    def _number(self) -> None:
        if found := _NUMBER.match(self._text, self._at):
            self._at = found.end()
            if self._text[self._at : self._at + 1] not in {".", "e", "E"}:
                return
        begun = _NUMBER_START.match(self._text, self._at)
        self._at = begun.end() if begun is not None else self._at
        if self._at == len(self._text):
            raise BadJson("unexpected EOF")
        before = self._text[self._at - 1]
        where = {".": "after decimal point in numeric literal", "-": "in numeric literal"}
        self._refuse(where.get(before, "in exponent of numeric literal"))

    def _refuse(self, where: str) -> NoReturn:
        raise BadJson(f"invalid character {_quoted(self._text[self._at])} {where}")


def _quoted(char: str) -> str:
    """Return the character's first byte as Go quotes it, which reads byte by byte."""
    first = chr(char.encode("utf-8", "replace")[0])
    if first in "'\"":
        return f"'\\{first}'" if first == "'" else f"'{first}'"
    return f"'{quoted(first)[1:-1]}'"
