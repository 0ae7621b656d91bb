"""Java's own key stores (JKS, format 2). Pure.

Certificates stand in it as they are. A private key is hidden by a stream of SHA-1 hashes of
password and salt (``sun.security.provider.KeyProtector``). That the file was not changed is told
by a hash over the password and everything; we check that, so that a wrong password is told.
"""

import hashlib
import hmac
import struct
from typing import Final

from adapter.jmx.keystore import Keys
from sidecar.der import children, read_der

__all__ = ["read_jks"]

_WHITENER: Final = b"Mighty Aphrodite"  # part of the format
_MAGIC: Final = b"\xfe\xed\xfe\xed"
_KEY, _CERTIFICATE = 1, 2


def read_jks(data: bytes, password: str) -> Keys:
    """Return what a key store holds. Raises ValueError."""
    if data[:4] != _MAGIC or len(data) < 32:
        raise ValueError("this is no key store of Java's (JKS)")
    secret = password.encode("utf-16-be")
    digest = hashlib.sha1(secret + _WHITENER + data[:-20]).digest()  # noqa: S324
    if password and not hmac.compare_digest(digest, data[-20:]):
        raise ValueError("the password is wrong, or the file is damaged")
    try:
        return _entries(data, secret)
    except (struct.error, IndexError) as error:
        raise ValueError("the key store ends in the middle") from error


def _entries(data: bytes, secret: bytes) -> Keys:
    version, count = struct.unpack_from(">II", data, 4)
    if version not in {1, 2}:
        raise ValueError(f"version {version} of JKS is not known")
    at, private, certificates = 12, list[bytes](), list[bytes]()
    for _ in range(min(count, 10_000)):
        (kind,) = struct.unpack_from(">I", data, at)
        _, at = _counted(data, at + 4, ">H")  # the alias
        at += 8  # when it was made
        chain = 1
        if kind == _KEY:
            hidden, at = _counted(data, at, ">I")
            private.append(_key(hidden, secret))
            (chain,) = struct.unpack_from(">I", data, at)
            at += 4
        elif kind != _CERTIFICATE:
            raise ValueError(f"an entry of kind {kind} is not known")
        for _ in range(min(chain, 100)):
            if version == 2:
                _, at = _counted(data, at, ">H")  # X.509
            certificate, at = _counted(data, at, ">I")
            certificates.append(certificate)
    return Keys(tuple(private), tuple(certificates))


def _counted(data: bytes, at: int, size: str) -> tuple[bytes, int]:
    (count,) = struct.unpack_from(size, data, at)
    start = at + struct.calcsize(size)
    if start + count > len(data):
        raise IndexError
    return data[start : start + count], start + count


def _key(hidden: bytes, secret: bytes) -> bytes:
    _, inner = children(read_der(hidden).body)
    box = inner.body
    salt, cover, check = box[:20], box[20:-20], box[-20:]
    stream, last = b"", salt
    while len(stream) < len(cover):
        last = hashlib.sha1(secret + last).digest()  # noqa: S324
        stream += last
    plain = bytes(a ^ b for a, b in zip(cover, stream, strict=False))
    if not hmac.compare_digest(hashlib.sha1(secret + plain).digest(), check):  # noqa: S324
        raise ValueError("the password of the key is wrong (it has to be that of the store)")
    return plain
