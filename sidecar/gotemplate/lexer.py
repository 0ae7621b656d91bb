"""Cuts a template into tokens, as Go's text/template does. Pure.

Outside actions everything is text. Inside, blanks are tokens too, since `$x.y` and `$x .y` differ.
A trim mark (`{{- ` or ` -}}`) takes the white space beside the action away; the blank next to the
dash is part of the mark. The first fault ends the tokens with one of kind ERROR.
"""

import re
from collections.abc import Callable
from typing import Final

from sidecar.golang.quoting import quoted
from sidecar.gotemplate.tokens import KEYWORDS, Kind, Token

__all__ = ["Lexer", "tokens"]

# What to do next; None at the end.
_State = Callable[[], "_State | None"]

_BLANK: Final = " \t\r\n"
_NUMBER: Final = re.compile(
    r"[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?"
    r"|0[oO][0-7_]*(?:\.[0-7_]*)?|0[bB][01_]*(?:\.[01_]*)?"
    r"|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?"
)
_SINGLE: Final = {"=": Kind.ASSIGN, "|": Kind.PIPE}
_QUOTES: Final = {
    '"': (re.compile(r'"(?:[^"\\\n]|\\[^\n])*"'), Kind.STRING, "quoted string"),
    "`": (re.compile(r"`[^`]*`"), Kind.RAW_STRING, "raw quoted string"),
    "'": (re.compile(r"'(?:[^'\\\n]|\\[^\n])*'"), Kind.CHAR_CONSTANT, "character constant"),
}


def tokens(text: str, *, left: str = "", right: str = "", comments: bool = False) -> list[Token]:
    """Return all tokens of a template."""
    lexer = Lexer(text, left, right, comments=comments)
    while lexer.more():
        pass
    return lexer.out


class Lexer:
    """Appends tokens to ``out``, as many as are asked for."""

    def __init__(
        self,
        text: str,
        left: str = "",
        right: str = "",
        *,
        comments: bool = False,
        plain: frozenset[str] = frozenset(),
    ) -> None:
        """Take the text; words in plain are no keywords (a function has the name)."""
        self.text = text
        self.left = left or "{{"
        self.right = right or "}}"
        self.comments = comments
        self.plain = plain
        self.out: list[Token] = []
        self.at = 0
        self.line = 1
        self.parens = 0
        self._state: _State | None = self._outside

    def more(self) -> bool:
        """Read on; tell whether there was something to read."""
        if self._state is None:
            return False
        self._state = self._state()
        return True

    def _emit(self, kind: Kind, end: int) -> None:
        text = self.text[self.at : end]
        self.out.append(Token(kind, self.at, text, self.line))
        self._skip(end)

    def _skip(self, end: int) -> None:
        self.line += self.text.count("\n", self.at, end)
        self.at = end

    def _fail(self, text: str) -> "_State | None":
        self.out.append(Token(Kind.ERROR, self.at, text, self.line))
        return None

    # --- outside an action --------------------------------------------------------------------

    def _outside(self) -> "_State | None":
        found = self.text.find(self.left, self.at)
        if found < 0:
            if self.at < len(self.text):
                self._emit(Kind.TEXT, len(self.text))
            self._emit(Kind.EOF, self.at)
            return None
        inside = found + len(self.left)
        trim = self.text[inside : inside + 1] == "-" and self._blank(inside + 1)
        end = self.at + len(self.text[self.at : found].rstrip(_BLANK)) if trim else found
        if end > self.at:
            self._emit(Kind.TEXT, end)
        self._skip(found)
        after = inside + 2 if trim else inside
        if self.text.startswith("/*", after):
            self._skip(after)
            return self._comment
        self._emit(Kind.LEFT_DELIM, inside)
        self._skip(after)
        self.parens = 0
        return self._inside

    def _comment(self) -> "_State | None":
        end = self.text.find("*/", self.at + 2)
        if end < 0:
            return self._fail("unclosed comment")
        closed, trim = self._closes(end + 2)
        if not closed:
            return self._fail("comment ends before closing delimiter")
        if self.comments:
            self._emit(Kind.COMMENT, end + 2)
        self._leave(end + 2 + (2 if trim else 0) + len(self.right), trim)
        return self._outside

    def _blank(self, at: int) -> bool:
        return at < len(self.text) and self.text[at] in _BLANK

    def _closes(self, at: int) -> tuple[bool, bool]:
        """Tell whether the right delimiter stands here, and whether with a trim mark."""
        if (
            self._blank(at)
            and self.text.startswith("-", at + 1)
            and self.text.startswith(self.right, at + 2)
        ):
            return True, True
        return self.text.startswith(self.right, at), False

    def _leave(self, end: int, trim: bool) -> None:
        if trim:
            while self._blank(end):
                end += 1
        self._skip(end)

    # --- inside an action ---------------------------------------------------------------------

    def _inside(self) -> "_State | None":
        closed, trim = self._closes(self.at)
        if closed:
            if self.parens:
                return self._fail("unclosed left paren")
            if trim:
                self._skip(self.at + 2)
            self._emit(Kind.RIGHT_DELIM, self.at + len(self.right))
            self._leave(self.at, trim)
            return self._outside
        if self.at >= len(self.text):
            return self._fail("unclosed action")
        return self._word(self.text[self.at])

    def _word(self, first: str) -> "_State | None":
        if first in _BLANK:
            self._spaces()
        elif first in _SINGLE:
            self._emit(_SINGLE[first], self.at + 1)
        elif first == ":":
            if not self.text.startswith("=", self.at + 1):
                return self._fail("expected :=")
            self._emit(Kind.DECLARE, self.at + 2)
        else:
            return self._operand(first)
        return self._inside

    def _operand(self, first: str) -> "_State | None":
        if first in _QUOTES:
            return self._quote(first)
        if first == "$":
            return self._name(Kind.VARIABLE, Kind.VARIABLE)
        if first == "." and self.text[self.at + 1 : self.at + 2] not in _NUMBER_GOES_ON:
            return self._name(Kind.FIELD, Kind.DOT)
        if first in "+-." or first in _DIGITS:
            return self._number()
        return self._identifier() if _alphanumeric(first) else self._punctuation(first)

    def _spaces(self) -> None:
        """Take blanks, but leave the last to a trim mark before the right delimiter."""
        end = self.at
        while self._blank(end):
            end += 1
        if self._closes(end - 1)[1]:
            end -= 1
        self._emit(Kind.SPACE, end)

    def _quote(self, first: str) -> "_State | None":
        pattern, kind, meant = _QUOTES[first]
        found = pattern.match(self.text, self.at)
        if found is None:
            return self._fail(f"unterminated {meant}")
        self._emit(kind, found.end())
        return self._inside

    def _punctuation(self, first: str) -> "_State | None":
        if first == "(":
            self._emit(Kind.LEFT_PAREN, self.at + 1)
            self.parens += 1
        elif first == ")":
            self._emit(Kind.RIGHT_PAREN, self.at + 1)
            self.parens -= 1
            if self.parens < 0:
                return self._fail("unexpected right paren U+0029 ')'")
        elif first.isascii() and first.isprintable():
            self._emit(Kind.CHAR, self.at + 1)
        else:
            return self._fail(f"unrecognized character in action: {_code(first)}")
        return self._inside

    def _number(self) -> "_State | None":
        end = self._number_end(self.at)
        kind = Kind.NUMBER
        if end > 0 and self.text[end : end + 1] in ("+", "-"):
            end = self._number_end(end)
            kind = Kind.COMPLEX
            if end > 0 and self.text[end - 1] != "i":
                end = -end
        if end < 0:
            return self._fail(f"bad number syntax: {quoted(self.text[self.at : -end])}")
        self._emit(kind, end)
        return self._inside

    def _number_end(self, at: int) -> int:
        """Return where a number ends; negative when a letter follows (which Go then shows)."""
        found = _NUMBER.match(self.text, at)
        end = found.end() if found else at
        if _alphanumeric(self.text[end : end + 1]):
            return -(end + 1)
        return end

    def _word_end(self, at: int) -> int:
        while at < len(self.text) and _alphanumeric(self.text[at]):
            at += 1
        return at

    def _terminated(self, at: int) -> bool:
        if at >= len(self.text) or self.text[at] in " \t\r\n.,|:)(":
            return True
        return self.text.startswith(self.right, at)

    def _name(self, kind: Kind, alone: Kind) -> "_State | None":
        if self._terminated(self.at + 1):
            self._emit(alone, self.at + 1)
            return self._inside
        end = self._word_end(self.at + 1)
        if not self._terminated(end):
            return self._fail(f"bad character {_code(self.text[end])}")
        self._emit(kind, end)
        return self._inside

    def _identifier(self) -> "_State | None":
        end = self._word_end(self.at)
        if not self._terminated(end):
            return self._fail(f"bad character {_code(self.text[end])}")
        word = self.text[self.at : end]
        if word in ("true", "false"):
            self._emit(Kind.BOOL, end)
        elif word in self.plain:
            self._emit(Kind.IDENTIFIER, end)
        else:
            self._emit(KEYWORDS.get(word, Kind.IDENTIFIER), end)
        return self._inside


_DIGITS: Final = frozenset("0123456789")
_NUMBER_GOES_ON: Final = _DIGITS | {""}  # a dot that ends the text is a (bad) number to Go


def _alphanumeric(character: str) -> bool:
    return character == "_" or character.isalpha() or character.isdecimal()


def _code(character: str) -> str:
    """Return a character as ``%#U`` prints it."""
    shown = f" '{character}'" if character.isprintable() else ""
    return f"U+{ord(character):04X}{shown}"
