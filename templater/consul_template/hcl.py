"""HCL, version 1, and JSON in its place: text -> a tree of items with positions. Pure.

An item has one key or more and a value: ``a = 1``, ``a { ... }`` or ``a "b" { ... }``. As in
hashicorp's own reader a key may be given again, text is JSON when its first character is ``{``,
``${...}`` inside a string may hold quotes, and elements of a list or block may be followed by a
comma. What the values mean is the reader's affair (``options``).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

__all__ = ["Block", "HclError", "Item", "Value", "parse"]

_DEPTH: Final = 100
_TOKEN: Final = re.compile(
    r"""
      (?P<space>[ \t\r\n\ufeff]+|\#[^\n]*|//[^\n]*|/\*.*?\*/)
    | (?P<number>[+-]?(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.]))
    | (?P<name>[^\W\d][\w.:-]*)
    | (?P<heredoc><<-?[^\W\d]\w*\r?\n)
    | (?P<quote>")
    | (?P<mark>[={}\[\],])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(
    r'\\(?:([abfnrtv\\"])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))'
)
_PLAIN: Final = re.compile(r'[^"\\\n$]*(?:\$(?!\{)[^"\\\n$]*)*')
_BRACES: Final = re.compile(r"\$\{|\}")
_SIMPLE: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_WORDS: Final = {"true": True, "false": False}


class HclError(ValueError):
    """The text cannot be read; ``line`` and ``column`` (from 1) say where."""

    def __init__(self, text: str, line: int, column: int) -> None:
        """Take what is wrong and where."""
        super().__init__(f"{line}:{column}: {text}")
        self.text = text
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Item:
    """One assignment or block; a block's labels are the keys after the first.

    ``line`` and ``column`` count from 1; 0 where they are not known (JSON).
    """

    keys: tuple[str, ...]
    value: "Value"
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """What stands between braces, or the whole file."""

    items: tuple[Item, ...] = ()

    def all(self, key: str) -> tuple[Item, ...]:
        """Return the items with this first key, in order."""
        return tuple(item for item in self.items if item.keys[0] == key)


Value = str | int | float | bool | None | list["Value"] | Block


class _Token(NamedTuple):
    kind: str  # number, text, name, mark, end
    value: str | int | float
    at: int


def parse(text: str) -> Block:
    """Return the items of a file. Raises HclError and nothing else."""
    return _Reader(text).json() if text.lstrip(" \t\r\n\ufeff")[:1] == "{" else _Reader(text).file()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._scanned()
        self._next = _Token("end", "", 0)
        self._depth = 0

    def file(self) -> Block:
        self._advance()
        return self._block(closing="")

    def json(self) -> Block:
        try:
            found = json.loads(self._text.lstrip("\ufeff"), object_pairs_hook=tuple)
        except json.JSONDecodeError as error:
            raise HclError(error.msg, error.lineno, error.colno) from None
        except (ValueError, RecursionError) as error:
            raise HclError(f"no JSON: {error}", 1, 1) from None
        block = _from_json(found)
        if not isinstance(block, Block):
            raise self._mistake("must be one JSON object", 0)
        return block

    # Grammar

    def _block(self, closing: str) -> Block:
        items: list[Item] = []
        while not self._is(closing):
            if self._next.kind == "end":
                raise self._mistake("a block is not closed, '}' is missing", self._next.at)
            items.append(self._item())
            if self._is(","):
                self._advance()
        return Block(tuple(items))

    def _item(self) -> Item:
        start = self._next.at
        keys: list[str] = []
        while self._next.kind in {"name", "text"}:
            keys.append(str(self._next.value))
            self._advance()
        line, column = self._place(start)
        if not keys:
            raise self._mistake(f"a key is expected, not {self._shown()}", start)
        if self._is("="):
            if len(keys) > 1:
                raise self._mistake("an assignment has one key only", start)
            self._advance()
            return Item(tuple(keys), self._value(), line, column)
        if self._is("{"):
            return Item(tuple(keys), self._braces(), line, column)
        raise self._mistake(f"'=' or '{{' is expected after {keys[-1]!r}, not {self._shown()}")

    def _value(self) -> Value:
        token = self._next
        if token.kind in {"number", "text"}:
            self._advance()
            return token.value
        if token.kind == "name" and token.value in _WORDS:
            self._advance()
            return _WORDS[str(token.value)]
        if self._is("{"):
            return self._braces()
        if self._is("["):
            return self._list()
        raise self._mistake(f"a value is expected, not {self._shown()}")

    def _braces(self) -> Block:
        self._deeper()
        self._advance()
        block = self._block(closing="}")
        self._advance()
        self._depth -= 1
        return block

    def _list(self) -> list[Value]:
        self._deeper()
        self._advance()
        found: list[Value] = []
        while not self._is("]"):
            found.append(self._value())
            if self._is(","):
                self._advance()
            elif not self._is("]"):
                raise self._mistake(f"',' or ']' is expected in a list, not {self._shown()}")
        self._advance()
        self._depth -= 1
        return found

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _DEPTH:
            raise self._mistake(f"nested over {_DEPTH} deep")

    def _is(self, mark: str) -> bool:
        if not mark:
            return self._next.kind == "end"
        return self._next.kind == "mark" and self._next.value == mark

    def _advance(self) -> None:
        self._next = next(self._tokens)

    # Tokens

    def _scanned(self) -> Iterator[_Token]:
        at = 0
        while at < len(self._text):
            match = _TOKEN.match(self._text, at)
            if match is None:
                raise self._mistake(f"unexpected {self._text[at]!r}", at)
            start, at = at, match.end()
            match match.lastgroup:
                case "number":
                    yield _Token("number", _number(match[0]), start)
                case "quote":
                    value, at = self._string(at)
                    yield _Token("text", value, start)
                case "heredoc":
                    value, at = self._heredoc(match[0], at)
                    yield _Token("text", value, start)
                case "name" | "mark" as kind:
                    yield _Token(kind, match[0], start)
                case _:
                    pass
        while True:
            yield _Token("end", "", len(self._text))

    def _string(self, at: int) -> tuple[str, int]:
        """Return the text after an opening quote, and where it ended."""
        start = at - 1
        parts: list[str] = []
        while (match := _PLAIN.match(self._text, at)) is not None:
            parts.append(match[0])
            at = match.end()
            if self._text.startswith('"', at):
                return "".join(parts), at + 1
            if self._text.startswith("\\", at):
                value, at = self._escape(at)
            elif self._text.startswith("${", at):
                value, at = self._interpolation(at)
            else:
                break
            parts.append(value)
        raise self._mistake("a string is not closed", start)

    def _interpolation(self, start: int) -> tuple[str, int]:
        """Return ``${...}`` as it stands: quotes and braces inside it end nothing."""
        depth = 0
        for match in _BRACES.finditer(self._text, start):
            depth += 1 if match[0] == "${" else -1
            if depth == 0:
                return self._text[start : match.end()], match.end()
        raise self._mistake("'${' is not closed in a string", start)

    def _escape(self, at: int) -> tuple[str, int]:
        match = _ESCAPE.match(self._text, at)
        if match is None:
            raise self._mistake(f"unknown escape {self._text[at : at + 2]!r}", at)
        simple, octal, *others = match.groups()
        if simple is not None:
            return _SIMPLE.get(simple, simple), match.end()
        code = int(octal, 8) if octal else int(next(o for o in others if o), 16)
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise self._mistake(f"{match[0]} is no character", at)
        return chr(code), match.end()

    def _heredoc(self, opening: str, at: int) -> tuple[str, int]:
        word = opening.strip().removeprefix("<<").removeprefix("-")
        end = re.compile(rf"^[ \t]*{re.escape(word)}[ \t]*\r?$", re.MULTILINE)
        match = end.search(self._text, at)
        if match is None:
            raise self._mistake(f"the line {word} that ends a text is missing", at - len(opening))
        lines = self._text[at : match.start()]
        if opening.startswith("<<-"):
            lines = _unindented(lines, len(match[0]) - len(match[0].lstrip(" \t")))
        return lines, match.end()

    # Errors

    def _shown(self) -> str:
        return "the end" if self._next.kind == "end" else repr(str(self._next.value)[:40])

    def _place(self, at: int) -> tuple[int, int]:
        line_start = self._text.rfind("\n", 0, at) + 1
        return self._text.count("\n", 0, at) + 1, at - line_start + 1

    def _mistake(self, text: str, at: int | None = None) -> HclError:
        return HclError(text, *self._place(self._next.at if at is None else at))


def _number(text: str) -> int | float:
    plain = text.lstrip("+-")
    if plain[:2].lower() == "0x":
        value: int | float = int(plain, 16)
    elif re.fullmatch(r"\d{1,300}", plain):
        is_octal = len(plain) > 1 and plain[0] == "0" and not set(plain) & set("89")
        value = int(plain, 8 if is_octal else 10)
    else:
        value = float(plain)
    return -value if text.startswith("-") else value


def _unindented(lines: str, least: int) -> str:
    """Remove the closing word's indentation from each line, if every line has it."""
    found = lines.splitlines(keepends=True)
    if any(len(line) - len(line.lstrip(" \t")) < least for line in found if line.strip()):
        return lines
    return "".join(line[least:] if line.strip() else line.lstrip(" \t") for line in found)


def _from_json(found: object) -> Value:
    """Turn decoded JSON, whose objects are tuples of pairs, into items without positions."""
    match found:
        case tuple():
            return Block(tuple(Item((key,), _from_json(value)) for key, value in found))
        case list():
            return [_from_json(each) for each in found]
        case str() | int() | float():
            return found
        case _:
            return None
