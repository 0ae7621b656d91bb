"""What a name, a tag or a value from a container may look like. Pure.

Whoever may start a container writes these texts, and they end up in DNS answers, URLs, rendered
files and terminals. So names are checked against a closed rule and refused whole, because a
mended name could collide with somebody else's; values are mended, because nothing depends on
them being exact.
"""

import ipaddress
import re
from typing import Final

__all__ = [
    "META_LIMIT",
    "TAG_LIMIT",
    "cleaned",
    "cut",
    "is_address",
    "is_host_pattern",
    "is_instance_id",
    "is_plain",
    "is_service_name",
    "is_url_path",
    "is_wildcard_address",
    "meta_key",
    "whole",
]

META_LIMIT: Final = 512  # bytes of a meta value, as Consul
TAG_LIMIT: Final = 255  # bytes of a tag
_KEY_LIMIT: Final = 128  # characters of a meta key, as Consul
_NAME_LIMIT: Final = 128
_PLAIN_LIMIT: Final = 255
_STEPS: Final = frozenset({"", ".", ".."})

_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_ID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,254}", re.ASCII)
_NOT_KEY: Final = re.compile(r"[^A-Za-z0-9_-]", re.ASCII)
_HOST_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST: Final = re.compile(rf"(?:\*\.)?{_HOST_LABEL}(?:\.{_HOST_LABEL})*", re.ASCII)
_SEGMENTS: Final = re.compile(r"(?:/[A-Za-z0-9._~+@:-]+)*/?", re.ASCII)
_PATH_LIMIT: Final = 256
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")


def is_service_name(text: str) -> bool:
    """Say whether text may be a service's name.

    Labels of letters, digits, ``-`` and ``_``, at most 63 long, not starting or ending with
    ``-``, joined by single dots; 128 characters in all.
    """
    return len(text) <= _NAME_LIMIT and _NAME.fullmatch(text) is not None


def is_instance_id(text: str) -> bool:
    """Say whether text may be an instance's id: letters, digits, ``_ . : -``, at most 255."""
    return _ID.fullmatch(text) is not None


def is_plain(text: str) -> bool:
    """Say whether text may name something in a store of others: printable, at most 255 long.

    It may hold slashes, which there are a level of keys, but no step of a path.
    """
    steps = text.split("/")
    return 0 < len(text) <= _PLAIN_LIMIT and text.isprintable() and not _STEPS & {*steps}


def is_host_pattern(text: str) -> bool:
    """Say whether text is a lower-case host name; the first label may be ``*``."""
    return len(text) <= 253 and _HOST.fullmatch(text) is not None


def is_url_path(text: str) -> bool:
    """Say whether text is a path of plain segments: no ``.`` or ``..``, nothing to decode."""
    return (
        text.startswith("/")
        and len(text) <= _PATH_LIMIT
        and _SEGMENTS.fullmatch(text) is not None
        and not {".", ".."} & {*text.split("/")}
    )


def is_address(text: str) -> bool:
    """Say whether text is a plain IP address."""
    try:
        return ipaddress.ip_address(text) is not None and "%" not in text
    except ValueError:
        return False


def is_wildcard_address(text: str) -> bool:
    """Say whether text is empty or stands for every address (``0.0.0.0``, ``::``)."""
    return not text or (is_address(text) and ipaddress.ip_address(text).is_unspecified)


def meta_key(text: str) -> str:
    """Return text as a meta key: what Consul does not take becomes ``_``, at most 128 long."""
    return _NOT_KEY.sub("_", text[:_KEY_LIMIT])


def cleaned(text: str) -> str:
    """Return text without control, format and separator characters; no lone surrogates.

    What is left is printable, so it can forge neither a line nor a terminal sequence.
    """
    if text.isprintable():
        return text
    return "".join(char for char in whole(text) if char.isprintable())


def whole(text: str) -> str:
    """Return text without lone surrogates, which no store could keep."""
    return _SURROGATE.sub("\ufffd", text)


def cut(text: str, limit: int) -> str:
    """Return the longest beginning of text that is at most ``limit`` bytes of UTF-8."""
    data = text[:limit].encode("utf-8", "replace")
    return text[:limit] if len(data) <= limit else data[:limit].decode("utf-8", "ignore")
