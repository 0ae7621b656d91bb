"""``pinnace dig``: ask a running program what DNS answers, and why."""

import http.client
import json
import sys
from typing import Final
from urllib.parse import urlencode

from dnsd.present import question_of
from dnsd.told import lines_of
from sidecar.config.units import Endpoint
from sidecar.runtime.log import escape
from sidecar.web.drain_client import place_of

__all__ = ["ask"]

_ANSWER: Final = 10.0
_LONGEST: Final = 64 << 20
OK: Final = 0
FAILURE: Final = 1
USAGE: Final = 2


def ask(listen: Endpoint, name: str, type_: str, *, token: str = "", as_json: bool) -> int:
    """Print the answer; return the exit status: 0 when there was one, 2 for what is no question."""
    try:
        question_of(name, type_)
    except ValueError as error:
        return _complain(str(error), USAGE)
    place = place_of(listen)
    connection = http.client.HTTPConnection(place.host, place.port, timeout=_ANSWER)
    query = urlencode({"name": name, "type": type_})
    headers = {"X-Consul-Token": token} if token else {}
    try:
        connection.request("GET", f"/v1/pinnace/dig?{query}", headers=headers)
        answer = connection.getresponse()
        body = answer.read(_LONGEST).decode("utf-8", "replace")
        if answer.status == http.HTTPStatus.BAD_REQUEST:
            return _complain(body.strip() or "it is no question", USAGE)
        if answer.status != http.HTTPStatus.OK:
            return _complain(body.strip() or f"status {answer.status}: is this a Pinnace with DNS?")
        found = json.loads(body)
        text = json.dumps(found, indent=2) if as_json else "\n".join(lines_of(found))
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return _complain(f"{place}: {reason}; does pinnace up run there? (--http ADDR:PORT)")
    except (ValueError, LookupError, TypeError):
        return _complain(f"{place} answers something else: is this a Pinnace of this version?")
    finally:
        connection.close()
    sys.stdout.write(text + "\n")
    return OK


def _complain(text: str, status: int = FAILURE) -> int:
    sys.stderr.write(f"pinnace dig: {escape(text)}\n")
    return status
