"""The text of nginx's configuration, from routes. Pure.

What is fixed is a text of its own (``templates/nginx.conf``); what varies is written here, and
each value passes a gate (`templater.nginx.names`). An endpoint that gets nothing new is not in the
text: nginx keeps what it has with the workers from before. A server of its own, on a socket in
our directory, says which text a worker runs.
"""

import hashlib
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from string import Template
from typing import Final, Literal

from sidecar.catalog.model import HTTP_HOST, TCP_LISTEN
from templater.names import Address, SocketAddress, shown
from templater.nginx import maps, sites
from templater.nginx.maps import serving
from templater.nginx.names import GroupName, quoted, word
from templater.nginx.overriding import overridden
from templater.nginx.sites import Block, Front, Names
from templater.nginx.streams import STREAM, listener
from templater.routes import Endpoint, Protocol, Routes, Upstream
from templater.shapes import Balance, Shape
from templater.upstreams import patience

__all__ = ["Config", "Place", "Renderer", "blamed"]

_PATIENCE: Final = "$patience"  # known only with the routes
_NO_DIGEST: Final = "0" * 32  # in the place of the digest, which is of the text around it
_SPARE: Final = 64  # descriptors of a worker that are no connections
_BUCKET: Final = 512  # bytes; holds a server name of 253
_NAMES: Final = 1024
_ZONE: Final = 256 * 1024
_ZONE_ENDPOINT: Final = 2048  # bytes, more than an endpoint or a group takes
_MEMBER: Final = "max_fails=3 fail_timeout=1s"
_LINE: Final = re.compile(r" in \S.*:(\d+)$", re.MULTILINE)
_OF: Final = re.compile(r" +# (\S+)$")
_LABELS: Final = {"server_name": HTTP_HOST, "listen": TCP_LISTEN, "server": "address"}


@dataclass(frozen=True, slots=True)
class Place:
    """What one machine gives: paths, numbers and modules that stand in the text.

    ``user`` is set for root alone; ``stream`` is the file of the module for TCP, empty when it is
    built in, None when there is none.
    """

    listen: SocketAddress
    host: Address
    socket: str
    workers: int
    files: int
    user: tuple[str, str] | None
    stream: str | None
    has_stub_status: bool
    temporary: tuple[str, ...]
    http2: Literal["", "listen", "directive"] = ""


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration, and the digest by which a worker is asked for it."""

    text: str
    digest: str
    routes: Routes
    certificates: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    """Files with chains and keys, by name."""


class Renderer:
    """Renders routes; keeps the text of what stays the same."""

    def __init__(self, place: Place) -> None:
        """Render for a place; reads the fixed text."""
        self._place = place
        fixed = Template(files("templater").joinpath("templates/nginx.conf").read_text("utf-8"))
        self._head = _modules(place) + fixed.substitute(
            listen=word(place.listen),
            workers=place.workers,
            files=place.files,
            connections=place.files - _SPARE,
            patience=_PATIENCE,
        )
        self._known: dict[object, tuple[object, str]] = {}
        self._used: set[object] = set()

    def config(self, routes: Routes) -> Config:
        """Return the configuration for routes; raises RenderError."""
        self._used.clear()
        front = Front(self._place.listen, routes.tls, self._place.http2)
        names = sites.names_of(routes)
        tried = maps.canaries_of(routes)
        asked = dict.fromkeys(upstream for block in names for _, upstream in block.table)
        canaries = [one for up in asked for one in tried.get(up, ())]
        groups = dict.fromkeys((*asked, *canaries))
        parts = [self._group(upstream, routes) for upstream in groups]
        served = [self._site(front, block, names[block], routes, tried) for block in names]
        streams = self._streams(routes) if self._place.stream is not None else ""
        for gone in self._known.keys() - self._used:
            del self._known[gone]
        count = sum(map(len, names.values()))
        sizes = "".join((*_sizes(self._place, count), *_zone("http", groups, routes)))
        fixed = self._head.replace(_PATIENCE, f"{patience(routes.upstreams)}", 1)
        chosen = maps.choices(tried, maps.lead_of(asked, routes, tried).lacking)
        head = "".join((fixed, sizes, *_secure(front), *maps.cookies(groups), *chosen))
        status = "".join(_status(self._place, _NO_DIGEST))
        if routes.override is None:
            text = "".join((head, *parts, *served, status, "}\n", streams))
        else:
            main, _, http = head.partition("\nhttp {\n")
            shipped = {
                "main": f"{main}\n", "http": http, "upstreams": "".join(parts),
                "servers": "".join(served), "status": status, "streams": streams,
            }  # fmt: skip
            text = overridden(routes.override, routes, shipped)
        digest = hashlib.sha256(text.encode("ascii")).hexdigest()[:32]
        return Config(text.replace(_NO_DIGEST, digest), digest, routes, _files(front))

    def _streams(self, routes: Routes) -> str:
        if not routes.listeners:
            return ""
        groups = dict.fromkeys(routes.listeners.values())
        parts = [self._group(upstream, routes) for upstream in groups]
        served = {upstream for upstream in groups if serving(routes.upstreams[upstream])}
        listens = [
            listener(self._place.host, port, upstream, is_served=upstream in served)
            for port, upstream in routes.listeners.items()
        ]
        head = STREAM, *_zone("tcp", groups, routes)
        return "".join((*head, *parts, *listens, "}\n"))

    def _group(self, upstream: Upstream, routes: Routes) -> str:
        members = serving(routes.upstreams[upstream])
        return self._kept(upstream, members, lambda: _group(upstream, members))

    def _site(
        self, front: Front, block: Block, names: Names, routes: Routes, tried: Container[Upstream]
    ) -> str:
        lead = maps.lead_of((up for _, up in block.table), routes, tried)
        port = front.tls.port if front.tls is not None else 0
        facts = names, lead, port, front.secure(block.policy)
        return self._kept(block, facts, lambda: sites.lines(front, block, names, lead))

    def _kept(self, key: object, facts: object, make: Callable[[], Iterable[str]]) -> str:
        self._used.add(key)
        known = self._known.get(key)
        if known is not None and known[0] == facts:
            return known[1]
        text = "".join(f"    {line}\n" for line in make())
        self._known[key] = facts, text
        return text


def blamed(config: Config, words: str) -> str:
    """Say whose line it is that nginx complains about: ``service 'web', address``; or nothing."""
    place = _LINE.search(words)
    if place is None:
        return ""
    lines = config.text.splitlines()[: int(place[1])]
    first = lines[-1].split()[:1] if lines else []
    groups = {str(GroupName(upstream)): upstream.service for upstream in config.routes.upstreams}
    for line in reversed(lines):
        if (group := _OF.fullmatch(line)) is not None and group[1] in groups:
            label = _LABELS.get("".join(first), "name")
            return f"service {shown(groups[group[1]])}, {label}"
    return ""


def _modules(place: Place) -> str:
    lines = [f"load_module {quoted(place.stream)};\n"] if place.stream else []
    if place.user is not None:
        lines.append(f"user {' '.join(map(quoted, place.user))};\n")
    return "".join(lines)


def _sizes(place: Place, names: int) -> Iterator[str]:
    yield "\n"
    yield f"    server_names_hash_bucket_size {_BUCKET};\n"
    yield f"    server_names_hash_max_size {_power(_NAMES, 4 * names)};\n"
    for name in place.temporary:
        yield f"    {name}_temp_path temporary_{name};\n"


def _zone(name: str, groups: Iterable[Upstream], routes: Routes) -> Iterator[str]:
    """Give the shared memory its size once, in a group that nothing leads to."""
    needed = sum((1 + len(routes.upstreams[up])) * _ZONE_ENDPOINT for up in groups)
    yield f"    upstream pinnace_{name} {{\n"
    yield f"        zone {name} {_power(_ZONE, 2 * needed) // 1024}k;\n"
    yield "        server 127.0.0.1:1 down;\n    }\n"


def _power(least: int, needed: int) -> int:
    """Return a size that rarely changes: ``least``, doubled until it is enough."""
    while least < needed:
        least *= 2
    return least


def _secure(front: Front) -> Iterator[str]:
    if front.tls is not None:
        yield "    ssl_protocols TLSv1.2 TLSv1.3;\n"
        yield "    ssl_session_cache shared:pinnace_tls:2m;\n"
        yield "    ssl_session_tickets off;\n"
        yield from (f"    {line}\n" for line in sites.default_of_tls(front, front.tls))


def _files(front: Front) -> Mapping[str, str]:
    known = front.tls.certificates.values() if front.tls is not None else ()
    return {sites.certificate_file(one): one.pem for one in known}


_BALANCE: Final = {
    Balance.LEASTCONN: "least_conn",
    Balance.SOURCE: "hash $remote_addr consistent",
    Balance.RANDOM: "random two",
}
_WITH_BACKUP: Final = frozenset({"", _BALANCE[Balance.LEASTCONN]})


def _group(upstream: Upstream, members: tuple[Endpoint, ...]) -> Iterator[str]:
    if not members:
        return
    name = word(GroupName(upstream))
    yield f"# {name}"
    yield f'upstream "{name}" {{'
    yield f"    zone {upstream.protocol};"
    balance = _balance(upstream.shape)
    if balance:
        yield f"    {balance};"
    usual = [one for one in members if not one.backup]
    for one in members:
        # A method of its own takes no backup: such a one is there when no other is.
        if usual and one.backup and balance not in _WITH_BACKUP:
            continue
        backup = " backup" if usual and one.backup else ""
        address = word(SocketAddress(one.address, one.port))
        yield f'    server "{address}" weight={word(one.weight)} {_MEMBER}{backup};'
    if upstream.protocol is Protocol.HTTP:
        yield "    keepalive 32;"
        yield "    keepalive_timeout 5s;"
    yield "}"


def _balance(shape: Shape) -> str:
    if shape.cookie is not None:
        return f"hash $pinnace_client_{word(shape.cookie)} consistent"
    return _BALANCE.get(shape.balance, "")


def _status(place: Place, digest: str) -> Iterator[str]:
    yield "    server {\n"
    yield f"        listen {quoted('unix:' + place.socket)};\n"
    yield "        location = /digest {\n"
    yield f"            return 200 {quoted(digest)};\n"
    yield "        }\n"
    if place.has_stub_status:
        yield "        location = /status {\n"
        yield "            stub_status;\n"
        yield "        }\n"
    yield "    }\n"
