"""What goes wrong in a template, and where. Pure."""

from sidecar.errors import RenderError

__all__ = ["CallFailed", "LimitExceeded", "TemplateError"]


class TemplateError(RenderError):
    """A template cannot be parsed or executed; the text has the shape Go gives it.

    ``line`` counts from 1; ``column`` is a byte offset from 0, or -1 where Go tells none (parsing).
    """

    def __init__(self, text: str, *, name: str = "", line: int = 0, column: int = -1) -> None:
        """Take the whole text and the place it speaks of."""
        super().__init__(text)
        self.name = name
        self.line = line
        self.column = column


class LimitExceeded(TemplateError):
    """A bound for untrusted templates was reached: steps, time, output or depth."""


class CallFailed(Exception):
    """A function refuses its arguments; the engine says which call of the template it was.

    Any other exception of a function has the same effect; this one is for this package's own.
    """
