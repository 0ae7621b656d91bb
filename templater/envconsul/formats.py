"""The small templates that make names of variables and paths; each a Go template. Pure."""

from collections.abc import Callable, Mapping
from typing import Final

from sidecar.gotemplate.run import Limits
from sidecar.gotemplate.template import Template, compile_template

__all__ = ["NameFormat", "path_of"]

_LIMITS: Final = Limits(steps=100_000, output=1 << 16)


class NameFormat:
    """Makes a variable's name; ``{{key}}`` and, for services, ``{{service}}`` are its parts.

    Nothing is escaped: the original writes ``&#43;`` where a key has a plus.
    """

    def __init__(self, text: str) -> None:
        """Compile. Raises TemplateError."""
        self._key = self._service = ""
        functions: Mapping[str, Callable[..., str]] = {
            "key": lambda: self._key,
            "replaceKey": _replace_key,
            "service": lambda: self._service,
        }
        self._template: Template = compile_template("filter", text, functions, limits=_LIMITS)

    def name(self, key: str, service: str = "") -> str:
        """Return the name. Raises TemplateError."""
        self._key, self._service = key, service
        return self._template.execute(None)


def path_of(text: str, environ: Mapping[str, str]) -> str:
    """Return a path with ``{{env "NAME"}}`` filled in. Raises TemplateError."""

    def env(name: str) -> str:
        if name not in environ:
            raise ValueError(f"environment variable {name} is not set")
        return environ[name]

    return compile_template("path", text, {"env": env}, limits=_LIMITS).execute(None)


def _replace_key(first: str, *rest: str) -> str:
    """Return ``new`` for ``replaceKey old new key`` when the key is old, else the key."""
    if len(rest) != 2:
        return first
    return rest[0] if first == rest[1] else rest[1]
