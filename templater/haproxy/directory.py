"""The directory HAProxy runs in. Everything here blocks, as in `templater.rundir`."""

import os
from collections.abc import Container
from pathlib import Path
from typing import Final

from templater.haproxy.model import (
    CERTIFICATES,
    HOSTS_MAP,
    PATHS_MAP,
    POLICIES_MAP,
    SITES_MAP,
    WILDCARDS_MAP,
)
from templater.haproxy.render import Files
from templater.rundir import RunDirectory

__all__ = ["ADMIN_SOCKET", "CANDIDATE", "CONFIG", "MASTER_SOCKET", "Directory"]

CONFIG: Final = "haproxy.cfg"
CANDIDATE: Final = "haproxy.cfg.new"
ADMIN_SOCKET: Final = "admin.sock"
MASTER_SOCKET: Final = "master.sock"
_MAPS: Final = (HOSTS_MAP, WILDCARDS_MAP, PATHS_MAP, SITES_MAP, POLICIES_MAP)


class Directory(RunDirectory):
    """One run directory, between ``open`` and ``close``."""

    names = (CONFIG, CANDIDATE, ADMIN_SOCKET, MASTER_SOCKET, CERTIFICATES, *_MAPS)
    longest_socket = MASTER_SOCKET
    # HAProxy binds a temporary name.
    max_socket_path = RunDirectory.max_socket_path - len(".12345678.tmp")

    def __init__(self, path: Path, *, is_shared: bool = False) -> None:
        """Use ``path``, which need not exist; ``is_shared``: with a HAProxy that is not ours."""
        super().__init__(path, is_shared=is_shared)
        self._written: Files | None = None

    @property
    def owes(self) -> bool:
        """Whether the last write did not succeed."""
        return self._written is None

    def is_edited(self) -> bool:
        """Say whether somebody else changed what was written last."""
        written = self._written
        if written is None:
            return False
        texts = {CONFIG: written.config, **_besides(written)}
        return any(self._text(name) != text for name, text in texts.items())

    def _text(self, name: str) -> str | None:
        try:
            return (self.path / name).read_text("ascii", errors="replace")
        except OSError:
            return None

    def write(self, files: Files, *, config_from: str | None = None, sync: bool = False) -> None:
        """Replace the files, each by one rename; ``sync`` waits for the disk.

        ``config_from`` names an already written configuration to take instead of writing it.
        """
        last, self._written = self._written, None
        before = _besides(last) if last is not None else {}
        for name, text in _besides(files).items():
            if before.get(name) != text:
                self.replace(name, text, sync=sync)
        if config_from is None:
            self.replace(CONFIG, files.config, sync=sync)
        else:
            (self.path / config_from).replace(self.path / CONFIG)
        if last is None or last.certificates.keys() != files.certificates.keys():
            self._forget(files.certificates)
        self._written = files

    def write_candidate(self, files: Files) -> None:
        """Write a configuration to be checked; what it names exists after this.

        Certificates that it names and the last one did not are written: no other knows them.
        """
        for name in _MAPS:
            if not (self.path / name).exists():
                self.replace(name, "", sync=False)
        known = self._written.certificates if self._written is not None else {}
        for name, text in files.certificates.items():
            if name not in known:
                self.replace(name, text, sync=False)
        if self._written is None or files.listing != self._written.listing:
            self._written = None  # so that the next write is complete, whatever comes of this
            self.replace(CERTIFICATES, files.listing, sync=False)
        self.replace(CANDIDATE, files.config, sync=True)

    def _forget(self, kept: Container[str]) -> None:
        """Remove keys that nothing needs any more."""
        for found in self.path.glob("certificate_*.pem*"):
            if found.name not in kept:
                found.unlink(missing_ok=True)

    def _remove(self) -> None:
        if not self._is_shared:
            self._forget(())
        super()._remove()

    def processes(self) -> list[int]:
        """Return the HAProxy processes that were started with our configuration file."""
        wanted = os.fsencode(self.path / CONFIG)
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if wanted in words and int(entry.name) != os.getpid():
                    found.append(int(entry.name))
        return found


def _besides(files: Files) -> dict[str, str]:
    """Return what is written besides the configuration, certificates before their list."""
    return {
        **files.certificates,
        CERTIFICATES: files.listing,
        POLICIES_MAP: files.policies,
        HOSTS_MAP: files.hosts,
        WILDCARDS_MAP: files.wildcards,
        PATHS_MAP: files.paths,
        SITES_MAP: files.sites,
    }
