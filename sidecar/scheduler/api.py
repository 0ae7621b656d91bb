"""The scheduler over HTTP: what is wanted, what there is, and orders.

Handlers only translate: answers come from ``telling``, orders go to ``orders``.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from aiohttp import web

from sidecar.errors import ApiError, PinnaceError, TransientError
from sidecar.scheduler.bundle import Bundle, bundle_of
from sidecar.scheduler.journal import Journal
from sidecar.scheduler.model import Availability
from sidecar.scheduler.orders import Orders
from sidecar.scheduler.telling import Teller, document_of

__all__ = ["api_routes"]

_ALIVE: Final = 15.0
_MOVES: Final = {
    "drain": Availability.DRAIN, "undrain": Availability.ACTIVE, "pause": Availability.PAUSE,
}  # fmt: skip
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def api_routes(teller: Teller, orders: Orders, journal: Journal) -> list[web.RouteDef]:
    """Return the routes below ``/v1``."""
    reading, ordering, following = _Reading(teller), _Ordering(orders), _Following(journal)
    return [
        web.get("/v1/stacks", _told(reading.stacks)),
        web.get("/v1/stacks/{stack}", _told(reading.stack)),
        web.put("/v1/stacks/{stack}", _told(ordering.deploy)),
        web.post("/v1/stacks/{stack}/plan", _told(reading.plan)),
        web.delete("/v1/stacks/{stack}", _told(ordering.down)),
        web.post("/v1/stacks/{stack}/services/{service}/{order}", _told(ordering.service)),
        web.get("/v1/nodes", _told(reading.nodes)),
        web.post("/v1/nodes/{node}/{order}", _told(ordering.node)),
        web.get("/v1/why/{target:.+}", _told(reading.why)),
        web.get("/v1/events", following.events),
        web.get("/ui", _to_page),
    ]


async def _to_page(_: web.Request) -> web.Response:
    return web.Response(status=301, headers={"Location": "/ui/"})


def _told(answer: Callable[[web.Request], Awaitable[object]]) -> Handler:
    """Return the handler that answers so, as JSON."""

    async def handler(request: web.Request) -> web.StreamResponse:
        try:
            body = await answer(request)
        except ApiError:
            raise
        except PinnaceError as error:
            raise ApiError(503 if isinstance(error, TransientError) else 409, str(error)) from error
        return web.Response(body=msgspec.json.encode(body), content_type="application/json")

    return handler


class _Reading:
    def __init__(self, teller: Teller) -> None:
        self._teller = teller

    async def stacks(self, _: web.Request) -> object:
        return self._teller.stacks()

    async def stack(self, request: web.Request) -> object:
        return self._teller.stack(request.match_info["stack"])

    async def plan(self, request: web.Request) -> object:
        return await self._teller.plan(request.match_info["stack"], await _bundle(request))

    async def nodes(self, _: web.Request) -> object:
        return self._teller.nodes()

    async def why(self, request: web.Request) -> object:
        return self._teller.why(request.match_info["target"])


class _Ordering:
    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    async def deploy(self, request: web.Request) -> object:
        name, bundle = request.match_info["stack"], await _bundle(request)
        return {"stack": name, "revision": await self._orders.deploy(name, bundle)}

    async def down(self, request: web.Request) -> object:
        name = request.match_info["stack"]
        return {"stack": name, "revision": await self._orders.deploy(name, None)}

    async def service(self, request: web.Request) -> object:
        match = request.match_info
        stack, service, order = match["stack"], match["service"], match["order"]
        known: dict[str, Callable[[str, str], Awaitable[object]]] = {
            "pause": self._orders.pause,
            "resume": self._orders.resume,
            "rollback": self._orders.rollback,
            "promote": self._orders.promote,
        }
        found: object = None
        if order == "scale":
            await self._orders.scale(stack, service, await _replicas(request), by="api")
        elif order in known:
            found = await known[order](stack, service)
        else:
            raise ApiError(404, f"{order!r} is none of scale, {', '.join(known)}")
        return {"stack": stack, "service": service, "order": order, "result": found}

    async def node(self, request: web.Request) -> object:
        node, order = request.match_info["node"], request.match_info["order"]
        if order not in _MOVES:
            raise ApiError(404, f"{order!r} is none of {', '.join(_MOVES)}")
        await self._orders.move(node, _MOVES[order])
        return {"node": node, "availability": _MOVES[order].value}


async def _bundle(request: web.Request) -> Bundle:
    """Return the stack in a body: a bundle as JSON, or the text of a stack file."""
    name, body = request.match_info["stack"], await request.read()
    if request.content_type != "application/json":
        return bundle_of(body, name)
    try:
        bundle = msgspec.json.decode(body, type=Bundle)
    except msgspec.MsgspecError as error:
        raise ApiError(400, f"this is no bundle of a stack: {error}") from error
    if bundle.name != name:
        raise ApiError(400, f"the stack in the body is called {bundle.name!r}, not {name!r}")
    return bundle


async def _replicas(request: web.Request) -> int | None:
    """Return the number asked for; None for what the stack says."""
    text = request.query.get("replicas", "")
    if not text:
        try:
            body = msgspec.json.decode(await request.read() or b"{}", type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise ApiError(400, f"the body is no JSON object: {error}") from error
        found = body.get("replicas", "")
        if found is None:
            return None
        text = str(found)
    if text == "file":
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise ApiError(400, f"replicas must be a whole number, not {text!r}")
    return int(text)


class _Following:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Tell entries as server-sent events, those kept first unless ``after`` says otherwise."""
        text = request.query.get("after") or request.headers.get("Last-Event-ID") or "0"
        if not (text.isascii() and text.isdigit() and len(text) < 16):
            raise ApiError(400, f"after must be a number, not {text[:40]!r}")
        number, follows = int(text), request.query.get("follow", "1") != "0"
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await response.prepare(request)
        while True:
            number = await self._write(response, number)
            if not follows:
                break
            try:
                async with asyncio.timeout(_ALIVE):
                    await self._journal.news(number)
            except TimeoutError:
                await response.write(b": alive\n\n")
        await response.write_eof()
        return response

    async def _write(self, response: web.StreamResponse, number: int) -> int:
        gone, entries = self._journal.since(min(number, self._journal.last))
        parts = [b": %d entries are gone\n\n" % gone] if gone and number else []
        for each in entries:
            body = msgspec.json.encode(document_of(each), enc_hook=str)
            parts.append(b"id: %d\nevent: %s\ndata: %s\n\n" % (
                each.number, each.kind.encode(), body
            ))  # fmt: skip
            number = each.number
        if parts:
            await response.write(b"".join(parts))
        return number
