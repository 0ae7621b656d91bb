"""The ``pinnace`` command.

It must start fast (``pinnace --version``): nothing heavy is imported before the command is known,
and a subcommand's options, whose help names keys and defaults, only when it is asked for.

One program under many names: called as ``registrator`` or ``confd``, by a symlink, it is that
part with that program's command line.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from sidecar import __version__
from sidecar.errors import ConfigError, PinnaceError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from sidecar.config.load import Loaded

__all__ = ["main"]

OK: Final = 0
FAILURE: Final = 1
USAGE: Final = 2

PROGRAMS: Final[Mapping[str, str]] = {
    "registrar": "registrar",
    "registrator": "registrar",
    "templater": "templater",
    "confd": "templater",
    "consul-template": "templater",
    "envconsul": "templater",
    "dnsd": "dnsd",
    "ambassador": "ambassador",
    "adapter": "adapter",
    "statsd_exporter": "adapter",
    "jmx_exporter": "adapter",
    "stack": "scheduler",
    "node": "scheduler",
    "why": "scheduler",
    "agent": "agent",
    "git-sync": "git-sync",
    "run": "run",
}
"""Name of the program (or ``pinnace NAME``) to the part it runs alone."""

PARTS: Final[Mapping[str, str]] = {
    "adapter": "adapter.cli",
    "agent": "sidecar.scheduler.agent.cli",
    "ambassador": "ambassador.cli",
    "dnsd": "dnsd.cli",
    "git-sync": "sidecar.gitsync.cli",
    "run": "sidecar.run.cli",
    "registrar": "registrar.cli",
    "scheduler": "sidecar.scheduler.cli",
    "templater": "templater.cli",
}
"""Part to the module whose ``main(program, arguments)`` runs it."""

COMMANDS: Final[Mapping[str, str]] = {
    "up": "run everything for one host in one process",
    "scheduler": "the same, and keep stacks running, on this host or on many",
    "explain": "show every setting, its value and where that comes from",
    "validate": "check the configuration and report every mistake",
    "render": "show what the templates of the configuration would write",
    "healthcheck": "ask a running pinnace whether it is ready",
    "dig": "show what DNS answers, and which instances made it so",
    "drain": "let a container finish what it has, then stop it",
    "lb": "show what the load balancer does",
    "import": "print the configuration that equals another program's command line",
    "version": "print the version",
}

_EPILOG: Final = f"""one part alone, by these names or by a link of that name to this program:
  {", ".join(PROGRAMS)}
  (pinnace NAME -h shows its options)

exit status: 0 ok, 1 failure, 2 usage, 65 damaged state, 78 bad configuration"""

IMPORTERS: Final[Mapping[str, str]] = {
    "registrator": "registrar.importing",
    "confd": "templater.confd.importing",
    "consul-template": "templater.consul_template.importing",
    "envconsul": "templater.envconsul.importing",
}
"""Program to the module whose ``toml_of(words, environ)`` says what equals its command line."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line (default: the process's own); return the exit status."""
    program, *arguments = sys.argv if argv is None else argv
    name = PurePath(program).name
    try:
        if name in PROGRAMS:
            return _part(name, arguments)
        return _command(arguments)
    except ConfigError as error:
        for problem in error.problems:
            _complain(problem)
        count = len(error.problems)
        _complain(f"pinnace: {count} mistake{'s' * (count > 1)} in the configuration")
        return error.exit_status
    except PinnaceError as error:
        _complain(f"pinnace: {error}")
        return error.exit_status


def _command(arguments: Sequence[str]) -> int:
    asked = next((word for word in arguments if not word.startswith("-")), "")
    if asked == "import":
        return _import(arguments[arguments.index(asked) + 1 :])
    if asked in PROGRAMS and arguments[0] == asked:
        return _part(asked, arguments[1:])
    parser, subparsers = _parsers(asked)
    if asked and asked not in COMMANDS:
        parser.error(f"there is no command {asked!r}{_hint(asked, [*COMMANDS, *PROGRAMS])}")
    options, extra = parser.parse_known_args(arguments)
    if extra:
        current = subparsers.get(asked, parser)
        known = [*current._option_string_actions]  # noqa: SLF001  (argparse has no other list)
        word = extra[0].partition("=")[0]
        what = "there is no option" if word.startswith("-") else "unexpected argument"
        current.error(f"{what} {word!r}{_hint(word, known)}")
    if not asked:
        parser.print_help(sys.stderr)
        return USAGE
    return _RUN[asked](options)


def _parsers(asked: str) -> "tuple[ArgumentParser, dict[str, ArgumentParser]]":
    import argparse  # noqa: PLC0415  (start-up time)

    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="pinnace",
        description="Service discovery and dynamic load balancing as sidecars.",
        epilog=_EPILOG,
        formatter_class=formatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"pinnace {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    subparsers = {
        name: commands.add_parser(
            name, help=text, description=f"{text.capitalize()}.", allow_abbrev=False
        )
        for name, text in COMMANDS.items()
    }
    if asked in {"up", "scheduler", "explain", "validate", "render"}:
        _add_settings(subparsers[asked])
    if asked == "explain":
        subparsers[asked].add_argument("--json", action="store_true", help="as a JSON object")
    if asked in {"healthcheck", "drain", "lb", "dig"}:
        _add_option(subparsers[asked], "--http")
    if asked == "dig":
        _add_dig(subparsers[asked])
    if asked == "render":
        _add_render(subparsers[asked])
    if asked == "drain":
        _add_drain(subparsers[asked])
    if asked == "lb":
        _add_lb(subparsers[asked])
    return parser, subparsers


def _add_settings(parser: "ArgumentParser") -> None:
    from sidecar.config.keys import OPTIONS  # noqa: PLC0415

    parser.add_argument(
        "-c", dest="file", metavar="FILE", help="a TOML file of settings [PINNACE_CONFIG]"
    )
    for flag in OPTIONS:
        _add_option(parser, flag)


def _add_option(parser: "ArgumentParser", flag: str) -> None:
    from sidecar.config.keys import KEYS, OPTIONS  # noqa: PLC0415

    option = OPTIONS[flag]
    key = KEYS[option.key]
    default = f"DOCKER_HOST or {key.default}" if flag == "--docker" else key.default or "none"
    text = f"{option.meaning} [{option.key}, {key.variable}; default: {default}]"
    if key.type is bool:
        parser.add_argument(flag, dest=flag, action="store_const", const="true", help=text)
    else:
        parser.add_argument(flag, dest=flag, metavar=option.metavar, help=text.replace("%", "%%"))


def _add_drain(parser: "ArgumentParser") -> None:
    parser.epilog = "exit status: 0 nothing was under way any more, 3 the time was up first"
    parser.add_argument("container", help="its name or id")
    parser.add_argument(
        "--timeout", metavar="DURATION", default="", help="stop after so long in any case [60s]"
    )
    parser.add_argument("--no-stop", action="store_true", help="mark and wait only")
    parser.add_argument("--undo", action="store_true", help="take back a mark of --no-stop")
    parser.add_argument("--json", action="store_true", help="a JSON object per step")


def _add_lb(parser: "ArgumentParser") -> None:
    parser.description = (
        "Show the load balancer of a running pinnace: its routes, each endpoint with its state, "
        "sessions, requests per second and time to the answer as the proxy counts them, and how "
        "and why the last change was made live."
    )
    parser.epilog = "exit status: 0 shown, 1 nobody answers, or no load balancer runs"
    parser.add_argument("action", choices=["show"], help="what to do")
    parser.add_argument(
        "--service", dest="services", action="append", default=[], metavar="NAME",
        help="only this one; may be given several times [all services]",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="all of it as a JSON object")


def _add_dig(parser: "ArgumentParser") -> None:
    parser.add_argument("name", help="for example web.service.consul")
    parser.add_argument("type", nargs="?", default="A", help="[A]")
    parser.add_argument("--json", action="store_true", help="as a JSON object")


def _add_render(parser: "ArgumentParser") -> None:
    parser.add_argument("destinations", nargs="*", metavar="DESTINATION", help="[all templates]")
    parser.add_argument(
        "--data", dest="data_file", metavar="JSON", default="", help="made-up data from this file"
    )
    parser.add_argument(
        "--diff", dest="is_diff", action="store_true", help="what would change in the files"
    )


def _hint(word: str, known: Sequence[str]) -> str:
    import difflib  # noqa: PLC0415

    # The hyphens, common to all options, would make any two look alike.
    plain = {name.lstrip("-"): name for name in known}
    near = difflib.get_close_matches(word.lstrip("-"), plain, n=1)
    return f"; did you mean {plain[near[0]]}?" if near else ""


def _loaded(options: "Namespace") -> "Loaded":
    from sidecar.config.load import load  # noqa: PLC0415

    given = {name: value for name, value in vars(options).items() if name.startswith("--")}
    flags = {name: value for name, value in given.items() if value is not None}
    return load(flags, os.environ, getattr(options, "file", None))


def _up(options: "Namespace") -> int:
    import gc  # noqa: PLC0415

    gc.disable()  # imports make no garbage; the program switches it on again when it serves
    loaded = _loaded(options)
    from sidecar import app  # noqa: PLC0415

    return app.main(loaded, lambda: _loaded(options))


def _scheduler(options: "Namespace") -> int:
    os.environ["PINNACE_SCHEDULER__ON"] = "true"
    return _up(options)


def _explain(options: "Namespace") -> int:
    loaded = _loaded(options)
    from sidecar.config import explain  # noqa: PLC0415

    print(explain.as_json(loaded) if options.json else explain.as_table(loaded))
    return OK


def _validate(options: "Namespace") -> int:
    settings = _loaded(options).settings
    if settings.template or settings.lb.template or settings.lb.certificates:
        from templater.own.cli import mistakes  # noqa: PLC0415

        if found := mistakes(settings):
            raise ConfigError(found)
    print("ok")
    return OK


def _render(options: "Namespace") -> int:
    loaded = _loaded(options)
    from templater.own.cli import render  # noqa: PLC0415

    return render(
        loaded.settings, options.destinations, data=options.data_file, is_diff=options.is_diff
    )


def _healthcheck(options: "Namespace") -> int:
    from sidecar.config.units import endpoint  # noqa: PLC0415
    from sidecar.web.probe import is_ready  # noqa: PLC0415

    ready, line = is_ready(endpoint(_loaded(options).settings.http.listen))
    print(line)
    return OK if ready else FAILURE


def _dig(options: "Namespace") -> int:
    from dnsd.dig_client import ask  # noqa: PLC0415
    from sidecar.config.units import endpoint  # noqa: PLC0415
    from sidecar.web.token import token_of  # noqa: PLC0415

    settings = _loaded(options).settings.http
    token = token_of(settings) if settings.token_file else ""
    listen = endpoint(settings.listen)
    return ask(listen, options.name, options.type, token=token, as_json=options.json)


def _drain(options: "Namespace") -> int:
    from sidecar.config.units import duration, endpoint  # noqa: PLC0415
    from sidecar.web import drain_client  # noqa: PLC0415
    from sidecar.web.token import token_of  # noqa: PLC0415

    settings = _loaded(options).settings.http
    token = token_of(settings) if settings.token_file else ""
    listen = endpoint(settings.listen)
    if options.undo:
        return drain_client.undo(listen, options.container, token=token)
    query = {"stop": "0"} if options.no_stop else {}
    if options.timeout:
        try:
            query["timeout"] = str(duration(options.timeout))
        except ValueError as error:
            _complain(f"pinnace drain: --timeout: {error}")
            return USAGE
    return drain_client.drain(listen, options.container, query, token=token, as_json=options.json)


def _lb(options: "Namespace") -> int:
    from sidecar.config.units import endpoint  # noqa: PLC0415
    from sidecar.web import lb_client  # noqa: PLC0415
    from sidecar.web.token import token_of  # noqa: PLC0415

    settings = _loaded(options).settings.http
    token = token_of(settings) if settings.token_file else ""
    return lb_client.show(
        endpoint(settings.listen), options.services, token=token, as_json=options.json
    )


def _import(words: Sequence[str]) -> int:
    """Print a configuration; the words are another program's, so they are not parsed as ours."""
    from importlib import import_module  # noqa: PLC0415  (start-up time)

    program = words[0] if words else ""
    if (module := IMPORTERS.get(program)) is None:
        known = " or ".join(IMPORTERS)
        _complain(f"usage: pinnace import PROGRAM COMMAND-LINE; PROGRAM is {known}")
        return OK if program in {"-h", "--help"} else USAGE
    print(import_module(module).toml_of(words[1:], {}), end="")
    return OK


def _version(_options: "Namespace") -> int:
    print(f"pinnace {__version__}")
    return OK


_RUN: Final[Mapping[str, "Callable[[Namespace], int]"]] = {
    "up": _up,
    "scheduler": _scheduler,
    "explain": _explain,
    "validate": _validate,
    "render": _render,
    "healthcheck": _healthcheck,
    "dig": _dig,
    "drain": _drain,
    "lb": _lb,
    "version": _version,
}


def _part(program: str, arguments: Sequence[str]) -> int:
    """Run one part with the command line of the program whose name was used."""
    from importlib import import_module  # noqa: PLC0415  (start-up time)

    status: int = import_module(PARTS[PROGRAMS[program]]).main(program, arguments)
    return status


def _complain(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
