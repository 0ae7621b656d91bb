"""``SERVICE_*`` variables and labels -> what a container wants for each port. Pure.

Rules (Registrator's): all variables in order, then all labels; the prefix in capitals, the rest
lower-cased. ``SERVICE_<port>_<key>`` counts for that port only and beats a plain ``SERVICE_<key>``
wherever each stands; at equal rank the later, so a label, wins.

Ours: ``SERVICE_<port>_UDP_<key>`` (and ``TCP``) counts for that protocol only and beats both, for
the keys of ``_BY_PROTOCOL`` and for checks; any other key of that form stays an attribute.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sidecar.engine.facts import Container, Port

__all__ = [
    "Attributes",
    "Setting",
    "attributes_of",
    "is_template",
    "settings_of",
    "split_tags",
    "truth",
    "value_of",
]

_PREFIX: Final = "SERVICE_"
_FOR_PORT: Final = re.compile(r"([+-]?\d+)_(.*)", re.ASCII | re.DOTALL)
_INT64: Final = 1 << 63
_TAG: Final = re.compile(r"((?:\\,|[^,])+)")
_TAGS_READ: Final = 1 << 16  # characters; far more than 128 tags of 255
_BY_PROTOCOL: Final = frozenset({"name", "names", "tags", "id", "ignore", "ip", "port", "internal"})
_TRUTHS: Final[Mapping[str, bool]] = dict.fromkeys(("true", "1", "yes", "on"), True) | (
    dict.fromkeys(("false", "0", "no", "off"), False)
)
_PLAIN, _PORT, _PROTOCOL = range(3)


class Setting(NamedTuple):
    """One ``SERVICE_*`` entry: for one port's text, or for all (None)."""

    port: str | None
    key: str
    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Attributes:
    """What holds for one port; ``labels`` says under which spelling each key was given.

    ``plain_tags`` are those for all ports, also where the port's own replaced them.
    """

    values: Mapping[str, str]
    labels: Mapping[str, str]
    specific: frozenset[str]
    plain_tags: str = ""

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


def attributes_of(settings: Sequence[Setting], port: Port, *, compat: bool = False) -> Attributes:
    """Return what the settings say for one container port.

    An empty ``SERVICE_<port>_NAME`` does not hide ``SERVICE_NAME``, except in compat.
    """
    values: dict[str, str] = {}
    labels: dict[str, str] = {}
    ranks: dict[str, int] = {}
    plain_tags = ""
    for setting in settings:
        key, rank = setting.key, _PLAIN
        if setting.port is None and key == "tags":
            plain_tags = setting.value
        if setting.port is not None:
            if setting.port != str(port.number) or _is_shadowed(setting, ranks, compat):
                continue
            key, rank = (key, _PORT) if compat else _ranked(key, port)
        if rank < ranks.get(key, _PLAIN) or (not compat and _says_nothing(key, rank, setting)):
            continue
        ranks[key] = rank
        values[key] = setting.value
        labels[key] = setting.label
    specific = frozenset(key for key, rank in ranks.items() if rank > _PLAIN)
    return Attributes(values, labels, specific, plain_tags)


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


def is_template(text: str) -> bool:
    """Say whether tags have to be worked out for each container (``registrar.tags``)."""
    return "{{" in text


def truth(text: str) -> bool | None:
    """Return what a switch says, or None when it says neither yes nor no."""
    return _TRUTHS.get(text.strip(" ").lower())


def _entries(container: Container) -> Iterator[tuple[str, str]]:
    """Variables, then labels; a label's name ends at its first ``=``, as a variable's does."""
    labels = (f"{name}={value}" for name, value in sorted(container.labels.items()))
    for entry in (*container.env, *labels):
        name, equals, value = entry.partition("=")
        if equals:
            yield name, value


def _setting(name: str, value: str) -> Setting:
    rest = name.removeprefix(_PREFIX).lower()
    match = _FOR_PORT.fullmatch(rest)
    if match is None or len(match[1]) > 20 or not -_INT64 <= int(match[1]) < _INT64:
        return Setting(None, rest, value, name)
    return Setting(match[1], match[2], value, name)


def _ranked(key: str, port: Port) -> tuple[str, int]:
    """Return key and rank of a port's setting; no key when it is for the other protocol."""
    protocol, _, rest = key.partition("_")
    if protocol not in ("tcp", "udp") or not (rest in _BY_PROTOCOL or rest.startswith("check_")):
        return key, _PORT
    return (rest, _PROTOCOL) if protocol == port.protocol else ("", _PROTOCOL)


def _says_nothing(key: str, rank: int, setting: Setting) -> bool:
    return not key or (rank > _PLAIN and key == "name" and not setting.value)


def _is_shadowed(setting: Setting, ranks: Mapping[str, int], compat: bool) -> bool:
    """Registrator looks for the whole key, port included, among those a port has set."""
    return compat and ranks.get(f"{setting.port}_{setting.key}", _PLAIN) > _PLAIN
