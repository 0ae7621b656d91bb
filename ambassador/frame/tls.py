"""TLS of both sides. Contexts read files, so they are made in a thread."""

import ssl
from dataclasses import dataclass

from sidecar.errors import ConfigError

__all__ = ["TlsClient", "TlsServer", "client_context", "server_context"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsServer:
    """How clients speak TLS to us; with ``ca`` they must show a certificate of it."""

    cert: str
    key: str
    ca: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsClient:
    """How we speak TLS to servers; ``ca`` empty: the machine's authorities."""

    ca: str = ""
    cert: str = ""
    key: str = ""
    is_verified: bool = True


def server_context(settings: TlsServer | None) -> ssl.SSLContext | None:
    """Return how clients are spoken to. Raises ConfigError."""
    if settings is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.cert, settings.key)
        if settings.ca:
            context.load_verify_locations(settings.ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise ConfigError([f"tls of a listener: {error}"]) from error
    return context


def client_context(settings: TlsClient | None) -> ssl.SSLContext | None:
    """Return how servers are spoken to. Raises ConfigError."""
    if settings is None:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca or None)
        if settings.cert:
            context.load_cert_chain(settings.cert, settings.key or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError([f"tls of the upstream: {error}"]) from error
    if not settings.is_verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
