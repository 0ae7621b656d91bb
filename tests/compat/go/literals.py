"""Reads tables out of Go's own tests: a reader of composite literals, as far as those go.

Only expressions are read: literals, names, calls, signs, sums, composite literals. What a name or
call means is for whoever evaluates them (``meaning``).
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from sidecar.golang.quoting import unquoted, unquoted_char
from sidecar.gotemplate.numbers import number
from sidecar.gotemplate.tokens import Kind

__all__ = ["Call", "Composite", "Expression", "Name", "Rune", "Sum", "table", "variables"]

_WORDS = re.compile(
    r"(?P<skip>[ \t\r\n]+|//[^\n]*|/\*.*?\*/)"
    r'|(?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)'
    r"|(?P<rune>'(?:[^'\\\n]|\\.[^']*)')"
    r"|(?P<number>(?:0[xX][0-9a-fA-F_]+|[0-9][0-9_]*\.?[0-9_]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+)i?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<sign>\.\.\.|<<|>>|&\^|:=|[-+*/%&|^!<>=(){}\[\],;:.])",
    re.DOTALL,
)


@dataclass(frozen=True)
class Word:
    """One token and where it starts."""

    kind: str
    text: str
    at: int


@dataclass(frozen=True)
class Name:
    """A name, dotted or not."""

    text: str


@dataclass(frozen=True)
class Rune:
    """A character constant."""

    code: int


@dataclass(frozen=True)
class Call:
    """A call or conversion."""

    of: "Expression"
    args: list["Expression"]


@dataclass(frozen=True)
class Sum:
    """Two operands and a sign; one operand of a unary sign is None."""

    sign: str
    left: "Expression | None"
    right: "Expression"


@dataclass(frozen=True)
class Composite:
    """A composite literal: its type's text, its elements with their keys, its line."""

    type: str
    items: list[tuple["Expression | None", "Expression"]]
    line: int
    fields: list[str] = field(default_factory=list)


Expression = Name | Rune | Call | Sum | Composite | str | int | float | complex


def table(path: Path, name: str, *, within: str = "") -> list[Composite]:
    """Return the entries of a table; ``within`` names the function it stands in."""
    source = path.read_text()
    start = source.index(f"func {within}(") if within else 0
    found = re.compile(rf"\b{name}\s*:?=\s*").search(source, start)
    assert found is not None, f"{name} is not in {path}"
    whole = _Reader(source, found.end()).expression()
    assert isinstance(whole, Composite)
    return [entry for _, entry in whole.items if isinstance(entry, Composite)]


def variables(path: Path) -> dict[str, Expression]:
    """Return the names given by blocks ``var ( name = expression ... )``."""
    source = path.read_text()
    out: dict[str, Expression] = {}
    for block in re.finditer(r"^var \(\n(.*?)^\)", source, re.DOTALL | re.MULTILINE):
        for found in re.finditer(r"^\t(\w+)\s*= ", block[1], re.MULTILINE):
            out[found[1]] = _Reader(source, block.start(1) + found.end()).expression()
    return out


class _Reader:
    def __init__(self, source: str, at: int) -> None:
        self.source = source
        self.at = at

    def peek(self) -> Word:
        while True:
            found = _WORDS.match(self.source, self.at)
            assert found is not None, self.source[self.at : self.at + 40]
            if found.lastgroup != "skip":
                return Word(found.lastgroup or "", found[0], self.at)
            self.at = found.end()

    def next(self) -> Word:
        word = self.peek()
        self.at += len(word.text)
        return word

    def take(self, text: str) -> bool:
        if self.peek().text != text or self.peek().kind in ("string", "rune"):
            return False
        self.next()
        return True

    def expression(self) -> Expression:
        left = self._product()
        while self.peek().text in ("+", "-") and self._same_line():
            sign = self.next().text
            left = Sum(sign, left, self._product())
        return left

    def _same_line(self) -> bool:
        """Tell whether the sign ahead continues the expression: Go ends a line after an operand."""
        return "\n" not in self.source[self.source.rfind("\n", 0, self.at) + 1 : self.at]

    def _product(self) -> Expression:
        left = self._unary()
        while self.peek().text in ("*", "/", "<<"):
            sign = self.next().text
            left = Sum(sign, left, self._unary())
        return left

    def _unary(self) -> Expression:
        if self.peek().text in ("-", "+", "&", "*", "!", "^"):
            return Sum(self.next().text, None, self._unary())
        return self._postfix(self._primary())

    def _primary(self) -> Expression:
        word = self.peek()
        if word.text in ("[", "map", "struct"):
            return self._composite()
        self.next()
        if word.kind == "string":
            text = unquoted(word.text)
            assert text is not None
            return text
        if word.kind == "rune":
            found = unquoted_char(word.text)
            assert found is not None
            return Rune(found[0])
        if word.kind == "number":
            return _constant(word.text)
        if word.text == "(":
            inner = self.expression()
            assert self.take(")")
            return inner
        if word.text == "{":
            return Composite("", *self._items(word))
        assert word.kind == "name", word
        name = word.text
        while self.take("."):
            name += "." + self.next().text
        return Name(name)

    def _postfix(self, left: Expression) -> Expression:
        while True:
            word = self.peek()
            if word.text == "(" and isinstance(left, Name | Call | Sum):
                self.next()
                left = Call(left, self._args())
            elif word.text == "{" and isinstance(left, Name):
                self.next()
                left = Composite(left.text, *self._items(word))
            elif word.text == "." and not isinstance(left, Name):
                self.next()
                left = Call(Name("." + self.next().text), [left])
            else:
                return left

    def _args(self) -> list[Expression]:
        args = []
        while not self.take(")"):
            args.append(self.expression())
            self.take(",")
        return args

    def _composite(self) -> Expression:
        start = self.at
        fields = self._type()
        name = re.sub(r"\s+", " ", self.source[start : self.at]).strip()
        word = self.peek()
        if word.text not in ("(", "{"):
            return Name(name)
        self.next()
        if word.text == "(":
            return Call(Name(name), self._args())
        items, line = self._items(word)
        return Composite(name, items, line, fields)

    def _type(self) -> list[str]:
        """Skip a type; return a struct's field names."""
        word = self.next()
        if word.text == "[":
            while self.next().text != "]":
                pass
            return self._type()
        if word.text == "map":
            assert self.take("[")
            self._type()
            assert self.take("]")
            return self._type()
        if word.text == "*":
            return self._type()
        if word.text == "struct":
            start = self.at
            depth = 0
            while True:
                depth += {"{": 1, "}": -1}.get(self.next().text, 0)
                if not depth:
                    break
            return re.findall(r"^\s*(\w+)\s", self.source[start + 1 : self.at], re.MULTILINE)
        while self.take("."):
            self.next()
        return []

    def _items(self, brace: Word) -> tuple[list[tuple[Expression | None, Expression]], int]:
        items: list[tuple[Expression | None, Expression]] = []
        while not self.take("}"):
            value = self.expression()
            if self.take(":"):
                items.append((value, self.expression()))
            else:
                items.append((None, value))
            self.take(",")
        return items, self.source.count("\n", 0, brace.at) + 1


def _constant(text: str) -> int | float | complex:
    read = number(text, Kind.NUMBER)
    if read.pair is not None:
        return read.pair
    if read.integer is not None and not ("." in text or ("e" in text and "x" not in text)):
        return read.integer
    if read.integer is None and read.unsigned is not None and "e" not in text:
        return read.unsigned
    assert read.real is not None
    return read.real
