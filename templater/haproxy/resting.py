"""Endpoints that drain and have nothing left to do. Pure.

A draining server still gets the requests of clients that are bound to it. Once nothing is under
way it is shut, before its container may stop, so that these go elsewhere and none meets a server
that ends.
"""

from collections.abc import Set as AbstractSet
from dataclasses import replace

from templater.routes import Endpoint, Key, Routes, State

__all__ = ["Quiet", "rested", "still"]

Quiet = AbstractSet[tuple[str, Key]]
"""Service and key of endpoints that had nothing under way."""


def still(routes: Routes, quiet: Quiet) -> frozenset[tuple[str, Key]]:
    """Return those that drain in these routes: who is ready again, or gone, is forgotten."""
    draining = {
        (upstream.service, one.key)
        for upstream, members in routes.upstreams.items()
        for one in members
        if one.state is State.DRAIN
    }
    return frozenset(quiet & draining)


def rested(routes: Routes, quiet: Quiet) -> Routes:
    """Return the routes with the quiet ones shut."""
    services = {service for service, _ in quiet}

    def shut(service: str, one: Endpoint) -> Endpoint:
        is_quiet = one.state is State.DRAIN and (service, one.key) in quiet
        return replace(one, state=State.MAINT) if is_quiet else one

    upstreams = {
        upstream: tuple(shut(upstream.service, one) for one in members)
        if upstream.service in services
        else members
        for upstream, members in routes.upstreams.items()
    }
    return replace(routes, upstreams=upstreams)
