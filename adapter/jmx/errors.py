"""What can go wrong with a target."""

from sidecar.errors import PermanentError, TransientError

__all__ = ["OutOfTime", "TargetDenied", "TargetUnavailable", "TooMany"]


class TargetUnavailable(TransientError):
    """The JVM cannot be reached, or does not answer as one."""


class OutOfTime(TransientError):
    """The scrape's time is over; what has come so far stands."""


class TargetDenied(PermanentError):
    """The JVM refuses us: name and password, or a certificate."""


class TooMany(PermanentError):
    """The JVM has more than a target may have; what has come so far stands."""
