"""Run a Redis ambassador alone."""

import asyncio
from collections.abc import Callable

from ambassador.frame.running import run_parts, source_of
from ambassador.redis.ambassador import RedisAmbassador, Topology
from ambassador.redis.sentinel import Sentinels
from ambassador.redis.settings import RedisSettings
from sidecar.runtime.component import Component

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

    async def reload() -> None:
        fresh = await asyncio.to_thread(load)
        follows = None if fresh.source == "catalog" else _topology(fresh)[1]
        await ambassador.reload(fresh, follows)

    async def reload_everywhere() -> None:
        if tell_all is None:
            await reload()
        else:
            await asyncio.to_thread(load)  # who asks hears what is wrong
            tell_all()

    parts.append(ambassador)
    if settings.admin is not None:
        from ambassador.frame.admin import Admin  # noqa: PLC0415 - memory
        from ambassador.redis.routes import routes_of  # noqa: PLC0415

        routes = routes_of(ambassador, reload_everywhere)
        parts.append(Admin(settings.admin, routes, ambassador.refresh))
    await run_parts(parts, reload)


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
