"""Open connections for checks: only to addresses that the policy allows, with Go's words for why
not.
"""

import asyncio
import ssl
from typing import Final

from sidecar.checks.addresses import allowed_addresses, reason_of
from sidecar.checks.policy import CheckPolicy
from sidecar.checks.target import joined, split

__all__ = ["Contexts", "DialError", "HandshakeError", "Stream", "dial"]

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_ALPN: Final = ["h2"]


class DialError(Exception):
    """No connection; the text begins with ``dial tcp``."""


class HandshakeError(Exception):
    """A connection, but no TLS on it."""


class Contexts:
    """TLS contexts, made when the first check asks: reading the authorities takes its time."""

    def __init__(self) -> None:
        """Hold none."""
        self._made: dict[tuple[bool, bool], ssl.SSLContext] = {}

    async def get(self, *, verify: bool, http2: bool = False) -> ssl.SSLContext:
        """Return the context that verifies certificates, or the one that takes any."""
        key = verify, http2
        if key not in self._made:
            self._made[key] = await asyncio.to_thread(_context, verify=verify, http2=http2)
        return self._made[key]


def _context(*, verify: bool, http2: bool) -> ssl.SSLContext:
    if verify:
        context = ssl.create_default_context()
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if http2:
        context.set_alpn_protocols(_ALPN)
    return context


async def dial(
    target: str, policy: CheckPolicy, *, local: bool, context: ssl.SSLContext | None = None
) -> Stream:
    """Connect to ``host:port``, each of its allowed addresses in turn.

    Raises DialError and HandshakeError; TimeoutError is left to whoever set a limit.
    """
    try:
        host, port = split(target)
    except ValueError as error:
        raise DialError(f"dial tcp: {error}") from error
    try:
        found = await allowed_addresses(host, port, policy, local=local)
    except OSError as error:
        raise DialError(f"dial tcp: {reason_of(error)}") from error
    why: Exception = DialError(f"dial tcp: {target}: no address")
    for address in found:
        try:
            return await _connected(address, port, context, host)
        except ssl.SSLCertVerificationError as error:
            why = HandshakeError(f"x509: {error.verify_message}")
        except (ssl.SSLError, ConnectionResetError) as error:
            if context is None:
                why = DialError(f"dial tcp {joined(address, port)}: connect: {reason_of(error)}")
            else:
                why = HandshakeError(f"tls: {reason_of(error)}")
        except TimeoutError:  # the kernel's; an asyncio.timeout cancels instead
            why = DialError(f"dial tcp {joined(address, port)}: connect: connection timed out")
        except OSError as error:
            why = DialError(f"dial tcp {joined(address, port)}: connect: {reason_of(error)}")
    raise why


async def _connected(address: str, port: int, context: ssl.SSLContext | None, host: str) -> Stream:
    name = (host or "localhost") if context is not None else None
    return await asyncio.open_connection(address, port, ssl=context, server_hostname=name)
