"""``pinnace stack``, ``pinnace node`` and ``pinnace why``: their options, and who runs them.

Exit status: 0 done, 1 failure, 2 usage, 3 something has no place, 4 a rollout failed.
"""

import argparse
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from importlib import import_module

from sidecar.config.units import duration
from sidecar.errors import ConfigError, PinnaceError
from sidecar.scheduler.commands.asking import FAILURE, USAGE, add_access, add_waiting, complain

__all__ = ["main"]

_EPILOG = "exit status: 0 done, 1 failure, 2 usage, 3 something has no place, 4 a rollout failed"
_TARGET = "STACK SERVICE, STACK/SERVICE, or SERVICE where one stack alone has it"
Run = Callable[[argparse.Namespace], int]


def main(program: str, arguments: Sequence[str]) -> int:
    """Run ``pinnace PROGRAM ARGUMENTS``; return the exit status."""
    parser = {"stack": _stack, "node": _node, "why": _why}[program]()
    options = parser.parse_args(arguments)
    if getattr(options, "run", None) is None:
        parser.print_help(sys.stderr)
        return USAGE
    try:
        status: int = options.run(options)
    except ConfigError as error:
        complain("\n".join(error.problems))
        complain(f"pinnace {program}: {_count(len(error.problems), 'mistake')}")
        return FAILURE
    except PinnaceError as error:
        complain(f"pinnace {program}: {error}")
        return FAILURE
    except KeyboardInterrupt:
        complain(f"pinnace {program}: interrupted; what was ordered stays in force")
        return FAILURE
    return status


def _late(module: str, name: str) -> Run:
    """Return a command of which the module is imported when it runs: one needs little of all."""

    def run(options: argparse.Namespace) -> int:
        found = import_module(f"sidecar.scheduler.commands.{module}")
        status: int = getattr(found, name)(options)
        return status

    return run


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ArgumentTypeError(f"{text!r} is no number from 0 on")
    return int(text)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


class _Commands:
    """Makes parsers of subcommands, all alike."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._group = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    def add(self, name: str, run: Run, text: str) -> argparse.ArgumentParser:
        """Return the parser of one that needs no scheduler."""
        parser = self._group.add_parser(
            name, help=text, description=f"{text[0].upper()}{text[1:]}.", epilog=_EPILOG,
            allow_abbrev=False,
        )  # fmt: skip
        parser.set_defaults(run=run)
        return parser

    def ask(
        self, name: str, run: Run, text: str, *, waits: bool = False
    ) -> argparse.ArgumentParser:
        """Return the parser of one that asks a running scheduler."""
        parser = self.add(name, run, text)
        add_access(parser)
        if waits:
            add_waiting(parser)
        return parser


def _parser(program: str, text: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=f"pinnace {program}", description=text, epilog=_EPILOG, allow_abbrev=False
    )


def _stack() -> argparse.ArgumentParser:
    parser = _parser(
        "stack", "Stacks: services, and the containers that are kept running for them."
    )
    commands = _Commands(parser)
    check = commands.add(
        "check", _late("planning", "check"), "read a stack file and tell every mistake"
    )
    plan = commands.ask(
        "plan", _late("planning", "plan"), "say what a stack file would change, and change nothing"
    )
    simulate = commands.add(
        "simulate", _late("planning", "simulate"), "run a stack on made-up nodes by a virtual clock"
    )
    for each in (check, plan, simulate):
        _add_file(each)
        if each is not plan:
            each.add_argument("--json", action="store_true", help="print a JSON object")
        each.add_argument("--compat", choices=["classic"], help="classic Swarm's semantics exactly")
    _add_nodes(plan, "nodes and containers [those of the scheduler that runs]", required=False)
    _add_nodes(simulate, "the nodes and their containers", required=True)
    simulate.add_argument(
        "--faults", default="", metavar="JSON", help="a file with what goes wrong, and when"
    )
    simulate.add_argument(
        "--seconds",
        type=duration,
        default=3600.0,
        metavar="DURATION",
        help="end after so long [1h]",
    )
    up = commands.ask("up", _late("ordering", "up"), "put a stack file in force", waits=True)
    _add_file(up)
    down = commands.ask("down", _late("ordering", "down"), "take a stack down", waits=True)
    down.add_argument(
        "stack", metavar="STACK", nargs="?", default="", help="[that of the file here, or the only]"
    )
    ps = commands.ask("ps", _late("showing", "ps"), "show services and their containers")
    ps.add_argument("stack", metavar="STACK", nargs="?", default="")
    ps.add_argument("-a", "--all", action="store_true", help="those too that were replaced")
    scale = commands.ask("scale", _late("ordering", "scale"), "have so many replicas", waits=True)
    scale.add_argument(
        "words", nargs="+", metavar="[STACK] SERVICE=NUMBER",
        help="SERVICE may be STACK/SERVICE; NUMBER may be file: as many as the stack file says",
    )  # fmt: skip
    _add_orders(commands)
    events = commands.ask(
        "events", _late("showing", "events"), "show decisions, orders and actions"
    )
    events.add_argument("-f", "--follow", action="store_true", help="go on with those to come")
    events.add_argument(
        "--after", type=_number, default=0, metavar="NUMBER", help="only those after this one"
    )
    return parser


def _add_orders(commands: _Commands) -> None:
    for order, text in (
        ("pause", "update no more slots of a service"),
        ("resume", "go on with a rollout that was paused or that failed"),
        ("rollback", "go back to what a service's containers were before"),
        ("promote", "find the canary of a service good"),
    ):
        parser = commands.ask(order, _late("ordering", "service"), text, waits=order != "pause")
        parser.set_defaults(order=order)
        parser.add_argument("words", nargs="+", metavar="SERVICE", help=_TARGET)


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", nargs="*",
        help="a Compose file, or - for standard input; each further one changes those before it"
        " [compose.yaml, docker-compose.yml or stack.yaml here]",
    )  # fmt: skip
    parser.add_argument("--name", default="", help="the stack's name [the file's, or its folder's]")
    parser.add_argument(
        "--profile", action="append", default=[], metavar="NAME", help="take this one's too"
    )
    parser.add_argument("--strict", action="store_true", help="warnings are mistakes")


def _add_nodes(parser: argparse.ArgumentParser, text: str, *, required: bool) -> None:
    parser.add_argument(
        "--nodes", required=required, default="", metavar="JSON", help=f"a file with {text}"
    )
    parser.add_argument("--seed", type=int, help="repeats random choices [0]")
    parser.add_argument(
        "--domain", default="", metavar="LABEL", help="failure domain for the strategy balanced"
    )


def _node() -> argparse.ArgumentParser:
    parser = _parser("node", "Nodes: the hosts that containers are kept running on.")
    commands = _Commands(parser)
    commands.ask("ls", _late("showing", "nodes"), "show nodes, what they have and what is used")
    for order, text in (
        ("drain", "move everything away from a node, and put nothing there"),
        ("undrain", "use a node again"),
        ("pause", "put nothing more on a node, and leave what is there"),
    ):
        each = commands.ask(order, _late("ordering", "node"), text, waits=order == "drain")
        each.set_defaults(order=order)
        each.add_argument("node", metavar="NODE")
    return parser


def _why() -> argparse.ArgumentParser:
    parser = _parser("why", "Show why a container is where it is, or why a slot has no place.")
    add_access(parser)
    parser.set_defaults(run=_late("showing", "why"))
    parser.add_argument(
        "target", metavar="TARGET", help="a container's name or id, SERVICE, or SERVICE/SLOT"
    )
    return parser
