"""``ambassador redis``: flags, variables and a YAML file to settings, then run."""

import argparse
import dataclasses
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvloop

from ambassador.frame.fields import Place
from ambassador.frame.tls import client_context, server_context
from ambassador.frame.workers import in_workers, nth, reload_all
from ambassador.redis.configuring import Given, settings_of
from ambassador.redis.settings import MODES, Listener, RedisSettings
from ambassador.redis.users import users_in
from sidecar import __version__
from sidecar.errors import ConfigError, PinnaceError
from sidecar.runtime import log
from sidecar.runtime.usage import Help

__all__ = ["main", "parser"]

_LARGEST: Final = 1 << 20


def parser(program: str) -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(
        prog=program,
        description="Look like one Redis: writes go to the primary, reads to replicas.",
        epilog="Every option is also a key of the file and a variable AMBASSADOR_...: see"
        " docs/ambassador.md. exit status: 0 ok, 1 failure, 2 usage, 78 bad configuration",
        allow_abbrev=False,
        formatter_class=Help,
    )
    add = made.add_argument
    add("--listen", action="append", default=[], metavar="ADDR:PORT|unix:PATH[=MODE]",
        help="where clients come in; repeatable [127.0.0.1:6379]")  # fmt: skip
    add("--primary", default="", metavar="HOST:PORT", help="of a static topology")
    add("--replica", action="append", default=[], metavar="HOST:PORT", help="repeatable")
    add("--service", default="", metavar="NAME", help="whose instances are the servers")
    add("--store", default="", metavar="URL", help="where that service is known")
    add("--sentinel", action="append", default=[], metavar="HOST:PORT", help="repeatable")
    add("--master-name", default="", metavar="NAME", help="what Sentinel calls the primary")
    add("--cluster", action="append", default=[], metavar="HOST:PORT",
        help="a node of a Redis Cluster; repeatable")  # fmt: skip
    add("--mode", default="", choices=MODES, help="of reads [session]")
    add("--max-lag", default="", metavar="DURATION", help="of replicas, in mode bounded [1s]")
    add("--admin", default="", metavar="ADDR:PORT", help="health, metrics, topology [none]")
    add("--config", default="", metavar="FILE", help="YAML")
    add("--workers", default="", metavar="N", help="processes [1]")
    add("--log-format", default="text", choices=log.FORMATS, help="[text]")
    add("--log-level", default="info", choices=log.LEVELS, help="[info]")
    add("--check", action="store_true", help="say whether the configuration is right, and end")
    add("--version", action="version", version=f"pinnace {__version__}")
    return made


def main(program: str, arguments: Sequence[str]) -> int:
    """Run the command line; return the exit status."""
    asked = parser(program).parse_args(arguments)
    log.configure(asked.log_format, asked.log_level)
    settings = _load(asked)
    _check_files(settings)
    if asked.check:
        print("ok")
        return 0
    if settings.workers == 1:
        return _run(asked, settings)
    return in_workers(settings.workers, lambda number: _worker(asked, settings, number))


def _check_files(settings: RedisSettings) -> None:
    """Raise ConfigError for certificates and keys that cannot be read."""
    client_context(settings.tls)
    for listener in settings.listeners:
        server_context(listener.tls)


def _worker(asked: argparse.Namespace, settings: RedisSettings, number: int) -> int:
    try:
        return _run(asked, _of_worker(settings, number), number)
    except PinnaceError as error:
        print(f"pinnace: {error}", file=sys.stderr)
        return error.exit_status


def _of_worker(settings: RedisSettings, number: int) -> RedisSettings:
    """Return the settings of one worker: each has an admin address of its own."""
    admin = settings.admin and nth(settings.admin, number)
    return dataclasses.replace(settings, admin=admin)


def _run(asked: argparse.Namespace, settings: RedisSettings, number: int = 0) -> int:
    from ambassador.redis.program import run  # noqa: PLC0415 - after mistakes are told

    tell_all = reload_all if settings.workers > 1 else None
    # What is loaded stays; without it among the rest, what ended clients leave is found sooner.
    gc.collect()
    gc.freeze()
    uvloop.run(run(settings, lambda: _of_worker(_load(asked), number), tell_all))
    return 0


def _load(asked: argparse.Namespace) -> RedisSettings:
    """Return the settings of all sources. Raises ConfigError."""
    given = Given(
        listen=asked.listen,
        primary=asked.primary,
        replicas=asked.replica,
        service=asked.service,
        store=asked.store,
        sentinels=asked.sentinel,
        master_name=asked.master_name,
        cluster=asked.cluster,
        mode=asked.mode,
        max_lag=asked.max_lag,
        admin=asked.admin,
        workers=asked.workers,
    )
    told = _document(asked.config) if asked.config else ()
    settings = settings_of(given, os.environ, *told)
    listeners = tuple(_with_users(listener) for listener in settings.listeners)
    return dataclasses.replace(settings, listeners=listeners)


def _with_users(listener: Listener) -> Listener:
    """Return it with the users of its file. Raises ConfigError."""
    name = listener.users_file
    if not name:
        return listener
    try:
        secrets = users_in(Path(name).read_text())
    except OSError as error:
        raise ConfigError([f"{name}: {error.strerror or error}"]) from error
    except ValueError as wrong:
        raise ConfigError([f"{name}:{wrong}"]) from wrong
    return dataclasses.replace(listener, secrets=secrets)


def _document(name: str) -> tuple[object, Place]:
    from ambassador.frame.document import document_of  # noqa: PLC0415 - start-up time and memory

    try:
        with Path(name).open("rb") as file:
            data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise ConfigError([f"{name}: is longer than 1 MiB"])
        return document_of(data.decode(), name)
    except OSError as error:
        raise ConfigError([f"{name}: {error.strerror or error}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{name}: is no UTF-8"]) from error
