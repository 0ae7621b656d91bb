"""Ports that containers hold, as a JSON document gives them. Pure.

A port is a number, ``[[ADDRESS:]HOST:]CONTAINER[/PROTOCOL]``, the form of ``docker ps``
(``ADDRESS:HOST->CONTAINER/PROTOCOL``) or an object with keys as Compose, Docker or Nomad call them.
"""

import json
from collections.abc import Mapping
from typing import Final

from sidecar.scheduler.compose.values import published
from sidecar.scheduler.model import Port

__all__ = ["as_written", "ports_of"]

_HOST: Final = (
    "hostport", "published", "publicport", "public", "host", "port", "number",
)  # fmt: skip
_PROTOCOL: Final = ("protocol", "proto", "type")
_ADDRESS: Final = ("hostip", "ip", "address")
_INNER: Final = (
    "containerport", "target", "privateport", "private", "container", "name", "mode",
)  # fmt: skip
_PORT: Final = frozenset({*_HOST, *_PROTOCOL, *_ADDRESS, *_INNER})
_LONGEST: Final = 60
_LAST: Final = 65535


def as_written(value: object) -> str:
    """Return a value of the document for a message, not too much of it."""
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def ports_of(value: object) -> list[Port]:
    """Return the host's ports that one entry means; a bare number is the host's."""
    if isinstance(value, int) and not isinstance(value, bool):
        return _held(value)
    if isinstance(value, str):
        if "->" in value:
            outer, _, inner = value.partition("->")
            address, _, number = outer.rpartition(":")
            return _held(f"{number}:{inner}", address)
        bare = value.partition("/")[0].isdigit()
        return [
            Port(each.container, each.host.protocol) if bare else each.host
            for each in published(value)
        ]
    if not isinstance(value, dict):
        raise ValueError(f"{as_written(value)} is no port")  # noqa: TRY004 - a value of the file
    lowered = {str(key).lower().replace("_", ""): each for key, each in value.items()}
    strange = next((key for key in lowered if key not in _PORT), None)
    if strange is not None:
        raise ValueError(f"{strange!r} is no key of a port; known are {', '.join(sorted(_PORT))}")
    host, protocol = _first(lowered, *_HOST), str(_first(lowered, *_PROTOCOL) or "tcp")
    if not host:
        return []
    return _held(f"{_plain(host)}/{protocol}", str(_first(lowered, *_ADDRESS) or ""))


def _held(host: object, address: str = "") -> list[Port]:
    """Return ports of the host; ``host`` is ``PORT[:CONTAINER][/PROTOCOL]``."""
    text, slash, protocol = _plain(host).partition("/")
    outer, _, inner = text.partition(":")
    bare = address.removeprefix("[").removesuffix("]")
    before = f"[{bare}]:" if ":" in bare else f"{bare}:" if bare else ""
    return [each.host for each in published(f"{before}{outer}:{inner or outer}{slash}{protocol}")]


def _plain(value: object) -> str:
    """Return a port as it is written; what cannot be one is told as it stands in the file."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _LAST:
        raise ValueError(f"{as_written(value)} is no port")
    return str(value)


def _first(values: Mapping[str, object], *keys: str) -> object:
    return next((values[key] for key in keys if values.get(key)), None)
