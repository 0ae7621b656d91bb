"""A point in time as Go's templates use one: layouts by the reference date, and methods. Pure.

The reference date is Mon Jan 2 15:04:05 MST 2006 (``-0700`` the zone); each of its parts in a
layout stands for that part of the time.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final, Self

from sidecar.gotemplate.kinds import GoType

__all__ = ["Moment"]

_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
# The longest first; a fraction only after seconds, and "_2" not before the year's digits.
_PART: Final = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|-07:00:00|-07:00|-070000|-0700|-07"
    r"|Z07:00:00|Z07:00|Z070000|Z0700|Z07|__2|002|01|02|03|04|05|06|_2006|_2|15|PM|pm"
    r"|[.,]0+(?![0-9])|[.,]9+(?![0-9])|1|2|3|4|5"
)


class Moment:
    """A time with nanoseconds, in a zone."""

    go_type: ClassVar = GoType("time.Time", "struct")

    go_methods: ClassVar[Mapping[str, str]] = {
        "Add": "add", "Day": "day", "Format": "format", "Hour": "hour", "IsZero": "is_zero",
        "Minute": "minute",
        "Month": "month", "Nanosecond": "nanosecond", "Second": "second", "String": "text",
        "UTC": "utc", "Unix": "unix", "UnixNano": "unix_nano", "Weekday": "weekday",
        "Year": "year", "YearDay": "year_day",
    }  # fmt: skip

    def __init__(
        self, time: datetime, nanosecond: int = 0, since_start: float | None = None
    ) -> None:
        """Take a time with a zone; ``since_start`` is what Go prints as ``m=+``."""
        self._time = time.replace(microsecond=0)
        self._nanosecond = nanosecond
        self._since_start = since_start

    def __str__(self) -> str:
        """Return what printing it gives."""
        return self.text()

    def text(self) -> str:
        """Return what printing it gives."""
        text = self.format("2006-01-02 15:04:05.999999999 -0700 MST")
        if self._since_start is None:
            return text
        sign = "+" if self._since_start >= 0 else "-"
        return f"{text} m={sign}{abs(self._since_start):.9f}"

    def format(self, layout: str) -> str:
        """Return the time in the layout's form."""
        return _PART.sub(lambda found: self._part(found, layout), layout)

    def add(self, duration: object) -> Self:
        """Return a time so many nanoseconds later."""
        if not isinstance(duration, int):
            raise TypeError(f"{duration!r} is not a duration")
        whole, rest = divmod(self._nanosecond + duration, 1_000_000_000)
        return type(self)(self._time + timedelta(seconds=whole), rest)

    def utc(self) -> Self:
        """Return the same time in UTC."""
        return type(self)(self._time.astimezone(UTC), self._nanosecond)

    def unix(self) -> int:
        """Return seconds since 1970."""
        return int(self._time.timestamp())

    def unix_nano(self) -> int:
        """Return nanoseconds since 1970."""
        return self.unix() * 1_000_000_000 + self._nanosecond

    def is_zero(self) -> bool:
        """Say whether it is Go's zero time, the first of January of the year 1."""
        first = datetime(1, 1, 1, tzinfo=UTC)
        return self._nanosecond == 0 and self._time == first

    def year(self) -> int:
        """Return the year."""
        return self._time.year

    def month(self) -> str:
        """Return the month's name, as Go prints a month."""
        return _MONTHS[self._time.month - 1]

    def day(self) -> int:
        """Return the day of the month."""
        return self._time.day

    def year_day(self) -> int:
        """Return the day of the year, from 1."""
        return self._time.timetuple().tm_yday

    def hour(self) -> int:
        """Return the hour of the day."""
        return self._time.hour

    def minute(self) -> int:
        """Return the minute of the hour."""
        return self._time.minute

    def second(self) -> int:
        """Return the second of the minute."""
        return self._time.second

    def nanosecond(self) -> int:
        """Return the nanosecond of the second."""
        return self._nanosecond

    def weekday(self) -> str:
        """Return the day's name, as Go prints a weekday."""
        return _DAYS[self._time.weekday()]

    def _part(self, found: re.Match[str], layout: str) -> str:
        part = found[0]
        if part[0] in ".,":
            before = layout[found.start() - 1 : found.start()]
            return self._fraction(part) if before == "5" or part[1] in "09" else part
        if part[0] in "-Z":
            return self._zone(part)
        return _FORMS[part](self)

    def _fraction(self, part: str) -> str:
        digits = f"{self._nanosecond:09d}"[: len(part) - 1]
        if part[1] == "9":
            digits = digits.rstrip("0")
        return part[0] + digits if digits else ""

    def _zone(self, part: str) -> str:
        offset = self._time.utcoffset() or timedelta()
        seconds = int(offset.total_seconds())
        if part[0] == "Z" and seconds == 0:
            return "Z"
        sign = "-" if seconds < 0 else "+"
        hours, rest = divmod(abs(seconds), 3600)
        colon = ":" if ":" in part else ""
        text = f"{sign}{hours:02d}"
        count = len(part.replace(":", ""))
        if count > 3:
            text += f"{colon}{rest // 60:02d}"
        return text + f"{colon}{rest % 60:02d}" if count > 5 else text

    def _name_of_zone(self) -> str:
        name = self._time.tzname() or ""
        # Go prints the offset where a zone has no name; Python calls that UTC+01:00.
        return self._zone("-07") if name.startswith("UTC") and name != "UTC" else name


_FORMS: Final[Mapping[str, Callable[[Moment], str]]] = {
    "January": lambda at: at.month(),
    "Jan": lambda at: at.month()[:3],
    "Monday": lambda at: at.weekday(),
    "Mon": lambda at: at.weekday()[:3],
    "MST": lambda at: at._name_of_zone(),  # noqa: SLF001
    "2006": lambda at: f"{at.year():04d}",
    "_2006": lambda at: f"_{at.year():04d}",
    "06": lambda at: f"{at.year() % 100:02d}",
    "01": lambda at: f"{_MONTHS.index(at.month()) + 1:02d}",
    "1": lambda at: str(_MONTHS.index(at.month()) + 1),
    "02": lambda at: f"{at.day():02d}",
    "_2": lambda at: f"{at.day():2d}",
    "2": lambda at: str(at.day()),
    "002": lambda at: f"{at.year_day():03d}",
    "__2": lambda at: f"{at.year_day():3d}",
    "15": lambda at: f"{at.hour():02d}",
    "03": lambda at: f"{(at.hour() + 11) % 12 + 1:02d}",
    "3": lambda at: str((at.hour() + 11) % 12 + 1),
    "04": lambda at: f"{at.minute():02d}",
    "4": lambda at: str(at.minute()),
    "05": lambda at: f"{at.second():02d}",
    "5": lambda at: str(at.second()),
    "PM": lambda at: "PM" if at.hour() > 11 else "AM",
    "pm": lambda at: "pm" if at.hour() > 11 else "am",
}
