"""The settings of ``adapter jmx``, as typed values. Pure; ``config`` makes them from YAML."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from adapter.jmx.objectname import ObjectName
from adapter.jmx.rules import Naming, Rule

__all__ = [
    "Customizer",
    "Discovery",
    "Extra",
    "Http",
    "Place",
    "Selection",
    "Settings",
    "Store",
    "Target",
    "Tls",
]

Key = tuple[str, frozenset[tuple[str, str]]]
Matcher = Callable[[ObjectName], bool]


class Place(NamedTuple):
    """Where a registry is, and the name of the server in it; or an agent's URL (Jolokia)."""

    host: str
    port: int
    name: str = "jmxrmi"
    url: str = ""

    def __str__(self) -> str:
        """Return what a user calls it."""
        if self.url:
            return self.url
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Store:
    """A file of keys or certificates; ``kind`` is PEM, PKCS12 or JKS, empty: look at it."""

    file: str
    kind: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Tls:
    """How JVMs are spoken to when their sockets are wrapped."""

    enabled: bool = False
    registry: bool = True  # RMI_REGISTRY_SSL_DISABLED leaves the registry plain
    keys: Store | None = None
    trust: Store | None = None
    protocols: tuple[str, ...] = ()
    ciphers: tuple[str, ...] = ()


class Extra(NamedTuple):
    """A metric of a constant value beside those of a bean."""

    name: str
    value: object
    description: str = ""


class Customizer(NamedTuple):
    """What some beans get besides: labels from attributes, and constant metrics."""

    domain: str
    properties: Mapping[str, str]
    labels: tuple[str, ...] = ()
    extras: tuple[Extra, ...] = ()

    def fits(self, name: ObjectName) -> bool:
        """Say whether it is for this bean."""
        mine = name.properties
        return self.domain == name.domain and all(
            mine.get(key) == value for key, value in self.properties.items()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which beans and attributes are read. ``include`` empty: all."""

    include: tuple[tuple[str, Matcher], ...] = ()
    exclude: tuple[Matcher, ...] = ()
    without_jvm: bool = False
    attributes: Mapping[Key, frozenset[str]] | None = None
    not_attributes: Mapping[Key, frozenset[str]] = field(default_factory=dict)
    auto_exclude: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One JVM."""

    name: str
    place: Place
    mode: Literal["rmi", "jolokia"] = "rmi"
    username: str = ""
    password: str = field(default="", repr=False)
    tls: Tls = Tls()
    start_delay: float = 0.0
    timeout: float | None = None
    follows_host: bool = True
    type_first: bool = False
    jvm_metrics: bool = True
    selection: Selection = Selection()
    customizers: tuple[Customizer, ...] = ()
    rules: tuple[Rule, ...] = (Rule(),)
    naming: Naming = field(default_factory=Naming)
    most_bytes: int = 16 << 20  # of one answer
    most_series: int = 100_000  # more is a flood
    refresh: int = 60  # scrapes after which what a bean has is asked again
    shows_texts: bool = False  # for people

    @property
    def wants_texts(self) -> bool:
        """Whether an attribute that is text can become a sample or a label."""
        return self.shows_texts or any(rule.value is not None for rule in self.rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Password:
    """What a user of our own server must know: plain, or a hash in jmx_exporter's forms."""

    username: str
    password: str = field(default="", repr=False)
    algorithm: str = "plaintext"
    hash: str = field(default="", repr=False)
    salt: str = field(default="", repr=False)
    iterations: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """Our own server."""

    path: str = "/metrics"
    basic: Password | None = None
    keys: Store | None = None
    trust: Store | None = None
    mutual: bool = False


class Discovery(NamedTuple):
    """Where targets are found: a store of services, and the tag that marks JVMs there."""

    store: str
    tag: str = "jmx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One file."""

    targets: tuple[Target, ...] = ()
    template: Target | None = None  # what discovered targets have
    http: Http = Http()
    discovery: Discovery | None = None
    warnings: tuple[str, ...] = ()
