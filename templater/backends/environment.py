"""Values from environment variables, named as confd names them.

``/a/b`` is every variable whose name begins with ``A_B``; each becomes a key in lower case with
every ``_`` a slash. So a key with ``_`` cannot be read. ``escape`` changes that: ``__`` in a
variable is ``_`` in a key, and back.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence

from templater.backends.base import Values

__all__ = ["EnvironmentBackend"]


class EnvironmentBackend:
    """Reads the environment that the process was started with."""

    address = "environment"

    def __init__(self, environ: Mapping[str, str], *, escape: bool = False) -> None:
        """Read from this mapping."""
        self._environ = environ
        self._escape = escape

    async def read(self, keys: Sequence[str]) -> Values:
        """Return the variables that the keys stand for."""
        starts = tuple(self._variable(key) for key in keys)
        return {
            self._key(name): value
            for name, value in self._environ.items()
            if name.startswith(starts)
        }

    async def watch(self, key: str) -> AsyncGenerator[Values]:
        """Yield once: the environment of a process does not change."""
        yield await self.read([key])
        await asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        """Do nothing."""

    def _variable(self, key: str) -> str:
        name = key.removeprefix("/")
        if self._escape:
            name = name.replace("_", "__")
        return name.replace("/", "_").upper()

    def _key(self, variable: str) -> str:
        parts = variable.lower().split("__") if self._escape else [variable.lower()]
        return "/" + "_".join(part.replace("_", "/") for part in parts)
