"""Moments without reading while much comes in: what then comes together costs less each.

The loop's timers count milliseconds. Those of the kernel (timerfd_create(2)) do not, but the os
module of Python 3.11 does not name them.
"""

import ctypes
import os
from array import array
from typing import Final

__all__ = ["Pause"]

_MONOTONIC: Final = 1


class Pause:
    """A descriptor that is readable when a pause is over."""

    def __init__(self, seconds: float) -> None:
        """Raises OSError where the system has no such timer."""
        try:
            libc = ctypes.CDLL(None)
            create, self._set = libc.timerfd_create, libc.timerfd_settime
        except (AttributeError, TypeError) as error:
            raise OSError("there is no timer to read from") from error
        self._spec = array("q", (0, 0, 0, int(seconds * 1e9)))  # struct itimerspec
        self._pointer = ctypes.c_void_p(self._spec.buffer_info()[0])
        self.fd: int = create(_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError("no timer to read from is left")

    def begin(self) -> None:
        """Begin a pause; the descriptor is not readable until it is over."""
        self._set(self.fd, 0, self._pointer, None)

    def close(self) -> None:
        """Free the descriptor."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
