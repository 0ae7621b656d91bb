"""A login at one JVM, kept between scrapes, and questions asked through it.

Registry, then server, then a login of our own; each is a remote object at some host and port. The
login outlives its connection: when that breaks, another one carries on with it. When the login
itself is gone (a restart, two idle minutes), it is made again, once per scrape.

Several questions are under way at a time, so that the JVM works while we read; a fault sends the
first unanswered one and all behind it again. They only read, so asking twice does no harm.
"""

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final, TypeVar

from adapter.jmx.calls import (
    NEW_CLIENT,
    QUERY_MBEANS,
    Stub,
    Thrown,
    answer,
    call,
    close_call,
    credentials,
    lookup,
    name_argument,
    stub_of,
)
from adapter.jmx.connection import Remaining, Wire, reason_of
from adapter.jmx.errors import OutOfTime, TargetDenied, TargetUnavailable
from adapter.jmx.feed import Feed, Truncated
from adapter.jmx.limits import LIMITS, Limits, WriteAborted
from adapter.jmx.records import JavaObject
from adapter.jmx.settings import Target
from adapter.jmx.values import items_of
from sidecar.errors import ProtocolError

__all__ = ["Session"]

_WINDOW: Final = 16  # questions under way
_MOST_SENT: Final = 1 << 15  # bytes of them: less than the JVM's socket takes without reading
_DETOUR: Final = 3.0  # seconds for a host that the JVM named, when there is the configured one
_GONE: Final = "java.rmi.NoSuchObjectException"
_DENIED: Final = ("java.lang.SecurityException", "java.lang.IllegalArgumentException")
_NULL: Final = b"\x70"

Asked = TypeVar("Asked")
Told = TypeVar("Told")


class Session:
    """Speaks to one target; used by one thread at a time, ``abort`` excepted."""

    def __init__(
        self, target: Target, remaining: Remaining, context: Callable[[], ssl.SSLContext]
    ) -> None:
        """``remaining`` says how many seconds are left; ``context`` reads keys and certificates.

        They are read at each login, so renewed ones are taken without a restart.
        """
        self._target = target
        self._remaining = remaining
        self._make_context = context
        self._context: ssl.SSLContext | None = None
        self._login: Stub | None = None
        self._wire: Wire | None = None
        self._limits: Limits = LIMITS._replace(size=target.most_bytes)
        self.logins = 0

    @property
    def login(self) -> bytes:
        """The number of the login as a remote object; there is one after ``ensure``."""
        return b"" if self._login is None else self._login.object_id

    def ensure(self) -> None:
        """Be logged in. Raises TargetUnavailable, TargetDenied, OutOfTime."""
        if self._login is None:
            self._log_in()

    def abort(self) -> None:
        """Break off what another thread waits for; the login stays."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def close(self) -> None:
        """End the login at the JVM, if that can be done at once."""
        if self._login is not None and self._wire is not None:
            with suppress(OSError, ProtocolError, OutOfTime, Thrown):
                self._wire.send(close_call(self._login.object_id))
                self._wire.feed.start(self._limits.size)
                answer(self._wire.feed, self._limits, void=True)
        self.abort()
        self._login = None

    def query(self, pattern: str | None) -> list[str]:
        """Return the names of beans, in the order their properties were registered with."""

        def frame(_: None) -> bytes:
            return call(self.login, QUERY_MBEANS, name_argument(pattern), _NULL, _NULL)

        for _, told in self.exchange([None], frame, lambda _, feed: self.read(feed)):
            if isinstance(told, Exception):
                raise TargetUnavailable(f"the names of beans cannot be read: {told}") from told
            names = (_name_of(item) for item in items_of(told))
            return [name for name in names if name]
        return []

    def read(self, feed: Feed, slots: list[tuple[int, str]] | None = None) -> object:
        """Read one answer in full. Raises Thrown, ProtocolError, WriteAborted."""
        return answer(feed, self._limits, slots=slots)

    def exchange(
        self,
        asked: Sequence[Asked],
        frame: Callable[[Asked], bytes],
        take: Callable[[Asked, Feed], Told],
    ) -> Iterator[tuple[Asked, Told | Thrown | WriteAborted]]:
        """Ask each question; yield what was told, or why that question has no answer.

        Raises TargetUnavailable, TargetDenied and OutOfTime, after which the rest is unanswered.
        """
        done = sent = 0
        repaired, again = -1, True
        try:
            while done < len(asked):
                self.ensure()
                told: Told | Thrown | WriteAborted
                try:
                    wire = self._connected()
                    if sent - done <= _WINDOW // 2:
                        sent = self._send(wire, asked, max(sent, done), done + _WINDOW, frame)
                    wire.feed.start(self._limits.size)
                    told = take(asked[done], wire.feed)
                except Thrown as error:
                    if error.kind == _GONE and again:
                        again, sent = False, done
                        self._forget()
                        continue
                    told = error
                except WriteAborted as error:
                    self.abort()
                    sent, told = done + 1, error
                except (OSError, ProtocolError) as error:
                    self.abort()
                    if repaired == done or not _is_broken(error):
                        raise TargetUnavailable(f"{self._target.place}: {_told(error)}") from error
                    repaired, sent = done, done
                    continue
                done += 1
                yield asked[done - 1], told
        finally:
            if sent > done:
                self.abort()  # or the next question would get the answers to these

    def _send(
        self,
        wire: Wire,
        asked: Sequence[Asked],
        start: int,
        end: int,
        frame: Callable[[Asked], bytes],
    ) -> int:
        frames, size, at = list[bytes](), 0, start
        while at < min(end, len(asked)) and (size < _MOST_SENT or not frames):
            frames.append(frame(asked[at]))
            size += len(frames[-1])
            at += 1
        if frames:
            wire.send(b"".join(frames))
        return at

    def _connected(self) -> Wire:
        """Return the connection of the login; if that cannot be had, log in anew."""
        wire = self._wire
        if wire is None and self._login is not None:
            with suppress(TargetUnavailable):
                wire = self._wire = self._open(self._login)
        if wire is None:
            self._forget()
            wire = self._log_in()
        return wire

    def _wrapping(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = self._make_context()
        return self._context

    def _forget(self) -> None:
        self.abort()
        self._login = None

    def _log_in(self) -> Wire:
        place = self._target.place
        tls = self._target.tls
        self._context = None
        context = self._wrapping() if tls.enabled and tls.registry else None
        registry = Wire.open(place.host, place.port, self._remaining, 1 << 20, context=context)
        try:
            server = self._ask_stub(registry, lookup(place.name), self._not_bound)
        finally:
            registry.close()
        wire = self._open(server)
        try:
            login = self._ask_stub(wire, self._new_client(server), self._denied)
        except BaseException:
            wire.close()
            raise
        if (login.host, login.port) != (server.host, server.port):
            wire.close()
            wire = self._open(login)
        self._login, self._wire = login, wire
        self.logins += 1
        return wire

    def _new_client(self, server: Stub) -> bytes:
        words = credentials(self._target.username, self._target.password)
        return call(server.object_id, NEW_CLIENT, words)

    def _ask_stub(
        self, wire: Wire, question: bytes, explained: Callable[[Thrown], Exception]
    ) -> Stub:
        try:
            wire.send(question)
            wire.feed.start(self._limits.size)
            return stub_of(answer(wire.feed, self._limits))
        except Thrown as error:
            raise explained(error) from error
        except (OSError, ProtocolError) as error:
            raise TargetUnavailable(f"{self._target.place}: {_told(error)}") from error

    def _not_bound(self, error: Thrown) -> Exception:
        place = self._target.place
        return TargetUnavailable(f"{place}: the registry does not know {place.name!r} ({error})")

    def _denied(self, error: Thrown) -> Exception:
        target = self._target
        if error.kind not in _DENIED:
            return TargetUnavailable(f"{target.place}: no login: {error}")
        if target.username and target.password:
            return TargetDenied(
                f"{target.place}: the JVM refuses user {target.username!r}"
                f" with this password ({error.message})"
            )
        return TargetDenied(f"{target.place}: the JVM wants username and password")

    def _open(self, stub: Stub) -> Wire:
        """Connect to where a remote object lives, or to the same port of the configured host."""
        place = self._target.place
        context = self._wrapping() if stub.tls else None
        follows = self._target.follows_host
        hosts = [stub.host, place.host] if follows else [place.host]
        if len(set(hosts)) == 1:
            hosts = hosts[:1]
        for host in hosts[:-1]:
            with suppress(TargetUnavailable):
                return self._to(host, stub.port, context, _DETOUR)
        return self._to(hosts[-1], stub.port, context, 10.0)

    def _to(self, host: str, port: int, context: ssl.SSLContext | None, longest: float) -> Wire:
        most = self._limits.size
        return Wire.open(host, port, self._remaining, most, context=context, longest=longest)


def _is_broken(error: Exception) -> bool:
    """Say whether the connection broke; nonsense that came whole is not asked for again."""
    return isinstance(error, OSError | Truncated)


def _told(error: Exception) -> str:
    return reason_of(error) if isinstance(error, OSError) else str(error)


def _name_of(item: object) -> str:
    if not isinstance(item, JavaObject):
        return ""
    name = item.fields.get("name") if item.type.endswith("ObjectInstance") else item
    if isinstance(name, JavaObject) and name.data and isinstance(name.data[0], str):
        return name.data[0]
    return ""
