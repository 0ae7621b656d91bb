"""What the source of a compiled template is made of: names, sites, variables. Pure."""

from dataclasses import dataclass

from sidecar.gotemplate.machine import Site
from sidecar.gotemplate.nodes import Node
from sidecar.gotemplate.run import Program
from sidecar.gotemplate.trees import Tree

__all__ = ["Scope", "Source", "Text", "Unsupported", "Variable"]


class Unsupported(Exception):
    """The compiler leaves this template to the walker."""


@dataclass(frozen=True, slots=True)
class Text:
    """A Python expression; whether it may give None or INVALID; whether it only names a value."""

    text: str
    last: str
    none: bool = False
    invalid: bool = False
    simple: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """A template's variable: its name here and there, and what it is an element of."""

    name: str
    python: str
    within: str
    invalid: bool = True


@dataclass(slots=True)
class Scope:
    """Where an expression stands: its tree, dot and the variables that exist."""

    tree: Tree
    dot: str
    within: str
    variables: list[Variable]
    assigned: frozenset[str]  # names that `=` changes somewhere in the tree


class Source:
    """Collects the constants, functions and sites the source refers to."""

    def __init__(self, program: Program) -> None:
        """Take what is compiled."""
        self.program = program
        self.sites: list[Site] = [Site(*_nowhere(program))]  # so that no number is false
        self.names: dict[str, object] = {}
        self.functions: dict[str, str] = {}
        self._count = 0

    def fresh(self, letter: str) -> str:
        """Return a name not used before."""
        self._count += 1
        return f"{letter}{self._count}"

    def site(self, scope: Scope, node: Node, name: str = "") -> str:
        """Return the number of a place."""
        self.sites.append(Site(scope.tree, node, name))
        return str(len(self.sites) - 1)

    def keep(self, value: object) -> str:
        """Return a name for a constant."""
        name = self.fresh("k")
        self.names[name] = value
        return name

    def literal(self, value: object) -> str:
        if isinstance(value, str | bool) or type(value) is int:
            return repr(value)
        return self.keep(value)

    def fault(self, site: str, message: str, before: Text | None = None) -> Text:
        """Return an expression that raises, after what comes before it."""
        evaluated = f", {before.text}" if before else ""
        return Text(f"m.fail({site}, {message!r}{evaluated})", site)

    @staticmethod
    def present(text: Text) -> str:
        """Return an expression that gives INVALID for None."""
        return f"N({text.text})" if text.none else text.text

    def declare(self, name: str, scope: Scope, within: str = "None") -> Variable:
        """Add a variable to the scope."""
        if name in scope.assigned:
            within = self.fresh("x")
        variable = Variable(name, self.fresh("v"), within)
        scope.variables.append(variable)
        return variable

    @staticmethod
    def find(name: str, scope: Scope) -> Variable | None:
        """Return the variable declared last by a name."""
        return next((known for known in reversed(scope.variables) if known.name == name), None)


def _nowhere(program: Program) -> tuple[Tree, Node]:
    tree = next(iter(program.trees.values()))
    return tree, tree.root
