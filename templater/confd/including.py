"""``include``: another file of the templates folder as text, as confd's fork has it. Blocks.

Files are named below that folder and never outside of it. Who includes himself, or stands more
than ten deep, is told so.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from sidecar.gotemplate.failures import TemplateError
from sidecar.gotemplate.template import Template, compile_template
from templater.backends.base import text_of
from templater.confd.paths import clean

__all__ = ["Includes"]

_DEEPEST: Final = 10
Functions = Mapping[str, Callable[..., object]]


class Includes:
    """The files that one template includes; each is compiled again when its text changed."""

    def __init__(self, folder: Path) -> None:
        """``folder`` is that of the templates."""
        self._folder = folder
        self._functions: Functions = {}
        self._compiled: dict[Path, tuple[str, Template]] = {}
        self._under_way: list[Path] = []
        self.used: set[Path] = set()

    def functions_with(self, functions: Functions) -> Functions:
        """Return these functions and ``include``, whose files may use all of them."""
        self._functions = {**functions, "include": self.include}
        return self._functions

    def begin(self) -> None:
        """Start a rendering."""
        self._under_way.clear()
        self.used.clear()

    def include(self, name: str, *data: object) -> str:
        """Return what a file makes of data. Raises ValueError, TemplateError."""
        inside = clean(name.lstrip("/"))
        if inside in {".", ".."} or inside.startswith(("../", ".")):
            raise ValueError(f'include path "{name}" is outside template directory')
        path = self._folder / inside
        if path in self._under_way:
            raise ValueError(f"include cycle detected: {path} is already being processed")
        if len(self._under_way) >= _DEEPEST:
            raise ValueError(f"maximum include depth ({_DEEPEST}) exceeded")
        self._under_way.append(path)
        self.used.add(path)
        try:
            return self._template(path, name).execute(data[0] if data else None)
        except TemplateError as error:
            raise ValueError(f"execute include {name}: {error}") from error
        finally:
            self._under_way.pop()

    def _template(self, path: Path, name: str) -> Template:
        try:
            text = text_of(path.read_bytes())
        except OSError as error:
            words = (error.strerror or str(error)).lower()
            raise ValueError(f"include {name}: open {path}: {words}") from error
        known = self._compiled.get(path)
        if known is None or known[0] != text:
            try:
                known = text, compile_template(path.name, text, self._functions)
            except TemplateError as error:
                raise ValueError(f"parse include {name}: {error}") from error
            self._compiled[path] = known
        return known[1]
