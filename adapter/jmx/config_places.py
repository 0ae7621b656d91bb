"""Where a target is, and values from the environment. Pure."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from adapter.documents import Node
from adapter.jmx.settings import Place
from sidecar.config.units import endpoint

__all__ = ["parse_place", "place_of", "service_url", "variable"]

_URL: Final = re.compile(
    r"service:jmx:rmi://(?P<server>[^/]*)/jndi/rmi://(?P<at>[^/]+)/(?P<name>.+)"
)
_PORT: Final = 1099  # of a registry


def place_of(host_port: Node, url: Node) -> Place | None:
    """Return what ``hostPort`` or ``jmxUrl`` says; both is a mistake."""
    if host_port and url:
        url.wrong("only one of hostPort and jmxUrl can be given")
    node = host_port or url
    if not node:
        return None
    try:
        return parse_place(node.text()) if host_port else service_url(node.text())
    except ValueError as error:
        node.wrong(str(error))
        return None


def service_url(text: str) -> Place:
    """Return the place of a JMX service URL, or of an agent's HTTP one. Raises ValueError."""
    if text.startswith(("http://", "https://")):
        parts = urlsplit(text)
        if not parts.hostname or parts.username is not None:
            raise ValueError("an agent's URL has a host, and no password in it")
        default = 443 if parts.scheme == "https" else 80
        return Place(parts.hostname, parts.port or default, "", text)
    match = _URL.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is not service:jmx:rmi:///jndi/rmi://HOST:PORT/NAME, the kind that is known"
        )
    return parse_place(match["at"])._replace(name=match["name"])


def parse_place(text: str) -> Place:
    """Return ``HOST:PORT`` as a place; without a port it is that of registries.

    Raises ValueError.
    """
    has_port = re.search(r":\d+$", text) and not text.endswith("]")
    host, port = endpoint(text if has_port else f"{text}:{_PORT}")
    if text.startswith(":"):
        host = "127.0.0.1"
    if not port:
        raise ValueError("port 0 is no port")
    return Place(host, port)


def variable(node: Node, environ: Mapping[str, str], default: str = "") -> str:
    """Return a text; ``${NAME}`` alone is a variable of the environment, which must have text."""
    text = node.text(default)
    match = re.fullmatch(r"\s*\$\{(.*)\}\s*", text, re.DOTALL)
    if not node or match is None or text.strip() == "${}":
        return text
    name = match[1].strip()
    if not name:
        node.wrong("the variable has no name")
        return ""
    value = environ.get(name)
    if value is None:
        node.wrong(f"the variable {name} is not set")
    elif not value.strip():
        node.wrong(f"the variable {name} is empty")
    return (value or "").strip()
