"""``/v1/kv``: keys, prefixes, compare-and-set, locks."""

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from aiohttp import web

from sidecar.catalog.draft import Draft, Operation
from sidecar.catalog.kept import Kept
from sidecar.catalog.kv import Entry, cut_at
from sidecar.catalog.sessions import Moment
from sidecar.errors import ApiError
from sidecar.web.blocking import wait_for_index
from sidecar.web.consul import answers
from sidecar.web.consul.query import conflict, read_options, unsigned
from sidecar.web.consul.route import route
from sidecar.web.door import Short, ShortAnswer

__all__ = ["routes", "shape", "short_of"]

_TOO_LARGE: Final = (
    "Request body({size} bytes) too large, max size: {most} bytes."
    " See https://www.consul.io/docs/agent/options.html#kv_max_value_size."
)
_PREFIX: Final = "/v1/kv/"
_ROUTE: Final = "/v1/kv/{key}"
# Nothing percent-encoded, no empty or dotted part that would be redirected.
_PLAIN: Final = re.compile(r"/v1/kv(?:/[A-Za-z0-9_~:@-][A-Za-z0-9_~:@.-]*)+", re.ASCII)
_FEW: Final = 256  # entries, and bytes of their values: more goes the long way
_SMALL: Final = 16384
_JSON: Final = {"Content-Type": "application/json"}
_RAW: Final = {
    "Content-Type": "text/plain",
    "Content-Security-Policy": "sandbox",
    "X-Content-Type-Options": "nosniff",
}


def shape(entry: Entry) -> dict[str, Any]:
    """Return an entry as Consul shows it: an empty value is null, no session is no field."""
    shown: dict[str, Any] = {
        "LockIndex": entry.lock_index,
        "Key": entry.key,
        "Flags": entry.flags,
        "Value": b64encode(entry.value).decode() if entry.value else None,
    }
    if entry.session:
        shown["Session"] = entry.session
    return shown | {"CreateIndex": entry.create_index, "ModifyIndex": entry.modify_index}


def short_of(kept: Kept) -> Short:
    """Return how to answer a plain ``GET /v1/kv/KEY`` of a present key, or prefix, at once."""

    def short(target: str, gzip: bool) -> ShortAnswer | None:
        path, _, query = target.partition("?")
        if not _PLAIN.fullmatch(path):
            return None
        key = path[len(_PREFIX) :]
        if query == "recurse":
            listing = kept.kv.list(key)
            found, index = listing.entries, listing.index
        else:
            entry = kept.kv.get(key)
            found, index = (entry,) if entry is not None else (), kept.kv.index_of(key)
        if query not in {"", "raw", "recurse"} or not found or len(found) > _FEW:
            return None
        if sum(len(entry.value) for entry in found) > _SMALL:
            return None
        if query == "raw":
            return _short_answer(_RAW, index, found[0].value, gzip=gzip)
        return _short_answer(_JSON, index, msgspec.json.encode(list(map(shape, found))), gzip=gzip)

    return short


def _short_answer(kind: Mapping[str, str], index: int, body: bytes, *, gzip: bool) -> ShortAnswer:
    headers = {
        **kind,
        "X-Consul-Index": str(index),
        "X-Consul-Knownleader": "true",
        "X-Consul-Lastcontact": "0",
        "Vary": "Accept-Encoding",
    }
    if gzip and body:
        headers["Content-Encoding"] = "gzip"
        body = answers.packed(body)
    return ShortAnswer(_ROUTE, headers, body)


def routes(kept: Kept, datacenter: str) -> list[web.RouteDef]:
    """Return the routes of this family."""
    keys = _Keys(kept, datacenter)
    return [
        route("/v1/kv/{key:.*}", store=False, GET=keys.get, PUT=keys.put, DELETE=keys.delete),
    ]


class _Keys:
    def __init__(self, kept: Kept, datacenter: str) -> None:
        self._kept = kept
        self._datacenter = datacenter

    async def get(self, request: web.Request) -> web.Response:
        wait = read_options(request.query, self._datacenter)
        key, query = request.match_info["key"], request.query
        if "keys" in query or "recurse" in query:
            await wait_for_index(
                wait,
                lambda: self._kept.kv.index_below(key),
                lambda: self._kept.prefix_changed(key),
            )
            return self._below(request, key)
        if not key:
            raise ApiError(400, "Missing key name")
        await wait_for_index(
            wait, lambda: self._kept.kv.index_of(key), lambda: self._kept.key_changed(key)
        )
        return self._one(request, key)

    def _one(self, request: web.Request, key: str) -> web.Response:
        entry = self._kept.kv.get(key)
        if entry is None:
            response = answers.empty(404)
        elif "raw" in request.query:
            response = web.Response(body=entry.value, headers=_RAW)
        else:
            response = answers.json(request, [shape(entry)])
        return answers.indexed(response, self._kept.kv.index_of(key))

    def _below(self, request: web.Request, prefix: str) -> web.Response:
        query = request.query
        body: list[Any]
        if "keys" in query:
            separator = query.get("separator", query.get("seperator", ""))
            body = cut_at(self._kept.kv.keys(prefix), prefix, separator)
            index = self._kept.kv.index_below(prefix)
        else:
            listing = self._kept.kv.list(prefix)
            body, index = [shape(entry) for entry in listing.entries], listing.index
        response = answers.json(request, body) if body else answers.empty(404)
        return answers.indexed(response, index)

    async def put(self, request: web.Request) -> web.Response:
        read_options(request.query, self._datacenter)
        key = _key_of(request)
        conflict(request.query, ("cas", "acquire", "release"))
        prepared = _Put.of(request)
        value = await answers.body_of(request, _TOO_LARGE)
        return answers.json(request, await self._kept.submit(prepared.operation(key, value)))

    async def delete(self, request: web.Request) -> web.Response:
        read_options(request.query, self._datacenter)
        query = request.query
        conflict(query, ("recurse", "cas"))
        if "recurse" in query:
            prefix = request.match_info["key"]
            await self._kept.submit(lambda draft, at: draft.delete_tree(prefix, at))
            return answers.json(request, body=True)
        key = _key_of(request)
        if "cas" in query:
            expected = unsigned(query["cas"])
            done = await self._kept.submit(lambda draft, at: draft.delete_if(key, expected, at))
            return answers.json(request, done)
        await self._kept.submit(lambda draft, at: draft.delete(key, at))
        return answers.json(request, body=True)


class _Put:
    """The parameters of a PUT, checked before the body is read."""

    def __init__(self, flags: int, cas: int | None, acquire: str | None, release: str | None):
        self._flags = flags
        self._cas = cas
        self._acquire = acquire
        self._release = release

    @classmethod
    def of(cls, request: web.Request) -> "_Put":
        query = request.query
        return cls(
            unsigned(query["flags"]) if "flags" in query else 0,
            unsigned(query["cas"]) if "cas" in query else None,
            query.get("acquire"),
            query.get("release"),
        )

    def operation(self, key: str, value: bytes) -> Operation[bool]:
        def run(draft: Draft, at: Moment) -> bool:
            if self._cas is not None:
                return draft.put_if(key, value, self._flags, self._cas, at)
            if self._acquire is not None:
                return draft.acquire(key, value, self._flags, self._acquire, at)
            if self._release is not None:
                return draft.release(key, value, self._flags, self._release, at)
            draft.put(key, value, self._flags, at)
            return True

        return run


def _key_of(request: web.Request) -> str:
    key = request.match_info["key"]
    if not key:
        raise ApiError(400, "Missing key name")
    return key
