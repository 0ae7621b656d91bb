"""Words of nginx's configuration: names of groups, and the gate every value passes. Pure."""

import hashlib
import re
from typing import Final, Self

from sidecar.errors import RenderError
from templater.names import (
    Address,
    CertName,
    CookieName,
    Count,
    HeaderName,
    Host,
    MatchValue,
    Millis,
    Network,
    Port,
    SocketAddress,
    UrlPath,
    Weight,
    Wildcard,
)
from templater.routes import Upstream

__all__ = ["GroupName", "choice_of", "quoted", "word"]

_PLAIN: Final = re.compile(r"[a-z0-9.-]", re.ASCII)
_CHECKED: Final = re.compile(r"[A-Za-z0-9_.:*/~+@\[\]-]*", re.ASCII)
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class GroupName(str):
    """The name of an ``upstream`` block: protocol, service (encoded), mark of the shape.

    nginx compares these names without regard to case, so capital letters are encoded too. Lower
    case letters, digits, ``.`` and ``-`` stay, ``_`` doubles, each other byte of UTF-8 is ``_x``
    and two hex digits; ``_m`` begins the mark. So two upstreams never share a name.
    """

    __slots__ = ()

    def __new__(cls, upstream: Upstream) -> Self:
        """Encode an upstream."""
        service = "".join(_encoded(char) for char in upstream.service)
        mark = f"_m{upstream.shape.mark}" if upstream.shape.mark else ""
        return super().__new__(cls, f"{upstream.protocol}.{service}{mark}")


def _encoded(char: str) -> str:
    if _PLAIN.match(char):
        return char
    if char == "_":
        return "__"
    return "".join(f"_x{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))


_TYPES: Final = (
    Address, CertName, CookieName, Count, GroupName, HeaderName, Host, MatchValue, Millis, Network,
    Port, SocketAddress, UrlPath, Weight, Wildcard,
)  # fmt: skip


def choice_of(upstream: Upstream) -> str:
    """Return the variable that names the group of a request to an upstream with canaries."""
    return f"pinnace_to_{hashlib.sha256(GroupName(upstream).encode()).hexdigest()[:16]}"


def word(value: object) -> str:
    """Return a value from the catalogue as a word; raises RenderError unless its type is safe.

    Nothing is escaped here: a checked type has no character that would need it, and plain text
    that came from outside is an error, whatever it holds (reliability T1).
    """
    text = f"*{value}" if isinstance(value, Wildcard) else str(value)
    if type(value) not in _TYPES or not _CHECKED.fullmatch(text):
        raise RenderError(
            f"a {type(value).__name__} may not stand in a configuration: {text!a:.80}"
        )
    return text


def quoted(text: str) -> str:
    """Return text of our own settings (a path, a user) in quotes; raises RenderError.

    nginx has no escape for ``$``, which starts a variable in some directives.
    """
    if "$" in text or _CONTROL.search(text) or not text.isascii():
        raise RenderError(f"{text!a:.80} cannot stand in nginx's configuration")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
