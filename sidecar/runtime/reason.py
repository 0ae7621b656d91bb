"""Why the system refused something, in its own words. Pure but for the table of words."""

import os
import socket

__all__ = ["reason_of"]


def reason_of(error: OSError) -> str:
    """Return the system's words for an error; event loops replace them by their own."""
    if error.errno is not None and error.errno > 0 and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)
    return error.strerror or str(error) or type(error).__name__
