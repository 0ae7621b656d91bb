"""Whether a password is the right one, in the forms that jmx_exporter's file has. Pure."""

import base64
import hashlib
import hmac
from typing import Final

from adapter.jmx.settings import Password

__all__ = ["credentials_in", "is_right"]

_HASHES: Final = {"SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512"}
_DERIVED: Final = {
    "PBKDF2WithHmacSHA1": "sha1",
    "PBKDF2WithHmacSHA256": "sha256",
    "PBKDF2WithHmacSHA512": "sha512",
}


def credentials_in(header: str) -> tuple[str, str] | None:
    """Return name and password of a header ``Authorization: Basic``, if that is what it is."""
    scheme, _, word = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = (
            base64.b64decode(word.strip(), validate=True).decode().partition(":")
        )
    except ValueError:
        return None
    return (name, password) if colon else None


def is_right(asked: Password, name: str, password: str) -> bool:
    """Say whether they are the ones that are asked for; a derived hash takes a while."""
    same_name = hmac.compare_digest(name.encode(), asked.username.encode())
    if asked.algorithm in _HASHES:
        word = f"{asked.salt}:{password}".encode()
        found = hashlib.new(_HASHES[asked.algorithm], word).hexdigest()
        expected = _plain(asked.hash)
    elif asked.algorithm in _DERIVED:
        expected = _plain(asked.hash)
        size = max(1, len(expected) // 2)
        found = hashlib.pbkdf2_hmac(
            _DERIVED[asked.algorithm], password.encode(), asked.salt.encode(),
            max(1, asked.iterations), size,
        ).hex()  # fmt: skip
    else:
        found, expected = password, asked.password
    return hmac.compare_digest(found.encode(), expected.encode()) and same_name


def _plain(text: str) -> str:
    """Return hexadecimal digits without the colons and capitals that are allowed in the file."""
    return text.replace(":", "").strip().lower()
