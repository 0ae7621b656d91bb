"""Whether settings fit together. Pure."""

from collections.abc import Iterator
from typing import Final

from ambassador.frame.fields import Steps
from ambassador.redis.settings import Listener, RedisSettings

__all__ = ["mistakes_in"]

Mistake = tuple[Steps, str]

_NOT_ZERO: Final = ("probe", "bounded_probe", "probe_timeout", "connect_timeout", "slow")
_AT_LEAST_ONE: Final = ("connections_per_node", "dedicated_max")
_PAIRS: Final = (("reply_soft", "reply_hard"), ("push_soft", "push_hard"))


def mistakes_in(settings: RedisSettings) -> Iterator[Mistake]:
    """Yield what is wrong, each with the steps to the key that is best changed."""
    yield from _of_source(settings)
    yield from _of_numbers(settings)
    binds = set()
    for number, listener in enumerate(settings.listeners):
        steps: Steps = ("listeners", number)
        if listener.bind in binds:
            yield (*steps, "bind"), f"two listeners have the same address {listener.bind}"
        binds.add(listener.bind)
        for key, why in _of_listener(settings, listener):
            yield (*steps, key), why


def _of_source(settings: RedisSettings) -> Iterator[Mistake]:
    source = settings.source
    if source == "catalog":
        if not settings.service or not settings.store:
            why = "the catalog needs a service and a store (--service, --store)"
            yield ("upstream",), why
    elif not settings.servers:
        flags = {"static": "--primary", "sentinel": "--sentinel", "cluster": "--cluster"}
        yield ("upstream", "servers"), f"none; give some, for example by {flags[source]}"
    if source == "sentinel" and not settings.master_name:
        yield ("upstream", "master_name"), "Sentinel needs it (--master-name)"
    if source == "cluster" and not settings.is_multiplexed:
        yield ("upstream", "multiplex"), "clients of a cluster share connections"
    if settings.user and not settings.password:
        yield ("upstream", "user"), "a user needs a password"


def _of_numbers(settings: RedisSettings) -> Iterator[Mistake]:
    for key in _NOT_ZERO:
        if not getattr(settings, key):
            yield ("upstream", key), "cannot be 0"
    for key in _AT_LEAST_ONE:
        if getattr(settings, key) < 1:
            yield ("upstream", key), "is at least 1"
    if settings.dedicated_min > settings.dedicated_max:
        yield ("upstream", "dedicated_min"), "is more than dedicated_max"
    for key in ("workers", "max_clients"):
        if getattr(settings, key) < 1:
            yield (key,), "is at least 1"
    for soft, hard in _PAIRS:
        if getattr(settings, soft) > getattr(settings, hard):
            yield (soft,), f"is more than {hard}"


def _of_listener(settings: RedisSettings, listener: Listener) -> Iterator[tuple[str, str]]:
    if listener.cursor == "sticky" and settings.source == "cluster":
        yield "cursor", "scans of a cluster are on primaries"
    if listener.scope != "connection" and settings.workers > 1:
        yield "session_scope", "with several workers it can only be connection"
    if listener.after_write == "replica":
        if listener.mode != "eventual":
            yield "read_after_inflight_write", "replica is for mode eventual alone"
        if settings.source == "cluster":
            yield "read_after_inflight_write", "reads of a slot stay behind its writes in a cluster"
    if listener.window and listener.mode != "session":
        yield "session_window", "is for mode session"
    if listener.balance == "zone_first" and not settings.zone:
        yield "balance", "zone_first needs to know where we are (upstream.zone)"
    if listener.limits.bulk < 1 or listener.limits.buffer < listener.limits.bulk:
        yield "max_bulk", "is at least 1 and at most max_query"
