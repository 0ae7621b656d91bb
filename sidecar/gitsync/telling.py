"""How the others are told: a command, a request, a signal to containers."""

import asyncio
import json
import os
import shlex
import urllib.request
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from sidecar.errors import PinnaceError
from sidecar.gitsync.hooks import HookFailed, News
from sidecar.gitsync.options import Hook, Target, Webhook
from sidecar.runtime.command import Command, run
from sidecar.runtime.request import fetched

if TYPE_CHECKING:
    from sidecar.engine.connection import Connection

__all__ = ["ask", "execute", "signal"]

_SIGNAL = 10.0


async def execute(hook: Hook, news: News, environ: Mapping[str, str]) -> None:
    """Run a command in the files of a commit. Raises HookFailed."""
    is_path = await asyncio.to_thread(os.path.exists, hook.command)
    words = (hook.command,) if is_path else tuple(shlex.split(hook.command))
    outcome = await run(
        Command(words, hook.timeout), {**environ, "GITSYNC_HASH": news.commit}, folder=news.folder
    )
    if not outcome.is_good:
        said = " ".join(outcome.output.split())
        raise HookFailed(": ".join(filter(None, (hook.command, str(outcome), said))))


async def ask(hook: Webhook, news: News) -> None:
    """Send a request. Raises HookFailed."""
    request = urllib.request.Request(  # noqa: S310  (the scheme was looked at)
        hook.url, method=hook.method, headers={"Gitsync-Hash": news.commit}
    )
    try:
        status, body = await asyncio.to_thread(fetched, request, hook.timeout)
    except (OSError, ValueError) as error:
        raise HookFailed(f"{hook.url}: {getattr(error, 'reason', error)}") from None
    if hook.status and status != hook.status:
        raise HookFailed(f"{hook.url}: status {status}, not {hook.status}: {body[:200]!r}")


async def signal(target: Target, docker: str) -> None:
    """Signal containers by their engine. Raises HookFailed."""
    from sidecar.engine.connection import Connection  # noqa: PLC0415  (rarely wanted, not small)

    try:
        connection = Connection(docker)
        try:
            names = [target.name] if target.name else await _with_labels(connection, target)
            for name in names:
                path = f"containers/{quote(name, safe='')}/kill"
                if not await connection.post(path, timeout=_SIGNAL, signal=target.signal):
                    raise HookFailed(f"there is no container {name}")
        finally:
            await connection.close()
    except HookFailed:
        raise
    except PinnaceError as error:
        raise HookFailed(str(error)) from None


async def _with_labels(connection: "Connection", target: Target) -> list[str]:
    filters = json.dumps({"label": [*target.labels], "status": ["running"]})
    found = await connection.json("containers/json", filters=filters)
    names = [str(each["Id"]) for each in found if isinstance(each, dict) and each.get("Id")]
    if not names:
        raise HookFailed(f"no container runs with {', '.join(target.labels)}")
    return names
