"""One plain HTTP request to a port of this machine."""

import http.client

__all__ = ["get"]


def get(port: int, path: str) -> tuple[int, bytes]:
    """Return status and body; status 0 when nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()
