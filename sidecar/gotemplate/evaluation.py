"""Evaluates pipelines, commands and arguments of a tree. Pure."""

from collections.abc import Sequence
from typing import Final, NoReturn

from sidecar.gotemplate import access
from sidecar.gotemplate.failures import LimitExceeded, TemplateError
from sidecar.gotemplate.kinds import NILABLE, VALUE, GoType
from sidecar.gotemplate.nodes import (
    ChainNode,
    CommandNode,
    DotNode,
    FieldNode,
    IdentifierNode,
    NilNode,
    Node,
    PipeNode,
    VariableNode,
)
from sidecar.gotemplate.run import Program, Run, at_node
from sidecar.gotemplate.signatures import Fault, Function, checked, constant, ideal
from sidecar.gotemplate.trees import Tree
from sidecar.gotemplate.values import INVALID, truth, zero_of

__all__ = ["NOTHING", "Evaluator"]

NOTHING: Final = object()  # no value comes down the pipe
Given = tuple[Sequence[Node], object]  # a command's words and what comes down the pipe
ALONE: Final[Given] = ((), NOTHING)


class Evaluator:
    """Gives the value of a node where dot and the variables are what they are."""

    def __init__(self, program: Program, run: Run, tree: Tree) -> None:
        """Take what is run and where its output goes."""
        self.program = program
        self.run = run
        self.tree = tree
        self.node: Node = tree.root
        self.dot: object = INVALID
        self.within: object = None
        self.variables: list[tuple[str, object, object]] = []

    def fail(self, text: str, error: type[TemplateError] = TemplateError) -> NoReturn:
        """Raise at the node at hand."""
        raise at_node(self.tree, self.node, text, error)

    # --- variables ----------------------------------------------------------------------------

    def declare(self, name: str, value: object, within: object) -> None:
        """Add a variable; within is the list or map its value is an element of."""
        self.variables.append((name, value, within))

    def assign(self, name: str, value: object, within: object) -> None:
        """Change the variable declared last by a name."""
        self.variables[self._find(name)] = (name, value, within)

    def _find(self, name: str) -> int:
        known = range(len(self.variables) - 1, -1, -1)
        found = next((at for at in known if self.variables[at][0] == name), -1)
        if found < 0:
            self.fail(f"undefined variable: {name}")
        return found

    # --- pipelines and commands ---------------------------------------------------------------

    def pipeline(self, pipe: PipeNode) -> object:
        """Return a pipeline's value and set its variables."""
        self.node = pipe
        value: object = NOTHING
        for command in pipe.commands:
            value = self._command(command, value)
            if value is None:
                value = INVALID
        for variable in pipe.variables:
            if pipe.assigns:
                self.assign(variable.names[0], value, None)
            else:
                self.declare(variable.names[0], value, None)
        return value

    def _command(self, command: CommandNode, final: object) -> object:
        first = command.args[0]
        if isinstance(first, IdentifierNode):
            return self._function(first, command, command.args, final)
        if isinstance(first, FieldNode | ChainNode | VariableNode):
            return self.fields(first, command.args, final)
        if isinstance(first, PipeNode):
            self._no_function(command.args, final)
            return self.pipeline(first)
        self.node = first
        self._no_function(command.args, final)
        if isinstance(first, DotNode):
            return self.dot
        if isinstance(first, NilNode):
            self.fail("nil is not a command")
        return self._ideal(first)

    def _ideal(self, node: Node) -> object:
        try:
            return ideal(node)
        except Fault as fault:
            self.fail(str(fault))

    def _no_function(self, args: Sequence[Node], final: object) -> None:
        if len(args) > 1 or final is not NOTHING:
            self.fail(f"can't give argument to non-function {args[0]}")

    # --- fields and methods -------------------------------------------------------------------

    def fields(
        self, node: FieldNode | ChainNode | VariableNode, args: Sequence[Node], final: object
    ) -> object:
        """Return what a chain of names finds; the last may be a method with arguments."""
        self.node = node
        names = node.names
        receiver, within = self.dot, self.within
        if isinstance(node, ChainNode):
            receiver, within = self._term(node), None
        elif isinstance(node, VariableNode):
            _, receiver, within = self.variables[self._find(names[0])]
            names = names[1:]
            if not names:
                self._no_function(args, final)
                return receiver
        for name in names[:-1]:
            found = self.field(receiver, name, within, node)
            receiver, within = found, receiver
        return self.field(receiver, names[-1], within, node, (args, final))

    def _term(self, chain: ChainNode) -> object:
        term = chain.node
        if isinstance(term, NilNode):
            self.fail(f"indirection through explicit nil in {chain}")
        self.node = term
        if isinstance(term, PipeNode):
            return self.pipeline(term)
        if isinstance(term, IdentifierNode):
            return self._function(term, term, (), NOTHING)
        raise AssertionError(term)

    def field(
        self, receiver: object, name: str, within: object, node: Node, given: Given = ALONE
    ) -> object:
        """Return what a name finds in a value: a method's result, a field, an entry."""
        args, final = given
        found = access.method(receiver, name)
        if found is not None:
            return self._call(found, node, name, args[1:], final)
        has_args = len(args) > 1 or final is not NOTHING
        try:
            return access.field(receiver, name, self.program.missing, within, has_args=has_args)
        except Fault as fault:
            self.fail(str(fault))

    # --- functions ----------------------------------------------------------------------------

    def _function(
        self, node: IdentifierNode, command: Node, args: Sequence[Node], final: object
    ) -> object:
        self.node = node
        function = self.program.functions[node.name]
        if node.name in ("and", "or") and node.name not in self.program.own:
            self._count(function, node.name, args[1:], final)
            return self._short(args[1:], final, stop=node.name == "or")
        return self._call(function, command, node.name, args[1:], final)

    def _short(self, args: Sequence[Node], final: object, *, stop: bool) -> object:
        """Return the first argument whose truth decides, else the last."""
        value: object = final
        for arg in args:
            value = self._arg(arg, VALUE)
            if truth(value) == stop:
                return value
        return value if final is NOTHING else final

    def _count(self, function: Function, name: str, args: Sequence[Node], final: object) -> None:
        piped = int(final is not NOTHING)
        wrong = function.wants(len(args) + piped, piped)
        if wrong is not None:
            self.fail(f"wrong number of args for {name}: {wrong}")

    def _call(
        self, function: Function, node: Node, name: str, args: Sequence[Node], final: object
    ) -> object:
        self._count(function, name, args, final)
        values = [self._arg(arg, function.param(at)) for at, arg in enumerate(args)]
        if final is not NOTHING:
            values.append(self._checked(final, function.param(len(args))))
        try:
            result = function.call(*values)
        except LimitExceeded as error:
            self.node = node
            self.fail(f"error calling {name}: {error}", LimitExceeded)
        except RecursionError:
            raise
        except Exception as error:
            self.node = node
            raise at_node(self.tree, node, f"error calling {name}: {error}") from error
        if isinstance(result, str) and len(result) > self.program.limits.output:
            self.run.exceeded("output", self.tree, node)
        return result

    def _checked(self, value: object, want: GoType) -> object:
        try:
            return checked(value, want)
        except Fault as fault:
            self.fail(str(fault))

    def _arg(self, node: Node, want: GoType) -> object:
        """Return an argument as a value of the type that is wanted."""
        self.node = node
        if isinstance(node, DotNode):
            return self._checked(self.dot, want)
        if isinstance(node, NilNode):
            if want.kind not in NILABLE:
                self.fail(f"cannot assign nil to {want}")
            return zero_of(want)
        if isinstance(node, PipeNode):
            return self._checked(self.pipeline(node), want)
        if isinstance(node, IdentifierNode):
            return self._checked(self._function(node, node, (), NOTHING), want)
        if isinstance(node, FieldNode | ChainNode | VariableNode):
            return self._checked(self.fields(node, (), NOTHING), want)
        try:
            return constant(node, want)
        except Fault as fault:
            self.fail(str(fault))
