"""Makes Python expressions of pipelines. Pure.

Every expression gives the value the walker would find. ``Text.last`` gives the site at which the
walker would stand after it, where the next fault is placed. A call of a function stands at the
start of a line of its own, marked ``#@site``: the traceback tells which call raised, so none needs
a guard.

Names in the source: ``d0`` dot, ``v1`` a variable, ``x1`` what it is an element of, ``t1`` a
temporary, ``f1`` a function, ``k1`` a constant, ``m`` the machine, ``I`` INVALID.
"""

from collections.abc import Sequence
from typing import Final

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
from sidecar.gotemplate.scopes import Scope, Source, Text, Unsupported
from sidecar.gotemplate.signatures import Fault, Function, constant, ideal
from sidecar.gotemplate.values import zero_of

__all__ = ["Expressions"]

_PYTHON: Final = {"string": "str", "int": "int", "bool": "bool", "float64": "float"}
# What these give is short, whatever they are given.
_SHORT: Final = frozenset({"eq", "ne", "lt", "le", "gt", "ge", "len", "index", "slice", "not"})


class Expressions(Source):
    """Makes expressions and collects what they refer to."""

    # --- pipelines and commands ---------------------------------------------------------------

    def pipeline(self, pipe: PipeNode, scope: Scope) -> Text:
        """Return a pipeline; its variables are in the scope from then on."""
        text: Text | None = None
        for command in pipe.commands:
            text = self._command(command, pipe, scope, text)
        if text is None:
            raise Unsupported
        return self._stored(pipe, scope, text) if pipe.variables else text

    def _stored(self, pipe: PipeNode, scope: Scope, text: Text) -> Text:
        value = self.present(text)
        for node in pipe.variables:
            name = node.names[0]
            if pipe.assigns and name not in scope.assigned:
                raise Unsupported  # an assignment inside an expression
            if pipe.assigns:
                known = self.find(name, scope)
                if known is None:
                    return self.fault(text.last, f"undefined variable: {name}", text)
            else:
                known = self.declare(name, scope)
            value = f"({known.python} := {value})"
            if name in scope.assigned:
                value = f"({value}, ({known.within} := None))[0]"
        return Text(value, text.last, invalid=text.invalid or text.none)

    def _command(
        self, command: CommandNode, pipe: PipeNode, scope: Scope, final: Text | None
    ) -> Text:
        first = command.args[0]
        args = command.args[1:]
        if isinstance(first, IdentifierNode):
            return self._function(first, command, scope, final)
        if isinstance(first, FieldNode | ChainNode | VariableNode):
            if not args and final is None:
                return self._fields(first, scope)
            return self._with_arguments(first, command.args, scope, final)
        if args or final:
            site = self.site(scope, first)
            if isinstance(first, PipeNode):
                site = final.last if final else self.site(scope, pipe)
            return self.fault(site, f"can't give argument to non-function {first}", final)
        return self._value(first, scope)

    def _value(self, first: Node, scope: Scope) -> Text:
        if isinstance(first, PipeNode):
            return self.pipeline(first, scope)
        site = self.site(scope, first)
        if isinstance(first, DotNode):
            return self._dot(site, scope)
        if isinstance(first, NilNode):
            return self.fault(site, "nil is not a command")
        return self._ideal(first, site)

    @staticmethod
    def _dot(site: str, scope: Scope) -> Text:
        return Text(scope.dot, site, none=scope.within != "None", invalid=True, simple=True)

    def _ideal(self, node: Node, site: str) -> Text:
        try:
            return Text(self.literal(ideal(node)), site, simple=True)
        except Fault as fault:
            return self.fault(site, str(fault))

    # --- fields -------------------------------------------------------------------------------

    def _fields(self, node: FieldNode | ChainNode | VariableNode, scope: Scope) -> Text:
        names = node.names
        site = self.site(scope, node)
        whole = ""
        receiver, within = self._dot(site, scope), scope.within
        if isinstance(node, VariableNode):
            known = self.find(names[0], scope)
            if known is None:
                return self.fault(site, f"undefined variable: {names[0]}")
            maybe = known.within != "None"
            receiver = Text(known.python, site, none=maybe, invalid=True, simple=True)
            within = known.within
            names = names[1:]
        elif isinstance(node, ChainNode):
            receiver, within = self._term(node, scope, site), "None"
            whole = f", {site}"  # faults stand where the term left off, but a failing method here
        for name in names:
            receiver, within = self._field(receiver, within, name, whole)
        return receiver

    def _field(self, receiver: Text, within: str, name: str, whole: str) -> tuple[Text, str]:
        """Return one step of a chain and the name of what it was taken from."""
        held, named = receiver.text, receiver.text
        if not receiver.simple:
            held = self.fresh("t")
            named = f"({held} := {receiver.text})"
        found = self.fresh("t")
        text = (
            f"({found} if type({named}) is dict and ({found} := {held}.get({name!r}, I)) is not I"
            f" else m.field({receiver.last}, {held}, {name!r}, {within}{whole}))"
        )
        return Text(text, receiver.last, none=True, invalid=True), held

    def _term(self, chain: ChainNode, scope: Scope, site: str) -> Text:
        term = chain.node
        if isinstance(term, NilNode):
            return self.fault(site, f"indirection through explicit nil in {chain}")
        if isinstance(term, PipeNode):
            inner = self.pipeline(term, scope)
            return Text(self.present(inner), inner.last, invalid=inner.invalid or inner.none)
        if isinstance(term, IdentifierNode):
            command = CommandNode(term.pos, [term])
            return self._function(term, command, scope, None, alone=term)
        raise Unsupported

    def _with_arguments(
        self,
        node: FieldNode | ChainNode | VariableNode,
        args: Sequence[Node],
        scope: Scope,
        final: Text | None,
    ) -> Text:
        """Leave a method call with arguments to the evaluator, with all variables at hand."""
        if any(_declares(arg) for arg in args) or (
            isinstance(node, ChainNode) and _declares(node.node)
        ):
            raise Unsupported
        site = self.site(scope, node)
        known = "".join(f"({v.name!r}, {v.python}, {v.within}), " for v in scope.variables)
        held = f"({scope.dot}, {scope.within}, ({known}))"
        given = f", {self.present(final)}" if final else ""
        text = f"m.fields({site}, {held}, {self.keep(list(args))}{given})"
        return Text(text, site, none=True, invalid=True)

    # --- functions ----------------------------------------------------------------------------

    def _function(
        self,
        node: IdentifierNode,
        command: CommandNode,
        scope: Scope,
        final: Text | None,
        *,
        alone: Node | None = None,
    ) -> Text:
        name = node.name
        function = self.program.functions[name]
        site = self.site(scope, node)
        args = command.args[1:]
        either = name in ("and", "or") and name not in self.program.own
        piped = int(final is not None)
        wrong = function.wants(len(args) + piped, piped)
        if wrong is not None:
            return self.fault(site, f"wrong number of args for {name}: {wrong}", final)
        ready = [self._arg(arg, function.param(at), scope) for at, arg in enumerate(args)]
        last = ready[-1].last if ready else site
        first = ""
        if final is not None:
            if either or any(not arg.simple for arg in ready):  # it comes first
                held = self.fresh("t")
                first = f"({held} := {final.text}), "
                final = Text(held, final.last, final.none, final.invalid, simple=True)
            want = function.param(len(args))
            ready.append(self._checked(final, want, last, piped=True))
        if either:
            text, last = self._either(name, ready)
        else:
            text = self._applied(name, function, ready, self.site(scope, alone or command, name))
        value = f"({first}{text})[1]" if first else text
        return Text(value, last, none=True, invalid=name in ("and", "or"))

    def _either(self, name: str, ready: list[Text]) -> tuple[str, str]:
        """Return and, or with the name of what holds the site of the argument that decided."""
        held = self.fresh("w")
        parts = [
            f"({held} := {arg.last}) and {arg.text}"
            if arg.last.isdecimal()
            else f"({arg.text}, ({held} := {arg.last}))[0]"
            for arg in ready
        ]
        return "(" + f" {name} ".join(parts) + ")", held

    def _applied(self, name: str, function: Function, ready: list[Text], site: str) -> str:
        own = name in self.program.own
        if name == "not" and not own:
            return f"(not {ready[0].text})"
        known = self.functions.get(name)
        if known is None:
            known = self.functions[name] = self.fresh("f")
            self.names[known] = function.call
        # No line may begin inside a string, and none does: their new lines are escaped.
        call = f"\n{known}( #@{site}\n{', '.join(arg.text for arg in ready)})"
        if name in _SHORT and not own:
            return call
        held = self.fresh("t")
        return (
            f"({held} if type({held} := {call}) is not str or len({held}) <= L else m.long({site}))"
        )

    def _arg(self, node: Node, want: GoType, scope: Scope) -> Text:
        """Return an argument as an expression of the type that is wanted."""
        site = self.site(scope, node)
        if isinstance(node, DotNode):
            return self._checked(self._dot(site, scope), want, site)
        if isinstance(node, NilNode):
            if want.kind not in NILABLE:
                return self.fault(site, f"cannot assign nil to {want}")
            return Text(self._literal_or_none(zero_of(want)), site, simple=True)
        inner = self._operand(node, scope)
        if inner is not None:
            return self._checked(inner, want, inner.last)
        try:
            return Text(self.literal(constant(node, want)), site, simple=True)
        except Fault as fault:
            return self.fault(site, str(fault))

    def _operand(self, node: Node, scope: Scope) -> Text | None:
        """Return an argument that is no literal."""
        if isinstance(node, PipeNode):
            if node.variables:
                raise Unsupported  # and, or might never set it
            inner = self.pipeline(node, scope)
            return Text(self.present(inner), inner.last, invalid=inner.invalid or inner.none)
        if isinstance(node, IdentifierNode):
            return self._function(node, CommandNode(node.pos, [node]), scope, None, alone=node)
        if isinstance(node, FieldNode | ChainNode | VariableNode):
            return self._fields(node, scope)
        return None

    def _literal_or_none(self, value: object) -> str:
        return "None" if value is None else self.keep(value)

    def _checked(self, value: Text, want: GoType, site: str, *, piped: bool = False) -> Text:
        if want is VALUE:
            return Text(self.present(value), site, invalid=True) if piped else value
        if want.kind == "interface" and not want.methods:
            if not value.invalid:
                return value
            held = self.fresh("t")
            return Text(f"(None if ({held} := {value.text}) is I else {held})", site, none=True)
        source = self.present(value) if piped else value.text
        held = self.fresh("t")
        python = _PYTHON.get(want.name)
        check = f"m.check({site}, {held}, {self.keep(want)})"
        if python is None:
            return Text(f"m.check({site}, {source}, {self.keep(want)})", site)
        return Text(f"({held} if type({held} := {source}) is {python} else {check})", site)


def _declares(node: Node) -> bool:
    """Tell whether an operand sets a variable somewhere."""
    if isinstance(node, ChainNode):
        return _declares(node.node)
    if not isinstance(node, PipeNode):
        return False
    return bool(node.variables) or any(
        _declares(arg) for command in node.commands for arg in command.args
    )
