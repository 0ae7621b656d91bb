"""Works out the operator's tags of a container, beside the loop: a template may ask the network."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from registrar.labels import is_template
from sidecar.errors import ConfigError
from sidecar.runtime.log import get_logger

if TYPE_CHECKING:
    from registrar.tags import TagTemplate

__all__ = ["Tagging", "fetched", "tagging_of"]

_TIMEOUT: Final = 10.0
_BODY: Final = 1 << 20
_log = get_logger("registrar")


class Tagging:
    """Tags by template; a container for which it fails has none, and that is told once."""

    def __init__(self, template: "TagTemplate") -> None:
        """Take the template."""
        self._template = template
        self._failed: set[str] = set()

    async def __call__(self, document: object) -> str:
        """Return the comma list for an inspect document."""
        from sidecar.gotemplate.failures import TemplateError  # noqa: PLC0415  (memory)

        try:
            return await asyncio.to_thread(self._template.of, document)
        except TemplateError as error:
            if str(error) not in self._failed and len(self._failed) < 1000:
                self._failed.add(str(error))
                _log.warning("template of tags failed", reason=error)
            return ""


def tagging_of(text: str, fetch: Callable[[str], bytes] | None = None) -> Tagging | None:
    """Return what works out these tags; None when they are constant. Raises ConfigError."""
    if not is_template(text):
        return None
    from registrar.tags import TagTemplate  # noqa: PLC0415  (only templates need their engine)
    from sidecar.gotemplate.failures import TemplateError  # noqa: PLC0415

    try:
        return Tagging(TagTemplate(text, fetch or fetched))
    except TemplateError as error:
        raise ConfigError([f"registrar.tags: {error}"]) from error


def fetched(url: str) -> bytes:
    """Return what a URL answers with, whatever the status; nothing when it cannot be had.

    Blocking: not to be called inside the loop.
    """
    try:
        if not url.startswith(("http://", "https://")):
            raise ValueError("neither http nor https")
        with urlopen(Request(url), timeout=_TIMEOUT) as response:  # noqa: S310  (checked above)
            return bytes(response.read(_BODY))
    except HTTPError as error:
        with error:
            return error.read(_BODY)
    except (OSError, ValueError) as error:
        _log.warning("httpGet failed", reason=error)
        return b""
