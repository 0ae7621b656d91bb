"""Where a ZooKeeper is, from its URL. Pure."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from sidecar.errors import ConfigError

__all__ = ["SCHEME", "Location", "is_path", "location"]

SCHEME: Final = "zookeeper"
_PORT: Final = 2181
_HOST: Final = re.compile(r"(?:\[([0-9A-Fa-f:.%]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?")
# What ZooKeeper's server refuses in a path (its PathUtils), and what would be cut or resolved.
_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\uf8ff\ufff0-\uffff]")


@dataclass(frozen=True, slots=True)
class Location:
    """The servers of one ensemble, and the base path below which the services are.

    ``base`` is "" for the root, else it begins with a slash and does not end with one.
    """

    servers: tuple[str, ...]
    base: str

    @property
    def url(self) -> str:
        """The URL in its normal form; it never holds credentials."""
        return f"{SCHEME}://{','.join(self.servers)}{self.base or '/'}"

    @property
    def hosts(self) -> str:
        """The servers as ZooKeeper's clients take them."""
        return ",".join(self.servers)


def location(url: str) -> Location:
    """Return what ``zookeeper://host[:port][,host[:port]...]/<base>`` names.

    Raises ConfigError, whose text repeats no credentials.
    """
    scheme, mark, rest = url.partition("://")
    if scheme != SCHEME or not mark:
        raise ConfigError([f"{scheme}: write {SCHEME}://HOST:PORT/BASE"])
    if "@" in rest.partition("/")[0]:
        raise ConfigError(
            [f"{SCHEME}: no credentials in the URL; put USER:PASSWORD into ZOOKEEPER_AUTH_FILE"]
        )
    parts = urlsplit(f"//{rest}")
    if parts.query or parts.fragment:
        raise ConfigError([f"{url}: the URL ends with the base path"])
    servers = tuple(_server(url, each) for each in (parts.netloc or "127.0.0.1").split(","))
    return Location(servers, _base(url, unquote(parts.path)))


def is_path(part: str) -> bool:
    """Say whether this can be one component of a path in ZooKeeper."""
    return part not in {"", ".", ".."} and "/" not in part and not _UNFIT.search(part)


def _server(url: str, text: str) -> str:
    match = _HOST.fullmatch(text)
    port = int(match[3] or _PORT) if match else 0
    if match is None or not 0 < port < 65536:
        raise ConfigError([f"{url}: {text!r} is not HOST or HOST:PORT"])
    return f"[{match[1]}]:{port}" if match[1] else f"{match[2]}:{port}"


def _base(url: str, path: str) -> str:
    stripped = path.strip("/")
    if not stripped:
        return ""
    if not all(map(is_path, stripped.split("/"))):
        raise ConfigError([f"{url}: {path!r} cannot be a path in ZooKeeper"])
    return f"/{stripped}"
