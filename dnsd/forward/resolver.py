"""Answers from other servers: cache first, each question in flight only once.

An ended answer is given only after the servers failed or 1.8 seconds passed (RFC 8767 section 5):
fresh comes first.
"""

import asyncio
import errno
import random
import secrets
from collections.abc import Callable
from typing import Final, NamedTuple

from dnsd import codes
from dnsd.forward import metrics
from dnsd.forward.cache import Cache, Kept
from dnsd.forward.exchange import ask
from dnsd.forward.message import Asked, Malformed, Reply
from dnsd.forward.settings import Forwarding
from dnsd.forward.special import believed, special
from dnsd.forward.upstreams import Group, Upstream, group_of
from dnsd.names import labels_of, wire_name
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger

__all__ = ["Outcome", "Resolver"]

_log = get_logger("dnsd")

_IN_ALL: Final = 5.0
_PATIENCE: Final = 1.8
_STALE_TTL: Final = 30
_PROBES: Final = 0.25
_LOOP_LABELS: Final = (b"loop", b"dnsd", b"invalid")
_OURS: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
"""What is wrong with ourselves, not with the server that was to be asked."""
_EDE_STALE: Final = 3
_EDE_STALE_NXDOMAIN: Final = 19
_EDE_NONE_REACHED: Final = 22
_EDE_NETWORK: Final = 23
_EDE_NOT_READY: Final = 14


class Outcome(NamedTuple):
    """What a client is told: a reply, and an extended error with it."""

    reply: Reply
    error: int | None = None


Deliver = Callable[[Outcome], None]


def _failure(rcode: int, error: int | None = None) -> Outcome:
    return Outcome(Reply(rcode, truncated=False, sections=((), (), ())), error)


class Resolver:
    """Forwards questions, within the bounds of its settings."""

    def __init__(self, settings: Forwarding, clock: Clock) -> None:
        """Begin with an empty cache; nothing is sent before ``run``."""
        self.settings = settings
        self.cache: Cache = Cache(settings.cache_bytes, settings.stale)
        self._clock = clock
        self._flights: dict[Asked, list[Deliver]] = {}
        self._waiting = 0
        self._tasks: asyncio.TaskGroup | None = None
        self._loops = {secrets.token_hex(8).encode(): u for u in settings.upstreams}
        metrics.RESOLVERS.add(self)

    async def run(self) -> None:
        """Ask on behalf of others until cancelled; also look whether servers are well."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                for token, upstream in self._loops.items():
                    tasks.create_task(self._look_for_loop(token, upstream), name="dnsd loop")
                while True:
                    await self._clock.sleep(_PROBES)
                    now = self._clock.monotonic()
                    for upstream in self.settings.upstreams:
                        if upstream.is_due(now):
                            tasks.create_task(self._probe(upstream), name="dnsd probe")
        finally:
            self._tasks = None

    def resolve(self, asked: Asked, deliver: Deliver) -> Outcome | None:
        """Return what is known, or None and call ``deliver`` later, once."""
        labels = labels_of(asked.name)
        if labels[-3:] == _LOOP_LABELS:
            self._saw_loop(labels)
        found = group_of(labels, self.settings.groups)
        if found is None:
            return _failure(codes.REFUSED, codes.EDE_NOT_AUTHORITATIVE)
        domain, group = found
        if not domain and (reply := special(labels, asked)) is not None:
            return Outcome(reply)
        metrics.requests.inc()
        now = self._clock.monotonic()
        known = self.cache.get(asked, now)
        if known is not None and known.is_fresh:
            return self._from_cache(asked, known.kept, group, now)
        return self._ask(asked, deliver, group, known and known.kept)

    def _from_cache(self, asked: Asked, kept: Kept, group: Group, now: float) -> Outcome:
        metrics.hits.labels(kept.kind).inc()
        kept.asked += 1
        if kept.wants_refresh(now) and asked not in self._flights:
            kept.is_refreshing = True
            self._start(asked, [], group, None)
        failed = kept.reply.rcode == codes.SERVFAIL
        return Outcome(kept.aged(now), _EDE_NONE_REACHED if failed else None)

    def _ask(
        self, asked: Asked, deliver: Deliver, group: Group, stale: Kept | None
    ) -> Outcome | None:
        if self._tasks is None:
            return _failure(codes.SERVFAIL, _EDE_NOT_READY)
        if self._waiting >= self.settings.concurrent:
            metrics.rejects.inc()
            return _failure(codes.REFUSED)
        self._waiting += 1
        waiters = self._flights.get(asked)
        if waiters is not None:
            waiters.append(deliver)
        else:
            self._start(asked, [deliver], group, stale)
        return None

    def _start(
        self, asked: Asked, waiters: list[Deliver], group: Group, stale: Kept | None
    ) -> None:
        if self._tasks is not None:
            self._flights[asked] = waiters
            self._tasks.create_task(self._fly(asked, group, stale), name="dnsd forward")

    async def _fly(self, asked: Asked, group: Group, stale: Kept | None) -> None:
        """Ask, keep what comes and tell all who wait."""
        outcome = _failure(codes.SERVFAIL, _EDE_NETWORK)
        try:
            async with asyncio.TaskGroup() as tasks:
                asking = tasks.create_task(self._ask_group(asked, group), name="dnsd question")
                if stale is not None:
                    await asyncio.wait({asking}, timeout=_PATIENCE)
                    if not asking.done():
                        self._land(asked, _stale(stale))
                outcome = await asking
            if outcome.reply.rcode == codes.SERVFAIL and stale is not None:
                outcome = _stale(stale)
            else:
                self.cache.put(asked, outcome.reply, self._clock.monotonic())
        except Exception:  # noqa: BLE001 - one question must not end the others
            _log.exception("cannot forward")
        finally:
            self._land(asked, outcome)
            self._flights.pop(asked, None)

    def _land(self, asked: Asked, outcome: Outcome) -> None:
        waiters = self._flights[asked]
        while waiters:
            self._waiting -= 1
            deliver = waiters.pop()
            try:
                deliver(outcome)
            except Exception:  # noqa: BLE001 - nor one client
                _log.exception("cannot deliver")

    async def _ask_group(self, asked: Asked, group: Group) -> Outcome:
        """Return the first final answer; NXDOMAIN and NOERROR are final, errors are not."""
        error = _EDE_NONE_REACHED
        deadline = self._clock.monotonic() + _IN_ALL
        for upstream in group.order(random.random):
            left = min(self.settings.timeout, deadline - self._clock.monotonic())
            if left <= 0:
                break
            reply = await self._try(upstream, asked, left)
            if reply is None:
                error = _EDE_NETWORK
            elif reply.rcode in {codes.NOERROR, codes.NXDOMAIN}:
                return Outcome(believed(reply, asked))
        return _failure(codes.SERVFAIL, error)

    async def _try(self, upstream: Upstream, asked: Asked, limit: float) -> Reply | None:
        metrics.sent.labels(upstream.at).inc()
        begun = self._clock.monotonic()
        try:
            async with asyncio.timeout(limit):
                reply = await ask(upstream.at, asked, mix_case=self.settings.mix_case)
        except (TimeoutError, OSError, Malformed) as error:
            if isinstance(error, OSError) and error.errno in _OURS:
                _log.debug("cannot ask anybody", reason=error)
            elif upstream.failed(self._clock.monotonic()):
                _log.warning("upstream is out", at=upstream.at, reason=_reason(error))
            return None
        if upstream.is_out and not upstream.is_loop:
            _log.info("upstream is back", at=upstream.at)
        upstream.answered()
        metrics.received(upstream.at, reply.rcode, self._clock.monotonic() - begun)
        return reply

    async def _probe(self, upstream: Upstream) -> None:
        """Ask for the root's servers: any reply means that somebody is there."""
        reply = await self._try(upstream, Asked(b"\0", codes.NS, 1), self.settings.timeout)
        if reply is None:
            metrics.probe_failures.labels(upstream.at).inc()

    async def _look_for_loop(self, token: bytes, upstream: Upstream) -> None:
        name = wire_name((token, *_LOOP_LABELS))
        await self._try(upstream, Asked(name, codes.A, 1), self.settings.timeout)

    def _saw_loop(self, labels: tuple[bytes, ...]) -> None:
        upstream = self._loops.get(labels[0])
        if upstream is not None and not upstream.is_loop:
            upstream.is_loop = True
            _log.error("an upstream leads back here and is not asked", at=upstream.at)


def _stale(kept: Kept) -> Outcome:
    denied = kept.reply.rcode == codes.NXDOMAIN
    metrics.stale.inc()
    return Outcome(kept.stale(_STALE_TTL), _EDE_STALE_NXDOMAIN if denied else _EDE_STALE)


def _reason(error: Exception) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else str(error)
