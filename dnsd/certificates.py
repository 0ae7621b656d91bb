"""The certificate of DNS over TLS and HTTPS, read again when its file changes."""

import asyncio
import ssl
from pathlib import Path
from typing import Final

from sidecar.errors import CertificateUnusable
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger

__all__ = ["Certificates"]

_log = get_logger("dnsd")
_PERIOD: Final = 2.0
_Stamp = tuple[tuple[int, int], ...]


class Certificates:
    """A TLS context that keeps up with its files."""

    def __init__(self, certificate: str, key: str) -> None:
        """Take the paths; nothing is read yet."""
        self._paths = certificate, key
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.set_alpn_protocols(["http/1.1", "dot"])
        self._stamp: _Stamp = ()

    async def load(self) -> ssl.SSLContext:
        """Return the context with what the files hold. Raises CertificateUnusable."""
        await asyncio.to_thread(self._load, self._paths)
        return self._context

    async def replace(self, certificate: str, key: str) -> None:
        """Take other files. Raises CertificateUnusable, and keeps what there was."""
        if (certificate, key) != self._paths:
            await asyncio.to_thread(self._load, (certificate, key))
            self._paths = certificate, key

    async def follow(self, clock: Clock) -> None:
        """Read the files again whenever they changed, for ever; new connections get the new."""
        while True:
            await clock.sleep(_PERIOD)
            if await asyncio.to_thread(_stamp_of, self._paths) == self._stamp:
                continue
            try:
                await self.load()
            except CertificateUnusable as error:
                _log.error("certificate not taken, the old one stays", reason=error)
                self._stamp = await asyncio.to_thread(_stamp_of, self._paths)
            else:
                _log.info("certificate read again", file=self._paths[0])

    def _load(self, paths: tuple[str, str]) -> None:
        """Try the files on a context of their own first: a bad pair must not spoil the good."""
        stamp = _stamp_of(paths)
        try:
            for path in paths:
                Path(path).open("rb").close()  # ssl does not say which file is missing
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*paths)
            self._context.load_cert_chain(*paths)
        except ssl.SSLError as error:
            reason = "are no certificate with its key" if "PEM" in str(error) else error.reason
            raise CertificateUnusable(f"{paths[0]} and {paths[1]}: {reason}") from error
        except OSError as error:
            raise CertificateUnusable(f"{error.filename}: {error.strerror}") from error
        self._stamp = stamp


def _stamp_of(paths: tuple[str, str]) -> _Stamp:
    try:
        found = [Path(path).stat() for path in paths]
    except OSError:
        return ()
    return tuple((one.st_mtime_ns, one.st_ino) for one in found)
