"""Where a server listens and who may come in.

A socket file lets in whom its permissions let in. An address lets in whoever sends the token, or
shows a certificate of ours; a server that may do anything to this host trusts nobody for calling
from it.
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from ssl import CERT_REQUIRED, Purpose, SSLContext, SSLError, TLSVersion, create_default_context
from typing import Final

from sidecar.config.model import HttpSettings
from sidecar.config.units import endpoint
from sidecar.errors import AddressInUse, CertificateUnusable, ConfigError
from sidecar.runtime.listen import bind
from sidecar.web.token import read_token, token_of

__all__ = ["Entrance", "address_of", "at_address", "at_path", "entrance_of"]

_BACKLOG: Final = 128
_LONGEST: Final = 107  # bytes of a path that the kernel takes


@dataclass(frozen=True, slots=True)
class Entrance:
    """One socket, and what is asked of those who come by it."""

    open: Callable[[], socket.socket]
    """Returns it listening. Raises AddressInUse."""
    token: str = ""
    trusts_loopback: bool = True
    tls: SSLContext | None = None


def entrance_of(settings: HttpSettings) -> Entrance:
    """Return where the settings say to listen. Reads a file. Raises ConfigError."""
    token = token_of(settings)
    host, port = endpoint(settings.listen)
    return Entrance(
        partial(bind, host, port, kind=socket.SOCK_STREAM, option="--http"), token=token
    )


def at_path(path: Path) -> Entrance:
    """Return an entrance for whoever may write to a socket file: its owner and root."""
    return Entrance(partial(_bind, path))


def at_address(
    listen: str, *, token_file: str, certificate: str, key: str, ca: str, option: str
) -> Entrance:
    """Return an entrance by TCP, for who has the token or a certificate that ``ca`` signed.

    Reads files. Raises ConfigError and CertificateUnusable.
    """
    host, port = endpoint(listen)
    if not token_file and not ca:
        raise ConfigError(
            [f"{option}: {listen}: whoever reaches it rules these hosts: give a token or a CA"]
        )
    if ca and not certificate:
        raise ConfigError([f"{option}: a CA for clients needs a certificate and key of our own"])
    token = read_token(token_file, option) if token_file else ""
    tls = _tls(certificate, key, ca) if certificate else None
    return Entrance(
        partial(bind, host, port, kind=socket.SOCK_STREAM, option=option), token, False, tls
    )


def address_of(sock: socket.socket) -> str:
    """Return where a socket listens."""
    name = sock.getsockname()
    return str(name) if sock.family == socket.AF_UNIX else "{}:{}".format(*name[:2])


def _tls(certificate: str, key: str, ca: str) -> SSLContext:
    try:
        context = create_default_context(Purpose.CLIENT_AUTH, cafile=ca or None)
        context.minimum_version = TLSVersion.TLSv1_2
        context.load_cert_chain(certificate, key or None)
    except (OSError, SSLError) as error:
        raise CertificateUnusable(f"{certificate}: {error}") from error
    if ca:
        context.verify_mode = CERT_REQUIRED
    return context


def _bind(path: Path) -> socket.socket:
    """Return a listening socket file; one that nobody listens on any more is replaced."""
    if len(bytes(path)) > _LONGEST:
        raise AddressInUse(f"{path} is longer than {_LONGEST} bytes; choose a shorter path")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_alive(path):
            raise AddressInUse(f"another program listens on {path}")
        path.unlink(missing_ok=True)
        sock.bind(str(path))
        path.chmod(0o600)  # nobody gets in before it listens
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise AddressInUse(f"cannot listen on {path}: {error.strerror or error}") from error
    except BaseException:
        sock.close()
        raise
    return sock


def _is_alive(path: Path) -> bool:
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        probe.connect(str(path))
        return True
    return False
