"""What compiled templates call where their own fast path ends. Pure.

A compiled template is Python source, made by ``compiler``. It handles plain strings, numbers and
dicts itself and hands everything else to a Machine, together with a number that tells which node
of which tree it was at. So the slow cases follow the same rules as in the walker.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn

from sidecar.gotemplate.access import quick_field
from sidecar.gotemplate.evaluation import NOTHING, Evaluator
from sidecar.gotemplate.failures import LimitExceeded, TemplateError
from sidecar.gotemplate.kinds import GoType
from sidecar.gotemplate.nodes import ChainNode, FieldNode, Node, VariableNode
from sidecar.gotemplate.printing import text
from sidecar.gotemplate.ranges import elements, pairs
from sidecar.gotemplate.run import Program, Run, at_node
from sidecar.gotemplate.signatures import Fault, checked
from sidecar.gotemplate.trees import Tree
from sidecar.gotemplate.values import INVALID, type_of

__all__ = ["Code", "Machine", "Placed", "Site", "run_code"]


class Site(NamedTuple):
    """A place in a template; of a call also the function's name."""

    tree: Tree
    node: Node
    name: str = ""


class Placed(Exception):
    """Carries an error that has its place already past the frames of compiled code."""

    def __init__(self, error: TemplateError) -> None:
        """Take the error."""
        super().__init__(str(error))
        self.error = error


class Code(NamedTuple):
    """A compiled program: a function per template, its sites, which line calls from which site."""

    functions: dict[str, Callable[["Machine", object], None]]
    sites: Sequence[Site]
    lines: dict[int, int]
    file: str


class Machine:
    """One execution of compiled code."""

    def __init__(self, program: Program, sites: Sequence[Site]) -> None:
        """Take what is run."""
        self.program = program
        self.sites = sites
        self.run = Run(program)
        self.limit = program.limits.output

    def fail(self, site: int, message: str, *_evaluated: object) -> NoReturn:
        """Raise at a site; further arguments are there to be evaluated before."""
        tree, node, _ = self.sites[site]
        raise Placed(at_node(tree, node, message))

    def evaluator(self, site: int) -> tuple[Evaluator, Node]:
        """Return an evaluator that stands at a site."""
        tree, node, _ = self.sites[site]
        evaluator = Evaluator(self.program, self.run, tree)
        evaluator.node = node
        return evaluator, node

    def field(
        self, site: int, receiver: object, name: str, within: object, whole: int | None = None
    ) -> object:
        """Return a field, key or method's result; a method that fails is placed at whole."""
        found = quick_field(receiver, name)
        if found is not INVALID:
            return found
        evaluator, node = self.evaluator(site)
        called = node if whole is None else self.sites[whole].node
        try:
            return evaluator.field(receiver, name, within, called)
        except TemplateError as error:
            raise Placed(error) from error.__cause__

    def fields(
        self,
        site: int,
        scope: tuple[object, object, Sequence[tuple[str, object, object]]],
        args: Sequence[Node],
        final: object = NOTHING,
    ) -> object:
        """Return what a chain of names with arguments finds, by walking it."""
        evaluator, node = self.evaluator(site)
        evaluator.dot, evaluator.within, variables = scope
        evaluator.variables = list(variables)
        assert isinstance(node, FieldNode | ChainNode | VariableNode)  # noqa: S101 - tells the type
        try:
            return evaluator.fields(node, args, final)
        except TemplateError as error:
            raise Placed(error) from error.__cause__

    def check(self, site: int, value: object, want: GoType) -> object:
        """Return a value as an argument of a type."""
        try:
            return checked(value, want)
        except Fault as fault:
            self.fail(site, str(fault))

    def print(self, site: int, value: object) -> str:
        """Return what is printed for a value."""
        if type_of(value).kind == "func":
            self.fail(site, f"can't print {self.sites[site].node} of type {type_of(value)}")
        try:
            return text(value)
        except LimitExceeded:
            self.long(site)

    def elements(self, site: int, value: object) -> Sequence[object]:
        """Return what a range with at most one variable goes through."""
        try:
            return elements(value, max(self.run.steps, 0))
        except Fault as fault:
            self.fail(site, str(fault))

    def pairs(self, site: int, value: object) -> Sequence[tuple[object, object]]:
        """Return what a range with two variables goes through."""
        try:
            return pairs(value, max(self.run.steps, 0))
        except Fault as fault:
            self.fail(site, str(fault))

    def charge(self, site: int, steps: int) -> None:
        """Take steps off the budget."""
        tree, node, _ = self.sites[site]
        try:
            self.run.charge(steps, tree, node)
        except TemplateError as error:
            raise Placed(error) from None

    def pace(self, site: int) -> int:
        """Look at the output and the clock."""
        tree, node, _ = self.sites[site]
        try:
            return self.run.pace(tree, node)
        except TemplateError as error:
            raise Placed(error) from None

    def enter(self, site: int) -> None:
        """Count one more template that runs inside another."""
        tree, node, _ = self.sites[site]
        try:
            self.run.enter(tree, node)
        except TemplateError as error:
            raise Placed(error) from None

    def long(self, site: int) -> NoReturn:
        """Raise that a function's result is beyond the bound on output."""
        tree, node, _ = self.sites[site]
        raise Placed(at_node(tree, node, "output limit exceeded", LimitExceeded))


def run_code(program: Program, code: Code, name: str, data: object) -> str:
    """Run a compiled template on data."""
    machine = Machine(program, code.sites)
    tree = program.trees[name]
    try:
        code.functions[name](machine, INVALID if data is None else data)
    except Placed as placed:
        raise placed.error from placed.__cause__
    except RecursionError:
        machine.run.too_deep(tree, tree.root)
    except Exception as error:  # as Go recovers every panic of a function
        raise _called(code, error) from error
    machine.run.pace(tree, tree.root)
    return "".join(machine.run.out)


def _called(code: Code, error: Exception) -> TemplateError:
    """Return the error of the call that raised: the line it stands on tells its site."""
    line = 0
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == code.file:
            line = trace.tb_lineno
        trace = trace.tb_next
    tree, node, name = code.sites[code.lines[line]]
    kind = LimitExceeded if isinstance(error, LimitExceeded) else TemplateError
    return at_node(tree, node, f"error calling {name}: {error}", kind)
