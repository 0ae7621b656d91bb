"""What a key store holds, whatever its format: keys and certificates. Pure."""

import base64
import textwrap
from typing import NamedTuple

__all__ = ["Keys", "as_pem"]


class Keys(NamedTuple):
    """Private keys (PKCS 8) and certificates, in DER; or a PEM file as it is."""

    private: tuple[bytes, ...]
    certificates: tuple[bytes, ...]
    pem: bytes = b""


def as_pem(keys: Keys, *, with_keys: bool = False) -> str:
    """Return it as PEM: certificates, and with ``with_keys`` the first key before them.

    Raises ValueError when there is none.
    """
    if keys.pem:
        return keys.pem.decode("ascii", "ignore")
    if with_keys and not keys.private:
        raise ValueError("there is no private key in it")
    shown = [("PRIVATE KEY", keys.private[0])] if with_keys else []
    shown += [("CERTIFICATE", data) for data in keys.certificates]
    if not keys.certificates:
        raise ValueError("there is no certificate in it")
    return "".join(
        f"-----BEGIN {what}-----\n"
        + "\n".join(textwrap.wrap(base64.b64encode(data).decode(), 64))
        + f"\n-----END {what}-----\n"
        for what, data in shown
    )
