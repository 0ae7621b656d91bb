"""A user's own template of HAProxy's file: what it is given, and what it must have written. Pure.

It gets the shipped texts in parts, to put its own lines between, and all they are made from, to
write everything itself. What it may not leave out is checked here, as a slot that does not run
could not be changed at run time.
"""

from collections.abc import Sequence

from sidecar.errors import ReloadFailed, RenderError
from templater.haproxy.model import Backend, Model, slot_name
from templater.names import SocketAddress
from templater.override import Override
from templater.routes import Endpoint, State

__all__ = ["overridden"]

_SOCKET = "stats socket unix@admin.sock"


def overridden(
    override: Override, model: Model, head: str, listeners: Sequence[str], backends: Sequence[str]
) -> str:
    """Return the text that a template makes of a model. Raises ReloadFailed."""
    whole, _, rest = head.partition("\ndefaults\n")
    defaults, _, frontend = rest.partition("\nfrontend http\n")
    sections = list(model.backends.values())
    data: dict[str, object] = {
        "shipped": {
            "global": whole,
            "defaults": f"\ndefaults\n{defaults}",
            "frontend": f"\nfrontend http\n{frontend}",
            "listeners": "".join(listeners),
            "backends": "".join(backends),
        },
        "listeners": [
            {"port": int(port), "backend": str(name)}
            for port, name in sorted(model.listeners.items())
        ],
        "backends": [
            _backend(one, text) for one, text in zip(sections, backends, strict=True)
        ],
    }  # fmt: skip
    try:
        text = override.render(data)
    except RenderError as error:
        raise ReloadFailed(str(error)) from error
    if lacking := _lacking(text, model):
        raise ReloadFailed(f"{override.name}: the text lacks {lacking}")
    if not text.isascii():
        raise ReloadFailed(f"{override.name}: the text is not ASCII")
    return text


def _backend(backend: Backend, text: str) -> dict[str, object]:
    first = len(backend.slots) - backend.spare
    return {
        "name": str(backend.name),
        "service": backend.upstream.service,
        "protocol": str(backend.protocol),
        "text": text,
        "options": text.partition("\n    server ")[0].partition("\nbackend ")[2].partition("\n")[2],
        "slots": [
            {
                "name": slot_name(index),
                "socket": _socket(one),
                "weight": 0 if one is None or one.state is State.DRAIN else int(one.weight),
                "disabled": one is None or one.state is State.MAINT,
                "backup": index >= first,
            }
            for index, one in enumerate(backend.slots)
        ],
    }  # fmt: skip


def _socket(endpoint: Endpoint | None) -> str:
    if endpoint is None:
        return "127.0.0.1:1"
    return str(SocketAddress(endpoint.address, endpoint.port))


def _lacking(text: str, model: Model) -> str:
    """Return what a text does not say that must be said, or nothing."""
    found: dict[str, set[str]] = {}
    section: set[str] = set()
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["backend"] and len(words) > 1:
            section = found.setdefault(words[1], set())
        elif words[:1] == ["server"] and len(words) > 1:
            section.add(words[1])
        elif line and not line[0].isspace() and not line.startswith("#"):
            section = set()
    if _SOCKET not in text:
        return f'the line "{_SOCKET} ..."'
    for backend in model.backends.values():
        if backend.name not in found:
            return f"backend {backend.name}"
        for index in range(len(backend.slots)):
            if slot_name(index) not in found[backend.name]:
                return f"server {slot_name(index)} of backend {backend.name}"
    return ""
