"""Ask a running process whether it is ready: what a container's health check calls."""

import http.client
from typing import Final

from sidecar.config.units import Endpoint
from sidecar.runtime.log import escape

__all__ = ["is_ready"]

_TIMEOUT: Final = 3.0
_MOST: Final = 300
# An address that means "every address" to a listener means "myself" to a client.
_OWN: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def is_ready(listen: Endpoint) -> tuple[bool, str]:
    """Return whether ``GET /readyz`` answers 200, and one line that says so."""
    host = _OWN.get(listen.host, listen.host)
    place = Endpoint(host, listen.port)
    connection = http.client.HTTPConnection(host, listen.port, timeout=_TIMEOUT)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read(_MOST).decode("utf-8", "backslashreplace")
    except (OSError, http.client.HTTPException) as error:
        return False, f"{place}: no answer: {_line(str(error) or type(error).__name__)}"
    finally:
        connection.close()
    if answer.status == http.HTTPStatus.OK:
        return True, f"{place}: ready"
    return False, f"{place}: not ready ({answer.status}): {_line(body)}"


def _line(text: str) -> str:
    return escape(" ".join(text.split()))
