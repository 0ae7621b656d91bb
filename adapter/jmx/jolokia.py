"""The second transport: an agent that speaks HTTP and JSON (Jolokia's protocol, version 7).

Reads go out as one POST of many; rules see the same texts, with two differences that lie in the
protocol: names come in the order the agent writes them (``canonicalNaming=false`` asks for the
registered one), and a table is a map of maps, so its rows are parts of the path.
"""

import base64
import http.client
import json
import re
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from adapter.jmx.bean import Attribute, Bean, Known, Values
from adapter.jmx.connection import Remaining
from adapter.jmx.errors import OutOfTime, TargetDenied, TargetUnavailable
from adapter.jmx.operations import FAILED, Operation
from adapter.jmx.records import JavaArray
from adapter.jmx.settings import Target
from adapter.jmx.values import ARRAY, Composite

__all__ = ["JolokiaTransport", "neutral"]

_AT_ONCE: Final = 200  # reads in one request
_OPTIONS: Final = "?canonicalNaming=false&ignoreErrors=true&maxDepth=7"
_DEEPEST: Final = 10
_TYPES: Final = re.compile(
    r"[a-z]+|\[J|java\.lang\.\w+|java\.math\.\w+|javax\.management\.openmbean\.\w+"
)
"""Types that are read. Of any other the agent calls every getter, be it ``getAndIncrement``."""


class JolokiaTransport:
    """Asks an agent; one scrape long."""

    def __init__(
        self, target: Target, remaining: Remaining, context: Callable[[], ssl.SSLContext]
    ) -> None:
        """Connect when asked first."""
        self._target = target
        self._remaining = remaining
        self._context = context
        self._found: Mapping[str, Mapping[str, Any]] = {}

    @property
    def peer(self) -> bytes:
        """Nothing tells one run of the JVM from the next; what beans have is asked now and then."""
        return self._target.place.url.encode()

    def names(self, pattern: str | None) -> Iterable[str]:
        """Return the names of beans that match, or of all."""
        (found,) = self._ask([{"type": "search", "mbean": pattern or "*:*"}])
        value = found.get("value")
        return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []

    def attributes(
        self, beans: Sequence[Bean]
    ) -> Iterator[tuple[Bean, Sequence[Attribute] | None]]:
        """Yield what each bean has; None when it cannot say."""
        asked = [{"type": "list", "path": _path(bean)} for bean in beans]
        for bean, found in zip(beans, self._ask(asked), strict=True):
            value = found.get("value")
            attributes = value.get("attr") if isinstance(value, dict) else None
            if found.get("status") != 200 or not isinstance(attributes, dict | None):
                yield bean, None
                continue
            yield (
                bean,
                [
                    Attribute(name, str(about.get("type")), str(about.get("desc") or ""))
                    for name, about in (attributes or {}).items()
                    if isinstance(about, dict) and _TYPES.fullmatch(str(about.get("type")))
                ],
            )

    def read(self, beans: Sequence[Bean]) -> Iterator[tuple[Bean, Known | Values | None]]:
        """Yield what was read of each bean."""
        asked = [{"type": "read", "mbean": bean.text, "attribute": [*bean.asked]} for bean in beans]
        for bean, found in zip(beans, self._ask(asked), strict=True):
            value = found.get("value")
            if found.get("status") == 200 and isinstance(value, dict):
                yield bean, [(name, neutral(item)) for name, item in value.items()]
            else:
                yield bean, None

    def invoke(self, operations: Sequence[Operation]) -> Iterator[tuple[Operation, object]]:
        """Yield what each operation returned."""
        asked = [
            {
                "type": "exec",
                "mbean": operation.bean,
                "operation": f"{operation.name}({','.join(operation.signature)})",
                "arguments": [[*numbers] for numbers in operation.arrays],
            }
            for operation in operations
        ]
        for operation, found in zip(operations, self._ask(asked), strict=True):
            is_done = found.get("status") == 200
            yield operation, neutral(found.get("value")) if is_done else FAILED

    def _ask(self, asked: Sequence[Mapping[str, object]]) -> Iterator[Mapping[str, Any]]:
        for at in range(0, len(asked), _AT_ONCE):
            part = asked[at : at + _AT_ONCE]
            found = self._post(json.dumps(part).encode())
            if not isinstance(found, list) or len(found) != len(part):
                raise TargetUnavailable(f"{self._target.place}: this is no answer of Jolokia's")
            for one in found:
                yield one if isinstance(one, dict) else {}

    def _post(self, body: bytes) -> object:
        place, seconds = self._target.place, self._remaining()
        if seconds <= 0:
            raise OutOfTime("the scrape's time is over")
        try:
            status, data = self._exchanged(body, seconds)
        except TimeoutError as error:
            raise OutOfTime("no answer within the scrape's time") from error
        except (OSError, http.client.HTTPException) as error:
            raise TargetUnavailable(f"{place}: {error}") from error
        if status in {401, 403}:
            raise TargetDenied(f"{place}: the agent refuses us (HTTP {status}): see username")
        if status != 200:
            raise TargetUnavailable(f"{place}: the agent answers HTTP {status}")
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise TargetUnavailable(f"{place}: this is no answer of Jolokia's") from error

    def _exchanged(self, body: bytes, seconds: float) -> tuple[int, bytes]:
        place, parts = self._target.place, urlsplit(self._target.place.url)
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            connection = http.client.HTTPSConnection(
                place.host, place.port, timeout=seconds, context=self._context()
            )
        else:
            connection = http.client.HTTPConnection(place.host, place.port, timeout=seconds)
        try:
            path = (parts.path.rstrip("/") or "/jolokia") + "/" + _OPTIONS
            connection.request("POST", path, body, self._headers())
            with connection.getresponse() as response:
                return response.status, self._body(response)
        finally:
            connection.close()

    def _body(self, response: http.client.HTTPResponse) -> bytes:
        data, most = bytearray(), self._target.most_bytes
        while piece := response.read1(1 << 16):
            data += piece
            if len(data) > most:
                raise TargetUnavailable(
                    f"{self._target.place}: the answer is longer than maxReplyBytes allows"
                )
            if self._remaining() <= 0:
                raise OutOfTime("the scrape's time is over")
        return bytes(data)

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        target = self._target
        if target.username and target.password:
            word = base64.b64encode(f"{target.username}:{target.password}".encode()).decode()
            headers["Authorization"] = f"Basic {word}"
        return headers


def _path(bean: Bean) -> str:
    """Return where a bean stands in the agent's list; ``!`` escapes there."""
    domain, _, rest = bean.text.partition(":")
    return "/".join(part.replace("!", "!!").replace("/", "!/") for part in (domain, rest))


def neutral(value: object, depth: int = 0) -> object:
    """Return a value of JSON as rules' values are."""
    if isinstance(value, dict) and depth < _DEEPEST:
        items = {str(key): neutral(value[key], depth + 1) for key in sorted(value)}
        return Composite(items)
    if isinstance(value, list) and depth < _DEEPEST:
        made = JavaArray("[")
        made.items = [neutral(item, depth + 1) for item in value]
        return made
    return ARRAY if isinstance(value, list | dict) else value
