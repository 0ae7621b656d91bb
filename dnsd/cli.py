"""dnsd alone: its command line. Everything else is in the file and the environment."""

import argparse
import os
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from sidecar.config.keys import KEYS
from sidecar.config.load import Loaded, load
from sidecar.config.sources import checked
from sidecar.config.units import endpoint
from sidecar.errors import ConfigError
from sidecar.runtime import log
from sidecar.runtime.usage import Help

__all__ = ["loaded_from", "main", "parser_of"]

_EMBEDDED: Final = "embedded:"
_FLAGS: Final = ("--store", "--dns", "--domain", "--log-format", "--log-level")
_OWN: Final = {"workers": "dns.workers", "recursor": "dns.recursors"}


def parser_of(program: str) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog=program,
        description="Answer DNS questions from the service catalogue of a store.",
        epilog="All settings of [dns] may stand in the file or the environment"
        " (docs/configuration.md). SIGHUP reads them again.",
        allow_abbrev=False,
        formatter_class=Help,
    )
    add = parser.add_argument
    add("-c", dest="file", metavar="FILE", help="a TOML file of settings [PINNACE_CONFIG]")
    add("--store", metavar="URL", help="where the catalogue is: consul://, etcd://, zookeeper://")
    add(
        "--dns",
        "--listen",
        metavar="ADDR:PORT",
        help="UDP and TCP, several by commas [127.0.0.1:8600]",
    )
    add("--domain", metavar="NAME", help="the domain that names are answered in [consul]")
    add("--recursor", metavar="ADDR", action="append", help="who answers other names [none]")
    add("--workers", metavar="N", help="processes that share the port [1]")
    add("--http", metavar="ADDR:PORT", help="/metrics, /health, /ready and /v1/pinnace/dig [none]")
    add("--log-format", metavar="text|json", help="how log lines look [text]")
    add("--log-level", metavar="LEVEL", help="debug, info, warning or error [info]")
    return parser


def loaded_from(options: argparse.Namespace, environ: Mapping[str, str]) -> Loaded:
    """Return the settings that a command line and the environment make. Raises ConfigError."""
    given = {flag: getattr(options, flag[2:].replace("-", "_")) for flag in _FLAGS}
    flags = {flag: value for flag, value in given.items() if value is not None}
    loaded = load(flags, environ, options.file)
    problems: list[str] = []
    values: dict[str, object] = {}
    for flag, name in _OWN.items():
        value = getattr(options, flag)
        if value is None:
            continue
        key = KEYS[name]
        try:
            values[key.name] = checked(key, value)
        except ValueError as error:
            problems.append(f"--{flag}: {error}")
    if loaded.settings.store.url == _EMBEDDED:
        problems.append("--store: dnsd alone has no catalogue of its own; name a store")
    try:
        if options.http is not None:
            endpoint(options.http)
    except ValueError as error:
        problems.append(f"--http: {error}")
    if problems:
        raise ConfigError(problems)
    settings = replace(loaded.settings, dns=replace(loaded.settings.dns, **values))
    return Loaded(settings, loaded.origins)


def main(program: str, arguments: Sequence[str]) -> int:
    """Run the command line; return the exit status."""
    options = parser_of(program).parse_args(arguments)

    def again() -> Loaded:
        return loaded_from(options, os.environ)

    loaded = again()
    log.configure(loaded.settings.log.format, loaded.settings.log.level)
    from dnsd.alone import run  # noqa: PLC0415 - a mistake is told before anything is loaded

    return run(loaded, again, http=options.http)
