"""``/v1/session``: create, look up, renew, destroy."""

from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

from aiohttp import web

from sidecar.catalog.draft import Draft
from sidecar.catalog.kept import Kept
from sidecar.catalog.session_id import checked_id
from sidecar.catalog.sessions import Moment, NodeChecks, Session, SessionRequest, new_session
from sidecar.config.units import go_duration
from sidecar.errors import ApiError
from sidecar.web.blocking import wait_for_index
from sidecar.web.consul import answers
from sidecar.web.consul.decode import ANY, STRING, STRINGS, Listed, Struct, decode
from sidecar.web.consul.gojson import Number
from sidecar.web.consul.query import Wait, checked, read_options
from sidecar.web.consul.route import route

__all__ = ["parse_request", "routes", "shape"]

_TOO_LARGE: Final = "Request body({size} bytes) too large, max size: {most} bytes."
_BARE_SECONDS: Final = 1_000  # a delay below so many nanoseconds was meant in seconds
_MOST: Final = 2**63  # nanoseconds that a Go duration holds
_TEXTS: Final = {"Node": "node", "Name": "name", "Behavior": "behavior", "TTL": "ttl"}
_SERVICE_CHECK: Final = Struct(
    "structs.ServiceCheck", "ServiceCheck", {"ID": STRING, "Namespace": STRING}
)
_SESSION: Final = Struct(
    go="struct { LockDelay interface {}; *structs.Alias }",
    name="",
    fields=dict.fromkeys(("ID", *_TEXTS), STRING)
    | {
        "Checks": STRINGS,
        "NodeChecks": STRINGS,
        "ServiceChecks": Listed("[]structs.ServiceCheck", _SERVICE_CHECK),
        "LockDelay": ANY,
    },
    lenient=True,
)


def shape(session: Session) -> dict[str, Any]:
    """Return a session as Consul shows it; the lock delay in nanoseconds."""
    return {
        "ID": session.id,
        "Name": session.name,
        "Node": session.node,
        "LockDelay": round(session.lock_delay * 1e9),
        "Behavior": session.behavior,
        "TTL": session.ttl,
        "NodeChecks": list(session.checks),
        "ServiceChecks": None,
        "CreateIndex": session.create_index,
        "ModifyIndex": session.modify_index,
    }


def parse_request(body: bytes, node: str) -> SessionRequest:
    """Return what a body asks for; raises ApiError. Unknown fields do not matter, as in Consul."""
    if not body.strip():
        return SessionRequest(node=node)
    found = decode(_SESSION, body)
    given = {field: found[name] for name, field in _TEXTS.items() if name in found}
    fields: dict[str, Any] = {"node": node} | given
    if "LockDelay" in found:
        fields["lock_delay"] = _delay(found["LockDelay"])
    lists = [found[name] for name in ("Checks", "NodeChecks") if name in found]
    if "ServiceChecks" in found:
        lists.append([(each or {}).get("ID", "") for each in found["ServiceChecks"]])
    if lists:
        fields["checks"] = tuple(dict.fromkeys(id_ or "" for ids in lists for id_ in ids))
    fields["lifetime"] = _lifetime(fields.get("ttl", ""))
    return SessionRequest(**fields)


def _lifetime(ttl: str) -> float:
    try:
        return go_duration(ttl) if ttl else 0.0
    except ValueError as error:
        raise ApiError(500, f"Session TTL '{ttl}' invalid: {error}") from error


def _delay(value: object) -> float:
    if isinstance(value, str):
        try:
            nanoseconds = go_duration(value) * 1e9
        except ValueError as error:
            raise _undecodable(str(error)) from error
    elif isinstance(value, Number):
        nanoseconds = float(value.text)
    else:
        return 0.0
    nanoseconds = min(nanoseconds, _MOST)
    if nanoseconds < _BARE_SECONDS:
        return max(0.0, nanoseconds)
    return nanoseconds / 1e9


def _undecodable(text: str) -> ApiError:
    return ApiError(400, f"Request decode failed: {text}")


def routes(
    kept: Kept,
    datacenter: str,
    node: str,
    checks_of: NodeChecks,
    new_id: Callable[[], str] = lambda: str(uuid4()),
) -> list[web.RouteDef]:
    """Return the routes of this family; sessions belong to ``node`` unless they name another."""
    sessions = _Sessions(kept, datacenter, node, checks_of, new_id)
    return [
        route("/v1/session/create", PUT=sessions.create),
        route("/v1/session/list", GET=sessions.list),
        route("/v1/session/info/{id:.*}", GET=sessions.info),
        route("/v1/session/node/{node:.*}", GET=sessions.of_node),
        route("/v1/session/renew/{id:.*}", PUT=sessions.renew),
        route("/v1/session/destroy/{id:.*}", PUT=sessions.destroy),
    ]


class _Sessions:
    def __init__(
        self,
        kept: Kept,
        datacenter: str,
        node: str,
        checks_of: NodeChecks,
        new_id: Callable[[], str],
    ) -> None:
        self._kept = kept
        self._datacenter = datacenter
        self._node = node
        self._checks_of = checks_of
        self._new_id = new_id

    async def create(self, request: web.Request) -> web.Response:
        checked(request.query, self._datacenter)
        wanted = parse_request(await answers.body_of(request, _TOO_LARGE), self._node)

        def operation(draft: Draft, at: Moment) -> str:
            session = new_session(wanted, self._new_id(), at.index, self._checks_of)
            draft.add(session)
            return session.id

        return answers.json(request, {"ID": await self._kept.submit(operation)})

    async def info(self, request: web.Request) -> web.Response:
        given = _id_of(request)
        wait = read_options(request.query, self._datacenter)
        id_ = checked_id(given)
        await self._wait(wait)
        session = self._kept.sessions.get(id_)
        return self._shown(request, () if session is None else (session,))

    async def list(self, request: web.Request) -> web.Response:
        await self._wait(read_options(request.query, self._datacenter))
        return self._shown(request, self._kept.sessions.list())

    async def of_node(self, request: web.Request) -> web.Response:
        wait = read_options(request.query, self._datacenter)
        node = request.match_info["node"]
        if not node:
            raise ApiError(400, "Missing node name")
        await self._wait(wait)
        return self._shown(request, self._kept.sessions.list(node))

    async def renew(self, request: web.Request) -> web.Response:
        read_options(request.query, self._datacenter)
        given = _id_of(request)
        id_ = checked_id(given)
        session = await self._kept.submit(lambda draft, _: draft.renew(id_))
        if session is None:
            raise ApiError(404, f"Session id '{given}' not found")
        return answers.json(request, [shape(session)])

    async def destroy(self, request: web.Request) -> web.Response:
        checked(request.query, self._datacenter)
        id_ = checked_id(_id_of(request))
        await self._kept.submit(lambda draft, at: draft.destroy(id_, at))
        return answers.json(request, body=True)

    async def _wait(self, wait: Wait) -> None:
        await wait_for_index(wait, lambda: self._kept.sessions.index, self._kept.sessions_changed)

    def _shown(self, request: web.Request, found: tuple[Session, ...]) -> web.Response:
        response = answers.json(request, [shape(session) for session in found])
        return answers.indexed(response, self._kept.sessions.index)


def _id_of(request: web.Request) -> str:
    id_ = request.match_info["id"]
    if not id_:
        raise ApiError(400, "Missing session")
    return id_
