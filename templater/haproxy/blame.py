"""Whose line it is that HAProxy complains about. Pure.

HAProxy names the line of the file; the section it is in tells the service, and its first words
which label asked for it.
"""

import re
from typing import Final

from sidecar.catalog.model import HTTP_ACCESS, HTTP_BALANCE, HTTP_HOST, HTTP_PROTO, TCP_LISTEN
from templater.haproxy.model import Model
from templater.names import shown

__all__ = ["blamed"]

_LINE: Final = re.compile(r":(\d+)\b")
_SECTION: Final = re.compile(r"(backend|frontend) (\S+)")
_LABELS: Final = (
    ("server ", "address"),
    ("balance ", HTTP_BALANCE),
    ("hash-type ", HTTP_BALANCE),
    ("http-request deny ", HTTP_ACCESS),
    ("http-request set-path ", HTTP_HOST),
    ("default-server ", HTTP_PROTO),
    ("bind ", TCP_LISTEN),
)


def blamed(text: str, model: Model, words: str) -> str:
    """Return ``service 'web', address`` for the first line in ``words``, empty for none's."""
    place = _LINE.search(words)
    if place is None:
        return ""
    lines = text.splitlines()[: int(place[1])]
    section = next((m for line in reversed(lines) if (m := _SECTION.match(line))), None)
    service = _service_of(section[1], section[2], model) if section is not None else None
    if service is None:
        return ""
    line = lines[-1].strip()
    label = next((label for start, label in _LABELS if line.startswith(start)), "name")
    return f"service {shown(service)}, {label}"


def _service_of(kind: str, name: str, model: Model) -> str | None:
    if kind == "frontend":
        listeners = {f"tcp_{port}": str(backend) for port, backend in model.listeners.items()}
        name = listeners.get(name, "")
    return next((b.upstream.service for b in model.backends.values() if b.name == name), None)
