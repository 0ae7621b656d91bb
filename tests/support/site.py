"""A server with a key and a service, whose short answers are counted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sidecar.config.model import HttpSettings
from sidecar.web.consul.api import shorts, store_routes
from sidecar.web.consul.kv import short_of
from sidecar.web.door import Short
from tests.support.catalog import instance, puts
from tests.support.served import World, served
from tests.support.wire import Reply

__all__ = ["KEY", "SERVICE", "Site", "same", "site"]

LISTEN = HttpSettings(listen="127.0.0.1:0")
KEY, SERVICE = "/v1/kv/a/b", "/v1/health/service/web?passing"


class Counting:
    """Answers in short, and says how often."""

    def __init__(self, short: Short) -> None:
        self._short = short
        self.answered = 0
        self.is_off = False

    def __call__(self, target: str, gzip: bool) -> Any:
        if self.is_off:
            return None
        answer = self._short(target, gzip)
        self.answered += answer is not None
        return answer


class Site:
    """A served world with a key and a service."""

    def __init__(self, settings: HttpSettings = LISTEN) -> None:
        self.world = World()
        self.settings = settings
        kept, reading = self.world.store.kv, self.world.api.reading
        self.short = Counting(shorts(reading.short, short_of(kept)))

    @property
    def address(self) -> tuple[str, int]:
        assert self.world.server is not None
        assert self.world.server.address is not None
        return self.world.server.address


@asynccontextmanager
async def site(settings: HttpSettings = LISTEN, **options: Any) -> AsyncIterator[Site]:
    """Serve; ``options`` are the server's."""
    found = Site(settings)
    world = found.world
    await world.store.kv.put("a/b", b"value")
    await world.store.kv.put("empty", b"")
    await world.store.kv.put("large", b"x" * 20000)
    world.catalog.commit(puts(*(instance(id_=f"i{n}") for n in range(9))))
    routes = store_routes(
        world.store.kv, datacenter="dc1", node="n", address="", checks_of=lambda _: None
    )
    async with served(world, settings=settings, routes=routes, short=found.short, **options):
        yield found


def same(one: Reply, other: Reply) -> bool:
    """Say whether two answers are the same but for the time."""

    def told(reply: Reply) -> dict[str, str]:
        return {k: v for k, v in reply.headers.items() if k not in {"date", "server"}}

    return (one.status, told(one), one.body) == (other.status, told(other), other.body)
