"""Sprig's functions that ask the machine: the time and the environment. Pure: both are given.

They are for templates whose authors are trusted, as those of confd and consul-template are.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from string import Template
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sidecar.config.units import go_duration
from sidecar.gotemplate.moment import Moment

__all__ = ["sprig_world"]

_HTML_DATE: Final = "2006-01-02"
_LOCAL: Final = "Local"


def sprig_world(
    environ: Mapping[str, str], wall: Callable[[], float]
) -> Mapping[str, Callable[..., object]]:
    """Return them by Sprig's names; ``wall`` gives seconds since 1970."""
    times = _Times(wall)

    def env(name: str) -> str:
        return environ.get(name, "")

    def expanded(text: str) -> str:
        return Template(text).safe_substitute(_Known(environ))

    return {
        "date": times.date,
        "dateInZone": times.date_in_zone,
        "dateModify": times.modified,
        "date_in_zone": times.date_in_zone,
        "date_modify": times.modified,
        "env": env,
        "expandenv": expanded,
        "htmlDate": times.html_date,
        "htmlDateInZone": times.html_date_in_zone,
        "now": times.now,
        "unixEpoch": times.unix_epoch,
    }


class _Times:
    """A value stands for a time: one, seconds since 1970, or anything else for now."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall

    def now(self) -> Moment:
        return _moment(self._wall(), None)

    def date(self, layout: str, value: object) -> str:
        return self.date_in_zone(layout, value, _LOCAL)

    def date_in_zone(self, layout: str, value: object, zone: str) -> str:
        return _moment(self._of(value).unix(), _zone(zone)).format(layout)

    def html_date(self, value: object) -> str:
        return self.date(_HTML_DATE, value)

    def html_date_in_zone(self, value: object, zone: str) -> str:
        return self.date_in_zone(_HTML_DATE, value, zone)

    def modified(self, duration: str, value: object) -> Moment:
        return self._of(value).add(_nanoseconds(duration))

    def unix_epoch(self, value: object) -> str:
        return str(self._of(value).unix())

    def _of(self, value: object) -> Moment:
        if isinstance(value, Moment):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return _moment(value, None)
        return self.now()


class _Known(dict[str, str]):
    """The environment; what is not there is empty."""

    def __missing__(self, _: str) -> str:
        return ""


def _moment(wall: float, zone: tzinfo | None) -> Moment:
    """Return a time in a zone; None is this machine's."""
    return Moment(datetime.fromtimestamp(wall, UTC).astimezone(zone), int(wall % 1 * 1e9))


def _zone(name: str) -> tzinfo | None:
    """Return a zone; an unknown one is UTC, as in Sprig."""
    if name == _LOCAL:
        return None
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def _nanoseconds(duration: str) -> int:
    sign, text = (-1, duration[1:]) if duration.startswith("-") else (1, duration)
    return sign * round(go_duration(text) * 1e9)
