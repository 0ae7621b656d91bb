"""One HTTP request without redirects, in a thread: rare, and a real client costs memory."""

import urllib.request
from typing import Any, Final
from urllib.error import HTTPError

__all__ = ["fetched"]

_BODY: Final = 65536


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def fetched(request: urllib.request.Request, timeout: float) -> tuple[int, str]:
    """Return status and body. Blocks. Raises OSError (URLError is one)."""
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=timeout) as response:
            return response.status, response.read(_BODY).decode("utf-8", "replace")
    except HTTPError as error:
        with error:
            return error.code, error.read(_BODY).decode("utf-8", "replace")
