"""``SERVICE_*`` variables and labels -> what a container wants for each port. Pure.

Rules (Registrator's): all variables in order, then all labels; the prefix in capitals, the rest
lower-cased. ``SERVICE_<port>_<key>`` counts for that port only and beats a plain ``SERVICE_<key>``
wherever each stands; at equal rank the later, so a label, wins.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sidecar.engine.facts import Container

__all__ = ["Attributes", "Setting", "attributes_of", "settings_of", "split_tags", "value_of"]

_PREFIX: Final = "SERVICE_"
_FOR_PORT: Final = re.compile(r"([+-]?\d+)_(.*)", re.ASCII | re.DOTALL)
_TAG: Final = re.compile(r"((?:\\,|[^,])+)")
_TAGS_READ: Final = 1 << 16  # characters; far more than 128 tags of 255


class Setting(NamedTuple):
    """One ``SERVICE_*`` entry: for one port's text, or for all (None)."""

    port: str | None
    key: str
    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Attributes:
    """What holds for one port; ``labels`` says under which spelling each key was given."""

    values: Mapping[str, str]
    labels: Mapping[str, str]
    specific: frozenset[str]

    def get(self, key: str) -> str:
        """Return a value, or the empty text."""
        return self.values.get(key, "")

    def label(self, key: str) -> str:
        """Return the spelling of a key, for messages."""
        return self.labels.get(key, _PREFIX + key.upper())


def settings_of(container: Container) -> tuple[Setting, ...]:
    """Return the ``SERVICE_*`` entries, later ones stronger."""
    return tuple(
        _setting(name, value) for name, value in _entries(container) if name.startswith(_PREFIX)
    )


def attributes_of(settings: Sequence[Setting], port: int) -> Attributes:
    """Return what the settings say for one container port.

    An empty ``SERVICE_<port>_NAME`` does not hide ``SERVICE_NAME``.
    """
    values: dict[str, str] = {}
    labels: dict[str, str] = {}
    specific: set[str] = set()
    for setting in settings:
        if not setting.key or (setting.port is None and setting.key in specific):
            continue
        if setting.port is not None:
            if setting.port != str(port) or (setting.key == "name" and not setting.value):
                continue
            specific.add(setting.key)
        values[setting.key] = setting.value
        labels[setting.key] = setting.label
    return Attributes(values, labels, frozenset(specific))


def value_of(container: Container, label: str, variable: str) -> tuple[str, str] | None:
    """Return value and source of a label, else of an environment variable, else None."""
    if label in container.labels:
        return container.labels[label], label
    if not variable:
        return None
    prefix = variable + "="
    found = [entry for entry in container.env if entry.startswith(prefix)]
    return (found[-1].removeprefix(prefix), variable) if found else None


def split_tags(text: str) -> tuple[str, ...]:
    r"""Return the tags of a comma list, last first; ``\,`` is a comma, empty ones vanish.

    The order is Registrator's; blanks are kept.
    """
    found = [tag.replace("\\,", ",") for tag in _TAG.findall(text[:_TAGS_READ])]
    return tuple(reversed(found))


def _entries(container: Container) -> Iterator[tuple[str, str]]:
    for entry in container.env:
        name, equals, value = entry.partition("=")
        if equals:
            yield name, value
    yield from sorted(container.labels.items())


def _setting(name: str, value: str) -> Setting:
    rest = name.removeprefix(_PREFIX).lower()
    match = _FOR_PORT.fullmatch(rest)
    if match is None:
        return Setting(None, rest, value, name)
    return Setting(match[1], match[2], value, name)
