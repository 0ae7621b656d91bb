"""``pinnace lb show``: ask a running program what its load balancer does."""

import http.client
import json
import sys
from collections.abc import Sequence
from typing import Any, Final

from sidecar.config.units import Endpoint
from sidecar.runtime.log import escape
from sidecar.web.drain_client import place_of
from sidecar.web.lb_table import only, services_of, table

__all__ = ["show"]

_ANSWER: Final = 15.0
_PATH: Final = "/v1/pinnace/lb"
OK: Final = 0
FAILURE: Final = 1


def show(listen: Endpoint, services: Sequence[str], *, token: str = "", as_json: bool) -> int:
    """Print it for some services, or for all; return the exit status."""
    place = place_of(listen)
    try:
        status, body = _got(place, token)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return _complain(f"{place}: {reason}; does pinnace up run there? (--http ADDR:PORT)")
    if status != http.HTTPStatus.OK:
        text = body[:2000].decode("utf-8", "replace").strip()
        return _complain(text or f"{place} answers {status}: is this a Pinnace?")
    try:
        found = json.loads(body)
        if found is None:
            return _complain("no load balancer runs there (lb.kind = none)")
        return _shown(found, services, as_json=as_json)
    except (ValueError, KeyError, TypeError, AttributeError):
        return _complain(f"{place} answers something else: is this a Pinnace of this version?")


def _shown(found: dict[str, Any], services: Sequence[str], *, as_json: bool) -> int:
    known = services_of(found)
    if unknown := [name for name in services if name not in known]:
        return _complain(f"no service {unknown[0]!r} is routed")
    if services:
        found = only(found, frozenset(services))
    text = json.dumps(found, indent=2) if as_json else table(found)
    sys.stdout.write(text + "\n")
    return OK


def _got(place: Endpoint, token: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(place.host, place.port, timeout=_ANSWER)
    try:
        connection.request("GET", _PATH, headers={"X-Consul-Token": token} if token else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _complain(text: str) -> int:
    sys.stderr.write(escape(f"pinnace lb: {text}") + "\n")
    return FAILURE
