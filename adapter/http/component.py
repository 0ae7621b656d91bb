"""Asks every target when somebody scrapes: each at most once at a time, none longer than it may."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final, NamedTuple

import aiohttp

from adapter.exposition import Family
from adapter.http.rules import Target
from adapter.http.samples import MOST, Collected, Sample, samples_of
from adapter.process import pinnace_families, process_families
from adapter.serving import exposed
from sidecar import __version__
from sidecar.errors import ConfigError, PinnaceError, ProtocolError, UpstreamUnavailable
from sidecar.runtime.clock import Clock, SystemClock
from sidecar.runtime.log import get_logger
from sidecar.runtime.reason import reason_of
from sidecar.web.lean.request import Request
from sidecar.web.lean.server import Answer

__all__ = ["HttpAdapter", "Read"]

_log = get_logger("adapter")

_MOST_OCTETS: Final = 4 << 20
_PREFIX: Final = "pinnace_adapter_http_"

Read = Callable[[], Sequence[Target]]
"""Reads the file again. Raises ConfigError."""


class _Answer(NamedTuple):
    samples: Sequence[Sample]
    seconds: float
    is_up: bool


class HttpAdapter:
    """A component that keeps connections; ``metrics`` is its route."""

    name = "http"

    def __init__(self, targets: Sequence[Target], read: Read, clock: Clock | None = None) -> None:
        """Nothing is asked before the first scrape."""
        self._targets = {target.name: target for target in targets}
        self._read = read
        self._clock = SystemClock() if clock is None else clock
        self._running: dict[str, asyncio.Task[_Answer]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._session: aiohttp.ClientSession | None = None
        self._failing: set[str] = set()
        self._left_out: Counter[tuple[str, str]] = Counter()

    async def run(self, ready: Callable[[], None]) -> None:
        """Be there for scrapes until cancelled."""
        async with aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"pinnace/{__version__}"},
        ) as session:
            self._session = session
            try:
                async with asyncio.TaskGroup() as group:
                    self._group = group
                    ready()
                    await asyncio.get_running_loop().create_future()
            finally:
                self._session = self._group = None

    async def reread(self) -> None:
        """Read the file again; a wrong one is told of, and the old rules stay."""
        try:
            targets = await asyncio.to_thread(self._read)
        except ConfigError as error:
            for problem in error.problems:
                _log.error("cannot take the new rules, the old ones stay", reason=problem)
            return
        self._targets = {target.name: target for target in targets}
        _log.info("took new rules", targets=len(targets))

    async def metrics(self, request: Request) -> Answer:
        """Answer a scrape: of all targets, or of those named by ``target``."""
        names = request.asked("target")
        unknown = [name for name in names if name not in self._targets]
        if unknown:
            return Answer(404, f"there is no target {unknown[0]!r}\n".encode())
        return exposed(request, await self.families(names))

    async def families(self, names: Sequence[str] = ()) -> Sequence[Family]:
        """Ask the targets, side by side, and return what they said and how that went."""
        targets = [self._targets[name] for name in names or self._targets]
        answers = await asyncio.gather(*(self._shared(target) for target in targets))
        collected = Collected()
        up = Family(f"{_PREFIX}up", "gauge", "1 where the target answered as it should.")
        took = Family(f"{_PREFIX}scrape_duration_seconds", "gauge", "How long it took.")
        count = Family(f"{_PREFIX}samples", "gauge", "Series it gave.")
        for target, answer in zip(targets, answers, strict=True):
            label = {"target": target.name}
            up.add(label, float(answer.is_up))
            took.add(label, answer.seconds)
            count.add(label, collected.add(target.name, answer.samples))
        self._left_out.update(collected.left_out)
        left = Family(f"{_PREFIX}left_out_total", "counter", "Samples left out, and why.")
        for (name, reason), number in self._left_out.items():
            left.add({"target": name, "reason": reason}, number)
        own = [up, took, count, left, *await asyncio.to_thread(process_families)]
        taken = {family.name for family in own} | {f.name for f in pinnace_families()}
        theirs = [family for name, family in collected.families.items() if name not in taken]
        return [*own, *pinnace_families(), *theirs]

    async def _shared(self, target: Target) -> _Answer:
        """Ask, or wait for who is asking."""
        running = self._running.get(target.name)
        if running is None:
            if self._group is None:
                return _Answer((), 0.0, is_up=False)
            running = self._group.create_task(self._asked(target), name=f"ask {target.name}")
            self._running[target.name] = running
            running.add_done_callback(lambda _: self._running.pop(target.name, None))
        return await asyncio.shield(running)

    async def _asked(self, target: Target) -> _Answer:
        begun = self._clock.monotonic()
        samples: Sequence[Sample] = ()
        try:
            samples = await self._samples(target)
            is_up = True
            if target.name in self._failing:
                self._failing.discard(target.name)
                _log.info("target answers again", target=target.name)
        except Exception as error:  # noqa: BLE001 - one target must not end the others
            is_up = False
            if not isinstance(error, PinnaceError):
                _log.exception("cannot read a target", target=target.name)
            if target.name not in self._failing:
                self._failing.add(target.name)
                _log.warning("target fails", target=target.name, reason=error)
        return _Answer(samples, self._clock.monotonic() - begun, is_up=is_up)

    async def _samples(self, target: Target) -> Sequence[Sample]:
        try:
            async with asyncio.timeout(target.timeout):
                body = await self._body(target)
        except TimeoutError:
            raise UpstreamUnavailable(f"no answer within {target.timeout:g} s") from None
        except aiohttp.ClientConnectorCertificateError as error:
            why = getattr(error.certificate_error, "verify_message", error.certificate_error)
            raise UpstreamUnavailable(f"its certificate is not trusted: {why}") from error
        except aiohttp.ClientConnectorSSLError as error:
            raise UpstreamUnavailable(f"no TLS with it: {error.os_error}") from error
        except aiohttp.ClientConnectorError as error:
            raise UpstreamUnavailable(f"cannot connect: {reason_of(error.os_error)}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamUnavailable(f"{type(error).__name__}: {error}") from error
        # A big answer under many rules takes long; in a thread it holds up nobody.
        # More than may become series are not even made.
        return await asyncio.to_thread(lambda: list(islice(samples_of(target, body), 2 * MOST)))

    async def _body(self, target: Target) -> bytes:
        session = self._session
        if session is None:
            raise UpstreamUnavailable("stopping")
        async with session.get(
            target.url, headers=target.headers, allow_redirects=False
        ) as response:
            if response.status != 200:
                raise ProtocolError(f"answered {response.status}")
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > _MOST_OCTETS:
                    raise ProtocolError(f"the answer is longer than {_MOST_OCTETS} octets")
            return bytes(body)
