"""A user's own template of nginx's file: what it is given, and what it must have written. Pure."""

from sidecar.errors import ReloadFailed, RenderError
from templater.names import SocketAddress
from templater.nginx.names import GroupName
from templater.override import Override
from templater.routes import Routes

__all__ = ["overridden"]


def overridden(override: Override, routes: Routes, shipped: dict[str, str]) -> str:
    """Return the text that a template makes of routes. Raises ReloadFailed.

    ``shipped`` are the parts of the text without it. Its ``status``, the server by which a worker
    tells which text it runs, must stand in the new one.
    """
    data: dict[str, object] = {
        "shipped": shipped,
        "upstreams": [
            {
                "name": str(GroupName(upstream)),
                "service": upstream.service,
                "protocol": str(upstream.protocol),
                "servers": [
                    {
                        "socket": str(SocketAddress(one.address, one.port)),
                        "weight": int(one.weight),
                        "state": str(one.state),
                        "backup": one.backup,
                    }
                    for one in members
                ],
            }
            for upstream, members in routes.upstreams.items()
        ],
    }
    try:
        text = override.render(data)
    except RenderError as error:
        raise ReloadFailed(str(error)) from error
    if shipped["status"] not in text:
        raise ReloadFailed(f"{override.name}: the text lacks shipped.status")
    if not text.isascii():
        raise ReloadFailed(f"{override.name}: the text is not ASCII")
    return text
