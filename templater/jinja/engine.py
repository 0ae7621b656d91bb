"""Compiles and runs Jinja2 templates: what the rest of the program calls.

Whatever a template does wrong is a RenderError that begins with its name and line.
"""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Final

from jinja2 import Template as JinjaTemplate
from jinja2 import TemplateError as JinjaError
from jinja2 import TemplateSyntaxError

from sidecar.errors import RenderError
from templater.jinja.budget import Budget, Limits
from templater.jinja.sandbox import Sandbox, marked

__all__ = ["Template", "compile_template"]

_LIMITS: Final = Limits()
_LARGEST: Final = 1 << 20
_PARTS: Final = 256
_WRONG: Final = (
    JinjaError, RenderError, ArithmeticError, AssertionError, AttributeError, LookupError,
    MemoryError, RuntimeError, SyntaxError, TypeError, ValueError,
)  # fmt: skip
"""What a template can make Python raise; RecursionError is a RuntimeError."""


def compile_template(
    name: str, text: str, *, records: frozenset[type] = frozenset(), limits: Limits = _LIMITS
) -> "Template":
    """Return a template; ``records`` are the types of data whose public attributes it may read.

    Raises RenderError.
    """
    if len(text) > _LARGEST:
        raise RenderError(f"{name}: is longer than {_LARGEST} characters")
    sandbox = Sandbox(records)
    try:
        code = sandbox.compile(marked(sandbox.parse(text, name, name), sandbox), name, name)
    except TemplateSyntaxError as error:
        raise RenderError(f"{name}:{error.lineno}: {error.message}") from error
    except _WRONG as error:
        raise RenderError(f"{name}: {_words(error)}") from error
    made = JinjaTemplate.from_code(sandbox, code, sandbox.make_globals(None))
    return Template(name, made, sandbox, limits)


class Template:
    """A compiled template; one rendering at a time."""

    def __init__(self, name: str, made: JinjaTemplate, sandbox: Sandbox, limits: Limits) -> None:
        """Use ``compile_template``."""
        self.name = name
        self._made = made
        self._sandbox = sandbox
        self._limits = limits

    def render(self, data: Mapping[str, object], now: Callable[[], float]) -> str:
        """Return the text that the template makes of data; ``now`` is a clock in seconds.

        Raises RenderError.
        """
        limits = self._limits
        self._sandbox.budget = Budget(limits, now)
        room = Budget(limits, now)
        parts: list[str] = []
        made = self._made.generate(data)
        try:
            # Many parts between two looks: until they are joined they are no new memory.
            while some := list(islice(made, _PARTS)):
                room.step(len(some))
                room.write(sum(map(len, some)))
                parts += some
        except _WRONG as error:
            raise RenderError(f"{self._place(error)}: {_words(error)}") from error
        return "".join(parts)

    def _place(self, error: BaseException) -> str:
        """Return the template's name and the line that was being run."""
        line = 0
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self.name:
                line = trace.tb_lineno
            trace = trace.tb_next
        return f"{self.name}:{line}" if line else self.name


def _words(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "calls itself too deep"
    return " ".join(str(error).split()) or type(error).__name__
