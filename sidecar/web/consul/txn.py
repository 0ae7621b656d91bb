"""``/v1/txn``: several operations on keys, all or none."""

from typing import Any, Final

from aiohttp import web

from sidecar.catalog.kept import Kept
from sidecar.catalog.transaction import MOST, WRITES, KeyOperation, Outcome, run
from sidecar.errors import ApiError
from sidecar.golang.reading import base64_of
from sidecar.web.consul import answers
from sidecar.web.consul.gojson import BadJson, read
from sidecar.web.consul.kv import shape
from sidecar.web.consul.query import checked, decoded, read_options
from sidecar.web.consul.route import route

__all__ = ["parse_operations", "routes"]

_TOO_LARGE: Final = "Request body too large, max size: {most} bytes"
_KINDS: Final = {"kv", "node", "service", "check"}
_FIELDS: Final = {
    "verb": str,
    "key": str,
    "value": str,
    "flags": int,
    "index": int,
    "session": str,
    "namespace": str,
}
_ZERO: Final[dict[type, Any]] = {str: "", int: 0}


def parse_operations(body: bytes) -> tuple[KeyOperation, ...]:
    """Return the operations of a body; raises ApiError with Consul's words."""
    try:
        found = decoded(body)
    except ValueError:
        raise _unparsable(_mistake(body)) from None
    if found is None:
        return ()
    if not isinstance(found, list):
        raise _unparsable("json: cannot unmarshal into Go value of type api.TxnOps")
    if len(found) > MOST:
        raise ApiError(413, f"Transaction contains too many operations ({len(found)} > {MOST})")
    made = (_operation(each) for each in found)
    return tuple(operation for operation in made if operation is not None)


def _mistake(body: bytes) -> str:
    try:
        read(body)
    except BadJson as error:
        return str(error)
    return "invalid character after top-level value"


def _operation(found: object) -> KeyOperation | None:
    """Return an operation, None for one that asks for nothing."""
    if not isinstance(found, dict):
        raise _unparsable("json: cannot unmarshal into Go value of type api.TxnOp")
    kinds = {str(name).lower(): value for name, value in found.items() if value is not None}
    unknown = kinds.keys() - _KINDS
    if unknown:
        raise _unparsable(f'json: unknown field "{min(unknown)}"')
    if not kinds:
        return None
    if kinds.keys() != {"kv"}:
        raise ApiError(501, "not served by the embedded catalog; set catalog=consul://…")
    if not isinstance(kinds["kv"], dict):
        raise _unparsable("json: cannot unmarshal into Go struct field .KV")
    fields = {name: _ZERO[type_] for name, type_ in _FIELDS.items()}
    for given, value in kinds["kv"].items():
        fields |= _field(given, value)
    del fields["namespace"]
    return KeyOperation(**(fields | {"value": _decoded(fields["value"])}))


def _field(given: str, value: object) -> dict[str, Any]:
    name = given.lower()
    wanted = _FIELDS.get(name)
    if wanted is None:
        raise _unparsable(f'json: unknown field "{given}"')
    if value is None:
        return {}
    if not isinstance(value, wanted) or isinstance(value, bool) or _is_off(value):
        raise _unparsable(f"json: cannot unmarshal into Go struct field .{given}")
    return {name: value}


def _is_off(value: object) -> bool:
    """Say whether a number does not fit in 64 bits without a sign."""
    return isinstance(value, int) and not 0 <= value < 2**64


def _decoded(text: str) -> bytes:
    try:
        return base64_of(text)
    except ValueError as error:
        raise _unparsable(str(error)) from error


def _unparsable(text: str) -> ApiError:
    return ApiError(400, f"Failed to parse body: {text}")


def routes(kept: Kept, datacenter: str) -> list[web.RouteDef]:
    """Return the routes of this family."""

    async def txn(request: web.Request) -> web.Response:
        operations = parse_operations(await answers.body_of(request, _TOO_LARGE))
        reads = not any(operation.verb in WRITES for operation in operations)
        if reads:
            read_options(request.query, datacenter)
        else:
            checked(request.query, datacenter)
        outcome = await kept.submit(lambda draft, at: run(draft, operations, at))
        response = answers.json(
            request, _shape(outcome, reads=reads), status=409 if outcome.failures else 200
        )
        if reads:
            response.headers["X-Consul-Knownleader"] = "true"
            response.headers["X-Consul-Lastcontact"] = "0"
        return response

    return [route("/v1/txn", PUT=txn)]


def _shape(outcome: Outcome, *, reads: bool) -> dict[str, Any]:
    failures = [{"OpIndex": each.operation, "What": each.text} for each in outcome.failures]
    body: dict[str, Any] = {
        "Results": None if failures else [{"KV": shape(entry)} for entry in outcome.entries],
        "Errors": failures or None,
    }
    if reads:
        body |= {"Index": 0, "LastContact": 0, "KnownLeader": True, "ConsistencyLevel": ""}
    return body
