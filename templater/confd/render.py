"""From a template file and values to the bytes of a file. Blocks: it reads files, and templates may
ask the machine; call it through ``asyncio.to_thread``.
"""

import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import yaml

from sidecar.errors import RenderError
from sidecar.gotemplate.failures import TemplateError
from sidecar.gotemplate.template import Template, compile_template
from sidecar.runtime.log import get_logger
from templater.backends.base import text_of
from templater.confd.extra import EXTRA
from templater.confd.functions import TABLE, store_functions
from templater.confd.including import Includes
from templater.confd.resource import Resource
from templater.confd.store import Store
from templater.functions.sprig_data import SPRIG, both_names

__all__ = ["Renderer", "command_text"]

_log = get_logger("confd")
Functions = Mapping[str, Callable[..., object]]
_SPRIG: Final[Functions] = both_names(SPRIG)


class Renderer:
    """Renders one resource; its template is compiled again when its text changed."""

    def __init__(self, resource: Resource, templates: Path, world: Functions) -> None:
        """``templates`` is the folder that ``src`` is relative to."""
        self._resource = resource
        self.source = templates / resource.src.lstrip("/")
        self.store = Store(resource.prefix)
        self._includes = Includes(templates)
        self._functions = self._includes.functions_with(
            {**_SPRIG, **EXTRA, **TABLE, **world, **store_functions(self.store)}
        )
        self._text: str | None = None
        self._template: Template | None = None

    @property
    def sources(self) -> tuple[Path, ...]:
        """Return the files that the last rendering was made of."""
        return self.source, *sorted(self._includes.used)

    def compile(self) -> Template:
        """Return the template of what is in the file now. Raises RenderError."""
        _log.debug(f"Using source template {self.source}")
        try:
            text = text_of(self.source.read_bytes())
        except FileNotFoundError:
            raise RenderError(f"Missing template: {self.source}") from None
        except OSError as error:
            raise RenderError(f"{self.source}: {error.strerror or error}") from error
        if self._template is None or text != self._text:
            _log.debug(f"Compiling source template {self.source}")
            try:
                self._template = compile_template(self.source.name, text, self._functions)
            except TemplateError as error:
                raise RenderError(f"Unable to process template {self.source}, {error}") from error
            self._text = text
        return self._template

    def concerned(self, keys: frozenset[str]) -> bool:
        """Say whether the last rendering looked at one of these keys."""
        return self.store.concerned(keys)

    def render(self, values: Mapping[str, str]) -> bytes:
        """Return the content of the file. Raises RenderError."""
        template = self.compile()
        self._includes.begin()
        self.store.fill(values)
        least = self._resource.min_keys
        if len(self.store.values) < least:
            raise RenderError(
                f"{self._resource.name}: {len(self.store.values)} keys, fewer than min_keys {least}"
            )
        text = template.execute(None)
        _check_format(text, self._resource)
        return text.encode("utf-8", "surrogateescape")


def _parse_json(text: str) -> object:
    return json.loads(text)


_FORMATS: Final[Mapping[str, Callable[[str], object]]] = {
    "json": _parse_json,
    "yaml": yaml.safe_load,
    "yml": yaml.safe_load,
    "toml": tomllib.loads,
    "xml": ET.fromstring,  # it is only looked at whether it parses; expat bounds entities
}


def _check_format(text: str, resource: Resource) -> None:
    """Refuse output that is not what ``output_format`` says."""
    parse = _FORMATS.get(resource.output_format)
    if parse is None:
        return
    try:
        parse(text)
    except (ValueError, yaml.YAMLError, ET.ParseError, RecursionError) as error:
        words = " ".join(str(error).split())
        raise RenderError(
            f"{resource.dest}: output is not {resource.output_format}: {words}"
        ) from error


def command_text(name: str, text: str, data: Mapping[str, str], *, is_lenient: bool) -> str:
    """Return a command with its template executed; a lenient one is itself when it is no template.

    Raises RenderError.
    """
    if "{{" not in text:
        return text
    try:
        return compile_template(name, text, {}).execute(data)
    except TemplateError:
        if is_lenient:
            return text
        raise
