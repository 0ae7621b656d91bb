"""``/v1/agent``: services and checks of the local node, maintenance."""

import hashlib
import re
from dataclasses import replace
from typing import Any, Final

import msgspec
from aiohttp import web

from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Check, Instance, Node, Status
from sidecar.catalog.topics import service
from sidecar.errors import ApiError
from sidecar.golang.quoting import quoted
from sidecar.golang.reading import truth
from sidecar.web.blocking import wait_while
from sidecar.web.consul import answers, shapes
from sidecar.web.consul.bodies import SERVICE, agent_service, default_tagged
from sidecar.web.consul.commands import Commands
from sidecar.web.consul.decode import decode
from sidecar.web.consul.definitions import CHECK, CHECK_UPDATE, STATUSES, check_of, from_elsewhere
from sidecar.web.consul.filters import compiled
from sidecar.web.consul.listings import agent_checks
from sidecar.web.consul.query import Wait, checked
from sidecar.web.consul.route import Handler, route
from sidecar.web.consul.validate import text
from sidecar.web.guard import is_loopback

__all__ = ["routes"]

_NO_FILTER: Final = "Failed to create boolean expression evaluator: "
_IN_EXPRESSION: Final = re.compile(r"\d+:\d+ \(\d+\): ", re.ASCII)
_TOO_LARGE: Final = "Request body({size} bytes) too large, max size: {most} bytes."
_STATUS: Final = {"passing": 200, "warning": 429}
_SEVERITY: Final = {"passing": 0, "warning": 1, "critical": 2, "maintenance": 3}


def routes(commands: Commands, catalog: Catalog, node: str) -> list[web.RouteDef]:
    """Return the routes that read and write what the local agent holds."""
    agent = _Agent(commands, catalog, node)
    return [
        route("/v1/agent/services", store=False, GET=agent.services),
        route("/v1/agent/service/register", PUT=agent.register),
        route("/v1/agent/service/deregister/{id:.*}", PUT=agent.deregister),
        route("/v1/agent/service/maintenance/{id:.*}", PUT=agent.service_maintenance),
        route("/v1/agent/service/{id:.*}", store=False, GET=agent.service),
        route("/v1/agent/maintenance", PUT=agent.maintenance),
        route("/v1/agent/checks", store=False, GET=agent.checks),
        route("/v1/agent/check/register", PUT=agent.register_check),
        route("/v1/agent/check/deregister/{id:.*}", PUT=agent.deregister_check),
        route("/v1/agent/check/update/{id:.*}", PUT=agent.update),
        route("/v1/agent/health/service/name/{name:.*}", store=False, GET=agent.health_by_name),
        route("/v1/agent/health/service/id/{id:.*}", store=False, GET=agent.health_by_id),
        *(
            route(f"/v1/agent/check/{verb}/{{id:.*}}", PUT=agent.saying(status))
            for verb, status in (
                ("pass", Status.PASSING),
                ("warn", Status.WARNING),
                ("fail", Status.CRITICAL),
            )
        ),
    ]


class _Agent:
    def __init__(self, commands: Commands, catalog: Catalog, node: str) -> None:
        self._commands = commands
        self._catalog = catalog
        self._node = node

    async def services(self, request: web.Request) -> web.Response:
        _checked(request)
        test = compiled(request.query.get("filter", ""), "agent")
        found = self._commands.agent.instances
        shown = ((id_, shapes.agent_service(found[id_])) for id_ in sorted(found))
        return answers.json(request, {id_: each for id_, each in shown if test(each)})

    async def service(self, request: web.Request) -> web.Response:
        _checked(request)
        id_ = request.match_info["id"]
        known = request.query.get("hash", "")
        body = self._hashed(id_)
        if known and body["ContentHash"] == known:
            wait = Wait.of(request.query)
            topics = (service(self._commands.agent.instances[id_].service),)
            await wait_while(
                lambda: self._hash(id_) == known,
                lambda: self._catalog.moved(topics),
                wait.seconds,
            )
            body = self._hashed(id_)
        response = answers.json(request, body)
        response.headers["X-Consul-Contenthash"] = body["ContentHash"]
        return response

    def _hash(self, id_: str) -> str:
        return (
            str(self._hashed(id_)["ContentHash"]) if id_ in self._commands.agent.instances else ""
        )

    def _hashed(self, id_: str) -> dict[str, Any]:
        instance = self._commands.agent.instances.get(id_)
        if instance is None:
            raise ApiError(404, f"unknown service ID: {id_}")
        body = shapes.agent_service(instance)
        digest = hashlib.blake2b(msgspec.json.encode(body), digest_size=8).hexdigest()
        return body | {"ContentHash": digest}

    async def register(self, request: web.Request) -> web.Response:
        _checked(request)
        body = decode(SERVICE, await answers.body_of(request, _TOO_LARGE))
        wanted = agent_service(body, self._node)
        instance = wanted.instance
        tagged = default_tagged(instance.tagged, instance.address, instance.port)
        plan = self._commands.agent.register(
            replace(instance, tagged=tagged),
            _marked(request, wanted.checks),
            replace_checks="replace-existing-checks" in request.query,
        )
        await self._commands.do(plan)
        return _done()

    async def deregister(self, request: web.Request) -> web.Response:
        _checked(request)
        id_ = request.match_info["id"]
        if not id_:
            raise ApiError(500, "ServiceID missing")
        await self._commands.do(self._commands.agent.deregister(id_))
        return _done()

    async def service_maintenance(self, request: web.Request) -> web.Response:
        _checked(request)
        id_ = request.match_info["id"]
        if not id_:
            raise ApiError(400, "Missing service ID")
        enable, reason = _maintenance(request)
        plan = self._commands.agent.service_maintenance(id_, reason, enable=enable)
        await self._commands.do(plan)
        return _done()

    async def maintenance(self, request: web.Request) -> web.Response:
        _checked(request)
        enable, reason = _maintenance(request)
        await self._commands.do(self._commands.agent.node_maintenance(reason, enable=enable))
        return _done()

    async def checks(self, request: web.Request) -> web.Response:
        _checked(request)
        agent = self._commands.agent
        said = {id_: self._commands.said(each) for id_, each in agent.instances.items()}
        found = agent_checks(self._me(), said)
        return answers.json(request, _chosen(request.query.get("filter", ""), found))

    async def register_check(self, request: web.Request) -> web.Response:
        _checked(request)
        check, service_id = check_of(decode(CHECK, await answers.body_of(request, _TOO_LARGE)))
        (check,) = _marked(request, (check,))
        plan = self._commands.agent.register_check(check, service_id)
        await self._commands.do(plan)
        return _done()

    async def deregister_check(self, request: web.Request) -> web.Response:
        _checked(request)
        id_ = request.match_info["id"]
        if not id_:
            raise ApiError(500, "CheckID missing")
        await self._commands.do(self._commands.agent.deregister_check(id_))
        return _done()

    def saying(self, status: Status) -> Handler:
        """Return the handler of pass, warn or fail."""

        async def said(request: web.Request) -> web.Response:
            _checked(request)
            note = request.query.get("note", "")
            await self._commands.heard(request.match_info["id"], status, note)
            return _done()

        return said

    async def update(self, request: web.Request) -> web.Response:
        _checked(request)
        body = decode(CHECK_UPDATE, await answers.body_of(request, _TOO_LARGE))
        status = body.get("Status", "")
        if status not in STATUSES:
            raise ApiError(400, f"Invalid check status: '{status}'")
        output = body.get("Output", "")
        await self._commands.heard(request.match_info["id"], Status(status), output)
        return _done()

    async def health_by_name(self, request: web.Request) -> web.Response:
        _checked(request)
        name = request.match_info["name"]
        if not name:
            raise ApiError(400, "Bad request: Missing service Name")
        found = [i for i in self._commands.agent.instances.values() if i.service == name]
        if not found:
            return _health(request, 404, f"ServiceName {name} Not Found", [])
        shown = [self._health_of(i) for i in sorted(found, key=lambda i: i.id)]
        worst = max((status for status, _ in shown), key=_SEVERITY.__getitem__)
        return _health(request, _STATUS.get(worst, 503), worst, [body for _, body in shown])

    async def health_by_id(self, request: web.Request) -> web.Response:
        _checked(request)
        id_ = request.match_info["id"]
        if not id_:
            raise ApiError(400, "Bad request: Missing serviceID")
        instance = self._commands.agent.instances.get(id_)
        if instance is None:
            nothing = {"AggregatedStatus": "critical", "Service": None, "Checks": None}
            reason = f"ServiceId {id_} not found"
            wants_text = request.query.get("format") == "text"  # it is JSON in Consul, too
            response = answers.json(request, reason if wants_text else nothing, 404)
            return _with_reason(response, reason)
        status, body = self._health_of(instance)
        return _health(request, _STATUS.get(status, 503), status, body)

    def _health_of(self, instance: Instance) -> tuple[str, dict[str, Any]]:
        return shapes.agent_health(self._commands.said(instance), self._me())

    def _me(self) -> Node:
        """Return the local node with what its checks said last."""
        node = self._commands.agent.node
        return replace(node, checks=tuple(map(self._commands.said_by, node.checks)))


def _chosen(expression: str, found: dict[str, Any]) -> dict[str, Any]:
    """Return the entries of agent/checks that a filter lets through; raises ApiError.

    Of all endpoints this one tells what is wrong with a field only when it looks at an entry, and
    then without the words around it; what is wrong with the expression it tells as all do.
    """
    try:
        test = compiled(expression, "check")
    except ApiError as error:
        reason = str(error).removeprefix(_NO_FILTER)
        if _IN_EXPRESSION.match(reason):
            raise
        if not found:
            return found
        raise ApiError(error.status, reason) from None
    return {id_: each for id_, each in found.items() if test(each)}


def _checked(request: web.Request) -> None:
    """Refuse namespaces; the agent does not look at the datacenter."""
    if "ns" in request.query:
        checked(request.query, request.query.get("dc", ""))


def _marked(request: web.Request, checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """Mark definitions that came from another host: those may not ask this one (T7)."""
    if request.remote is None or is_loopback(request.remote):
        return checks
    return tuple(replace(c, definition=from_elsewhere(c.definition)) for c in checks)


def _done() -> web.Response:
    return answers.empty(200)


def _maintenance(request: web.Request) -> tuple[bool, str]:
    given = request.query.get("enable")
    if given is None:
        raise ApiError(400, "Missing value for enable")
    try:
        enable = truth(given)
    except ValueError:
        raise ApiError(400, f"Invalid value for enable: {quoted(given)}") from None
    return enable, text("reason", request.query.get("reason", ""))


def _health(request: web.Request, status: int, reason: str, body: Any) -> web.Response:
    if request.query.get("format") == "text":
        response = web.Response(body=reason.encode(), status=status)
        response.headers["Content-Type"] = "text/plain"
    else:
        response = answers.json(request, body, status)
    return _with_reason(response, reason)


def _with_reason(response: web.Response, reason: str) -> web.Response:
    # A header cannot hold everything a name can.
    response.headers["X-Consul-Reason"] = "".join(c for c in reason if c.isprintable())
    return response
