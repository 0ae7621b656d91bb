"""Routes for a server under test, there from the start."""

from collections.abc import Iterable

from aiohttp import web

from sidecar.web.late import Load

__all__ = ["at_once"]


def at_once(routes: Iterable[web.RouteDef]) -> Load:
    """Return what loads these routes."""

    async def load() -> Iterable[web.RouteDef]:
        return routes

    return load
