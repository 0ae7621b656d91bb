from collections.abc import Iterable

from dnsd import names
from dnsd.authority import Site
from dnsd.server import packed_host
from sidecar.config.model import DnsSettings
from sidecar.config.units import Endpoint
from sidecar.errors import ConfigError


def site_of(
    settings: DnsSettings, listen: Iterable[Endpoint], node_name: str, secret: bytes = b""
) -> Site:
    problems: list[str] = []
    zones: set[names.Zone] = set()
    for key, text in (("domain", settings.domain), ("alt_domain", settings.alt_domain)):
        try:
            if text:
                zones.add(names.zone_of(text))
        except ValueError as error:
            problems.append(f"dns.{key}: {text!r} is no domain: {error}")
    datacenter = names.fold(settings.datacenter)
    if not 1 <= len(datacenter) <= 63 or b"." in datacenter:
        problems.append(f"dns.datacenter: {settings.datacenter!r} is no label")
    if problems:
        raise ConfigError(problems)
    hosts = [packed for at in listen if (packed := packed_host(at)) is not None]
    return Site(
        zones=tuple(sorted(zones, key=lambda zone: -len(zone.labels))),
        datacenter=datacenter,
        node=names.fold(node_name),
        addresses=tuple(dict.fromkeys(hosts)),
        ttl=int(min(max(settings.ttl, 0), 2**31 - 1)),
        only_passing=settings.only_passing,
        payload=min(max(settings.max_udp_payload, 512), 4096),
    )
