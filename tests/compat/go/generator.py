"""Makes templates at random: mostly sound ones, with faults sprinkled in."""

import random
import re
from collections.abc import Sequence

from sidecar.gotemplate.values import Uint
from tests.compat.go.program import Case

__all__ = ["DATA", "generated"]

DATA: dict[str, object] = {
    "s": "text",
    "e": "",
    "u": "é<&>'\"\\ 日本",
    "i": 42,
    "neg": -7,
    "z": 0,
    "n": Uint(3),
    "f": 1.5,
    "big": 123456789.0,
    "tiny": 0.00001234,
    "t": True,
    "no": False,
    "nil": None,
    "y": b"hi",
    "l": [1, "two", 3.5, None, True, [1, 2]],
    "words": ["b", "a", "c"],
    "empty": [],
    "m": {"b": 1, "a": "x", "c": None, "in": {"deep": [1, {"k": "v"}]}},
    "none": {},
    "servers": [
        {"name": "web1", "port": 8080, "up": True, "tags": ["a", "b"]},
        {"name": "web2", "port": 8081, "up": False, "tags": []},
    ],
}
_FIELDS = [*DATA, "missing", "m.a", "m.in.deep", "m.in.nope", "m.c", "missing.deep"]
_RARE = ["m.c.x", "s.x", "i.x", "nil.x", "l.x"]
_LITERALS = ["1", "0", "-3", "2.5", "1e3", "0x1F", "'a'", '"q"', "`raw`", '""', "true", "false"]
_VERBS = ["v", "+v", "#v", "T", "d", "s", "q", "x", "X", "t", "f", "e", "g", "5v", "-5v|", "05d"]
_VERBS += ["+d", "6.2f", ".2s", "c", "U", "b", "o", "#x", "% x", "%", "z", "[1]v", "*d", ".1f"]
_VERBS += ["8.3e", "#q", "+q", "#o", "O", " d", "x", "08.3f", "-8q", ".3v", "G", "[2]d", "#U"]
_WORDS = ["web ", "\n", " x ", "{", "}", "a=b", "\t- ", "<é>"]


_OWN = [("upper", 1, "text"), ("add", 2, "number"), ("half", 1, "real"), ("echo", 1, "any")]
_OWN += [("count", 2, "any"), ("join", 2, "text")]
_KINDS = {
    "text": [".s", ".e", ".u", '"q"', "`raw`", ".m.a", "$.s", '("x" | upper)', "(print .i .s)"],
    "number": [".i", ".neg", ".z", "1", "0x1F", "'a'", "(len .l)", "(add 1 .i)", "$.i"],
    "real": [".f", "2.5", "1", "(half .big)"],
    "any": [*(f".{name}" for name in DATA), "1", '"q"'],
}


class _Maker:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.variables: list[str] = []
        self.loops = 0
        self.templates: list[str] = []
        self.inner = 0

    def pick(self, among: Sequence[str]) -> str:
        return self.random.choice(among)

    def chance(self, one_in: int) -> bool:
        return self.random.randrange(one_in) == 0

    def field(self) -> str:
        name = self.pick(_RARE if self.chance(60) else _FIELDS)
        if self.variables and self.chance(3):
            return self.pick(self.variables) + (".name" if self.chance(12) else "")
        if self.chance(8):
            return f"$.{name}"
        if self.inner:  # dot may be anything
            return "." if self.chance(3) else f"$.{name}"
        return "." if self.chance(9) else f".{name}"

    def operand(self, depth: int) -> str:
        roll = self.random.randrange(10)
        if roll < 5:
            return self.field()
        if roll < 8 or depth <= 0:
            return self.pick(_LITERALS)
        if roll == 8 and self.chance(5):
            return self.pick(["nil", "null", "count"])
        inner = f"({self.pipeline(depth - 1)})"
        if self.chance(8):
            inner = self.pick(["(index .servers 0).name", "(.m).a", "(echo .m).in.deep"])
        return inner + (".name" if self.chance(20) else "")

    def operands(self, least: int, most: int, depth: int) -> str:
        return " ".join(self.operand(depth) for _ in range(self.random.randint(least, most)))

    def command(self, depth: int, *, piped: bool = False) -> str:
        roll = self.random.randrange(16)
        less = int(piped)
        if roll < 3 and not piped:
            return self.operand(depth)
        if roll < 6:
            form = "".join(f"%{self.pick(_VERBS)}{self.pick([' ', '', ','])}" for _ in range(2))
            return f'printf "{form}" {self.operands(1 - less, 3 - less, depth)}'
        if roll < 8:
            name = self.pick(["print", "println", "html", "js", "urlquery"])
            return f"{name} {self.operands(1, 3, depth)}"
        if roll < 10:
            name = self.pick(["eq", "ne", "lt", "le", "gt", "ge", "eq"])
            kind = self.pick(["number", "text"])
            return f"{name} {self.typed(2 - less, kind, depth)}"
        if roll == 10:
            return f"{self.pick(['and', 'or'])} {self.operands(1, 3, depth)}"
        if roll == 11:
            if self.chance(2):
                over = self.pick([".m", ".m.in", "$.m", ".none"])
                return f"index {over} {self.typed(1, 'text', depth)}"
            over = self.pick([".l", ".words", ".s", ".u", ".servers", self.field()])
            return f"index {over} {self.pick(['0', '1', '.z', '1', '-1', self.operand(depth)])}"
        if roll == 12:
            # Only constants: Go refuses an index that it knows as an interface only, ours does not.
            part = self.pick(["", "0 1", "1", "1 2", "0", "2 1", "1 9", "true"])
            return f"slice {self.pick(['.l', '.words', '.s', '.s', self.field()])} {part}"
        if roll == 13:
            if piped:
                return self.pick(["not", "html", "len"])
            over = self.pick([".l", ".m", ".s", ".u", ".y", ".none", self.field()])
            return self.pick([f"len {over}", f"not {self.operand(depth)}"])
        return self.own(depth, less)

    def own(self, depth: int, less: int) -> str:
        name, arity, kind = self.random.choice(_OWN)
        if self.chance(40):
            return 'fail "no"'
        return f"{name} {self.typed(arity - less, kind, depth)}"

    def typed(self, count: int, kind: str, depth: int) -> str:
        """Return operands of a kind, now and then of any."""
        return " ".join(
            self.operand(depth) if self.chance(20) else self.pick(_KINDS[kind])
            for _ in range(count)
        )

    def pipeline(self, depth: int) -> str:
        """Return a pipeline; where dot is anything, fields are taken from $ but for a few."""
        text = self._pipeline(depth)
        if self.inner and not self.chance(30):
            text = re.sub(r"(?<![\w$.)%0-9])\.(?=[a-z])", "$.", text)
        return text

    def _pipeline(self, depth: int) -> str:
        commands = [self.command(depth)]
        while self.chance(4):
            commands.append(self.command(depth, piped=True))
        return " | ".join(commands)

    def delimited(self, inside: str) -> str:
        left = "{{- " if self.chance(8) else "{{"
        right = " -}}" if self.chance(8) else "}}"
        return left + inside + right

    def action(self, depth: int) -> str:
        if self.chance(6):
            name = f"$v{self.random.randrange(3)}"
            sign = "=" if name in self.variables and self.chance(2) else ":="
            text = self.delimited(f"{name} {sign} {self.pipeline(depth)}")
            self.variables.append(name)
            return text
        if self.loops and self.chance(8):
            jump = self.delimited(self.pick(["break", "continue"]))
            return self.delimited(f"if {self.pipeline(1)}") + jump + "{{end}}"
        if self.templates and self.chance(8):
            return self.delimited(f'template "{self.pick(self.templates)}" {self.operand(0)}')
        if self.chance(20):
            return self.delimited("/* note */")
        return self.delimited(self.pipeline(depth))

    def block(self, depth: int) -> str:
        mark = len(self.variables)
        roll = self.random.randrange(4)
        loops = self.loops
        if roll == 0:
            head = f"if {self.pipeline(1)}"
        elif roll == 1:
            head = f"with {self.pipeline(1)}"
        else:
            head = self.range_head()
            self.loops += 1
        self.inner += roll > 0
        text = self.delimited(head) + self.nodes(depth - 1)
        self.inner -= roll > 0
        self.loops = loops
        if roll == 0 and self.chance(2):
            text += self.delimited(f"else if {self.pipeline(1)}") + self.nodes(depth - 1)
        if self.chance(2):
            loops, self.loops = self.loops, 0
            text += self.delimited("else") + self.nodes(depth - 1)
            self.loops = loops
        del self.variables[mark:]
        return text + self.delimited("end")

    def range_head(self) -> str:
        over = self.pick([".l", ".m", ".servers", ".words", ".empty", ".none", ".y", ".nil"])
        if self.inner:
            over = "$" + over
        declared = self.random.randrange(3)
        names = [f"$v{self.random.randrange(3)}" for _ in range(declared)]
        self.variables.extend(names)
        return f"range {', '.join(names)} := {over}" if names else f"range {over}"

    def nodes(self, depth: int) -> str:
        out = []
        for _ in range(self.random.randint(1, 3)):
            if self.chance(2):
                out.append(self.pick(_WORDS))
            out.append(self.block(depth) if depth > 0 and self.chance(3) else self.action(2))
        return "".join(out)

    def whole(self) -> str:
        defined = ""
        if self.chance(3):
            defined = '{{define "part"}}' + self.nodes(1) + "{{end}}"
            self.variables.clear()
            self.templates.append("part")
        return defined + self.nodes(3)


def generated(seed: int) -> Case:
    """Return a case; the same seed gives the same."""
    maker = _Maker(seed)
    missing = random.Random(seed).choice(["default", "default", "zero", "error"])
    return Case(maker.whole(), DATA, missing)  # type: ignore[arg-type]  # one of the three
