"""nginx's own way of reading a configuration, from its documentation: words, quotes, blocks."""

import re
from dataclasses import dataclass, field
from functools import cached_property

_TOKEN = re.compile(
    r"""\s+ | \#[^\n]* | (?P<mark>[;{}])
    | "(?P<double>(?:\\.|[^"\\])*)" | '(?P<single>(?:\\.|[^'\\])*)'
    | (?P<bare>(?:\\.|\$\{[^}]*\}|[^\s;{}"'\\])(?:\\.|\$\{[^}]*\}|[^\s;{}\\])*)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass
class Directive:
    """A name, its words, and the directives of its block."""

    words: tuple[str, ...]
    block: list["Directive"] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.words[0]

    @property
    def shape(self) -> tuple[object, ...]:
        """Return what stands where, without the values."""
        return (self.name, len(self.words), tuple(one.shape for one in self.block))

    def all(self, name: str) -> list["Directive"]:
        """Return the directives of this name in the block."""
        return [one for one in self.block if one.name == name]

    def one(self, name: str) -> "Directive":
        (found,) = self.all(name)
        return found

    @cached_property
    def values(self) -> tuple[str, ...]:
        return self.words[1:]


def parsed(text: str) -> Directive:
    """Return the whole file as the block of a nameless directive."""
    stack = [Directive(("",))]
    words: list[str] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        assert match is not None, f"no token at {text[at : at + 40]!r}"
        at = match.end()
        quoted = match["double"] if match["double"] is not None else match["single"]
        if quoted is not None:
            words.append(re.sub(r"\\([\"'\\])", r"\1", quoted))
            assert re.match(r"[\s;{)]", text[at:]), "a quote must be followed by a blank"
        elif match["bare"] is not None:
            words.append(match["bare"])
        elif match["mark"] == ";":
            stack[-1].block.append(Directive(tuple(words)))
            words = []
        elif match["mark"] == "{":
            block = Directive(tuple(words))
            stack[-1].block.append(block)
            stack.append(block)
            words = []
        elif match["mark"] == "}":
            assert not words
            stack.pop()
    assert len(stack) == 1
    assert not words
    return stack[0]
