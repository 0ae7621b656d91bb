"""The transport over RMI: beans' questions through a session, answers read or recognised."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from adapter.jmx.bean import Attribute, Bean, Known, Values, attributes_in, values_in
from adapter.jmx.calls import (
    GET_ATTRIBUTE,
    GET_ATTRIBUTES,
    GET_MBEAN_INFO,
    INVOKE,
    Thrown,
    call,
    name_argument,
    names_argument,
    text_argument,
)
from adapter.jmx.feed import Feed
from adapter.jmx.limits import WriteAborted
from adapter.jmx.marshalled import arguments
from adapter.jmx.operations import FAILED, Operation
from adapter.jmx.session import Session
from sidecar.runtime.log import get_logger

__all__ = ["RmiTransport"]

_NULL: Final = b"\x70"

_log = get_logger("jmx")


class RmiTransport:
    """Asks through a session; one scrape long."""

    def __init__(self, session: Session) -> None:
        """Use this session, logged in or not."""
        self._session = session

    @property
    def peer(self) -> bytes:
        """What tells one run of the JVM from the next (``java.rmi.server.UID``)."""
        return self._session.login[8:20]

    def names(self, pattern: str | None) -> Iterable[str]:
        """Return the names of beans that match, or of all."""
        return self._session.query(pattern)

    def attributes(
        self, beans: Sequence[Bean]
    ) -> Iterator[tuple[Bean, Sequence[Attribute] | None]]:
        """Yield what each bean has; None when it cannot say."""
        session = self._session

        def frame(bean: Bean) -> bytes:
            return call(session.login, GET_MBEAN_INFO, name_argument(bean.text), _NULL)

        for bean, told in session.exchange(beans, frame, lambda _, feed: session.read(feed)):
            yield bean, None if isinstance(told, Exception) else attributes_in(told)

    def read(self, beans: Sequence[Bean]) -> Iterator[tuple[Bean, Known | Values | None]]:
        """Yield what was read of each bean, or samples where the answer was known."""
        failed = []
        for bean, told in self._session.exchange(beans, self._frame, self._take):
            if not isinstance(told, Exception):
                yield bean, told
            elif isinstance(told, Thrown) and told.kind.endswith("InstanceNotFoundException"):
                continue  # it is gone since we asked for the names
            else:
                failed.append(bean)
        for bean in failed:
            yield bean, self._one_by_one(bean)

    def invoke(self, operations: Sequence[Operation]) -> Iterator[tuple[Operation, object]]:
        """Yield what each operation returned."""
        session = self._session

        def frame(operation: Operation) -> bytes:
            named = name_argument(operation.bean) + text_argument(operation.name)
            rest = arguments(*operation.arrays) + names_argument(operation.signature) + _NULL
            return call(session.login, INVOKE, named, rest)

        for operation, told in session.exchange(operations, frame, lambda _, f: session.read(f)):
            yield operation, FAILED if isinstance(told, Exception) else told

    def _frame(self, bean: Bean) -> bytes:
        if not bean.frame:
            bean.frame = name_argument(bean.text) + names_argument(bean.asked) + _NULL
        return call(self._session.login, GET_ATTRIBUTES, bean.frame)

    def _take(self, bean: Bean, feed: Feed) -> Known | Values:
        if bean.can_learn:
            known = bean.known(feed)
            if known is not None:
                return Known(known)
        start = feed.at
        told = self._session.read(feed)
        if bean.can_learn:
            raw = feed.data[start : feed.at]
            slots: list[tuple[int, str]] = []
            again = Feed(bytes, len(raw))
            again.data = raw
            bean.learn(raw, self._session.read(again, slots), slots)
        return values_in(told)

    def _one_by_one(self, bean: Bean) -> Values | None:
        """Read attributes singly, and remember those that cannot be sent at all."""
        session = self._session

        def frame(name: str) -> bytes:
            return call(
                session.login, GET_ATTRIBUTE, name_argument(bean.text), text_argument(name), _NULL
            )

        values, asked = [], bean.asked
        for name, told in session.exchange(asked, frame, lambda _, feed: session.read(feed)):
            if isinstance(told, WriteAborted):
                _log.info("attribute left out", bean=bean.text, attribute=name, reason=told)
                bean.exclude(name)
            elif not isinstance(told, Exception):
                values.append((name, told))
        return values or None
