"""Compiles and runs Go templates: what the rest of the program calls. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, Literal

from sidecar.gotemplate.builtins import builtins
from sidecar.gotemplate.compiler import compiled
from sidecar.gotemplate.failures import LimitExceeded, TemplateError
from sidecar.gotemplate.machine import Code, run_code
from sidecar.gotemplate.parser import parse
from sidecar.gotemplate.run import Limits, Program
from sidecar.gotemplate.signatures import function_of
from sidecar.gotemplate.trees import Tree, is_empty
from sidecar.gotemplate.walker import walk

__all__ = ["LimitExceeded", "Limits", "Template", "TemplateError", "compile_template"]

Missing = Literal["default", "zero", "error"]
_LIMITS: Final = Limits()
_NONE: Final[Mapping[str, Callable[..., object]]] = {}


def compile_template(
    name: str,
    text: str,
    functions: Mapping[str, Callable[..., object]] = _NONE,
    *,
    left: str = "{{",
    right: str = "}}",
    missing: Missing = "default",
    limits: Limits = _LIMITS,
) -> "Template":
    """Return a template that can be executed; TemplateError when the text is malformed.

    Functions get Python values (see ``values``) and are checked against their annotations (see
    ``signatures``); what one raises becomes an error of the template. Equal names hide built-ins.
    """
    known = builtins(limits.output)
    known |= {key: function_of(call) for key, call in functions.items()}
    trees = parse(name, text, known.keys(), left=left, right=right, nesting=limits.nesting)
    program = Program(trees, known, frozenset(functions), missing, limits)
    return Template(name, program, left, right)


class Template:
    """A compiled template with those defined in it; it never changes and may be shared."""

    def __init__(self, name: str, program: Program, left: str, right: str) -> None:
        """Take the name of what ``execute`` runs, and everything it is made of."""
        self.name = name
        self._program = program
        self._delimiters = left, right
        self._made: list[Code | None] = []

    @property
    def names(self) -> frozenset[str]:
        """Return the names of the template and of those defined in it."""
        return frozenset(self._program.trees)

    def execute(self, data: object) -> str:
        """Return the text the template makes of data.

        Raises TemplateError, and LimitExceeded of it, only. Output that cannot be encoded holds
        bytes that are no UTF-8: write it with ``errors="surrogateescape"``.
        """
        if not self._made:
            self._made.append(compiled(self._program))
        code = self._made[0]
        return self.walk(data) if code is None else run_code(self._program, code, self.name, data)

    def walk(self, data: object) -> str:
        """Return the same, slowly, by walking the tree."""
        tree = self._tree(self.name)
        return "".join(walk(self._program, tree, data).out)

    def named(self, name: str) -> "Template":
        """Return the template defined in this one by a name."""
        if name not in self._program.trees:
            text = f'template: no template "{name}" associated with template "{self.name}"'
            raise TemplateError(text, name=self.name)
        found = Template(name, self._program, *self._delimiters)
        found._made = self._made
        return found

    def extended(self, name: str, text: str) -> "Template":
        """Return this template with the definitions of one more text, which win over its own."""
        left, right = self._delimiters
        program = self._program
        nesting = program.limits.nesting
        more = parse(name, text, program.functions.keys(), left=left, right=right, nesting=nesting)
        trees = dict(program.trees)
        for key, tree in more.items():
            if key not in trees or not is_empty(tree.root.nodes):
                trees[key] = tree
        return Template(self.name, replace(program, trees=trees), left, right)

    def _tree(self, name: str) -> Tree:
        return self._program.trees[name]
