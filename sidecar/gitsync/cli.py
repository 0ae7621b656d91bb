"""``pinnace git-sync``: git-sync's command line."""

import asyncio
import os
import pwd
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from sidecar import __version__
from sidecar.config.goflags import Help, usage
from sidecar.errors import ConfigError, PinnaceError
from sidecar.gitsync.access import Access
from sidecar.gitsync.component import GitSync
from sidecar.gitsync.flags import FLAGS
from sidecar.gitsync.options import Options, options_of
from sidecar.gitsync.place import Place
from sidecar.runtime import log
from sidecar.runtime.clock import SystemClock

__all__ = ["main"]

_log = log.get_logger("git-sync")
_GROUP: Final = 0o002
_OWN: Final = 0o022


def main(program: str, arguments: Sequence[str]) -> int:
    """Run the command line; return the exit status. Raises ConfigError."""
    if {*arguments} & {"--version", "-version"}:
        print(f"{program} (pinnace {__version__})")
        return 0
    try:
        options = options_of(
            ["-h" if word in {"-?", "--?"} else word for word in arguments], os.environ
        )
    except Help:
        print(f"usage: pinnace {program} --repo URL --root FOLDER [OPTIONS]\n{usage(FLAGS)}")
        return 0
    if shutil.which(options.git) is None:
        raise ConfigError([f"--git: the program {options.git!r} is not there"])
    signals = {signal.SIGHUP} | ({_signal(options.signal)} if options.signal else set())
    log.configure(options.log_format, "debug" if options.verbose > 4 else "info")
    os.umask(_GROUP if options.is_group_writable else _OWN)
    if options.adds_user:
        _add_user()
    place = Place(options.root, options.link, in_place=options.in_place)
    access = Access(options, os.environ)
    try:
        place.open()
        with asyncio.Runner() as runner:
            return runner.run(_run(options, access, place, signals))
    except OSError as error:
        raise ConfigError([f"--root: {error}"]) from error
    finally:
        place.close()
        access.close()


async def _run(options: Options, access: Access, place: Place, signals: set[signal.Signals]) -> int:
    from sidecar.gitsync.status import Status  # noqa: PLC0415

    status = Status(options.bind)
    sync = GitSync(options, access, place, SystemClock(), ready=status.is_ready.set)
    loop, everything = asyncio.get_running_loop(), asyncio.current_task()
    if everything is not None:
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, everything.cancel)
    for each in signals:
        loop.add_signal_handler(each, sync.sync_soon)
    _log.info("starting", version=__version__, root=place.root, ref=options.ref)
    try:
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(status.run(), name="web")
            try:
                return await sync.run()
            finally:
                serving.cancel()
    except* PinnaceError as errors:
        raise errors.exceptions[0] from None
    except* asyncio.CancelledError:
        _log.info("stopped")
    return 0


def _signal(text: str) -> signal.Signals:
    name = text.upper()
    with suppress(ValueError, KeyError):
        return (
            signal.Signals(int(text, 0))
            if text[:1].isdigit()
            else signal.Signals[name if name.startswith("SIG") else f"SIG{name}"]
        )
    raise ConfigError([f"--sync-on-signal: {text!r} is no signal"])


def _add_user() -> None:
    """Give our number a name: ssh asks for it."""
    number = os.getuid()
    with suppress(KeyError):
        pwd.getpwuid(number)
        return
    home = os.environ.get("HOME", "/")
    line = f"git-sync:x:{number}:{os.getgid()}::{home}:/sbin/nologin\n"
    with Path("/etc/passwd").open("a", encoding="utf-8") as file:
        file.write(line)
