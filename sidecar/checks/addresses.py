"""Names to addresses that the policy allows; what connects, connects to these."""

import asyncio
import os
import socket
import ssl
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

from sidecar.checks.policy import CheckPolicy

__all__ = ["PolicyResolver", "allowed_addresses", "reason_of"]

_OF_TLS: Final = {"WRONG_VERSION_NUMBER": "first record does not look like a TLS handshake"}


async def allowed_addresses(host: str, port: int, policy: CheckPolicy, *, local: bool) -> list[str]:
    """Return the allowed addresses of a host, decimal and octal spellings included.

    An empty host is this one, as in Go. Raises PermissionError when all are refused, OSError when
    there is none.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host or "localhost", port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise OSError(f"lookup {host}: no such host") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    return policy.allowed(addresses, port, local=local)


class PolicyResolver(AbstractResolver):
    """Gives aiohttp only addresses that the policy allows.

    aiohttp asks no resolver for a literal address: judge those before.
    """

    def __init__(self, policy: CheckPolicy, *, local: bool) -> None:
        """Judge by this policy, for checks registered from this host or for the others."""
        self._policy = policy
        self._local = local

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the allowed addresses, of either family."""
        del family
        addresses = await allowed_addresses(host, port, self._policy, local=self._local)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""


def reason_of(error: BaseException) -> str:
    """Return why something failed: the system's words in lower case, as Go prints them."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return _OF_TLS.get(error.reason, error.reason.lower().replace("_", " "))
    if isinstance(error, OSError) and error.errno and not isinstance(error, socket.gaierror):
        return os.strerror(abs(error.errno)).lower()
    return str(error) or type(error).__name__
