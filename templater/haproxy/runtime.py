"""HAProxy's Runtime API: one connection per batch, as the socket closes after each line.

A socket whose file was deleted is not made anew by a reload, as the listeners are handed on. The
way that is left leads through the master, at twice the time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from templater.exchange import exchange
from templater.haproxy import answers
from templater.haproxy.model import (
    HOSTS_MAP,
    PATHS_MAP,
    POLICIES_MAP,
    SITES_MAP,
    WILDCARDS_MAP,
    BackendName,
    certificate_file,
)
from templater.names import CertName, Wildcard
from templater.proxy import NobodyListens
from templater.tls import Certificate

__all__ = ["Runtime"]

_LINE: Final = 8000  # a command line must fit HAProxy's buffer of 16384 bytes


class Runtime:
    """Commands to the worker that listens on a socket."""

    def __init__(self, path: Path, *, master: Path | None = None, timeout: float = 1.0) -> None:
        """Talk to the socket at ``path``; give up after ``timeout`` seconds each time.

        Where nobody listens there, the commands go through the ``master``'s.
        """
        self._path = path
        self._master = master
        self._timeout = timeout

    async def change(self, commands: Sequence[str]) -> list[str]:
        """Run commands in order, many to a line; return what HAProxy complained about."""
        found: list[str] = []
        for line in _lines(commands):
            found += answers.complaints(await self.ask(line))
        return found

    async def replace_wildcards(
        self, wildcards: Iterable[tuple[Wildcard, BackendName]]
    ) -> list[str]:
        """Set the ordered maps of wildcards, each in one step (a version of its own, then commit).

        First which wildcard a host is under: without an entry there a path leads nowhere.
        """
        pairs = list(wildcards)
        complaints = await self._replace(SITES_MAP, [(part, part) for part, _ in pairs])
        return complaints + await self._replace(WILDCARDS_MAP, pairs)

    async def _replace(self, file: str, pairs: Iterable[tuple[str, str]]) -> list[str]:
        created = await self.ask(f"prepare map {file}")
        version = created.strip().removeprefix("New version created: ")
        if not version.isdigit():
            return [created.strip()]
        adding = [f"add map @{version} {file} {key} {to}" for key, to in pairs]
        return await self.change([*adding, f"commit map @{version} {file}"])

    async def servers(
        self, backends: Sequence[BackendName] | None = None
    ) -> Mapping[tuple[str, str], answers.Server]:
        """Return what runs in some backends, or in all."""
        if backends is None:
            return answers.servers(await self.ask("show servers state"))
        found: dict[tuple[str, str], answers.Server] = {}
        for line in _lines([f"show servers state {name}" for name in backends]):
            found.update(answers.servers(await self.ask(line)))
        return found

    async def hosts(self) -> Mapping[str, str]:
        """Return the map of hosts that runs."""
        return dict(answers.map_of(await self.ask(f"show map {HOSTS_MAP}")))

    async def paths(self) -> Mapping[str, str]:
        """Return the map of paths that runs."""
        return dict(answers.map_of(await self.ask(f"show map {PATHS_MAP}")))

    async def policies(self) -> Mapping[str, str]:
        """Return the map of what holds with TLS that runs."""
        return dict(answers.map_of(await self.ask(f"show map {POLICIES_MAP}")))

    async def fingerprints(self, names: Iterable[CertName]) -> Mapping[str, str]:
        """Return the SHA-1 of certificates that run, by file."""
        found: dict[str, str] = {}
        for line in _lines([f"show ssl cert {certificate_file(name)}" for name in names]):
            found.update(answers.fingerprints(await self.ask(line)))
        return found

    async def replace_certificates(self, certificates: Iterable[Certificate]) -> str | None:
        """Give certificates other contents; return what HAProxy refused, in one line, or None.

        Only new connections see them. One that is longer than HAProxy's buffer is refused.
        """
        for one in certificates:
            file = certificate_file(one.name)
            lines = "\n".join(line for line in one.pem.splitlines() if line.strip())
            given = await self.ask(f"set ssl cert {file} <<\n{lines}\n")
            if "Transaction " in given and "Success!" in await self.ask(f"commit ssl cert {file}"):
                continue
            await self.ask(f"abort ssl cert {file}")
            return f"{file} cannot be changed at run time: {' '.join(given.split())[:120]}"
        return None

    async def sites(self) -> list[str]:
        """Return the ordered list of wildcards that runs beside their map."""
        return [key for key, _ in answers.map_of(await self.ask(f"show map {SITES_MAP}"))]

    async def wildcards(self) -> list[tuple[str, str]]:
        """Return the ordered map of wildcards that runs."""
        return answers.map_of(await self.ask(f"show map {WILDCARDS_MAP}"))

    async def pid(self) -> int:
        """Return the process id of the worker that answers."""
        return answers.pid_of(await self.ask("show info"))

    async def ask(self, line: str) -> str:
        """Return the answer to a line of commands; raises ProxyUnavailable."""
        try:
            return await exchange(self._path, line, timeout=self._timeout)
        except NobodyListens:
            if self._master is None:
                raise
        through = ";".join(f"@1 {command}" for command in line.split(";"))
        return await exchange(self._master, through, timeout=self._timeout)


def _lines(commands: Sequence[str]) -> Iterator[str]:
    line = ""
    for command in commands:
        if line and len(line) + len(command) >= _LINE:
            yield line
            line = ""
        line = f"{line};{command}" if line else command
    if line:
        yield line
