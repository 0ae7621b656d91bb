"""What the answers need besides the catalogue, from the settings. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final, NamedTuple

from dnsd import names
from dnsd.names import Zone
from sidecar.config.model import DnsSettings
from sidecar.config.units import Endpoint, duration
from sidecar.errors import ConfigError

__all__ = ["Site", "SoaTimes", "packed_host", "site_of"]

_LONGEST_TTL: Final = 2**31 - 1  # RFC 2181 8
_LARGEST_PAYLOAD: Final = 4096
_SECRET_SIZE: Final = 16
_PLACEHOLDER: Final = re.compile(r"\{[^}]*\}?")
_WORDS: Final = frozenset(("{id}", "{service}", "{node}", "{tags}"))


class SoaTimes(NamedTuple):
    """The SOA's numbers; the minimum is its own TTL too, hence that of negative answers."""

    refresh: int = 3600
    retry: int = 600
    expire: int = 86400
    minimum: int = 0


_TIMES: Final = SoaTimes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What one server is told. ``zones`` stand longest first; 0 records are any number."""

    zones: tuple[Zone, ...]
    domain: Zone | None = None  # the first of them in the settings
    datacenter: bytes
    node: bytes
    addresses: tuple[bytes, ...]
    outward: tuple[bytes, ...] = ()  # where others reach us, when no address is listened on
    ttl: int = 0
    ttls: Mapping[bytes, int] = field(default_factory=dict)  # by name, or beginning and ``*``
    node_ttl: int = 0
    stale_ttl: int = 5  # the most while the store cannot be reached
    soa: SoaTimes = _TIMES
    only_passing: bool = False
    empty_exists: bool = False  # a service without a healthy instance is NODATA
    instance_names: bool = False
    payload: int = 1232  # the most octets of a UDP reply
    most_addresses: int = 0
    most_udp_answers: int = 0  # over UDP to clients without EDNS
    tells_truncation: bool = True
    compresses: bool = True
    node_meta: bool = True
    service_meta: bool = False
    svcb: bool = False
    near: bool = False
    nsid: str = ""
    cookie_secrets: tuple[bytes, ...] = field(default=(), repr=False)
    version: str = ""
    idle: float = 10.0  # of a TCP connection, for those who ask
    sky_zone: Zone | None = None
    sky_template: str = "{id}.{service}.{tags}"
    sky_ttl: int = 3600
    sky_negative_ttl: int = 30

    @property
    def home(self) -> Zone:
        """The zone that names of ours are given in where the question names none."""
        return self.domain or self.zones[0]

    def ttl_of(self, service: bytes) -> int:
        """Return the TTL of a service: of its name, else of the longest beginning, else of all."""
        if not self.ttls:
            return self.ttl
        exact = self.ttls.get(service)
        if exact is not None:
            return exact
        for end in range(len(service), -1, -1):
            found = self.ttls.get(service[:end] + b"*")
            if found is not None:
                return found
        return self.ttl


def packed_host(at: Endpoint) -> bytes | None:
    """Return the octets of a specific address listened on, None for a wildcard or a name."""
    try:
        address = ip_address(at.host)
    except ValueError:
        return None
    return None if address.is_unspecified else address.packed


def site_of(
    settings: DnsSettings,
    listen: Iterable[Endpoint],
    node_name: str,
    secret: bytes = b"",
    outward: tuple[bytes, ...] = (),
) -> Site:
    """Return what the answers need of the settings; raises ConfigError with every mistake.

    ``secret`` makes cookies when the settings have none; empty: no cookies then.
    """
    problems: list[str] = []
    zones = _zones(settings, problems)
    datacenter = names.fold(settings.datacenter)
    if not 1 <= len(datacenter) <= 63 or b"." in datacenter:
        problems.append(f"dns.datacenter: {settings.datacenter!r} is no label")
    sky = _zone("skydns_domain", settings.skydns_domain, problems)
    ttls = _ttls(settings.service_ttl, problems)
    secrets = _secrets(settings.cookie_secret, problems) or ((secret,) if secret else ())
    if wrong := set(_PLACEHOLDER.findall(settings.skydns_template)) - _WORDS:
        problems.append(
            f"dns.skydns_template: {min(wrong)!r} is none of {', '.join(sorted(_WORDS))}"
        )
    if problems:
        raise ConfigError(problems)
    hosts = [packed for at in listen if (packed := packed_host(at)) is not None]
    return Site(
        zones=zones,
        domain=names.zone_of(settings.domain),
        datacenter=datacenter,
        node=names.fold(node_name),
        addresses=tuple(dict.fromkeys(hosts)),
        outward=outward,
        ttl=_seconds(settings.ttl),
        ttls=ttls,
        node_ttl=_seconds(settings.node_ttl),
        soa=SoaTimes(
            _seconds(settings.soa_refresh),
            _seconds(settings.soa_retry),
            _seconds(settings.soa_expire),
            _seconds(settings.soa_min_ttl),
        ),
        only_passing=settings.only_passing,
        empty_exists=settings.empty_service == "nodata",
        instance_names=settings.instance_names,
        payload=min(max(settings.max_udp_payload, 512), _LARGEST_PAYLOAD),
        most_addresses=settings.a_record_limit,
        most_udp_answers=settings.udp_answer_limit,
        tells_truncation=settings.enable_truncate,
        compresses=not settings.disable_compression,
        node_meta=settings.node_meta_txt,
        service_meta=settings.service_meta_txt,
        svcb=settings.svcb,
        near=settings.near == "subnet",
        nsid=settings.nsid.replace("{node}", node_name),
        cookie_secrets=secrets,
        idle=settings.tcp_idle_timeout,
        version=settings.version_string,
        sky_zone=sky,
        sky_template=settings.skydns_template,
        sky_ttl=_seconds(settings.skydns_ttl),
    )


def _seconds(ttl: float) -> int:
    return int(min(max(ttl, 0), _LONGEST_TTL))


def _zone(key: str, text: str, problems: list[str]) -> Zone | None:
    try:
        return names.zone_of(text) if text else None
    except ValueError as error:
        problems.append(f"dns.{key}: {text!r} is no domain: {error}")
        return None


def _zones(settings: DnsSettings, problems: list[str]) -> tuple[Zone, ...]:
    found = {
        _zone("domain", settings.domain, problems),
        _zone("alt_domain", settings.alt_domain, problems),
    }
    zones = [zone for zone in found if zone is not None]
    return tuple(sorted(zones, key=lambda zone: (-len(zone.labels), zone.wire)))


def _ttls(entries: Iterable[str], problems: list[str]) -> Mapping[bytes, int]:
    """Return TTLs by pattern from ``NAME=TTL`` or ``BEGINNING*=TTL``."""
    found: dict[bytes, int] = {}
    for entry in entries:
        name, equals, ttl = entry.rpartition("=")
        try:
            seconds = duration(ttl)
        except ValueError:
            seconds = -1.0
        if not equals or not name or "*" in name[:-1] or seconds < 0:
            problems.append(f"dns.service_ttl: {entry!r} is not NAME=TTL or BEGINNING*=TTL")
        else:
            found[names.fold(name)] = _seconds(seconds)
    return found


def _secrets(texts: Iterable[str], problems: list[str]) -> tuple[bytes, ...]:
    found = []
    for text in texts:
        try:
            secret = bytes.fromhex(text)
        except ValueError:
            secret = b""
        if len(secret) != _SECRET_SIZE:
            problems.append("dns.cookie_secret: a secret is 16 octets in hex (32 digits)")
        else:
            found.append(secret)
    return tuple(found)
