"""PKCS 12 key stores as keytool and OpenSSL 3 write them (RFC 7292, RFC 8018). Pure.

Encrypted by AES with a key derived by PBKDF2, which has been the default of both for years. The
older ciphers (RC2, triple DES) are not read: the message says how to write the store anew.
"""

import hashlib
import hmac
from collections.abc import Iterator
from typing import Final

from adapter.jmx.aes import decrypted
from adapter.jmx.keystore import Keys
from sidecar.der import Der, children, oid_of, read_der

__all__ = ["read_pkcs12"]

_DATA: Final = "1.2.840.113549.1.7.1"
_ENCRYPTED_DATA: Final = "1.2.840.113549.1.7.6"
_BAGS: Final = "1.2.840.113549.1.12.10.1."
_KEY_BAG, _HIDDEN_KEY_BAG, _CERTIFICATE_BAG = (f"{_BAGS}{number}" for number in (1, 2, 3))
_PBES2: Final = "1.2.840.113549.1.5.13"
_PBKDF2: Final = "1.2.840.113549.1.5.12"
_HMACS: Final = {
    "1.2.840.113549.2.7": "sha1", "1.2.840.113549.2.8": "sha224", "1.2.840.113549.2.9": "sha256",
    "1.2.840.113549.2.10": "sha384", "1.2.840.113549.2.11": "sha512",
}  # fmt: skip
_AES: Final = {
    "2.16.840.1.101.3.4.1.2": 16, "2.16.840.1.101.3.4.1.22": 24, "2.16.840.1.101.3.4.1.42": 32,
}  # fmt: skip
_DIGESTS: Final = {
    "1.3.14.3.2.26": "sha1", "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384", "2.16.840.1.101.3.4.2.3": "sha512",
}  # fmt: skip
_MOST_ROUNDS: Final = 10_000_000
_OLD: Final = (
    "it is encrypted in an old way (RC2 or triple DES); write it anew:"
    " keytool -importkeystore -srckeystore OLD -destkeystore NEW -deststoretype PKCS12"
)


def read_pkcs12(data: bytes, password: str) -> Keys:
    """Return what a store holds. Raises ValueError."""
    try:
        return _read(data, password)
    except (IndexError, KeyError, OverflowError) as error:
        raise ValueError("this is no PKCS 12 store, or it is damaged") from error


def _read(data: bytes, password: str) -> Keys:
    parts = children(read_der(data).body)
    content = _content(parts[1])
    if len(parts) > 2:
        _check(parts[2], content, password)
    private, certificates = list[bytes](), list[bytes]()
    for safe in children(read_der(content).body):
        for kind, value in _bags(safe, password):
            if kind == _KEY_BAG:
                private.append(value.raw)
            elif kind == _HIDDEN_KEY_BAG:
                algorithm, cover = children(value.body)
                private.append(_opened(algorithm, cover.body, password))
            elif kind == _CERTIFICATE_BAG:
                certificates.append(children(children(value.body)[1].body)[0].body)
    return Keys(tuple(private), tuple(certificates))


def _content(info: Der) -> bytes:
    """Return the octets of a ``ContentInfo`` of plain data."""
    kind, wrapped = children(info.body)
    if oid_of(kind) != _DATA:
        raise ValueError("a store that is signed by a certificate is not read")
    return children(wrapped.body)[0].body


def _bags(safe: Der, password: str) -> Iterator[tuple[str, Der]]:
    kind, wrapped = children(safe.body)
    if oid_of(kind) == _ENCRYPTED_DATA:
        _, info = children(children(wrapped.body)[0].body)[:2]
        _, algorithm, cover = children(info.body)
        content = _opened(algorithm, cover.body, password)
    else:
        content = _content(safe)
    for bag in children(read_der(content).body):
        name, value = children(bag.body)[:2]
        yield oid_of(name), children(value.body)[0]


def _opened(algorithm: Der, cover: bytes, password: str) -> bytes:
    name, parameters = children(algorithm.body)
    if oid_of(name) != _PBES2:
        raise ValueError(_OLD)
    derivation, scheme = children(parameters.body)
    cipher, start = children(scheme.body)
    size = _AES.get(oid_of(cipher))
    how, settings = children(derivation.body)
    if size is None or oid_of(how) != _PBKDF2:
        raise ValueError(_OLD)
    salt, rounds, *rest = children(settings.body)
    if not 0 < rounds.number <= _MOST_ROUNDS:
        raise ValueError(f"{rounds.number} rounds of derivation")
    chosen = [part for part in rest if part.tag == 0x30]
    digest = _HMACS[oid_of(children(chosen[0].body)[0])] if chosen else "sha1"
    key = hashlib.pbkdf2_hmac(digest, password.encode(), salt.body, rounds.number, size)
    return decrypted(key, start.body, cover)


def _check(mac: Der, content: bytes, password: str) -> None:
    """Raise ValueError when the store's own check says that the password is wrong."""
    info, salt, *rest = children(mac.body)
    algorithm, expected = children(info.body)
    digest = _DIGESTS.get(oid_of(children(algorithm.body)[0]))
    rounds = rest[0].number if rest else 1
    if digest is None or not 0 < rounds <= _MOST_ROUNDS:
        return  # a check that we do not know; the decryption will tell
    key = _mac_key(digest, password, salt.body, rounds)
    if not hmac.compare_digest(hmac.digest(key, content, digest), expected.body):
        raise ValueError("the password is wrong, or the file is damaged")


def _mac_key(digest: str, password: str, salt: bytes, rounds: int) -> bytes:
    """Derive the key of the check (RFC 7292, appendix B; one block is enough)."""
    block = hashlib.new(digest).block_size
    secret = password.encode("utf-16-be") + b"\0\0"

    def filled(data: bytes) -> bytes:
        count = -(-len(data) // block) * block
        return (data * (count // max(1, len(data)) + 1))[:count]

    key = hashlib.new(digest, b"\x03" * block + filled(salt) + filled(secret)).digest()
    for _ in range(rounds - 1):
        key = hashlib.new(digest, key).digest()
    return key
