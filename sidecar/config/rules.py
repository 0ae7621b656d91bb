"""What a value must be beyond its type: one rule per key, in one table. Pure.

A rule takes the value and returns it in the form the rest of the program relies on, or raises
ValueError saying what is wrong.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from sidecar.config.dns_rules import DNS_RULES
from sidecar.config.keys import suggestion
from sidecar.config.model import DnsSettings, LbSettings, RegistrarSettings, Settings
from sidecar.config.values import listen, more_than_zero, node_or_empty, number, path_or_empty

__all__ = ["RULES", "STORES", "TEMPLATE_RULES", "contradictions", "plain", "redacted"]

# Control characters, line separators and what is left of bytes that are not UTF-8.
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PREFIX: Final = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})?", re.ASCII)
_MODE: Final = re.compile(r"0?[0-7]{3}")
_OWNER: Final = re.compile(r"[a-z0-9_][a-z0-9_.-]*(?::[a-z0-9_][a-z0-9_.-]*)?", re.IGNORECASE)
_USERINFO: Final = re.compile(r"(?<=://)[^/?#]*@")
_SECRET_QUERY: Final = re.compile(r"(?i)([?&][a-z_-]*(?:token|password|secret)=)[^&#]*")

STORES: Final = (
    "consul",
    "consul-tls",
    "consul-unix",
    "consulkv",
    "consulkv-tls",
    "consulkv-unix",
    "embedded",
    "etcd",
    "etcd2",
    "skydns2",
    "zookeeper",
)


def plain(text: str) -> str:
    """Refuse characters that no setting needs and that could forge a line elsewhere."""
    if found := _UNPRINTABLE.search(text):
        raise ValueError(f"must not contain the character {found[0]!r}")
    return text


def redacted(text: str) -> str:
    """Return a URL without its user, password and tokens."""
    return _SECRET_QUERY.sub(r"\1***", _USERINFO.sub("***@", text))


def _listen_or_empty(text: str) -> str:
    return listen(text) if text else text


def _address_or_empty(text: str) -> str:
    if not text:
        return text
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address") from None
    if "%" in text or address.is_unspecified or address.is_multicast:
        raise ValueError(f"{text!r} is no address that others could connect to")
    return str(address)


def _docker_url(text: str) -> str:
    if text.startswith("/"):
        raise ValueError(f"{text!r} has no scheme; write unix://{text}")
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in {"unix", "tcp", "http", "https"}:
        wrong = f"{scheme}://" if separator else repr(redacted(text))
        raise ValueError(f"{wrong} is not supported; use unix://, tcp://, http:// or https://")
    if scheme == "unix":
        if len(rest) < 2 or not rest.startswith("/"):
            raise ValueError(f"{text!r} needs an absolute path: unix:///var/run/docker.sock")
        return text
    try:
        parts = urlsplit(text)
        if not parts.hostname or parts.port == 0:
            raise ValueError
    except ValueError:
        raise ValueError(f"{redacted(text)!r} is not {scheme}://HOST:PORT") from None
    return text


def _store_url(text: str) -> str:
    if text == "embedded:":
        return text
    scheme, colon, _ = text.partition(":")
    if scheme == "embedded":
        raise ValueError("write embedded: alone; the directory is store.state_dir (--state-dir)")
    if colon and scheme in STORES:
        return text
    # Without a colon the text may be a token put in the wrong place: do not show it.
    wrong = f"{scheme}: is not a known store" if colon else "this is not the URL of a store"
    hint = suggestion(scheme, STORES, "{}:") if colon else "; use embedded:"
    raise ValueError(wrong + hint)


def _edge_urls(urls: tuple[str, ...]) -> tuple[str, ...]:
    for url in urls:
        scheme, colon, _ = url.partition(":")
        if not colon or scheme not in STORES:
            wrong = f"{scheme}: is not a known store" if colon else "this is not the URL of a store"
            raise ValueError(wrong + suggestion(scheme, STORES, "{}:"))
        if scheme == "embedded":
            raise ValueError("embedded: is store.url; these are the stores besides it")
    return urls


def _service_prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        raise ValueError(f"{text!r} cannot begin a service's name (letters, digits, -, _ and .)")
    return text


def _interfaces(choices: tuple[str, ...]) -> tuple[str, ...]:
    for choice in choices:
        if "/" in choice:
            try:
                ipaddress.ip_network(choice, strict=False)
            except ValueError:
                raise ValueError(f"{choice!r} is neither an interface nor a network") from None
    return choices


def _attempts(count: int) -> int:
    if not -1 <= count <= 1_000_000:
        raise ValueError(f"must be from -1 (for ever) to 1000000, not {count}")
    return count


def _absolute(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError(f"{text!r} is not an absolute path")
    return text


def _absolute_or_empty(text: str) -> str:
    return _absolute(text) if text else text


def _mode_or_empty(text: str) -> str:
    if text and not _MODE.fullmatch(text):
        raise ValueError(f"{text!r} is not a file mode such as 0640")
    return text


def _owner_or_empty(text: str) -> str:
    if text and not _OWNER.fullmatch(text):
        raise ValueError(f"{text!r} is not USER or USER:GROUP")
    return text


def _command(words: tuple[str, ...]) -> tuple[str, ...]:
    if words and not words[0]:
        raise ValueError("the first word is the program and must not be empty")
    return words


def contradictions(settings: Settings) -> list[str]:
    """Return what is wrong with settings that are right one by one."""
    found = [f"registrar: {text}" for text in _of_registrar(settings.registrar)]
    found += [f"lb: {text}" for text in _of_lb(settings.lb)]
    found += [f"dns: {text}" for text in _of_dns(settings.dns)]
    names = [one.destination for one in settings.template]
    twice = sorted({name for name in names if names.count(name) > 1})
    return found + [f"template: {name} is the destination of more than one" for name in twice]


def _of_lb(lb: LbSettings) -> list[str]:
    found = []
    if lb.kind == "nginx":
        found += [
            f"{name} is for haproxy only" for name in ("stats", "attach") if getattr(lb, name)
        ]
    if lb.attach and not lb.dir:
        found.append("attach needs dir: whoever starts haproxy must know the file")
    if lb.tls_listen and not lb.certificates:
        found.append("tls_listen needs certificates, the directory they are in")
    if lb.tls_listen and lb.tls_listen == lb.listen:
        found.append("tls_listen must be another address than listen")
    if lb.certificates and not lb.tls_listen:
        found.append("certificates needs tls_listen, the address where they are used")
    return found


def _of_dns(dns: DnsSettings) -> list[str]:
    is_secure = bool(dns.tls_listen or dns.https_listen)
    if is_secure and not (dns.tls_certificate and dns.tls_key):
        return ["tls_listen and https_listen need tls_certificate and tls_key"]
    return []


def _of_registrar(registrar: RegistrarSettings) -> list[str]:
    found = []
    ttl, refresh = registrar.ttl, registrar.ttl_refresh
    if ttl > 0 and not refresh > 0:
        found.append("ttl needs ttl_refresh")
    elif 0 < ttl <= refresh:
        found.append("ttl must be more than ttl_refresh")
    if registrar.second_ip and not registrar.ip:
        found.append("second_ip needs ip")
    elif registrar.second_ip and (":" in registrar.ip) == (":" in registrar.second_ip):
        found.append("second_ip must be of the other family than ip (IPv4, IPv6)")
    return found


RULES: Final[Mapping[str, Callable[[Any], str | float | int | bool | tuple[str, ...]]]] = (
    MappingProxyType(
        {
            **DNS_RULES,
            "docker.url": _docker_url,
            "docker.ping": more_than_zero,
            "store.url": _store_url,
            "store.state_dir": path_or_empty,
            "registrar.ip": _address_or_empty,
            "registrar.node": node_or_empty,
            "registrar.stores": _edge_urls,
            "registrar.second_ip": _address_or_empty,
            "registrar.interfaces": _interfaces,
            "registrar.service_prefix": _service_prefix,
            "registrar.retry_attempts": _attempts,
            "registrar.retry_interval": more_than_zero,
            "http.listen": listen,
            "http.token_file": path_or_empty,
            "http.max_connections": number,
            "http.max_waiting": number,
            "scheduler.stack": path_or_empty,
            "scheduler.nodes": path_or_empty,
            "scheduler.probe": more_than_zero,
            "scheduler.probe_timeout": more_than_zero,
            "scheduler.down_after": more_than_zero,
            "scheduler.seed": number,
            "scheduler.fence": _command,
            "scheduler.api": path_or_empty,
            "scheduler.state": path_or_empty,
            "scheduler.listen": _listen_or_empty,
            "scheduler.token_file": path_or_empty,
            "scheduler.tls_certificate": path_or_empty,
            "scheduler.tls_key": path_or_empty,
            "scheduler.tls_ca": path_or_empty,
            "lb.listen": listen,
            "lb.program": path_or_empty,
            "lb.dir": path_or_empty,
            "lb.tls_listen": _listen_or_empty,
            "lb.certificates": _absolute_or_empty,
            "lb.template": _absolute_or_empty,
            "lb.stats": _listen_or_empty,
            "lb.attach": path_or_empty,
        }
    )
)
TEMPLATE_RULES: Final[Mapping[str, Callable[[Any], str | float | int | tuple[str, ...]]]] = (
    MappingProxyType(
        {
            "template.source": _absolute,
            "template.destination": _absolute,
            "template.mode": _mode_or_empty,
            "template.owner": _owner_or_empty,
            "template.check": _command,
            "template.reload": _command,
            "template.timeout": more_than_zero,
            "template.min_instances": number,
        }
    )
)
"""The same for the keys of ``[[template]]``."""
