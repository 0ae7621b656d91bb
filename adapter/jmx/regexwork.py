"""How long a Java pattern may take on a text, and the same pattern for an engine that is linear.

Pure. Python's engine goes back, as Java's does: what can be cut in many ways is tried in all of
them before there is no match, and nothing else of the process runs meanwhile. So while a pattern is
translated it is built as a tree too, and the tree tells two things.

The work: each piece that may take more or less of the text multiplies it by the places where it may
end. Those are few where a literal has to follow, namely as many as the text has of it, and all of
the text else. A repeated repetition has no bound that would be worth a number.

The linear form (``linear``), which takes the same alternatives in the same order, but goes all ways
at once. Look-around, back references, possessive pieces and flags are beyond it: ``is_odd``.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

__all__ = ["DOT", "Atom", "Builder", "Many", "Node", "Part", "Place", "Work"]

DOT: Final = r"[^\n\r\x85\u2028\u2029]"
_NO_BOUND: Final = 1 << 60
_LINE_END: Final = re.compile(r"[\n\r\x85\u2028\u2029]")


class Atom(NamedTuple):
    """One character; ``literal`` where it can be one only."""

    expression: str
    literal: str = ""


class Place(NamedTuple):
    """A condition on a place: ``A``, ``z``, ``b`` or ``B`` as behind a backslash; or another."""

    kind: str = ""


class Many(NamedTuple):
    """A piece, repeated; ``how`` is ``?`` for lazy and ``+`` for possessive."""

    piece: "Atom | Part"
    least: int
    most: int | None
    how: str = ""


class Part(NamedTuple):
    """Alternatives in brackets."""

    rows: tuple[tuple["Node", ...], ...]
    captures: bool = False
    is_odd: bool = False


Node = Atom | Place | Many | Part


class Work(NamedTuple):
    """Factors of what one match may cost."""

    literals: tuple[str, ...]
    """Each: how often the text has it."""
    whole: int
    """How many pieces may end anywhere."""
    tails: int
    """How many of them are last, and so never have to go back, but for a line end."""
    ways: int
    """Alternatives, and bounded repetitions."""
    folds: bool = False
    """Whether large and small letters may be the same."""
    is_endless: bool = False
    """A repeated repetition: twice as long for each character."""

    def on(self, text: str) -> int:
        """Return the steps that a match may take at the most, roughly."""
        if self.is_endless:
            return _NO_BOUND
        size = len(text) + 1
        found: int = size * self.ways * size**self.whole
        for literal in self.literals:
            found *= (text.lower() if self.folds else text).count(literal) or 1
        if self.tails and _LINE_END.search(text):
            found *= size**self.tails
        return found


class Builder:
    """Takes a pattern piece by piece, in its order."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.is_odd = False
        self._is_endless = False
        self._has_flags = False
        self._rows: list[list[list[Node]]] = [[[]]]
        self._kinds: list[tuple[bool, bool]] = []
        self._literals: list[str] = []
        self._whole = self._tails = 0
        self._ways = 1

    def atom(self, expression: str, literal: str, times: str) -> None:
        """Add one character and how often it may be there."""
        self._add(Atom(expression, literal), times)

    def place(self, kind: str) -> None:
        """Add a condition on the place."""
        self._rows[-1][-1].append(Place(kind))

    def odd(self) -> None:
        """Note something that the linear engine cannot do."""
        self.is_odd = True
        self._rows[-1][-1].append(Place())

    def flags(self) -> None:
        """Note flags: a character may be one of two, a place one of many."""
        self.is_odd = self._has_flags = True

    def open(self, *, captures: bool, is_odd: bool) -> None:
        """Open brackets."""
        self.is_odd |= is_odd
        self._rows.append([[]])
        self._kinds.append((captures, is_odd))

    def either(self) -> None:
        """Begin another alternative."""
        self._rows[-1].append([])

    def close(self, times: str) -> None:
        """Close brackets, and say how often."""
        rows = tuple(tuple(row) for row in self._rows.pop())
        self._add(Part(rows, *self._kinds.pop()), times)

    def _add(self, piece: Atom | Part, times: str) -> None:
        least, most, how = _bounds(times)
        self.is_odd |= how == "+"
        is_plain = (least, most) == (1, 1)
        node: Node = piece if is_plain else Many(piece, least, most, how)
        self._rows[-1][-1].append(node)

    # --- what it all comes to

    def _whole_row(self) -> tuple[Node, ...]:
        rows = tuple(tuple(row) for row in self._rows[0])
        return Many(Atom(DOT), 0, None), Part(rows)

    def work(self) -> Work:
        """Return what matching ``.*(?:pattern).*`` may cost."""
        self._walk(self._whole_row(), "", is_last=True)
        folds = self._has_flags
        return Work(
            tuple(literal.lower() if folds else literal for literal in self._literals),
            self._whole,
            self._tails,
            self._ways,
            folds,
            self._is_endless,
        )

    def row(self) -> "tuple[Node, ...]":
        """Return the same as a row of nodes, from the begin to the end of a text."""
        return Place("A"), *self._whole_row(), Many(Atom(DOT), 0, None), Place("z")

    def _walk(self, row: Sequence[Node], after: str, *, is_last: bool) -> None:
        for at, node in enumerate(row):
            rest = row[at + 1 :]
            if isinstance(node, Part):
                self._inside(node, _lead(rest, after), is_last=is_last and _is_over(rest))
            elif isinstance(node, Many):
                self._many(node, rest, after, is_last=is_last and _is_over(rest))

    def _inside(self, part: Part, after: str, *, is_last: bool) -> None:
        self._ways *= len(part.rows)
        for row in part.rows:
            self._walk(row, after, is_last=is_last)

    def _many(self, many: Many, rest: Sequence[Node], after: str, *, is_last: bool) -> None:
        piece, least, most, how = many
        lead = _lead(rest, after)
        if isinstance(piece, Part):
            self._inside(piece, lead, is_last=is_last and most == 1)
            if most == 1:
                self._ways *= 2
            elif how == "+" or _is_rigid(piece):
                self._whole += 1
            else:
                self._is_endless = True
        elif how == "+" or least == most or self._is_begin(rest):
            return
        elif is_last:
            self._tails += 1
        elif lead:
            self._literals.append(lead)
            self._ways *= len(lead) if _overlaps(lead) else 1
        elif most is None:
            self._whole += 1
        else:
            self._ways *= most - least + 1

    def _is_begin(self, row: Sequence[Node]) -> bool:
        """Say whether what follows can only be at the text's begin: other places fail at once."""
        while row and isinstance(row[0], Part) and len(row[0].rows) == 1:
            row = row[0].rows[0]
        is_place = bool(row) and isinstance(row[0], Place) and row[0].kind == "A"
        return is_place and not self._has_flags


def _bounds(times: str) -> tuple[int, int | None, str]:
    if not times:
        return 1, 1, ""
    how = times[-1] if len(times) > 1 and times[-1] in "?+" else ""
    core = times.removesuffix(how) if how else times
    if core in {"*", "+", "?"}:
        return int(core == "+"), 1 if core == "?" else None, how
    least, comma, most = core[1:-1].partition(",")
    return int(least), (int(most) if most else None) if comma else int(least), how


def _lead(row: Sequence[Node], after: str) -> str:
    """Return the text that has to stand at the begin of a row, and of what is after it."""
    found = ""
    for node in row:
        if isinstance(node, Atom) and node.literal:
            found += node.literal
        elif isinstance(node, Part) and len(node.rows) == 1 and not node.is_odd:
            inside = _lead(node.rows[0], "\0")
            found += inside.removesuffix("\0")
            if not inside.endswith("\0"):
                return found
        elif isinstance(node, Many) and isinstance(node.piece, Atom) and node.least:
            return found + node.piece.literal
        elif not (isinstance(node, Place) and node.kind):
            return found
    return found + after


def _is_over(row: Sequence[Node]) -> bool:
    return all(isinstance(node, Place) and node.kind == "z" for node in row)


def _is_rigid(part: Part) -> bool:
    """Say whether a piece takes equally much each time, in one way."""
    return len(part.rows) == 1 and all(
        isinstance(node, Atom | Place)
        or (isinstance(node, Part) and _is_rigid(node))
        or (isinstance(node, Many) and isinstance(node.piece, Atom) and node.least == node.most)
        for node in part.rows[0]
    )


def _overlaps(literal: str) -> bool:
    """Say whether a text may begin within itself: then it is there more often than counted."""
    return any(literal.endswith(literal[:size]) for size in range(1, len(literal)))
