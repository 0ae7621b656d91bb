"""``/v1/coordinate``: where nodes are in the network, as they say themselves.

One host needs no map; it is kept so that clients that draw one work. Coordinates are estimates
that age by the minute: in memory only, and gone with the process. Consul gathers updates for up
to five seconds; here they show at once.
"""

import math
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

from sidecar.errors import ApiError
from sidecar.runtime.signal import Signal
from sidecar.web.blocking import wait_for_index
from sidecar.web.consul import answers
from sidecar.web.consul.decode import FLOAT, STRING, Listed, Struct, decode
from sidecar.web.consul.query import checked, read_options
from sidecar.web.consul.route import route
from sidecar.web.consul.view import Local

__all__ = ["COORDINATE", "routes"]

COORDINATE: Final = {"Vec": [0] * 8, "Error": 1.5, "Adjustment": 0, "Height": 0.00001}
_TOO_LARGE: Final = "Request body({size} bytes) too large, max size: {most} bytes."
_DIMENSIONS: Final = 8
_MOST: Final = 10_000  # entries; far above what one catalogue of nodes has
_COORD: Final = Struct("coordinate.Coordinate", "Coordinate", {
    "Vec": Listed("[]float64", FLOAT), "Error": FLOAT, "Adjustment": FLOAT, "Height": FLOAT,
})  # fmt: skip
_UPDATE: Final = Struct("structs.CoordinateUpdateRequest", "CoordinateUpdateRequest", {
    "Datacenter": STRING, "Node": STRING, "Segment": STRING, "Coord": _COORD, "Token": STRING,
})  # fmt: skip


def routes(local: Local, is_node: Callable[[str], bool]) -> list[web.RouteDef]:
    """Return the routes; what unknown nodes say is taken and dropped, as in Consul."""
    known = _Coordinates(local, is_node)
    return [
        route("/v1/coordinate/datacenters", store=False, GET=known.datacenters),
        route("/v1/coordinate/nodes", GET=known.nodes),
        route("/v1/coordinate/node/{node:.+}", GET=known.node),
        route("/v1/coordinate/update", PUT=known.update),
    ]


class _Coordinates:
    def __init__(self, local: Local, is_node: Callable[[str], bool]) -> None:
        self._local = local
        self._is_node = is_node
        self._found: dict[tuple[str, str], dict[str, Any]] = {(local.node.name, ""): COORDINATE}
        self._index = 1
        self._changed = Signal()

    async def datacenters(self, request: web.Request) -> web.Response:
        here = self._shown(self._local.node.name)[:1]
        area = {"Datacenter": self._local.datacenter, "AreaID": "wan", "Coordinates": here}
        return answers.json(request, [area])

    async def nodes(self, request: web.Request) -> web.Response:
        return await self._read(request, None)

    async def node(self, request: web.Request) -> web.Response:
        return await self._read(request, request.match_info["node"])

    async def update(self, request: web.Request) -> web.Response:
        checked(request.query, self._local.datacenter)
        body = decode(_UPDATE, await answers.body_of(request, _TOO_LARGE))
        coordinate = _coordinate(body.get("Coord") or {})
        if body.get("Datacenter", "") not in {"", self._local.datacenter}:
            raise ApiError(500, "No path to datacenter")
        key = (body.get("Node", ""), body.get("Segment", ""))
        if self._is_node(key[0]) and self._found.get(key) != coordinate:
            if key not in self._found and len(self._found) >= _MOST:
                raise ApiError(500, "too many coordinates")
            self._found[key] = coordinate
            self._index += 1
            self._changed.fire()
        return answers.empty(200)

    async def _read(self, request: web.Request, node: str | None) -> web.Response:
        wait = read_options(request.query, self._local.datacenter)
        await wait_for_index(wait, lambda: self._index, self._changed.wait)
        found = self._shown(node)
        if node is not None and not found:
            return answers.indexed(answers.empty(404), self._index)
        return answers.indexed(answers.json(request, found), self._index)

    def _shown(self, node: str | None) -> list[dict[str, Any]]:
        return [
            {"Node": name, "Segment": segment, "Coord": coordinate}
            for (name, segment), coordinate in sorted(self._found.items(), key=lambda each: each[0])
            if node in {None, name} and self._is_node(name)
        ]


def _coordinate(given: dict[str, Any]) -> dict[str, Any]:
    place = list(given.get("Vec") or ())
    numbers = {name: given.get(name, 0) for name in ("Error", "Adjustment", "Height")}
    if len(place) != _DIMENSIONS or None in place:
        raise ApiError(500, "incompatible coordinate")
    if not all(map(math.isfinite, (*place, *numbers.values()))):
        raise ApiError(500, "invalid coordinate")
    return {"Vec": place, **numbers}
