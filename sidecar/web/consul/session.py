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
from sidecar.web.consul.query import Wait, checked, decoded, read_options
from sidecar.web.consul.route import route

__all__ = ["parse_request", "routes", "shape"]

_TOO_LARGE: Final = "Request body({size} bytes) too large, max size: {most} bytes."
_BARE_SECONDS: Final = 1_000  # a delay below so many nanoseconds was meant in seconds
_MOST: Final = 2**63  # nanoseconds that a Go duration holds
_TYPES: Final = {"Node": str, "Name": str, "Behavior": str, "TTL": str}


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
    """Return what a body asks for; keys match in any case; raises ApiError."""
    if not body.strip():
        return SessionRequest(node=node)
    try:
        found = decoded(body)
    except ValueError as error:
        raise _undecodable("invalid JSON") from error
    if not isinstance(found, dict):
        raise _undecodable("json: cannot unmarshal into Go value of type structs.Session")
    return _request(found, node)


def _request(found: dict[str, Any], node: str) -> SessionRequest:
    fields: dict[str, Any] = {"node": node}
    checks: list[str] | None = None
    for given, value in found.items():
        name = _NAMES.get(given.lower())
        if name is None:
            raise _undecodable(f'json: unknown field "{given}"')
        if value is None:
            continue
        if name in _TYPES:
            if not isinstance(value, str):
                raise _undecodable(f"json: cannot unmarshal into Go struct field .{name}")
            fields[name.lower()] = value
        elif name == "LockDelay":
            fields["lock_delay"] = _delay(value)
        elif name in {"Checks", "NodeChecks"}:
            checks = [*(checks or []), *_strings(name, value)]
        elif name == "ServiceChecks":
            checks = [*(checks or []), *_service_checks(value)]
    if checks is not None:
        fields["checks"] = tuple(dict.fromkeys(checks))
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
    elif isinstance(value, int | float) and not isinstance(value, bool):
        nanoseconds = float(min(value, _MOST))  # what is longer has no float
    else:
        raise _undecodable("json: cannot unmarshal into Go struct field .LockDelay")
    if not nanoseconds < _MOST:
        raise _undecodable("json: cannot unmarshal number into Go struct field .LockDelay")
    if nanoseconds < _BARE_SECONDS:
        return max(0.0, nanoseconds)
    return nanoseconds / 1e9


def _strings(name: str, value: object) -> list[str]:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return value
    raise _undecodable(f"json: cannot unmarshal into Go struct field .{name} of type []string")


def _service_checks(value: object) -> list[str]:
    ids = (
        [each.get("ID") for each in value if isinstance(each, dict)]
        if isinstance(value, list)
        else value
    )
    return _strings("ServiceChecks", ids)


def _undecodable(text: str) -> ApiError:
    return ApiError(400, f"Request decode failed: {text}")


_FIELDS: Final = ("ID", "Checks", "NodeChecks", "ServiceChecks", "LockDelay", *_TYPES)
_NAMES: Final = {name.lower(): name for name in _FIELDS} | {"lock_delay": "LockDelay"}


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
