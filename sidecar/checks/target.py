"""``host:port`` as Go splits it, with Go's complaints. Pure."""

from typing import Final

__all__ = ["joined", "split"]

_PORT_MOST: Final = 65535


def split(target: str) -> tuple[str, int]:
    """Return host and port; no port after the colon is 0. Raises ValueError with Go's text."""
    host, colon, port = target.rpartition(":")
    if target.startswith("["):
        inside, bracket, rest = target[1:].partition("]")
        if not bracket:
            raise ValueError(f"address {target}: missing ']' in address")
        if not rest:
            raise ValueError(f"address {target}: missing port in address")
        if not rest.startswith(":"):
            raise ValueError(f"address {target}: missing port in address")
        host, port = inside, rest[1:]
        if ":" in port:
            raise ValueError(f"address {target}: too many colons in address")
    elif not colon:
        raise ValueError(f"address {target}: missing port in address")
    elif ":" in host:
        raise ValueError(f"address {target}: too many colons in address")
    return host, _port(port)


def _port(text: str) -> int:
    digits = text.removeprefix("-")
    if not text:
        return 0
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"address tcp/{text}: unknown port")
    if text != digits or len(digits) > 5 or int(digits) > _PORT_MOST:
        raise ValueError(f"address {text}: invalid port")
    return int(digits)


def joined(host: str, port: int) -> str:
    """Return ``host:port``, IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
