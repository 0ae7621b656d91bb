"""Run a Redis ambassador alone."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ambassador.frame.address import Address
from ambassador.frame.running import run_parts, source_of
from ambassador.redis.ambassador import RedisAmbassador, Topology
from ambassador.redis.sentinel import Sentinels
from ambassador.redis.settings import RedisSettings
from sidecar.errors import ConfigError, PinnaceError
from sidecar.runtime.component import Component

if TYPE_CHECKING:
    from ambassador.frame.admin import Admin

__all__ = ["run"]


async def run(
    settings: RedisSettings,
    load: Callable[[], RedisSettings],
    tell_all: Callable[[], None] | None = None,
) -> None:
    """Serve until a signal; SIGHUP and the admin address load again.

    ``tell_all`` has every worker do so when the admin address of one is asked.
    """
    parts, topology = _topology(settings)
    ambassador = RedisAmbassador(settings, topology)
    admin: Admin | None = None

    async def reload() -> None:
        fresh = await asyncio.to_thread(load)
        if (fresh.admin is None) != (admin is None):
            raise ConfigError(["admin: to have one or none needs a restart"])
        if (fresh.service, fresh.store) != (settings.service, settings.store):
            raise ConfigError(["upstream.service and upstream.store: this needs a restart"])
        door = await admin.opened(fresh.admin) if admin and fresh.admin else None
        try:
            follows = None if fresh.source == "catalog" else _topology(fresh)[1]
            await ambassador.reload(fresh, follows)
        except PinnaceError:
            if door is not None:
                door.close()
                await door.clean()
            raise
        if door is not None and admin and fresh.admin:
            await admin.move(door, fresh.admin)

    async def reload_everywhere() -> None:
        if tell_all is None:
            await reload()
        else:
            await asyncio.to_thread(load)  # who asks hears what is wrong
            tell_all()

    parts.append(ambassador)
    if settings.admin is not None:
        admin = _admin(settings.admin, ambassador, reload_everywhere)
        parts.append(admin)
    await run_parts(parts, reload)


def _admin(
    address: Address, ambassador: RedisAmbassador, reload: Callable[[], Awaitable[None]]
) -> "Admin":
    from ambassador.frame.admin import Admin  # noqa: PLC0415 - memory
    from ambassador.redis.routes import routes_of  # noqa: PLC0415

    return Admin(address, routes_of(ambassador, reload), ambassador.refresh)


def _topology(settings: RedisSettings) -> tuple[list[Component], Topology]:
    """Return where servers are learned from, and what has to run for it. Raises ConfigError."""
    match settings.source:
        case "sentinel":
            return [], Sentinels(
                settings.servers, settings.master_name, settings.sentinel_user,
                settings.sentinel_password,
            )  # fmt: skip
        case "cluster":
            from ambassador.redis.cluster.following import Clustered  # noqa: PLC0415 - memory

            return [], Clustered(settings.servers)
        case _:
            return source_of(settings.store, settings.service, settings.servers)
