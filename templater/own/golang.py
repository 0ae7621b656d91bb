"""Our own templates in Go's language: the same data and the same quoting as in Jinja2."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sidecar.errors import RenderError
from sidecar.gotemplate.failures import TemplateError
from sidecar.gotemplate.template import Limits
from sidecar.gotemplate.template import compile_template as compile_go
from templater.confd.extra import EXTRA
from templater.confd.functions import TABLE
from templater.functions.sprig_data import SPRIG, both_names
from templater.own.quoting import QUOTING
from templater.own.world import Node, Pair, Service, View

__all__ = ["compile_plain", "compile_template"]

_SECONDS: Final = 5.0


def compile_template(name: str, text: str, now: Callable[[], float]) -> Callable[[View], str]:
    """Return what renders a view. Raises RenderError, as the result does."""
    holder = _Holder(now)
    limits = Limits(expired=lambda: now() > holder.ends)
    functions = {**both_names(SPRIG), **EXTRA, **TABLE, **_quoting(), **holder.functions()}
    try:
        template = compile_go(name, text, functions, limits=limits)
    except TemplateError as error:
        raise RenderError(str(error)) from error

    def render(view: View) -> str:
        holder.begin(view)
        try:
            return template.execute({"services": view})
        except TemplateError as error:
            raise RenderError(str(error)) from error

    return render


def compile_plain(
    name: str, text: str, now: Callable[[], float]
) -> Callable[[Mapping[str, object]], str]:
    """Return what renders plain data. Raises RenderError, as the result does."""
    ends = [0.0]
    limits = Limits(expired=lambda: now() > ends[0])
    try:
        template = compile_go(name, text, {**EXTRA, **TABLE, **_quoting()}, limits=limits)
    except TemplateError as error:
        raise RenderError(str(error)) from error

    def render(data: Mapping[str, object]) -> str:
        ends[0] = now() + _SECONDS
        try:
            return template.execute(data)
        except TemplateError as error:
            raise RenderError(str(error)) from error

    return render


def _quoting() -> dict[str, Callable[..., object]]:
    def quote(function: Callable[..., str]) -> Callable[..., object]:
        def quoted(value: Any) -> str:
            return function(value)

        return quoted

    names = {"json": "quoteJSON", "yaml": "quoteYAML"}
    return {names.get(name, name): quote(function) for name, function in QUOTING.items()}


class _Holder:
    """The view of the rendering that runs."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._view: View | None = None
        self.ends = 0.0

    def begin(self, view: View) -> None:
        self._view = view
        self.ends = self._now() + _SECONDS

    @property
    def view(self) -> View:
        if self._view is None:
            raise RenderError("nothing is rendered now")
        return self._view

    def functions(self) -> dict[str, Callable[..., object]]:
        def service(name: str) -> Service:
            return self.view.service(name)

        def nodes() -> Mapping[str, Node]:
            return self.view.nodes()

        def key(name: str) -> object:
            return self.view.key(name)

        def key_or(name: str, default: str) -> object:
            return self.view.key(name, default)

        def keys(prefix: str) -> list[Pair]:
            return list(self.view.keys_below(prefix))

        return {"service": service, "nodes": nodes, "key": key, "keyOr": key_or, "keysBelow": keys}
