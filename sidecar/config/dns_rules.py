"""What the settings of DNS must be beyond their types. Pure."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from sidecar.config.units import dns_server, endpoints
from sidecar.config.values import (
    domain,
    domain_or_empty,
    label,
    listen,
    more_than_zero,
    node_or_empty,
    number,
    path_or_empty,
)

__all__ = ["DNS_RULES"]

_ONE_IN: Final = re.compile(r"1/[1-9][0-9]{0,8}", re.ASCII)


def _ttl(seconds: float) -> float:
    if seconds != int(seconds) or seconds > 2**31 - 1:  # RFC 2181 section 8
        raise ValueError("a TTL is a whole number of seconds, at most 2147483647")
    return seconds


def _udp_payload(size: int) -> int:
    if not 512 <= size <= 4096:  # RFC 6891 sections 6.2.3 and 6.2.5
        raise ValueError(f"must be from 512 to 4096, not {size}")
    return size


def _upstreams(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        host, port = dns_server(text)
        if port == 0:
            raise ValueError(f"{text!r}: {host} has no port 0")
    return texts


def _forward(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        name, equals, servers = text.partition("=")
        if not equals or not servers:
            raise ValueError(f"{text!r} is not DOMAIN=ADDR[:PORT][,ADDR[:PORT]...]")
        domain(name)
        _upstreams(tuple(servers.split(",")))
    return texts


def _networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        try:
            ipaddress.ip_network(text)
        except ValueError as error:
            raise ValueError(f"{error}; write for example 10.0.0.0/8") from None
    return texts


def _listens(text: str) -> str:
    return _listens_or_empty(text) or listen(text)


def _listens_or_empty(text: str) -> str:
    endpoints(text)
    return text


def _query_log(text: str) -> str:
    if text not in {"", "errors"} and not _ONE_IN.fullmatch(text):
        raise ValueError(f"must be errors or 1/N (one query in N), not {text!r}")
    return text


def _workers(count: int) -> int:
    if not 1 <= count <= 64:
        raise ValueError(f"must be from 1 to 64, not {count}")
    return count


def _octets(count: int) -> int:
    if not 0 <= count <= 1 << 40:
        raise ValueError(f"must be from 0 to {1 << 40}, not {count}")
    return count


DNS_RULES: Final[Mapping[str, Callable[[Any], str | float | int | bool | tuple[str, ...]]]] = (
    MappingProxyType(
        {
            "dns.listen": _listens,
            "dns.domain": domain,
            "dns.alt_domain": domain_or_empty,
            "dns.datacenter": label,
            "dns.node_name": node_or_empty,
            "dns.ttl": _ttl,
            "dns.node_ttl": _ttl,
            "dns.soa_refresh": _ttl,
            "dns.soa_retry": _ttl,
            "dns.soa_expire": _ttl,
            "dns.soa_min_ttl": _ttl,
            "dns.a_record_limit": number,
            "dns.udp_answer_limit": number,
            "dns.skydns_domain": domain_or_empty,
            "dns.skydns_ttl": _ttl,
            "dns.max_udp_payload": _udp_payload,
            "dns.recursors": _upstreams,
            "dns.recursor_timeout": more_than_zero,
            "dns.recursion_allow": _networks,
            "dns.forward": _forward,
            "dns.cache_bytes": _octets,
            "dns.max_concurrent_forwards": number,
            "dns.tcp_idle_timeout": more_than_zero,
            "dns.tcp_max_conns": number,
            "dns.tcp_max_conns_per_ip": number,
            "dns.rrl_responses_per_second": number,
            "dns.rrl_window": more_than_zero,
            "dns.rrl_slip": number,
            "dns.rrl_exempt": _networks,
            "dns.transfer_allow": _networks,
            "dns.also_notify": _upstreams,
            "dns.tls_listen": _listens_or_empty,
            "dns.https_listen": _listens_or_empty,
            "dns.tls_certificate": path_or_empty,
            "dns.tls_key": path_or_empty,
            "dns.query_log": _query_log,
            "dns.workers": _workers,
        }
    )
)
