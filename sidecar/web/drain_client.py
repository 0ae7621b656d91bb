"""``pinnace drain``: ask a running program to drain a container, and tell each step.

Its connection is the mark's life line: ending it, as Ctrl-C does, takes the mark back.
"""

import http.client
import json
import sys
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote, urlencode

from sidecar.config.units import Endpoint
from sidecar.runtime.log import escape

__all__ = ["drain", "place_of", "undo"]

_ANSWER: Final = 15.0  # the server tells something each second
_STOPPING: Final = 3600.0  # but an engine says nothing while a container takes its time to stop
_LINE: Final = 1 << 20
# An address that means "every address" to a listener means "myself" to a client.
_OWN: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
OK: Final = 0
FAILURE: Final = 1
OVERDUE: Final = 3
INTERRUPTED: Final = 130


def drain(
    listen: Endpoint, container: str, query: dict[str, str], *, token: str = "", as_json: bool
) -> int:
    """Drain a container; return the exit status.

    0: nothing was under way any more; 3: the time was up first; 1: it did not work.
    """
    connection = _connection(listen)
    status = OK
    try:
        for line in _lines(connection, "PUT", container, query, token):
            step = json.loads(line)
            if step["phase"] == "failed":
                return _complain(f"{container}: {step['error']}")
            if step["phase"] == "overdue":
                status = OVERDUE
            _say(line if as_json else _told(step))
    except KeyboardInterrupt:
        _complain(f"{container}: interrupted; it takes new work again")
        return INTERRUPTED
    except _Refused as error:
        return _complain(str(error))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _complain(f"{place_of(listen)}: {str(error) or type(error).__name__}")
    finally:
        connection.close()
    return status


def undo(listen: Endpoint, container: str, *, token: str = "") -> int:
    """Take a mark back that was left standing; return the exit status."""
    connection = _connection(listen)
    try:
        for _ in _lines(connection, "DELETE", container, {}, token):
            pass
    except _Refused as error:
        return _complain(str(error))
    except (OSError, http.client.HTTPException) as error:
        return _complain(f"{place_of(listen)}: {str(error) or type(error).__name__}")
    finally:
        connection.close()
    _say(f"{escape(container)} takes new work again")
    return OK


class _Refused(Exception):
    """The server said no; the text is its own."""


def place_of(listen: Endpoint) -> Endpoint:
    """Return where a program that listens so is asked from its own host."""
    return Endpoint(_OWN.get(listen.host, listen.host), listen.port)


def _connection(listen: Endpoint) -> http.client.HTTPConnection:
    place = place_of(listen)
    return http.client.HTTPConnection(place.host, place.port, timeout=_ANSWER)


def _lines(
    connection: http.client.HTTPConnection,
    method: str,
    container: str,
    query: dict[str, str],
    token: str,
) -> Iterator[str]:
    path = f"/v1/pinnace/drain/{quote(container, safe='')}"
    if query:
        path += f"?{urlencode(query)}"
    connection.request(method, path, headers={"X-Consul-Token": token} if token else {})
    answer = connection.getresponse()
    if answer.status != http.HTTPStatus.OK:
        text = answer.read(2000).decode("utf-8", "replace").strip()
        raise _Refused(text or f"status {answer.status}: is this a Pinnace that registers?")
    while line := answer.readline(_LINE):
        if b'"done"' in line or b'"overdue"' in line:
            _wait_longer(connection)
        yield line.decode("utf-8", "replace").rstrip("\n")


def _wait_longer(connection: http.client.HTTPConnection) -> None:
    if connection.sock is not None:
        connection.sock.settimeout(_STOPPING)


def _told(step: dict[str, Any]) -> str:
    count, left = step.get("in_flight"), step.get("left")
    match step["phase"]:
        case "marked":
            names = ", ".join(step["instances"]) or "nothing of it is registered"
            text = f"marked: {names}"
        case "waiting" if count is not None:
            text = f"waiting: {count} in flight"
        case "waiting":
            text = f"waiting: {max(0.0, left or 0.0):.0f} s to go"
        case "done":
            text = "done: nothing in flight"
        case "overdue":
            text = f"overdue: {count} still in flight" if count is not None else "overdue"
        case _:
            text = step["phase"]
    return escape(f"{step['seconds']:8.3f} s  {text}")


def _complain(text: str) -> int:
    sys.stderr.write(escape(f"pinnace drain: {text}") + "\n")
    return FAILURE


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
