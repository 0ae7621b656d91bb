"""Makes Python source of templates and Python functions of the source. Pure.

One function per template, one ``for`` per range, one ``if`` per if and with; pipelines become
expressions (``expressions``). Text and values that follow each other are appended in one go. The
source refers to nothing but names made here: text of a template gets into it only through ``repr``,
so a template cannot bring code of its own.

What Python's compiler cannot take (20 loops in each other) is left to the walker.
"""

from itertools import count
from typing import Final

from sidecar.golang.quoting import quoted
from sidecar.gotemplate.expressions import Expressions
from sidecar.gotemplate.machine import Code
from sidecar.gotemplate.nodes import (
    ActionNode,
    BranchNode,
    BreakNode,
    ContinueNode,
    ListNode,
    Node,
    RangeNode,
    TemplateNode,
    TextNode,
    WithNode,
)
from sidecar.gotemplate.run import PACE, Program, weight
from sidecar.gotemplate.scopes import Scope, Text, Unsupported, Variable
from sidecar.gotemplate.trees import Tree
from sidecar.gotemplate.values import INVALID

__all__ = ["compiled"]

_DEEPEST: Final = 60  # levels of indentation; Python takes 100
_LOOPS: Final = 15  # loops in each other; Python takes 20
_numbers: Final = count()


def compiled(program: Program) -> Code | None:
    """Return the code of all templates of a program, or None when the walker must run it."""
    try:
        return _Compiler(program).run()
    except (Unsupported, RecursionError, SyntaxError, MemoryError):
        return None


class _Compiler:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.make = Expressions(program)
        self.lines: list[str] = []
        self.level = 1
        self.loops = 0
        self.pending: list[str] = []
        self.functions = {name: f"template{at}" for at, name in enumerate(program.trees)}

    def run(self) -> Code:
        for tree_name, tree in self.program.trees.items():
            self._tree(tree, self.functions[tree_name])
        file = f"<template {next(_numbers)}>"
        source = "\n".join(self.lines)
        space = self.make.names
        space |= {"I": INVALID, "N": _present, "L": self.program.limits.output}
        exec(compile(source, file, "exec"), space)  # noqa: S102 - see the head of this module
        functions = {name: space[python] for name, python in self.functions.items()}
        return Code(functions, self.make.sites, _marked(source), file)  # type: ignore[arg-type]

    # --- statements ---------------------------------------------------------------------------

    def _emit(self, line: str) -> None:
        self._flush()
        self.lines.append("    " * self.level + line)

    def _flush(self) -> None:
        if self.pending:
            joined = ", ".join(self.pending)
            self.pending = []
            self.lines.append("    " * self.level + f"e(({joined},))")

    def _tree(self, tree: Tree, name: str) -> None:
        assigned = frozenset(_assigned(tree.root))
        scope = Scope(tree, "d0", "None", [Variable("$", "v0", "None")], assigned)
        site = self.make.site(scope, tree.root)
        self.lines.append(f"def {name}(m, d0):")
        self._emit(f"m.charge({site}, {weight(tree.root)})")
        self._emit("v0 = d0")
        if "$" in assigned:
            raise Unsupported
        self._emit("e = m.run.out.extend")
        self._list(tree.root, scope)
        self._flush()

    def _list(self, items: ListNode, scope: Scope) -> None:
        """Emit a block; it is left empty by none that Python would refuse."""
        if self.level > _DEEPEST:
            raise Unsupported
        for node in items.nodes:
            if isinstance(node, TextNode):
                self.pending.append(repr(node.text))
            elif isinstance(node, ActionNode):
                self._action(node, scope)
            elif isinstance(node, RangeNode):
                self._range(node, scope)
            elif isinstance(node, BranchNode):
                self._branch(node, scope)
            elif isinstance(node, TemplateNode):
                self._template(node, scope)
            elif isinstance(node, BreakNode):
                self._emit("break")
            else:
                self._emit("continue")

    def _block(self, items: ListNode, scope: Scope) -> None:
        """Emit an indented block with variables of its own."""
        mark = len(scope.variables)
        self._flush()
        self.level += 1
        self._emit("pass")
        self._list(items, scope)
        self._flush()
        self.level -= 1
        del scope.variables[mark:]

    def _action(self, node: ActionNode, scope: Scope) -> None:
        text = self.make.pipeline(node.pipe, scope)
        if node.pipe.variables:
            self._emit(f"({text.text})")
            return
        held = self.make.fresh("t")
        site = self.make.site(scope, node)
        self.pending.append(
            f"({held} if type({held} := {text.text}) is str else m.print({site}, {held}))"
        )

    def _branch(self, node: BranchNode, scope: Scope) -> None:
        mark = len(scope.variables)
        word = "if"
        current: BranchNode | None = node
        while current is not None:
            text = self.make.pipeline(current.pipe, scope)
            dot = scope.dot, scope.within
            test = text.text
            if isinstance(current, WithNode):
                scope.dot, scope.within = self.make.fresh("d"), "None"
                test = f"({scope.dot} := {self.make.present(text)})"
            self._emit(f"{word} ({test}):")
            self._block(current.body, scope)
            scope.dot, scope.within = dot
            word = "elif"
            rest = current.otherwise
            chained = rest.nodes[0] if rest and len(rest.nodes) == 1 else None
            current = None
            if isinstance(chained, BranchNode) and not isinstance(chained, RangeNode):
                current = chained
            elif rest is not None:
                self._emit("else:")
                self._block(rest, scope)
        del scope.variables[mark:]

    # --- range --------------------------------------------------------------------------------

    def _range(self, node: RangeNode, scope: Scope) -> None:
        if node.otherwise is not None and _jumps(node.otherwise):
            raise Unsupported  # ends this statement, and not a loop around it
        self.loops += 1
        if self.loops > _LOOPS:
            raise Unsupported
        mark = len(scope.variables)
        text = self.make.pipeline(node.pipe, scope)
        whole, items = self.make.fresh("c"), self.make.fresh("s")
        site = self.make.site(scope, node)
        two = len(node.pipe.variables) > 1
        self._emit(f"{whole} = ({self.make.present(text)})")
        self._emit(f"{items} = m.{'pairs' if two else 'elements'}({text.last}, {whole})")
        self._emit(f"if {items}:")
        self.level += 1
        self._emit(f"m.charge({site}, len({items}) * {weight(node.body)})")
        self._loop(node, scope, whole, items, site)
        self.level -= 1
        if node.otherwise is not None:
            self._emit("else:")
            self._block(node.otherwise, scope)
        del scope.variables[mark:]
        self.loops -= 1

    def _loop(self, node: RangeNode, scope: Scope, whole: str, items: str, site: str) -> None:
        left, key = self.make.fresh("n"), self.make.fresh("t")
        outer = scope.dot, scope.within
        mark = len(scope.variables)
        scope.dot, scope.within = self.make.fresh("d"), whole
        names = [variable.names[0] for variable in node.pipe.variables]
        self._emit(f"{left} = {PACE}")
        target = f"{key}, {scope.dot}" if len(names) > 1 else scope.dot
        self._emit(f"for {target} in {items}:")
        self.level += 1
        self._emit(f"{left} -= 1")
        self._emit(f"if not {left}: {left} = m.pace({site})")
        values = [(key, "None"), (scope.dot, whole)][-len(names) :] if names else []
        for at, (value, within) in enumerate(values):
            self._set(node, scope, at, value, within)
        self.level -= 1
        self._block(node.body, scope)
        scope.dot, scope.within = outer
        # The else part sees the variables as the pipeline set them.
        del scope.variables[mark:]

    def _set(self, node: RangeNode, scope: Scope, at: int, value: str, within: str) -> None:
        """Give a variable of the range its next value."""
        name = node.pipe.variables[at].names[0]
        if node.pipe.assigns:
            known = self.make.find(name, scope)
            if known is None:
                raise Unsupported
        else:
            known = self.make.declare(name, scope, within)
        self._emit(f"{known.python} = {value}")
        if name in scope.assigned:
            self._emit(f"{known.within} = {within}")

    # --- templates ----------------------------------------------------------------------------

    def _template(self, node: TemplateNode, scope: Scope) -> None:
        site = self.make.site(scope, node)
        called = self.functions.get(node.name)
        if called is None:
            fault = self.make.fault(site, f"template {quoted(node.name)} not defined")
            self._emit(fault.text)
            return
        self._emit(f"m.enter({site})")
        text = Text("I", site) if node.pipe is None else self.make.pipeline(node.pipe, scope)
        self._emit(f"{called}(m, {self.make.present(text)})")
        self._emit("m.run.depth -= 1")


def _present(value: object) -> object:
    return INVALID if value is None else value


def _marked(source: str) -> dict[int, int]:
    """Return the site of each line that begins with a call."""
    lines = {}
    site = 0
    for number, line in enumerate(source.split("\n"), 1):
        _, mark, tail = line.rpartition("( #@")
        if mark and tail.isdigit():
            site = int(tail)
        lines[number] = site
    return lines


def _assigned(items: ListNode) -> list[str]:
    """Return the names that `=` changes in a tree, in statements; elsewhere is unsupported."""
    found: list[str] = []
    rest: list[Node] = list(items.nodes)
    while rest:
        node = rest.pop()
        pipe = node.pipe if isinstance(node, ActionNode | BranchNode | TemplateNode) else None
        if pipe is not None and pipe.assigns:
            found.extend(variable.names[0] for variable in pipe.variables)
        if isinstance(node, BranchNode):
            rest.extend(node.body.nodes)
            rest.extend(node.otherwise.nodes if node.otherwise else ())
    return found


def _jumps(items: ListNode) -> bool:
    """Tell whether a block breaks out of or goes on with a loop around it."""
    for node in items.nodes:
        if isinstance(node, BreakNode | ContinueNode):
            return True
        if isinstance(node, BranchNode):
            inside = () if isinstance(node, RangeNode) else (node.body,)
            if any(_jumps(part) for part in (*inside, node.otherwise) if part is not None):
                return True
    return False
