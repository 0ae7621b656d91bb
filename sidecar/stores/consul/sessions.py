"""The connections to one agent: how they are made, closed, and used for blocking queries."""

import asyncio
import ssl
import warnings
from types import SimpleNamespace
from typing import Final

from sidecar.errors import StoreUnavailable
from sidecar.runtime.tls import without_authorities
from sidecar.stores.consul.address import Address, Tls

with without_authorities():
    import aiohttp

__all__ = ["FAREWELL", "NewConnection", "opened"]

FAREWELL: Final = 0.05
"""Seconds for the end of TLS: an agent does not take part while it answers a blocking query."""


class NewConnection(Exception):
    """A blocking query would need another connection than the one that told its index."""


async def opened(address: Address) -> tuple[aiohttp.ClientSession, aiohttp.ClientSession]:
    """Return a session for calls and one for blocking queries. Raises StoreUnavailable."""
    context = await asyncio.to_thread(_context, address)
    return _session(address, context), _session(address, context, _loyal())


def _session(
    address: Address, context: ssl.SSLContext | bool, *traces: aiohttp.TraceConfig
) -> aiohttp.ClientSession:
    connector: aiohttp.BaseConnector
    if address.socket:
        connector = aiohttp.UnixConnector(address.socket, limit=0)
    else:
        connector = _connector(context)
    return aiohttp.ClientSession(
        connector=connector,
        # The original sends no Content-Type; packing costs both sides more than it saves.
        skip_auto_headers={"Content-Type", "Accept-Encoding"},
        trace_configs=list(traces),
    )


def _connector(context: ssl.SSLContext | bool) -> aiohttp.TCPConnector:
    """Return connections that resolve names anew, and do not linger when they are closed."""
    if context is False:
        return aiohttp.TCPConnector(ssl=False, limit=0, use_dns_cache=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # there is no other way to say it
        return aiohttp.TCPConnector(
            ssl=context, limit=0, use_dns_cache=False, ssl_shutdown_timeout=FAREWELL
        )


def _loyal() -> aiohttp.TraceConfig:
    """Return what keeps a query with an index from going over a new connection."""

    async def refuse(_: object, context: SimpleNamespace, __: object) -> None:
        if context.trace_request_ctx:
            raise NewConnection

    config = aiohttp.TraceConfig()
    config.on_connection_create_start.append(refuse)
    return config


def _context(address: Address) -> ssl.SSLContext | bool:
    """Return a context of our own: aiohttp's default knows no authorities (runtime.tls)."""
    tls = address.tls
    if tls is None:
        return False
    try:
        return _made(tls)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StoreUnavailable(f"certificates for {address.url}: {reason}") from error


def _made(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca_file or None, capath=tls.ca_folder or None)
    if tls.certificate:
        context.load_cert_chain(tls.certificate, tls.key)
    if not tls.is_verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
