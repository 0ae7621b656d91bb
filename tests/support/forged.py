"""Certificates that are right in form and signed by nobody: any name, any time, at no cost."""

import base64
from datetime import UTC, datetime

__all__ = ["block", "forged"]

_CONSTRAINTS = bytes.fromhex("0603551d13")
_NAMES = bytes.fromhex("0603551d11")


def block(kind: str, body: bytes, newline: str = "\n") -> str:
    """Return a block of PEM."""
    text = base64.b64encode(body).decode("ascii")
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return newline.join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----", ""])


def forged(
    begin: float, end: float, *, common: str = "", host: str = "", is_authority: bool = False
) -> str:
    """Return a certificate that counts between two times, in seconds since 1970."""
    subject = _tlv(
        0x30, _tlv(0x31, _tlv(0x30, b"\x06\x03\x55\x04\x03", _tlv(0x0C, common.encode())))
    )
    extensions = []
    if is_authority:
        value = _tlv(0x04, _tlv(0x30, b"\x01\x01\xff"))
        extensions.append(_tlv(0x30, _CONSTRAINTS, b"\x01\x01\xff", value))
    if host:
        extensions.append(_tlv(0x30, _NAMES, _tlv(0x04, _tlv(0x30, _tlv(0x82, host.encode())))))
    signed = _tlv(
        0x30,
        *((b"\xa0\x03\x02\x01\x02",) if extensions else ()),  # version 1 has no extensions
        b"\x02\x01\x01", b"\x30\x00", b"\x30\x00",
        _tlv(0x30, _time(begin), _time(end)), subject, b"\x30\x00",
        *((_tlv(0xA3, _tlv(0x30, *extensions)),) if extensions else ()),
    )  # fmt: skip
    return block("CERTIFICATE", _tlv(0x30, signed, b"\x30\x00", b"\x03\x01\x00"))


def _time(wall: float) -> bytes:
    time = datetime.fromtimestamp(wall, UTC)
    if 1950 <= time.year < 2050:
        return _tlv(0x17, time.strftime("%y%m%d%H%M%SZ").encode())
    return _tlv(0x18, time.strftime("%Y%m%d%H%M%SZ").encode())


def _tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    return bytes([tag, 0x82]) + len(body).to_bytes(2, "big") + body
