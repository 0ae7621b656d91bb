"""Tags in their four styles. Pure.

SignalFX ``name[k=v]``, Librato ``name#k=v``, InfluxDB ``name,k=v``, DogStatsD ``|#k:v``.
"""

from dataclasses import dataclass

from adapter.statsd.escaping import escaped

__all__ = ["Styles", "Tags"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Styles:
    """Which styles are read."""

    dogstatsd: bool = True
    influxdb: bool = True
    librato: bool = True
    signalfx: bool = True


class Tags:
    """The tags of one line, by label; the last of a name counts."""

    __slots__ = ("errors", "labels")

    def __init__(self) -> None:
        """Begin with none."""
        self.labels: dict[str, str] = {}
        self.errors = 0

    def of_name(self, name: str, styles: Styles) -> str:
        """Take the tags out of a name and return what is left."""
        if styles.signalfx and ("[" in name or "]" in name):
            begin, end = name.find("["), name.find("]")
            if 0 <= begin < end:
                self._take(name[begin + 1 : end], "=")
                return name[:begin] + name[end + 1 :]
            self.errors += 1
            return name
        ends = [name.find("#")] if styles.librato else []
        ends += [name.find(",")] if styles.influxdb else []
        at = min((end for end in ends if end >= 0), default=-1)
        if at < 0:
            return name
        self._take(name[at + 1 :], "=")
        return name[:at]

    def of_section(self, section: str) -> None:
        """Take the tags of a DogStatsD section, without its ``#``."""
        self._take(section, ":")

    def _take(self, text: str, separator: str) -> None:
        parts = text.split(",")
        if not parts[-1]:
            parts.pop()  # a comma at the end is no error
        for part in parts:
            tag = part.removeprefix("#") if separator == ":" else part
            key, _, value = tag.partition(separator)
            label = escaped(key)
            # ``__name__`` and its like are Prometheus' own.
            if not key or not value or label.startswith("__"):
                self.errors += 1
            else:
                self.labels[label] = value
