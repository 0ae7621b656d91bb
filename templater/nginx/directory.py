"""The directory nginx runs in. Everything here blocks, as in `templater.rundir`."""

import os
import shutil
from pathlib import Path
from typing import Final

from templater.nginx.render import Config
from templater.rundir import RunDirectory

__all__ = ["CANDIDATE", "CONFIG", "COUNTS", "SOCKET", "NginxDirectory"]

CONFIG: Final = "nginx.conf"
CANDIDATE: Final = "nginx.conf.new"
COUNTS: Final = "counts.log"  # templates/nginx.conf and STREAM name it too
SOCKET: Final = "status.sock"


class NginxDirectory(RunDirectory):
    """One run directory, between ``open`` and ``close``."""

    names = (CONFIG, CANDIDATE, COUNTS, SOCKET, "nginx.pid", "nginx.pid.oldbin")
    longest_socket = SOCKET

    def text(self) -> str | None:
        """Return what the configuration file says now, None when it cannot be read."""
        try:
            return (self.path / CONFIG).read_text("ascii", errors="replace")
        except OSError:
            return None

    def write(self, name: str, config: Config, *, sync: bool) -> None:
        """Replace a configuration; the certificates that it names come first."""
        for file, pem in config.certificates.items():
            if not (self.path / file).exists():
                self.replace(file, pem, sync=sync)
        self.replace(name, config.text, sync=sync)

    def forget(self, config: Config) -> None:
        """Remove keys that are not of this configuration."""
        for found in self.path.glob("certificate_*.pem*"):
            if found.name not in config.certificates:
                found.unlink(missing_ok=True)

    def _remove(self) -> None:
        for found in self.path.glob("certificate_*.pem*"):
            found.unlink(missing_ok=True)
        super()._remove()

    def clear(self) -> None:
        """Remove what a killed nginx left: its socket would be an address in use."""
        for name in (SOCKET, COUNTS):
            (self.path / name).unlink(missing_ok=True)

    def promote(self) -> None:
        """Make the candidate the configuration."""
        (self.path / CANDIDATE).replace(self.path / CONFIG)

    def close(self) -> None:
        """Remove nginx's directories for temporary files too."""
        for found in self.path.glob("temporary_*"):
            shutil.rmtree(found, ignore_errors=True)
        super().close()

    def processes(self) -> list[int]:
        """Return the nginx processes that run in our directory, orphaned workers too.

        A worker's command line names no file, so the working directory is what counts.
        """
        wanted = self.path.resolve()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / "cmdline").read_bytes()
                    if b"nginx" in words[:80] and (entry / "cwd").readlink() == wanted:
                        found.append(int(entry.name))
                except OSError:
                    continue
        return [pid for pid in found if pid != os.getpid()]
