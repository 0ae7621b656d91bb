"""What a service asks of the proxy by its instances' meta: hosts, paths, shape. Pure.

A place leads to the instances that ask for it: two containers of one image may be two sites. Where
those differ in what can be only once, the first text in order wins and the others are told.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from sidecar.catalog.model import (
    CERT_NAME,
    HTTP_ACCESS,
    HTTP_BALANCE,
    HTTP_HOST,
    HTTP_PROTO,
    HTTPS_METHOD,
    Instance,
)
from templater.names import Host, Network, UrlPath, Wildcard, shown
from templater.shapes import INTERNAL, Balance, Https, Method, Scheme, Shape

__all__ = ["Place", "https_of", "places_of", "shape_of"]

_MAX_HOSTS: Final = 64  # per service: a label of 100 kB must not fill the map
_MAX_NETWORKS: Final = 64
_ROOT: Final = UrlPath("/")

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
    scheme = _only(members, HTTP_PROTO, Scheme, complain) or Scheme.HTTP
    balance = _only(members, HTTP_BALANCE, Balance, complain) or Balance.ROUNDROBIN
    return Shape(scheme, balance, _allowed(members, complain))


def https_of(members: Sequence[Instance], complain: Complain) -> Https | None:
    """Return what the service asks of TLS, None: nothing."""
    method = _only(members, HTTPS_METHOD, Method, complain)
    certificate = _only(members, CERT_NAME, Host, complain)
    if method is None and certificate is None:
        return None
    return Https(method or Method.REDIRECT, str(certificate or ""))


def _place(word: str) -> Place:
    place, equals, dest = word.partition("=")
    site, slash, path = place.partition("/")
    return Place(
        Wildcard(site) if site.startswith("*") else Host(site),
        UrlPath("/" + path) if slash else _ROOT,
        UrlPath(dest) if equals else None,
    )


def _only(
    members: Iterable[Instance], key: str, make: Callable[[str], T], complain: Complain
) -> T | None:
    """Return the first good value of a key; complain of bad and of other ones."""
    found: T | None = None
    for text in sorted({text for one in members if (text := one.meta.get(key))}):
        try:
            value = make(text)
        except ValueError:
            complain(key, f"{shown(text)} is not known here")
            continue
        if found is None:
            found = value
        elif found != value:
            complain(key, f"{shown(text)} differs from {shown(str(found))} of other instances")
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
