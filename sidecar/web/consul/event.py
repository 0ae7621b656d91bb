"""``/v1/event``: fire and list. Kept in memory only, as in Consul."""

from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

from aiohttp import web

from sidecar.catalog.events import Event, Events, index_of
from sidecar.runtime.signal import Signal
from sidecar.web.blocking import wait_while
from sidecar.web.consul import answers
from sidecar.web.consul.query import Wait, checked
from sidecar.web.consul.route import route

__all__ = ["routes", "shape"]

_TOO_LARGE: Final = "Request body({size} bytes) too large, max size: {most} bytes."


def shape(event: Event) -> dict[str, Any]:
    """Return an event as Consul shows it."""
    return {
        "ID": event.id,
        "Name": event.name,
        "Payload": b64encode(event.payload).decode() if event.payload else None,
        "NodeFilter": event.node_filter,
        "ServiceFilter": event.service_filter,
        "TagFilter": event.tag_filter,
        "Version": 1,
        "LTime": event.time,
    }


def routes(
    datacenter: str,
    new_id: Callable[[], str] = lambda: str(uuid4()),
    concerns: Callable[[Event], bool] = lambda _: True,
) -> list[web.RouteDef]:
    """Return the routes of this family, with a ring of events of their own.

    ``concerns`` judges an event's filters.
    """
    events = Events()
    fired = Signal()

    async def fire(request: web.Request) -> web.Response:
        checked(request.query, datacenter)
        event = Event(
            id=new_id(),
            name=request.match_info["name"],
            payload=await answers.body_of(request, _TOO_LARGE),
            node_filter=request.query.get("node", ""),
            service_filter=request.query.get("service", ""),
            tag_filter=request.query.get("tag", ""),
        )
        events.fire(event, concerns=concerns(event))
        fired.fire()
        return answers.json(request, shape(event))

    async def listed(request: web.Request) -> web.Response:
        wait = Wait.of(request.query)
        name = request.query.get("name", "")
        if wait.index:
            await wait_while(
                lambda: index_of(events.list(name)) == wait.index, fired.wait, wait.seconds
            )
        found = events.list(name)
        response = answers.json(request, [shape(event) for event in found])
        response.headers["X-Consul-Index"] = str(index_of(found))
        return response

    return [
        route("/v1/event/fire/{name:.*}", store=False, PUT=fire),
        route("/v1/event/list", store=False, GET=listed),
    ]
