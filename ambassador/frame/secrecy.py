"""TLS contexts of both sides. They read files, so they are made in a thread."""

import ssl

from ambassador.redis.settings import TlsClient, TlsServer
from sidecar.errors import ConfigError

__all__ = ["client_context", "server_context"]


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
