"""Serve reads: wait for the index, encode an answer once and give the bytes to all.

The bytes of an answer are kept as long as the parts of the snapshot they were made of: a change
elsewhere does not cost a reader of this service anything, and a change here is encoded once, no
matter how many wait for it. A request seen before is answered without parsing it again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from aiohttp import web

from sidecar.catalog.live import Catalog
from sidecar.errors import ApiError, StoreUnavailable
from sidecar.web.consul.answers import finished, packed, refusal
from sidecar.web.consul.listings import Params
from sidecar.web.consul.query import Wait, read_options, takes_gzip, without_wait
from sidecar.web.consul.reads import Read, missing, reads
from sidecar.web.consul.route import route
from sidecar.web.consul.view import Local, View
from sidecar.web.consul.waiting import Waiting, answered
from sidecar.web.door import Later, ShortAnswer

__all__ = ["Reading"]

_MOST_ANSWERS: Final = 2048
_MOST_BYTES: Final = 16 * 1024 * 1024


@dataclass(slots=True)
class _Answer:
    """An encoded body and what it was made of."""

    parts: tuple[object, ...]
    body: bytes
    packed: bytes | None = None

    def is_of(self, parts: tuple[object, ...]) -> bool:
        return all(mine is theirs for mine, theirs in zip(self.parts, parts, strict=True))


@dataclass(slots=True)
class _Known:
    """A request as it was parsed the first time."""

    read: Read
    key: tuple[object, ...]
    route: str
    consistency: str
    cached: bool
    indent: bool


class Reading:
    """The routes that read the catalogue."""

    def __init__(
        self,
        catalog: Catalog,
        local: Local,
        compile_filter: Callable[[str, str], Callable[[object], bool]],
    ) -> None:
        """Read this catalogue; ``compile_filter`` makes a test of an expression."""
        self._catalog = catalog
        self._local = local
        self._reads = reads(compile_filter)
        self._view = View(catalog.snapshot, local)
        self._answers: dict[tuple[object, ...], _Answer] = {}
        self._bytes = 0
        self._known: dict[str, _Known] = {}
        self._asked: set[tuple[object, ...]] = set()
        self._waiting = Waiting(catalog, lambda: self.view)

    @property
    def view(self) -> View:
        """The newest snapshot with what Consul would add."""
        snapshot = self._catalog.snapshot
        if self._view.snapshot is not snapshot:
            self._view = View(snapshot, self._local)
        return self._view

    def routes(self) -> list[web.RouteDef]:
        """Return one route per kind of read."""
        return [self._route(path) for path in self._reads]

    def _route(self, path: str) -> web.RouteDef:
        pattern = f"/v1/{path}{{name:.*}}" if path.endswith("/") else f"/v1/{path}"
        other = route(pattern, GET=_never).handler

        async def dispatch(request: web.Request) -> web.StreamResponse:
            if request.method != "GET":
                answer: web.StreamResponse = await other(request)
                return answer
            known = self._known.get(request.raw_path)  # as it stands: it does not wait
            if known is not None:
                return _response(self._answer(known, self.view, gzip=_takes_gzip(request)))
            try:
                return await self._read(request, path)
            except (ApiError, StoreUnavailable) as error:
                return finished(request, refusal(error, read=True))

        return web.route("*", pattern, dispatch)

    async def _read(self, request: web.Request, path: str) -> web.Response:
        query = request.query
        wait = read_options(query, self._local.datacenter)
        name = request.match_info.get("name", "")
        if path.endswith("/") and not name:
            raise missing(path)
        tags, meta = query.getall("tag", []), query.getall("node-meta", [])
        params = Params.of(query, tags, meta)
        known = _Known(
            self._reads[path](name, params),
            (path, name, params, "pretty" in query),
            _pattern(path),
            _consistency(query),
            "cached" in query,
            "pretty" in query,
        )
        self._remember(request.raw_path, known, wait, params)
        answer = self._answered(known, wait, gzip=_takes_gzip(request))
        if isinstance(answer, Later):
            answer = await answered(answer)
        return _response(answer)

    def _remember(self, target: str, known: _Known, wait: Wait, params: Params) -> None:
        """Keep what was parsed, under the target without what differs from reader to reader."""
        if params.filter or len(self._known) >= _MOST_ANSWERS:
            return
        base, index, seconds = without_wait(target)
        if without_wait(base)[0] != base or Wait.of({"index": index, "wait": seconds}) != wait:
            return  # written twice, or in another way
        self._known[base] = known

    def short(self, target: str, gzip: bool) -> ShortAnswer | Later | None:
        """Return the answer to a target that was asked for before, or when it comes, or None."""
        base, index, seconds = without_wait(target)
        known = self._known.get(base)
        if known is None:
            return None
        try:
            wait = Wait.of({"index": index, "wait": seconds})
        except ApiError:
            return None

        return self._answered(known, wait, gzip=gzip)

    def _answered(self, known: _Known, wait: Wait, *, gzip: bool) -> ShortAnswer | Later:
        """Return what is due now, or how to wait for it."""
        view = self.view
        if not wait.index or known.read.index(view) > wait.index:
            return self._answer(known, view, gzip=gzip)
        key = (known.key, known.consistency, known.cached, gzip)
        return self._waiting.later(
            key, known.read, wait, lambda then: self._answer(known, then, gzip=gzip)
        )

    def _answer(self, known: _Known, view: View, *, gzip: bool) -> ShortAnswer:
        answer = self._encoded(known, view)
        headers = {
            "Content-Type": "application/json",
            "Vary": "Accept-Encoding",
            "X-Consul-Effective-Consistency": known.consistency,
            "X-Consul-Index": str(known.read.index(view)),
            "X-Consul-Knownleader": "true",
            "X-Consul-Lastcontact": "0",
        }
        if known.cached:
            self._tell_cache(headers, known)
        body = answer.body
        if gzip:
            if answer.packed is None:
                answer.packed = packed(body)
            body = answer.packed
            headers["Content-Encoding"] = "gzip"
        return ShortAnswer(known.route, headers, body)

    def _tell_cache(self, headers: dict[str, str], known: _Known) -> None:
        """Say what Consul's cache would; it is kept up to date, so its age is none."""
        key = known.key[:-1]
        if key in self._asked:
            headers["X-Cache"] = "HIT"
            headers["Age"] = "0"
            return
        headers["X-Cache"] = "MISS"
        if len(self._asked) < _MOST_ANSWERS:
            self._asked.add(key)

    def _encoded(self, known: _Known, view: View) -> _Answer:
        parts = known.read.parts(view)
        answer = self._answers.get(known.key)
        if answer is not None and len(answer.parts) == len(parts) and answer.is_of(parts):
            return answer
        body = msgspec.json.encode(known.read.body(view))
        if known.indent:
            body = msgspec.json.format(body, indent=4) + b"\n"
        if len(self._answers) >= _MOST_ANSWERS or self._bytes + len(body) > _MOST_BYTES:
            self._answers.clear()
            self._known.clear()
            self._bytes = 0
        answer = self._answers[known.key] = _Answer(parts, body)
        self._bytes += len(body)
        return answer


def _response(answer: ShortAnswer) -> web.Response:
    return web.Response(body=answer.body, headers=answer.headers)


def _takes_gzip(request: web.Request) -> bool:
    return takes_gzip(request.headers.get("Accept-Encoding", ""))


def _pattern(path: str) -> str:
    """Return a path as metrics name it."""
    return f"/v1/{path}{{name}}" if path.endswith("/") else f"/v1/{path}"


def _consistency(query: Mapping[str, str]) -> str:
    if "stale" in query:
        return "stale"
    return "consistent" if "consistent" in query else "leader"


async def _never(_: web.Request) -> web.StreamResponse:
    raise ApiError(500, "a read was asked for twice")
