"""The names of all settings: keys, variables and flags. Pure.

The keys come from the model; the flags of ``pinnace up`` are the table below. Help text, loading
and the documents (by a test) use this one list.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, get_args, get_origin

import msgspec

from sidecar.config.model import Settings, TemplateSettings

__all__ = [
    "KEYS",
    "OPTIONS",
    "PREFIX",
    "SECTIONS",
    "TEMPLATES",
    "TEMPLATE_KEYS",
    "VARIABLES",
    "Key",
    "Option",
    "nearest",
    "suggestion",
]

PREFIX: Final = "PINNACE_"


class Key(NamedTuple):
    """One setting: ``[section] name`` with its type and default."""

    section: str
    name: str
    type: object
    default: str | float | int | bool | tuple[str, ...]

    def __str__(self) -> str:
        """Return ``section.name``."""
        return f"{self.section}.{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable: ``PINNACE_SECTION__NAME``."""
        return f"{PREFIX}{self.section}__{self.name}".upper()

    @property
    def is_list(self) -> bool:
        """Whether it takes several texts: an array in a file, else blanks between them."""
        return get_origin(self.type) is tuple

    @property
    def choices(self) -> tuple[str, ...]:
        """The values allowed, when they can be listed."""
        return get_args(self.type) if get_origin(self.type) is Literal else ()


class Option(NamedTuple):
    """A flag of ``pinnace up`` and the key it sets; a boolean's takes no value and means true."""

    flag: str
    key: str
    metavar: str
    meaning: str


def _keys() -> dict[str, Key]:
    keys = {}
    for section in msgspec.structs.fields(Settings):
        if section.name == "template":
            continue  # an array of tables: only a file can hold it
        for field in msgspec.structs.fields(section.type):
            key = Key(section.name, field.name, field.type, field.default)
            keys[str(key)] = key
    return keys


KEYS: Final[Mapping[str, Key]] = MappingProxyType(_keys())
SECTIONS: Final = tuple(dict.fromkeys(key.section for key in KEYS.values()))
VARIABLES: Final[Mapping[str, Key]] = MappingProxyType({k.variable: k for k in KEYS.values()})

TEMPLATES: Final = Key("template", "*", tuple[TemplateSettings, ...], ())
"""All of ``[[template]]``, as one setting."""
TEMPLATE_KEYS: Final[Mapping[str, Key]] = MappingProxyType(
    {
        field.name: Key("template", field.name, field.type, field.default)
        for field in msgspec.structs.fields(TemplateSettings)
    }
)
"""The keys of each ``[[template]]``."""

OPTIONS: Final[Mapping[str, Option]] = MappingProxyType(
    {
        option.flag: option
        for option in (
            Option(
                "--docker", "docker.url", "URL", "the Docker engine: unix://, tcp://, http(s)://"
            ),
            Option("--store", "store.url", "URL", "where the catalogue is kept"),
            Option("--state-dir", "store.state_dir", "DIR", "keep the catalogue on disk here"),
            Option(
                "--recover", "store.recover", "", "take the last good copy if the file is damaged"
            ),
            Option("--ip", "registrar.ip", "ADDR", "the address published ports are registered by"),
            Option("--domain", "dns.domain", "NAME", "the domain that names are answered in"),
            Option("--http", "http.listen", "ADDR:PORT", "API, health and metrics"),
            Option(
                "--dns", "dns.listen", "ADDR:PORT", "DNS over UDP and TCP; or several, by commas"
            ),
            Option("--lb", "lb.kind", "haproxy|nginx|none", "the load balancer to run"),
            Option("--lb-listen", "lb.listen", "ADDR:PORT", "where it takes HTTP requests"),
            Option("--stack", "scheduler.stack", "FILE", "a Compose file to keep running"),
            Option("--nodes", "scheduler.nodes", "PATH", "hosts to run it on, a file or folder"),
            Option("--log-format", "log.format", "text|json", "how log lines look"),
            Option("--log-level", "log.level", "LEVEL", "debug, info, warning or error"),
        )
    }
)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like ``name``, or None; case and hyphens do not count."""
    import difflib  # noqa: PLC0415 - only who made a mistake waits for it

    plain = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(name.lower().replace("-", "_"), plain, n=1)
    return plain[found[0]] if found else None


def suggestion(name: str, known: Iterable[str], form: str = "{}") -> str:
    """Return ``; did you mean X?``, or nothing when no known name is near."""
    near = nearest(name, known)
    return "" if near is None else f"; did you mean {form.format(near)}?"
