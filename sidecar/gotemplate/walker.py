"""Runs a template by walking its tree, node by node as Go does. Pure.

This is the reference: it names every node in turn, as Go's messages need it. The compiler makes
faster code of the same rules. ``node`` is the node a fault would be placed at.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import cast

from sidecar.golang.quoting import quoted
from sidecar.gotemplate.evaluation import Evaluator
from sidecar.gotemplate.failures import LimitExceeded
from sidecar.gotemplate.nodes import (
    ActionNode,
    BranchNode,
    BreakNode,
    IfNode,
    ListNode,
    RangeNode,
    TemplateNode,
    TextNode,
    WithNode,
)
from sidecar.gotemplate.printing import text
from sidecar.gotemplate.ranges import elements, pairs
from sidecar.gotemplate.run import PACE, Program, Run, weight
from sidecar.gotemplate.signatures import Fault
from sidecar.gotemplate.trees import Tree
from sidecar.gotemplate.values import INVALID, truth, type_of

__all__ = ["walk"]


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


def walk(program: Program, tree: Tree, data: object) -> Run:
    """Run a tree on data and return the run with its output."""
    run = Run(program)
    walker = _Walker(program, run, tree)
    walker.start(tree, INVALID if data is None else data)
    run.pace(tree, tree.root)
    return run


class _Walker(Evaluator):
    def start(self, tree: Tree, dot: object) -> None:
        """Run a tree with nothing but dot and $."""
        self.tree = tree
        self.node = tree.root
        self.dot = dot
        self.within = None
        self.variables = []
        self.declare("$", dot, None)
        self.run.charge(weight(tree.root), tree, tree.root)
        try:
            self._list(tree.root)
        except RecursionError:
            self.run.too_deep(tree, tree.root)

    def _list(self, items: ListNode) -> None:
        for node in items.nodes:
            self.node = node
            if isinstance(node, TextNode):
                self.run.out.append(node.text)
            elif isinstance(node, ActionNode):
                self._action(node)
            elif isinstance(node, RangeNode):
                self._range(node)
            elif isinstance(node, BranchNode):
                self._branch(node)
            elif isinstance(node, TemplateNode):
                self._template(node)
            elif isinstance(node, BreakNode):
                raise _Break
            else:
                raise _Continue

    def _action(self, node: ActionNode) -> None:
        value = self.pipeline(node.pipe)
        if node.pipe.variables:
            return
        self.node = node
        if type_of(value).kind == "func":
            self.fail(f"can't print {node} of type {type_of(value)}")
        try:
            self.run.out.append(text(value))
        except LimitExceeded:
            self.run.exceeded("output", self.tree, node)

    def _branch(self, node: BranchNode) -> None:
        """Run an if or with; a chain of else-if is a loop here, not a recursion."""
        mark = len(self.variables)
        current: BranchNode | None = node
        while current is not None:
            self.node = current
            value = self.pipeline(current.pipe)
            if truth(value):
                if isinstance(current, WithNode):
                    self._with(value, current.body)
                else:
                    self._list(current.body)
                break
            rest = current.otherwise
            current = None
            if rest is not None:
                chained = rest.nodes[0] if len(rest.nodes) == 1 else None
                if isinstance(chained, IfNode | WithNode):
                    current = chained
                else:
                    self._list(rest)
        del self.variables[mark:]

    def _with(self, value: object, body: ListNode, within: object = None) -> None:
        outer = self.dot, self.within
        self.dot, self.within = value, within
        try:
            self._list(body)
        finally:
            self.dot, self.within = outer

    def _range(self, node: RangeNode) -> None:
        mark = len(self.variables)
        value = self.pipeline(node.pipe)
        variables = node.pipe.variables
        limit = max(self.run.steps, 0)
        try:
            if len(variables) > 1:
                items: Sequence[object] = pairs(value, limit)
            else:
                items = elements(value, limit)
        except Fault as fault:
            self.fail(str(fault))
        self.run.charge(len(items) * weight(node.body), self.tree, node)
        within = None if isinstance(value, int) else value
        try:
            self._loop(node, items, within)
            if not items and node.otherwise is not None:
                self._list(node.otherwise)
        except _Break:
            pass  # also one in the else part ends this statement, as in Go
        del self.variables[mark:]

    def _loop(self, node: RangeNode, items: Sequence[object], within: object) -> None:
        names = [variable.names[0] for variable in node.pipe.variables]
        mark = len(self.variables)
        left = PACE
        for item in items:
            element = item
            if len(names) > 1:
                key, element = cast("tuple[object, object]", item)
                self._set(node, names[0], key, None, 2)
            if names:
                self._set(node, names[-1], element, within, 1)
            with suppress(_Continue):
                self._with(element, node.body, within)
            del self.variables[mark:]
            left -= 1
            if not left:
                left = self.run.pace(self.tree, node)

    def _set(self, node: RangeNode, name: str, value: object, within: object, top: int) -> None:
        if node.pipe.assigns:
            self.assign(name, value, within)
        else:
            self.variables[-top] = (name, value, within)

    def _template(self, node: TemplateNode) -> None:
        tree = self.program.trees.get(node.name)
        if tree is None:
            self.fail(f"template {quoted(node.name)} not defined")
        self.run.enter(self.tree, node)
        dot = INVALID if node.pipe is None else self.pipeline(node.pipe)
        outer = self.tree, self.node, self.dot, self.within, self.variables
        self.start(tree, dot)
        self.tree, self.node, self.dot, self.within, self.variables = outer
        self.run.depth -= 1
