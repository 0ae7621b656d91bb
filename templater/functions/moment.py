"""A point in time to which confd's templates add text such as ``1h30m``. Pure."""

from typing import Self

from sidecar.config.units import go_duration
from sidecar.gotemplate import moment

__all__ = ["Moment"]


class Moment(moment.Moment):
    """A time with nanoseconds, in a zone."""

    def add(self, duration: object) -> Self:
        """Return a later time; takes nanoseconds, or text."""
        if isinstance(duration, str):
            duration = round(go_duration(duration) * 1e9)
        return super().add(duration)
