"""What a service asks of the proxy by its instances' meta: hosts, paths, shape. Pure.

A place leads to the instances that ask for it: two containers of one image may be two sites. Where
those differ in what can be only once, the first text in order wins and the others are told.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from sidecar.catalog.model import (
    CERT_NAME,
    CHECK,
    CHECK_FALL,
    CHECK_INTERVAL,
    CHECK_RISE,
    HSTS,
    HTTP_ACCESS,
    HTTP_BALANCE,
    HTTP_HOST,
    HTTP_PROTO,
    HTTPS_METHOD,
    RETRIES,
    STICKY,
    TIMEOUT_ANSWER,
    TIMEOUT_CONNECT,
    TIMEOUT_TUNNEL,
    Instance,
)
from templater.names import (
    CertName,
    CookieName,
    Count,
    Host,
    Millis,
    Network,
    UrlPath,
    Wildcard,
    shown,
)
from templater.shapes import (
    INTERNAL,
    Balance,
    Check,
    Hsts,
    Https,
    Method,
    Scheme,
    Shape,
    Timeouts,
)

__all__ = ["Place", "https_of", "places_of", "shape_of"]

_MAX_HOSTS: Final = 64  # per service: a label of 100 kB must not fill the map
_MAX_NETWORKS: Final = 64
_ROOT: Final = UrlPath("/")
_COOKIE: Final = CookieName("pinnace")
_OURS: Final = "pinnace-"
_TCP: Final = "tcp"
_OFF: Final = "off"

Complain = Callable[[str, str], None]
"""Is told meta key and reason."""
T = TypeVar("T")


class Place(NamedTuple):
    """A host and a path whose requests a service wants; ``dest`` as in Shape."""

    site: Host | Wildcard
    path: UrlPath
    dest: UrlPath | None


def places_of(members: Sequence[Instance], complain: Complain) -> Mapping[Place, tuple[int, ...]]:
    """Return the places asked for, and which of the members ask for each."""
    found: dict[Place, list[int]] = {}
    known: dict[str, list[Place]] = {}
    for at, one in enumerate(members):
        text = one.meta.get(HTTP_HOST, "")
        if text and text not in known:
            known[text] = list(_places(text, complain))
        for place in known.get(text, ()):
            if place not in found and len(found) == _MAX_HOSTS:
                complain(HTTP_HOST, f"more than {_MAX_HOSTS} hosts; the first stay")
                break
            found.setdefault(place, []).append(at)
    return {place: tuple(dict.fromkeys(askers)) for place, askers in found.items()}


def _places(text: str, complain: Complain) -> Iterator[Place]:
    words = dict.fromkeys(word for part in text.split(",") if (word := part.strip(" ")))
    if len(words) > _MAX_HOSTS:
        complain(HTTP_HOST, f"more than {_MAX_HOSTS} hosts; the first stay")
    for word in list(words)[:_MAX_HOSTS]:
        try:
            yield _place(word)
        except ValueError as error:
            complain(HTTP_HOST, str(error))


def shape_of(members: Sequence[Instance], complain: Complain) -> Shape:
    """Return how the service wants to be reached, whatever the path."""
    asks = _Asks(members, complain)
    scheme = asks.only(HTTP_PROTO, Scheme) or Scheme.HTTP
    balance = asks.only(HTTP_BALANCE, Balance) or Balance.ROUNDROBIN
    sticky = asks.only(STICKY, _sticky)
    return Shape(
        scheme,
        Balance.SOURCE if sticky is Balance.SOURCE else balance,
        _allowed(members, complain),
        cookie=sticky if isinstance(sticky, CookieName) else None,
        timeouts=Timeouts(
            asks.only(TIMEOUT_CONNECT, Millis),
            asks.only(TIMEOUT_ANSWER, Millis),
            asks.only(TIMEOUT_TUNNEL, Millis),
        ),
        check=_check(asks, scheme, complain),
        retries=asks.only(RETRIES, Count),
    )


def https_of(members: Sequence[Instance], complain: Complain) -> Https | None:
    """Return what the service asks of TLS, None: nothing."""
    asks = _Asks(members, complain)
    hsts = asks.only(HSTS, _hsts)
    found = Https(
        asks.only(HTTPS_METHOD, Method),
        asks.only(CERT_NAME, CertName),
        hsts if isinstance(hsts, Hsts) else None,
        no_hsts=hsts == _OFF,
    )
    return found if found != Https() else None


def _check(asks: "_Asks", scheme: Scheme, complain: Complain) -> Check | None:
    path = asks.only(CHECK, _checked)
    if path is None:
        for key in (CHECK_INTERVAL, CHECK_FALL, CHECK_RISE):
            if asks.only(key, str):
                complain(key, f"there is no {CHECK} that it could belong to")
        return None
    if isinstance(path, UrlPath) and scheme in {Scheme.GRPC, Scheme.GRPCS}:
        complain(CHECK, "gRPC is not asked for a path; it must take a connection")
        path = _TCP
    usual = Check()
    return Check(
        path if isinstance(path, UrlPath) else None,
        asks.only(CHECK_INTERVAL, Millis) or usual.interval,
        asks.only(CHECK_FALL, _times) or usual.fall,
        asks.only(CHECK_RISE, _times) or usual.rise,
    )


def _times(text: str) -> Count:
    if not (count := Count(text)):
        raise ValueError("0 is not a number from 1 to 20")
    return count


def _checked(text: str) -> UrlPath | str:
    return _TCP if text == _TCP else UrlPath(text)


def _hsts(text: str) -> Hsts | str:
    return _OFF if text == _OFF else Hsts.of(text)


def _sticky(text: str) -> Balance | CookieName:
    kind, colon, name = text.partition(":")
    if kind == "cookie":
        return CookieName(name) if colon else _COOKIE
    if text == Balance.SOURCE:
        return Balance.SOURCE
    raise ValueError(f"{shown(text)} is not cookie, cookie:NAME or source")


def _place(word: str) -> Place:
    place, equals, dest = word.partition("=")
    site, slash, path = place.partition("/")
    return Place(
        Wildcard(site) if site.startswith("*") else Host(site),
        UrlPath("/" + path) if slash else _ROOT,
        UrlPath(dest) if equals else None,
    )


class _Asks:
    """What the members say under one key after the other."""

    def __init__(self, members: Iterable[Instance], complain: Complain) -> None:
        self._texts: dict[str, set[str]] = {}
        self._complain = complain
        for one in members:
            for key, text in one.meta.items():
                if text and key.startswith(_OURS):
                    self._texts.setdefault(key, set()).add(text)

    def only(self, key: str, make: Callable[[str], T]) -> T | None:
        """Return the first good value of a key; complain of bad and of other ones."""
        found: T | None = None
        for text in sorted(self._texts.get(key, ())):
            try:
                value = make(text)
            except ValueError:
                self._complain(key, f"{shown(text)} is not known here")
                continue
            if found is None:
                found = value
            elif found != value:
                reason = f"{shown(text)} differs from {shown(str(found))} of other instances"
                self._complain(key, reason)
        return found


def _allowed(members: Iterable[Instance], complain: Complain) -> tuple[Network, ...]:
    """Return the networks that may ask; a list that cannot be read lets only the near ones in."""
    texts = sorted({one.meta.get(HTTP_ACCESS) or "external" for one in members})
    lists = [_networks(text, complain) for text in texts]
    strict = [networks for networks in lists if networks]
    if len(lists) > 1:
        complain(HTTP_ACCESS, "instances differ; the strictest counts")
    if not strict:
        return ()
    return min(strict, key=lambda networks: (networks == INTERNAL, len(networks)))


def _networks(text: str, complain: Complain) -> tuple[Network, ...]:
    if text == "external":
        return ()
    if text == "internal":
        return INTERNAL
    words = [word for part in text.split(",") if (word := part.strip(" "))]
    try:
        if not 0 < len(words) <= _MAX_NETWORKS:
            raise ValueError(f"from 1 to {_MAX_NETWORKS} networks can be named")
        return tuple(dict.fromkeys(map(Network, words)))
    except ValueError as error:
        complain(HTTP_ACCESS, f"{error}; only near networks may ask")
        return INTERNAL
