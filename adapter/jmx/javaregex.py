"""Java's regular expressions as Python's. Pure.

The two languages are near relatives: both backtrack, both try greedily and in order, and Python
has possessive quantifiers and atomic groups since 3.11. What is written otherwise is translated;
what means something else is spelled out (``.`` stops at five line ends in Java, ``\\d`` is ASCII);
what Python cannot do is refused with its place, when the configuration is read.

On the way the translation learns whether a match can depend on a value that stands behind the
attribute, ``is_fixed`` (see ``_Tail``), and how much work a match can be (``regexwork``).
"""

import re
from typing import Final

from adapter.jmx.javaclass import Unknown, class_escape, escape_at, read_class
from adapter.jmx.javapattern import JavaPattern
from adapter.jmx.regexwork import DOT, Builder

__all__ = ["compiled"]

_DOT: Final = DOT
_ANCHORS: Final = {
    "b": r"\b", "B": r"\B", "A": r"\A", "z": r"\Z", "Z": r"(?=(?:\r\n|[\n\r\x85\u2028\u2029])?\Z)",
    "R": r"(?:\r\n|[\n\x0b\f\r\x85\u2028\u2029])",
}  # fmt: skip
_FLAGS: Final = re.compile(r"\?(?!:)([imsxuUd]*)(?:-([imsxuUd]+))?([:)])")
_QUANTIFIER: Final = re.compile(r"[*+?][+?]?|\{\d+(?:,\d*)?\}[+?]?")
_VALUE: Final = frozenset(": 0123456789.+-ENaNInfinitytruefalse")
"""Every character of a number's or boolean's text and of what stands before it."""


def compiled(pattern: str) -> JavaPattern:
    """Return ``^.*(?:pattern).*$`` compiled, as rules are. Raises ValueError."""
    translator = _Translator(pattern)
    body = translator.translated()
    try:
        search = re.compile(f"{_DOT}*(?:{body}){_DOT}*", re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"cannot be used: {error}") from error
    built = translator.built
    found = JavaPattern(
        pattern,
        search,
        built.work(),
        None if built.is_odd else built.row(),
        is_fixed=translator.tail.is_fixed,
    )
    if found.is_endless:
        raise ValueError(
            "repeats a repetition, and is large or has look-around, a back reference, a possessive"
            " piece or a flag: that could take for ever"
        )
    return found


class _Tail:
    """Whether what matches can depend on the value, which is the text's end: ``...>attr: value``.

    A pattern that must find a character no number's text has finds it before the colon, and what
    follows that character reaches the value only through something that takes a colon. A ``.*``
    at the very end, outside of groups, takes what it likes: nobody sees how much. Alternatives,
    look-around and back references are called dependent without a look.
    """

    def __init__(self) -> None:
        self._anchored = False
        self._crosses = False
        self._ends_with_dot = False
        self._unclear = False
        self._only_dots = True

    @property
    def is_fixed(self) -> bool:
        within = self._anchored and not self._crosses
        return (within or self._only_dots) and not self._unclear

    def unclear(self) -> None:
        self._unclear = True

    def group(self) -> None:
        """Note that a group opened or closed: what took all before it may now be seen."""
        self._settle()
        self._only_dots = False

    def dot(self, times: str, depth: int) -> None:
        """Note a ``.``."""
        self._settle()
        if depth == 0 and not times.startswith("{"):
            self._ends_with_dot = True
        else:
            self._crosses, self._only_dots = True, False

    def one(self, literal: str, times: str, depth: int, *, takes_colon: bool) -> None:
        """Note one character or class, perhaps many times."""
        self._settle()
        self._only_dots = False
        needed = depth == 0 and times[:1] not in {"*", "?"} and not times.startswith("{0")
        if literal and literal not in _VALUE and needed:
            self._anchored, self._crosses = True, False
        elif takes_colon:
            self._crosses = True

    def _settle(self) -> None:
        if self._ends_with_dot:
            self._crosses, self._ends_with_dot = True, False


class _Translator:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.tail = _Tail()
        self._out: list[str] = []
        self._depth = 0
        self._scopes: list[list[str]] = [[]]  # inline flags that are open, by group
        self._dot_all = False
        self.built = Builder()

    def translated(self) -> str:
        while self.at < len(self.text):
            self._step(self.text[self.at])
        if len(self._scopes) > 1:
            raise ValueError("a ( is not closed")
        self._out.append(")" * len(self._scopes[0]))
        return "".join(self._out)

    def _step(self, char: str) -> None:
        if char == "(":
            self._open()
        elif char == ")":
            self._close()
        elif char == "|":
            self._alternative()
        elif char == "[":
            expression, self.at = read_class(self.text, self.at + 1)
            self._atom(expression)
        elif char == ".":
            self.at += 1
            self._atom(r"[\s\S]" if self._dot_all else _DOT, is_dot=True)
        elif char == "\\":
            self._escape()
        elif char in "^$":
            self.at += 1
            self._out.append(char)
            self.built.place("A" if char == "^" else "z")
            if char == "$":
                self.tail.unclear()
        elif _QUANTIFIER.match(self.text, self.at):
            raise ValueError(f"{char!r} at {self.at + 1} has nothing to repeat")
        else:
            self.at += 1
            self._atom(re.escape(char), literal=char)

    def _atom(self, expression: str, *, literal: str = "", is_dot: bool = False) -> None:
        match = _QUANTIFIER.match(self.text, self.at)
        times = match[0] if match else ""
        self.at += len(times)
        self._out.append(expression + times)
        self.built.atom(expression, literal, times)
        if is_dot:
            self.tail.dot(times, self._depth)
        else:
            takes_colon = literal == ":" if literal else _takes_colon(expression)
            self.tail.one(literal, times, self._depth, takes_colon=takes_colon)

    def _open(self) -> None:
        text = self.text
        self.tail.group()
        self._depth += 1
        if flags := _FLAGS.match(text, self.at + 1):
            self._flags(flags)
            return
        head, is_odd = "(", False
        if named := re.compile(r"\?<([A-Za-z][A-Za-z0-9]*)>").match(text, self.at + 1):
            head, self.at = f"(?P<{named[1]}>", named.end()
        elif ahead := re.compile(r"\?(?:[:>=!]|<[=!])").match(text, self.at + 1):
            head, self.at = f"({ahead[0]}", ahead.end()
            is_odd = ahead[0] != "?:"
            if ahead[0] not in {"?:", "?>"}:
                self.tail.unclear()
        else:
            self.at += 1
        self._out.append(head)
        self._scopes.append([])
        self.built.open(captures=head == "(" or head.startswith("(?P<"), is_odd=is_odd)

    def _flags(self, match: re.Match[str]) -> None:
        on = match[1].replace("u", "").replace("U", "").replace("d", "")
        off = (match[2] or "").replace("u", "").replace("U", "").replace("d", "")
        if "s" in on + off:
            self._dot_all = "s" in on
        if "x" in on:
            raise ValueError("the flag x is not supported")
        shown = f"(?{on.replace('s', '')}"
        shown += f"-{off.replace('s', '')}:" if off.replace("s", "") else ":"
        self.at = match.end()
        self._out.append(shown)
        self.tail.unclear()
        self.built.flags()
        if match[3] == ":":
            self._scopes.append([])
            self.built.open(captures=False, is_odd=True)
        else:  # until the end of the group around it
            self._depth -= 1
            self._scopes[-1].append(shown)

    def _close(self) -> None:
        if len(self._scopes) == 1:
            raise ValueError(f"the ) at {self.at + 1} closes nothing")
        self._out.append(")" * (len(self._scopes.pop()) + 1))
        self.at += 1
        self.tail.group()
        self._depth -= 1
        match = _QUANTIFIER.match(self.text, self.at)
        times = match[0] if match else ""
        self._out.append(times)
        self.at += len(times)
        self.built.close(times)

    def _alternative(self) -> None:
        open_flags = self._scopes[-1]
        self._out.append(")" * len(open_flags) + "|" + "".join(open_flags))
        self.at += 1
        self.built.either()
        if self._depth == 0:
            self.tail.unclear()
        self.tail.group()

    def _escape(self) -> None:
        text, at = self.text, self.at + 1
        char = text[at : at + 1]
        if char == "Q":
            end = text.find("\\E", at)
            quoted = text[at + 1 : end if end >= 0 else len(text)]
            self.at = end + 2 if end >= 0 else len(text)
            for letter in quoted[:-1]:
                self._out.append(re.escape(letter))
                self.built.atom(re.escape(letter), letter, "")
                self.tail.one(letter, "", self._depth, takes_colon=letter == ":")
            if quoted:
                self._atom(re.escape(quoted[-1]), literal=quoted[-1])
        elif char == "E":
            self.at = at + 1
        elif char in _ANCHORS:
            self._out.append(_ANCHORS[char])
            self.at = at + 1
            self.built.place(char) if char in "bBAz" else self.built.odd()
            self.tail.unclear()
        elif char in "123456789k" and char:
            self._back_reference(at)
        elif found := class_escape(text, at):
            self.at = found[1]
            self._atom(f"[{found[0]}]")
        else:
            letter, self.at = escape_at(text, at)
            self._atom(re.escape(letter), literal=letter)

    def _back_reference(self, at: int) -> None:
        self.tail.unclear()
        self.built.odd()
        if named := re.compile(r"k<([A-Za-z][A-Za-z0-9]*)>").match(self.text, at):
            self._out.append(f"(?P={named[1]})")
            self.at = named.end()
            return
        if not self.text[at].isdigit():
            raise Unknown("\\k wants <name>")
        self._out.append(f"(?:\\{self.text[at]})")
        self.at = at + 1


def _takes_colon(expression: str) -> bool:
    return re.fullmatch(expression, ":", re.ASCII) is not None
