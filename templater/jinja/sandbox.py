"""The environment that templates run in: Jinja's sandbox, made narrower and bounded.

The sandbox keeps a template from Python's insides (measured: both known ways out raise). It does
not bound time or memory; so loops, blocks, concatenations and lists are marked in the tree when
a template is compiled, operators and calls are intercepted, and of each type only attributes
known to be small may be used. Constants are not worked out by the compiler, where nothing counts.
"""

from collections.abc import Mapping
from types import BuiltinFunctionType, FunctionType, MappingProxyType, MethodType
from typing import Any, Final

from jinja2 import StrictUndefined, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from sidecar.errors import RenderError
from templater.jinja.budget import Budget, LimitReached, Limits
from templater.jinja.filters import Counted, filters_of, weigh
from templater.own.values import UNSAFE, Suspect

__all__ = ["Sandbox", "marked"]

_TEXT: Final = frozenset(
    {
        "capitalize", "casefold", "count", "endswith", "find", "isalnum", "isalpha", "isdigit",
        "islower", "isupper", "lower", "lstrip", "partition", "removeprefix", "removesuffix",
        "rfind", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip",
        "swapcase", "title", "upper",
    }
)  # fmt: skip
_MAPPING: Final = frozenset({"get", "items", "keys", "values"})
_ATTRIBUTES: Final[Mapping[type, frozenset[str]]] = MappingProxyType(
    {
        str: _TEXT,
        dict: _MAPPING,
        MappingProxyType: _MAPPING,
        list: frozenset({"count", "index"}),
        tuple: frozenset({"count", "index"}),
        int: frozenset(), float: frozenset(), bool: frozenset(), bytes: frozenset(),
        complex: frozenset(), range: frozenset(), set: frozenset(), frozenset: frozenset(),
    }
)  # fmt: skip
_CLOSED: Final = (type, FunctionType, BuiltinFunctionType, MethodType)
_LONG: Final = 4096
"""Longer texts are paid for at once; the others by who collects the output."""
_LONGEST_NUMBER: Final = 4096  # bits
_BUFFERED: Final = (nodes.Macro, nodes.CallBlock, nodes.FilterBlock, nodes.AssignBlock)
_COUNTED, _WEIGHED, _CHARGED, _KEPT = "_counted", "_weighed", "_charged", "_kept"


class Sandbox(ImmutableSandboxedEnvironment):
    """An environment for one rendering at a time; ``records`` are the types of our data."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, records: frozenset[type]) -> None:
        """Set up filters and globals."""
        super().__init__(
            undefined=StrictUndefined,
            autoescape=False,
            optimized=False,
            keep_trailing_newline=True,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=self._written,
            extensions=["jinja2.ext.loopcontrols"],
        )
        self._records = records
        self.budget = Budget(Limits(), lambda: 0.0)
        del self.globals["lipsum"]
        self.filters = filters_of(lambda: self.budget)
        self.filters[_COUNTED] = lambda items: Counted(items, self.budget)
        self.filters[_WEIGHED] = self._weighed
        self.filters[_CHARGED] = self._charged
        self.filters[_KEPT] = self._kept

    @staticmethod
    @pass_context  # also keeps the compiler from writing constants without asking
    def _written(context: Context, value: object) -> str:
        text = value if type(value) is str else _text(value)
        if len(text) > _LONG:
            context.environment.budget.write(len(text))  # type: ignore[attr-defined]
        return text

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return an attribute of our own records at once, of others after a look.

        Of a mapping from outside, a name is a method only if it is one that we list: no key there
        can hide it.
        """
        kind = type(obj)
        if kind in self._records and attribute[0] != "_":
            try:
                return getattr(obj, attribute)
            except AttributeError:
                return self.undefined(obj=obj, name=attribute)
        if kind is MappingProxyType and attribute not in _MAPPING:
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Allow of built-in types only what is listed, of classes and functions nothing.

        ``dict.update`` of a class would change data that renderings share.
        """
        if isinstance(obj, _CLOSED):
            return False
        for type_, allowed in _ATTRIBUTES.items():
            if isinstance(obj, type_):
                return attr in allowed
        return bool(super().is_safe_attribute(obj, attr, value))

    def wrap_str_format(self, value: Any) -> Any:
        """Return nothing, so that ``str.format`` is refused as what is not listed."""
        del value

    def call(self, context: Context, obj: Any, /, *args: Any, **named: Any) -> Any:
        """Call; a step, and for a recursive loop its turns too."""
        self.budget.step()
        if isinstance(obj, LoopContext) and args:
            args = (Counted(args[0], self.budget), *args[1:])
        if (
            isinstance(obj, type)
            and obj not in (dict, *self._records)
            and obj.__module__ == "builtins"
        ):
            raise SecurityError(f"{obj.__name__} is not safely callable")
        result = super().call(context, obj, *args, **named)
        return self._weighed(result) if type(result) in (list, dict, tuple, str) else result

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Refuse what would take too much before it is worked out."""
        if operator == "%" and isinstance(left, str):
            raise RenderError("% formats no text here; use ~ and filters")
        if operator == "*":
            self._check_product(left, right)
        if operator == "**" and not _is_small_power(left, right):
            raise LimitReached("works out too large a power")
        result = super().call_binop(context, operator, left, right)
        if isinstance(result, int) and result.bit_length() > _LONGEST_NUMBER:
            raise LimitReached("works out too large a number")
        return self._weighed(result)

    def _check_product(self, left: Any, right: Any) -> None:
        for value, times in ((left, right), (right, left)):
            if isinstance(value, str | list | tuple) and isinstance(times, int):
                self.budget.fits(len(value) * max(times, 0))

    def _weighed(self, value: Any) -> Any:
        if isinstance(value, str):
            self.budget.fits(len(value))
        elif isinstance(value, list | tuple | dict):
            weigh(value, self.budget)
        return value

    def _charged(self, size: int) -> str:
        self.budget.step()
        self.budget.write(size)
        return ""

    def _kept(self, value: object) -> str:
        text = value if type(value) is str else _text(value)
        self.budget.write(len(text))
        return text


def marked(tree: nodes.Template, sandbox: Sandbox) -> nodes.Template:
    """Return a template's tree with what counts put in. Raises RenderError for what cannot be.

    What a macro or block keeps back is paid for when it is made; whoever renders sees the rest.
    """
    for unwanted in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        kind = type(unwanted).__name__.lower()
        raise RenderError(f"line {unwanted.lineno}: {kind} is not available here")
    for block in tree.find_all(_BUFFERED):
        for output in block.find_all(nodes.Output):
            size = sum(
                len(node.data) for node in output.nodes if isinstance(node, nodes.TemplateData)
            )
            output.nodes = [
                node if isinstance(node, nodes.TemplateData) else _filtered(node, _KEPT, output)
                for node in output.nodes
            ]
            if size:
                output.nodes.append(_filtered(nodes.Const(size), _CHARGED, output))
    for loop in tree.find_all(nodes.For):
        loop.iter = _filtered(loop.iter, _COUNTED, loop)
    _weigh_within(tree)
    tree.set_environment(sandbox)
    return tree


def _weigh_within(node: nodes.Node) -> None:
    """Have every text that is joined and every list that is written out weighed."""
    for name, value in list(node.iter_fields()):
        if isinstance(value, list):
            setattr(node, name, [_weighed_node(item) for item in value])
        elif isinstance(value, nodes.Node):
            setattr(node, name, _weighed_node(value))


def _weighed_node(node: Any) -> Any:
    if not isinstance(node, nodes.Node):
        return node
    _weigh_within(node)
    is_made = isinstance(node, nodes.Concat | nodes.List | nodes.Dict) or (
        isinstance(node, nodes.Tuple) and node.ctx == "load"
    )
    return _filtered(node, _WEIGHED, node) if is_made else node


def _filtered(node: Any, name: str, where: nodes.Node) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=where.lineno)


def _text(value: object) -> str:
    if type(value) is int:
        return str(value)
    if isinstance(value, Suspect | int | float):
        return str(value)
    if isinstance(value, list | tuple | dict):
        text = str(value)
        if UNSAFE.search(text) is None:
            return text
    if value is None:
        raise RenderError("None is nothing to write")
    text = str(value)  # an undefined value raises here, with its name
    if type(value).__module__.startswith("templater."):
        raise RenderError(f"a {type(value).__name__.lower()} is nothing to write; name a field")
    return text


def _is_small_power(base: Any, exponent: Any) -> bool:
    if isinstance(base, int) and isinstance(exponent, int):
        return base.bit_length() * max(exponent, 0) <= _LONGEST_NUMBER
    return isinstance(base, int | float) and isinstance(exponent, int | float)
