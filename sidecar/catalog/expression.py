"""Text of a boolean filter expression to its tree, with Consul's texts for what is wrong. Pure.

The language is Consul 1.8's (``?filter=``): ``Selector Operator Value`` joined by ``and``, ``or``,
``not`` and parentheses. Its parser is a parsing expression grammar that names everything it would
have taken at the furthest place it reached; clients show that text, so ``_Reader`` keeps the same
record: every terminal that was tried and failed at the furthest offset. Some mistakes
(a string without end, a number run into letters) have a text of their own; those win.

All this was recorded from Consul 1.8.7. What differs: length and depth are bounded, and no
expression takes more than linear time (there, nested parentheses double the time per level).
"""

import re
from collections.abc import Callable
from typing import Final, NoReturn

from sidecar.catalog.tree import All, Expression, FilterError, Match, No, Operator, Some
from sidecar.golang.quoting import encoded, quoted, unquoted

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "parse"]

MAX_LENGTH: Final = 4096
MAX_DEPTH: Final = 50


_SPACE: Final = "[ \\t\\r\\n]"
_BETWEEN: Final = (  # selector, operator, value
    (("==",), Operator.EQUAL),
    (("!=",), Operator.NOT_EQUAL),
    (("contains",), Operator.IN),
    (("not", "contains"), Operator.NOT_IN),
    (("matches",), Operator.MATCHES),
    (("not", "matches"), Operator.NOT_MATCHES),
)
_AFTER: Final = (  # selector, operator
    (("is", "empty"), Operator.IS_EMPTY),
    (("is", "not", "empty"), Operator.IS_NOT_EMPTY),
)
_TURNED: Final = ((("in",), Operator.IN), (("not", "in"), Operator.NOT_IN))  # value first
_INTEGER: Final = re.compile(r"0|[1-9][0-9]*", re.ASCII)
_WORD: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*", re.ASCII)


def parse(text: str) -> Expression:
    """Return the tree of an expression. Raises FilterError and nothing else."""
    if len(text) > MAX_LENGTH:
        raise FilterError(f"the expression is longer than {MAX_LENGTH} characters")
    reader = _Reader(text)
    found = reader.whole()
    if found is None or reader.mistakes:
        reader.refuse()
    return found


class _Reader:
    """One walk over a text. A method that fails returns None and puts ``at`` back."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.mistakes: dict[str, None] = {}  # in order, each once
        self._furthest = 0
        self._expected: set[str] = set()
        self._depth = 0

    def whole(self) -> Expression | None:
        self._maybe_space()
        found = self._some()
        if found is None:
            return None
        self._maybe_space()
        if self.at < len(self.text):
            self._missed("EOF")
            return None
        return found

    def refuse(self) -> NoReturn:
        """Raise what is wrong: the mistakes with a text of their own, or what was expected."""
        if self.mistakes:
            raise FilterError("\n".join(self.mistakes))
        names = sorted(self._expected - {"EOF"}) + ["EOF"] * ("EOF" in self._expected)
        listed = " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
        raise FilterError(f"{self._place(self._furthest)}: no match found, expected: {listed}")

    # --- the record of what went wrong

    def _missed(self, expected: str) -> None:
        if self.at > self._furthest:
            self._furthest = self.at
            self._expected.clear()
        if self.at == self._furthest:
            self._expected.add(expected)

    def _mistake(self, rule: str, what: str, at: int | None = None) -> None:
        place = self._place(self.at if at is None else at)
        self.mistakes[f'{place}: rule "{rule}": {what}'] = None

    def _place(self, at: int) -> str:
        """Return line, column (in characters; a line feed is column 0 of the next line), offset."""
        before = self.text[: at + 1]
        line = before.count("\n") + 1
        column = at - before.rfind("\n") if line > 1 else at + 1
        return f"{line}:{column} ({len(self.text[:at].encode('utf-8', 'surrogatepass'))})"

    # --- terminals

    def _literal(self, literal: str) -> bool:
        if self.text.startswith(literal, self.at):
            self.at += len(literal)
            return True
        self._missed(quoted(literal))
        return False

    def _run(self, characters: str, label: str) -> bool:
        """Pass over one or more of the characters."""
        start = self.at
        while self.at < len(self.text) and self.text[self.at] in characters:
            self.at += 1
        self._missed(label)
        return self.at > start

    def _space(self) -> bool:
        return self._run(" \t\r\n", _SPACE)

    def _maybe_space(self) -> None:
        self._space()

    def _words(self, words: tuple[str, ...]) -> bool:
        """Pass over an operator: words are set off by white space, signs need none."""
        start = self.at
        for word in words:
            if word.isalpha():
                done = self._space() and self._literal(word)
            else:
                self._maybe_space()
                done = self._literal(word)
            if not done:
                self.at = start
                return False
        if not words[-1].isalpha():
            self._maybe_space()
        elif words[-1] != "empty" and not self._space():
            self.at = start
            return False
        return True

    # --- the grammar

    def _chain(
        self,
        word: str,
        part: Callable[[], Expression | None],
        joined: Callable[[tuple[Expression, ...]], Expression],
    ) -> Expression | None:
        first = part()
        if first is None:
            return None
        found = [first]
        while True:
            end = self.at
            if not self._words((word,)) or (following := part()) is None:
                self.at = end
                return first if len(found) == 1 else joined(tuple(found))
            found.append(following)

    def _some(self) -> Expression | None:
        return self._chain("or", self._all, Some)

    def _all(self) -> Expression | None:
        return self._chain("and", self._no, All)

    def _no(self) -> Expression | None:
        start = self.at
        if self._literal("not") and self._space():
            operand = self._deeper(self._no)
            if operand is not None:
                return operand.operand if isinstance(operand, No) else No(operand)
        self.at = start
        return self._grouped()

    def _grouped(self) -> Expression | None:
        start = self.at
        if self._literal("("):
            self._maybe_space()
            found = self._deeper(self._some)
            if found is not None:
                self._maybe_space()
                if self._literal(")"):
                    return found
                self._mistake("grouping", "Unmatched parentheses")
        self.at = start
        return self._match()

    def _deeper(self, part: Callable[[], Expression | None]) -> Expression | None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise FilterError(f"the expression is nested deeper than {MAX_DEPTH} levels")
        try:
            return part()
        finally:
            self._depth -= 1

    def _match(self) -> Match | None:
        start = self.at
        selector = self._selector()
        if selector is not None:
            found = self._after_selector(selector)
            if found is not None:
                return found
        self.at = start
        value = self._value()
        if value is not None:
            for turned, operator in _TURNED:
                if not self._words(turned):
                    continue
                selector = self._selector()
                if selector is not None:
                    return Match(selector, operator, value)
                self._mistake("match", "Invalid selector")
                break
        self.at = start
        return None

    def _after_selector(self, selector: tuple[str, ...]) -> Match | None:
        end = self.at
        for words, operator in _BETWEEN:
            if self._words(words):
                value = self._value()
                if value is not None:
                    return Match(selector, operator, value)
                break
        self.at = end
        for after, operator in _AFTER:
            if self._words(after):
                return Match(selector, operator)
        return None

    def _selector(self) -> tuple[str, ...] | None:
        first = self._identifier()
        if first is None:
            return None
        path = [first]
        while True:
            end = self.at
            following = self._identifier() if self._literal(".") else None
            if following is None:
                self.at = end
                following = self._index()
            if following is None:
                return tuple(path)
            path.append(following)

    def _identifier(self) -> str | None:
        found = _WORD.match(self.text, self.at)
        if found is None:
            self._missed("[a-zA-Z]")
            return None
        self.at = found.end()
        self._missed("[a-zA-Z0-9_]")
        return found[0]

    def _index(self) -> str | None:
        start = self.at
        if not self._literal("["):
            return None
        self._maybe_space()
        inner = self.at
        found = self._string()
        if found is None:
            self.at = inner
            self._mistake("index", "Invalid index")
        else:
            self._maybe_space()
            if self._literal("]"):
                return found
            self._mistake("index", "Unclosed index expression")
        self.at = start
        return None

    def _value(self) -> str | None:
        selector = self._selector()
        if selector is not None:
            return ".".join(selector)
        number = self._number()
        return number if number is not None else self._string()

    def _number(self) -> str | None:
        start = self.at
        self._literal("-")
        if not self._integer():
            self.at = start
            return None
        end = self.at
        if self._literal(".") and not self._run("0123456789", "[0-9]"):
            self.at = end
        after = self.text[self.at : self.at + 1]
        if after and after not in " \t\r\n)":
            for expected in (_SPACE, '")"'):
                self._missed(expected)
            self._mistake("number", "Invalid number literal")
            self.at = start
            return None
        if after == ")":
            self._missed(_SPACE)
            self._missed("EOF")
        elif not after:
            self._missed(_SPACE)
        return self.text[start : self.at]

    def _integer(self) -> bool:
        found = _INTEGER.match(self.text, self.at)
        if found is None:
            self._missed('"0"')
            self._missed("[1-9]")
            return False
        if found[0] != "0":
            self.at = found.end()
            self._missed("[0-9]")
        else:
            self.at += 1
        return True

    def _string(self) -> str | None:
        start = self.at
        quote = self.text[start : start + 1]
        if quote not in {'"', "`"}:
            self._missed(quoted('"'))
            self._missed(quoted("`"))
            return None
        end = self.text.find(quote, start + 1)
        if end < 0:
            self.at = len(self.text)
            self._mistake("string", "Unterminated string literal")
            self.at = start
            return None
        self.at = end + 1
        found = unquoted(self.text[start : self.at])
        found = None if found is None else encoded(found).decode("utf-8", "replace")
        if found is None:
            self._mistake("string", "invalid syntax", start)
        return found or ""
