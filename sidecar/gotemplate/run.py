"""What one execution of a template keeps: its options, its bounds, what it wrote. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from sidecar.golang.quoting import quoted
from sidecar.gotemplate.failures import LimitExceeded, TemplateError
from sidecar.gotemplate.nodes import BranchNode, ListNode, Node, RangeNode
from sidecar.gotemplate.signatures import Function
from sidecar.gotemplate.trees import Tree

__all__ = ["PACE", "Limits", "Program", "Run", "at_node", "weight"]

PACE: Final = 256  # iterations between two looks at the output and the clock
_LOOK: Final = 4096  # steps between two looks where nothing is iterated


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for a template nobody has read before.

    ``steps`` counts nodes walked; the nodes of a loop's body are charged when the loop begins.
    ``output`` is in characters, also for any one string. ``depth`` counts templates calling
    templates (Go: 100000, more than Python's stack takes), ``nesting`` blocks in blocks.
    ``expired`` is asked now and then whether time is up.
    """

    steps: int = 10_000_000
    output: int = 1 << 26
    depth: int = 200
    nesting: int = 100
    expired: Callable[[], bool] | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """Everything a template is made of."""

    trees: Mapping[str, Tree]
    functions: Mapping[str, Function]
    own: frozenset[str]  # names of functions that hide a built-in one
    missing: str
    limits: Limits


def weight(body: ListNode) -> int:
    """Return how many nodes one pass through a list takes, loops in it not counted."""
    total = 1
    rest = list(body.nodes)
    while rest:
        node = rest.pop()
        total += 1
        if isinstance(node, BranchNode):
            if not isinstance(node, RangeNode):
                rest.extend(node.body.nodes)
            rest.extend(node.otherwise.nodes if node.otherwise else ())
    return total


class Run:
    """One execution."""

    def __init__(self, program: Program) -> None:
        """Take what is run."""
        self.limits = program.limits
        self.steps = program.limits.steps
        self.room = program.limits.output
        self.out: list[str] = []
        self.counted = 0
        self.look_at = self.steps - _LOOK
        self.depth = 0

    def charge(self, steps: int, tree: Tree, node: Node) -> None:
        """Take steps off the budget."""
        self.steps -= steps
        if self.steps < 0:
            self.exceeded("step", tree, node)
        if len(self.out) - self.counted > PACE or self.steps < self.look_at:
            self.pace(tree, node)

    def pace(self, tree: Tree, node: Node) -> int:
        """Count the output since the last time and look at the clock."""
        self.look_at = self.steps - _LOOK
        self.room -= sum(map(len, self.out[self.counted :]))
        self.counted = len(self.out)
        if self.room < 0:
            self.exceeded("output", tree, node)
        if self.limits.expired is not None and self.limits.expired():
            self.exceeded("time", tree, node)
        return PACE

    def exceeded(self, what: str, tree: Tree, node: Node) -> NoReturn:
        """Raise that a bound was reached."""
        raise at_node(tree, node, f"{what} limit exceeded", LimitExceeded)

    def too_deep(self, tree: Tree, node: Node) -> NoReturn:
        """Raise that Python's stack ends before any bound."""
        raise at_node(tree, node, "nested too deeply", LimitExceeded)

    def enter(self, tree: Tree, node: Node) -> None:
        """Count one more template that runs inside another."""
        if self.depth >= self.limits.depth:
            text = f"exceeded maximum template depth ({self.limits.depth})"
            raise at_node(tree, node, text, LimitExceeded)
        self.depth += 1


def at_node(
    tree: Tree, node: Node, text: str, error: type[TemplateError] = TemplateError
) -> TemplateError:
    """Return an error at a node, in Go's shape."""
    line, column = tree.place(node)
    place = f"{tree.file}:{line}:{column}"
    whole = f"template: {place}: executing {quoted(tree.name)} at <{node}>: {text}"
    return error(whole, name=tree.file, line=line, column=column)
