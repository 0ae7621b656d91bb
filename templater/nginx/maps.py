"""Maps from what a request has: to the group it goes to, to who it is taken for. Pure.

nginx compares a map's plain keys without regard to case, and some of them are words of its own. So
keys are regular expressions of a whole value, from checked values alone.
"""

import re
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import NamedTuple

from templater.names import CookieName
from templater.nginx.names import GroupName, choice_of, word
from templater.routes import Endpoint, Routes, State, Upstream
from templater.shapes import Match

__all__ = ["Lead", "canaries_of", "choices", "cookies", "lead_of", "serving"]


class Lead(NamedTuple):
    """Where requests to upstreams may go: ``lacking`` nobody serves, ``chosen`` have canaries."""

    lacking: frozenset[Upstream]
    chosen: frozenset[Upstream] = frozenset()


def serving(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """Return the endpoints that get new work."""
    return tuple(one for one in endpoints if one.state is State.READY and one.weight > 0)


def canaries_of(routes: Routes) -> Mapping[Upstream, tuple[Upstream, ...]]:
    """Return the upstreams of canaries that take new work, by that of all other requests."""
    found: dict[Upstream, tuple[Upstream, ...]] = defaultdict(tuple)
    for upstream, members in routes.upstreams.items():
        if upstream.shape.match and serving(members):
            found[upstream.of_all] += (upstream,)
    return dict(found)


def lead_of(upstreams: Iterable[Upstream], routes: Routes, tried: Container[Upstream]) -> Lead:
    """Return where requests to these may go; ``tried`` have canaries."""
    known = [*upstreams]
    return Lead(
        frozenset(up for up in known if not serving(routes.upstreams[up])),
        frozenset(up for up in known if up in tried),
    )


def cookies(groups: Iterable[Upstream]) -> Iterator[str]:
    """Who comes without a cookie gets one with a name of its own, by which it is then told."""
    names = dict.fromkeys(one.shape.cookie for one in groups if one.shape.cookie is not None)
    for name in map(word, names):
        yield f"    map $cookie_{name} $pinnace_client_{name} {{\n"
        yield f'        "" $request_id;\n        default $cookie_{name};\n    }}\n'
        yield f"    map $cookie_{name} $pinnace_cookie_{name} {{\n"
        yield f'        "" "{name}=$request_id; Path=/; HttpOnly";\n        default "";\n    }}\n'


def choices(
    tried: Mapping[Upstream, tuple[Upstream, ...]], lacking: Container[Upstream]
) -> Iterator[str]:
    """Return the maps of all upstreams with canaries; who is in ``lacking`` has nobody else.

    Each map falls back to the one before: any match is enough.
    """
    for upstream, canaries in tried.items():
        name = choice_of(upstream)
        target = '""' if upstream in lacking else f'"{word(GroupName(upstream))}"'
        # The first match is to win, so it is looked at last.
        rules = [(match, canary) for canary in canaries for match in canary.shape.match][::-1]
        for number, (match, canary) in enumerate(rules, 1):
            variable = f"${name}" if number == len(rules) else f"${name}_{number}"
            yield f"    map {_source(match)} {variable} {{\n"
            yield f"        default {target};\n"
            yield f'        "~^{re.escape(word(match.value))}$" "{word(GroupName(canary))}";\n'
            yield "    }\n"
            target = variable


def _source(match: Match) -> str:
    if isinstance(match.name, CookieName):
        return f"$cookie_{word(match.name)}"
    return f"$http_{word(match.name).lower().replace('-', '_')}"
