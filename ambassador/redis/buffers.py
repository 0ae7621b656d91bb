"""How large a buffer Redis keeps for the replies of one client. Pure.

As ``clientsCronResizeOutputBuffer`` (server.c of 7.0.15) does it: a new one is large, one that was
not filled for some seconds is small, one that overflows grows.
"""

from typing import Final

__all__ = ["PEAK_RESET", "reply_buffer"]

PEAK_RESET: Final = 5.0
"""Seconds after which a large reply is forgotten; below 0: never (DEBUG REPLYBUFFER)."""
_LARGEST: Final = 16384
_SMALLEST: Final = 1024


def reply_buffer(age: float, peak: int, since: float, reset: float) -> tuple[int, int]:
    """Return the size of a client's buffer and its peak.

    ``peak`` is its largest reply, ``since`` how long that is ago.
    """
    if peak and (since < reset or reset < 0):
        peak = min(peak, _LARGEST)
        return (_LARGEST if peak * 2 >= _LARGEST else max(_SMALLEST, peak + 1)), peak
    return (_LARGEST, _LARGEST) if age < reset else (_SMALLEST, 0)
