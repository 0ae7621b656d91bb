"""What routes get from files of the operator: certificates and an own template.

The files are looked at every two seconds. What is broken is a Problem, and what was there before
stays.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from sidecar.config.model import LbSettings
from sidecar.config.units import endpoint as parse_endpoint
from sidecar.errors import ConfigError, RenderError
from sidecar.runtime.clock import Clock
from templater.certificates import Found, found_in, signature_of
from templater.names import Address, Port, SocketAddress
from templater.override import Data, Override
from templater.routes import Problem, Routes
from templater.securing import secured, without_tls

__all__ = ["Extras", "listen_of"]

_LOOK: Final = 2.0
_LARGEST: Final = 1 << 20
_NOTHING: Final = Found({}, ())


def listen_of(text: str, key: str) -> tuple[Address, Port]:
    """Return the address of a setting. Raises ConfigError."""
    try:
        host, port = parse_endpoint(text)
        return Address("127.0.0.1" if host == "localhost" else host), Port(port)
    except ValueError as error:
        raise ConfigError([f"{key}: {error}"]) from error


class Extras:
    """The files of one load balancer."""

    def __init__(self, settings: LbSettings, clock: Clock) -> None:
        """Raise ConfigError for an address that is none."""
        self._settings = settings
        self._clock = clock
        self.tls = listen_of(settings.tls_listen, "lb.tls_listen") if settings.tls_listen else None
        """Where TLS is served."""
        self._signature: object = None
        self._found = _NOTHING
        self._text: str | None = None
        self._override: Override | None = None
        self._template_problems: tuple[Problem, ...] = ()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the files."""
        return (*self._found.problems, *self._template_problems)

    def applied(self, routes: Routes) -> Routes:
        """Return the routes as they are to be served."""
        if self.tls is None:
            routes = without_tls(routes)
        else:
            listen, certificates = SocketAddress(*self.tls), self._found.certificates
            routes = secured(
                routes, listen, self.tls[1], certificates, http2=self._settings.http2
            )  # fmt: skip
        return replace(routes, override=self._override) if self._override else routes

    async def read(self) -> bool:
        """Look at the files; say whether something is different."""
        before = self._found, self._override, self.problems
        await asyncio.to_thread(self.look)
        return (self._found, self._override, self.problems) != before

    async def follow(self, changed: Callable[[], object]) -> None:
        """Call ``changed`` after each change; runs until cancelled."""
        if self.tls is None and not self._settings.template:
            return
        while True:
            await self._clock.sleep(_LOOK)
            if await self.read():
                changed()

    def look(self) -> None:
        """Look at the files. Blocks."""
        if self.tls is not None:
            directory = Path(self._settings.certificates)
            signature = signature_of(directory)
            # What is broken is read again: its two files may have been seen at different times.
            if signature != self._signature or self._found.problems:
                self._signature = signature
                self._found = found_in(directory, self._found.certificates)
        if self._settings.template:
            self._read_template(Path(self._settings.template))

    def _read_template(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                text = file.read(_LARGEST).decode("utf-8")
            if text == self._text:
                return
            self._text = text
            digest = hashlib.sha256(text.encode()).hexdigest()
            self._override = Override(path.name, digest, self._compiled(path.name, text))
            self._template_problems = ()
        except (OSError, UnicodeDecodeError, RenderError) as error:
            if isinstance(error, OSError):
                self._text = None  # the same text may come back
            words = f"{path}: {error.strerror}" if isinstance(error, OSError) else str(error)
            stays = "; the last one stays" if self._override else "; the shipped one is used"
            self._template_problems = (Problem("", "lb.template", f"{words}{stays}"),)

    def _compiled(self, name: str, text: str) -> Callable[[Data], str]:
        # Template engines cost memory: only for those who use one.
        if self._settings.template_language == "go":
            from templater.own.golang import compile_plain  # noqa: PLC0415

            return compile_plain(name, text, self._clock.monotonic)
        from templater.jinja.engine import compile_template  # noqa: PLC0415

        template = compile_template(name, text)
        return lambda data: template.render(data, self._clock.monotonic)
