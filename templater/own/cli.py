"""``pinnace render``: what the templates of a configuration would write now, and is it different.

The data is that of the running program, asked over its API, or made up in a file. Nothing is
written and no command is run.
"""

import asyncio
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from sidecar.catalog.kv import Entry
from sidecar.catalog.live import Catalog
from sidecar.config.model import Settings, TemplateSettings
from sidecar.config.units import endpoint
from sidecar.errors import ConfigError, PinnaceError, RenderError, StoreUnavailable
from sidecar.runtime.clock import SystemClock
from sidecar.runtime.log import ROOT
from templater.extras import Extras
from templater.files.diff import unified
from templater.own.keys import KeyFeed
from templater.own.mock import mock_of
from templater.own.render import Renderer, State
from templater.own.world import World

__all__ = ["mistakes", "render"]

_PATIENCE: Final = 3.0
OK: Final = 0
FAILURE: Final = 1


def mistakes(settings: Settings) -> list[str]:
    """Return what keeps templates and certificates from being used, a line each."""
    found = []
    for one in settings.template:
        try:
            Renderer(one, SystemClock()).compile()
        except RenderError as error:
            found.append(str(error))
    extras = Extras(settings.lb, SystemClock())
    extras.look()
    return found + [f"{problem.field}: {problem.reason}" for problem in extras.problems]


def render(
    settings: Settings, wanted: Sequence[str], *, data: str = "", is_diff: bool = False
) -> int:
    """Print what the templates with these destinations (none: all) make; return the exit status."""
    known = {one.destination: one for one in settings.template}
    if not known:
        raise ConfigError(["there is no [[template]] in the configuration"])
    if absent := [name for name in wanted if name not in known]:
        raise ConfigError([f"{name}: is no template's destination" for name in absent])
    chosen = [known[name] for name in wanted or known]
    if data:
        return _show(chosen, _made_up(Path(data)), is_diff)
    with _quiet():
        return asyncio.run(_live(settings, chosen, is_diff))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the client's own lines back: what is wrong is told at the end."""
    client = logging.getLogger(f"{ROOT}.consul")
    before = client.level
    client.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        client.setLevel(before)


def _made_up(path: Path) -> State:
    try:
        snapshot, entries = mock_of(path.read_bytes(), str(path))
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror or error}"]) from error

    def below(prefix: str) -> Iterable[Entry]:
        return [entry for key, entry in sorted(entries.items()) if key.startswith(prefix)]

    return State(World.of(snapshot), below)


async def _live(settings: Settings, chosen: Sequence[TemplateSettings], is_diff: bool) -> int:
    from sidecar.stores.opening import open_keyvalue, open_mirror  # noqa: PLC0415
    from sidecar.web.token import token_of  # noqa: PLC0415

    host, port = endpoint(settings.http.listen)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    url = f"consul://[{host}]:{port}" if ":" in host else f"consul://{host}:{port}"
    token = token_of(settings.http) if settings.http.token_file else ""
    environ = {"CONSUL_HTTP_TOKEN": token}
    clock, catalog = SystemClock(), Catalog()
    store = open_keyvalue(url, clock=clock, environ=environ)
    mirror = open_mirror(url, catalog, clock=clock, environ=environ)
    ready = asyncio.Event()
    status: int | None = None
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        stack.push_async_callback(store.close)
        follower = group.create_task(mirror.run(ready.set), name="mirror")
        feed = KeyFeed(store, group, clock, lambda _: None)
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await ready.wait()
        if ready.is_set():
            state = State(World.of(catalog.snapshot), feed.entries)
            status = await asyncio.to_thread(_show, chosen, state, is_diff)
        feed.retain(())
        follower.cancel()
    if status is None:
        why = mirror.trouble() or "no answer"
        raise StoreUnavailable(f"no running pinnace at {host}:{port}: {why}")
    return status


def _show(chosen: Sequence[TemplateSettings], state: State, is_diff: bool) -> int:
    status = OK
    for one in chosen:
        try:
            content = Renderer(one, SystemClock()).render(state)
        except PinnaceError as error:
            print(f"pinnace render: {error}", file=sys.stderr)
            status = FAILURE
            continue
        if is_diff:
            sys.stdout.write(_difference(Path(one.destination), content))
            continue
        if len(chosen) > 1:
            print(f"> {one.destination}", flush=True)
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    return status


def _difference(path: Path, content: bytes) -> str:
    try:
        before = path.read_bytes()
    except FileNotFoundError:
        before = None
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror or error}"]) from error
    return unified(str(path), before, content, color=sys.stdout.isatty())
