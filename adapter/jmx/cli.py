"""``adapter jmx`` and ``jmx_exporter``: the standalone server's command line, and what it lacks."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adapter.places import listen_of
from sidecar import __version__
from sidecar.config.units import Endpoint
from sidecar.errors import ConfigError, PinnaceError
from sidecar.runtime import log

if TYPE_CHECKING:
    from adapter.jmx.settings import Settings
    from sidecar.runtime.component import Component

__all__ = ["prepared"]

OK: Final = 0
FAILURE: Final = 1
USAGE: Final = 2

_PEER: Final = "jmx_exporter"

_USAGE: Final = """usage: {program} [OPTIONS] [HOST:]PORT CONFIG.yml
       {program} --check-config CONFIG.yml
       {program} --dump HOST:PORT [CONFIG.yml]
       {program} --explain HOST:PORT CONFIG.yml

Metrics of JVMs by JMX, without a JVM. The file is that of jmx_exporter's standalone server, with
targets, discovery and more (docs/jmx.md).

  [HOST:]PORT          where /metrics is served
  --check-config       say what is wrong with the file, or ok
  --dump HOST:PORT     print every value of a JVM as rules' patterns see it
  --explain HOST:PORT  the same with the rule that takes it and the metric it becomes
  --log.level LEVEL    debug, info, warning or error [info]
  --log.format FORMAT  text or json [text]
  --version, -h, --help"""


class _Misused(Exception):
    """The words on the command line are wrong."""


@dataclass
class _Words:
    """The command line, read."""

    do: str = "serve"
    place: str = ""
    level: str = "info"
    form: str = "text"
    plain: tuple[str, ...] = ()


def prepared(program: str, arguments: Sequence[str]) -> "Sequence[Component] | int":
    """Return the components that the command line asks for, or a status when all is done.

    As ``jmx_exporter`` it is 1 for every mistake. Raises ConfigError.
    """
    try:
        return _prepared(program, _read(arguments))
    except _Misused as error:
        print(f"{program}: {error}\n{_USAGE.format(program=program)}", file=sys.stderr)
        return FAILURE if program == _PEER else USAGE
    except ConfigError as error:
        if program != _PEER:
            raise
        print(error, file=sys.stderr)
        return FAILURE


def _prepared(program: str, words: _Words) -> "Sequence[Component] | int":
    if words.do == "help":
        print(_USAGE.format(program=program))
        return OK
    if words.do == "version":
        print(f"{program} (pinnace {__version__})")
        return OK
    log.configure(words.form, words.level)
    if words.do in {"--dump", "--explain"}:
        return _explain(words)
    return _check(words) if words.do == "--check-config" else _serve(words)


def _read(arguments: Sequence[str]) -> _Words:
    words, plain = _Words(), list[str]()
    rest = [*arguments]
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if word in {"-h", "--help"}:
            return _Words(do="help")
        if word == "--version":
            return _Words(do="version")
        if name == "--check-config":
            words.do = name
            rest[:0] = [value] if equals else []
        elif name in {"--dump", "--explain", "--log.level", "--log.format"}:
            if not equals:
                if not rest:
                    raise _Misused(f"{name} needs a value")
                value = rest.pop(0)
            _take(words, name, value)
        elif word.startswith("-"):
            raise _Misused(f"there is no option {name}")
        else:
            plain.append(word)
    words.plain = tuple(plain)
    return words


def _take(words: _Words, name: str, value: str) -> None:
    if name == "--log.level":
        if value not in log.LEVELS:
            raise _Misused(f"--log.level is {value!r}; it can be {', '.join(log.LEVELS)}")
        words.level = value
    elif name == "--log.format":
        if value not in log.FORMATS:
            raise _Misused(f"--log.format is {value!r}; it can be {', '.join(log.FORMATS)}")
        words.form = value
    else:
        words.do, words.place = name, value


def _check(words: _Words) -> int:
    from adapter.jmx.component import load  # noqa: PLC0415

    if len(words.plain) != 1:
        raise _Misused("--check-config wants one file")
    load(words.plain[0])
    print("ok")
    return OK


def _serve(words: _Words) -> "Sequence[Component]":
    if len(words.plain) == 1:
        raise _Misused("the address to serve on is missing (OpenTelemetry is not supported)")
    if len(words.plain) != 2:
        raise _Misused("an address and a file are needed")
    listen = _listen(words.plain[0])
    from adapter.jmx.component import load  # noqa: PLC0415

    return _components(listen, words.plain[1], load(words.plain[1]))


def _listen(text: str) -> Endpoint:
    try:
        return listen_of(text if ":" in text else f":{text}")
    except ValueError as error:
        raise _Misused(str(error)) from error


def _components(listen: Endpoint, path: str, settings: "Settings") -> "Sequence[Component]":
    from adapter.jmx.component import Jmx  # noqa: PLC0415
    from adapter.jmx.web import Pages  # noqa: PLC0415
    from sidecar.runtime.clock import SystemClock  # noqa: PLC0415
    from sidecar.web.lean.server import LeanServer  # noqa: PLC0415

    clock = SystemClock()
    found: list[Component] = []
    catalog = None
    if settings.discovery is not None:
        from sidecar.catalog.live import Catalog  # noqa: PLC0415
        from sidecar.stores.opening import open_mirror  # noqa: PLC0415

        catalog = Catalog()
        found.append(open_mirror(settings.discovery.store, catalog, clock=clock))
    http, tls = settings.http, None
    if http.keys is not None:
        from adapter.jmx.tls import server_context  # noqa: PLC0415

        tls = server_context(http)
    jmx = Jmx(path, settings, clock, catalog)
    server = LeanServer(
        listen, Pages(jmx, http).answer, option="the first argument:", name="jmx-web", tls=tls
    )
    return [*found, jmx, server]


def _explain(words: _Words) -> int:
    from adapter.jmx.component import load  # noqa: PLC0415
    from adapter.jmx.config import settings_of  # noqa: PLC0415
    from adapter.jmx.explaining import explained  # noqa: PLC0415

    if len(words.plain) > 1 or (words.do == "--explain" and not words.plain):
        raise _Misused(f"{words.do} wants HOST:PORT and a file")
    settings = (
        load(words.plain[0])
        if words.plain
        else settings_of(f"hostPort: {words.place}\n", words.do, os.environ)
    )
    try:
        for line in explained(settings, words.place, with_rules=words.do == "--explain"):
            print(line)
        sys.stdout.flush()
    except BrokenPipeError:
        # Who reads has seen enough; nothing more is flushed at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except PinnaceError as error:
        print(error, file=sys.stderr)
        return FAILURE
    return OK
