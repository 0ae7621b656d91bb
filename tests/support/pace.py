"""Times for waiting, on a machine that others may keep busy too."""

import os

__all__ = ["allowed"]


def allowed(seconds: float) -> float:
    """Return how long to wait for what takes so long on a machine with nothing else to do.

    With three runnable processes for each core everything takes three times as long.
    """
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
