"""``pinnace stack``: what a stack file means and where its containers would go."""

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sidecar.errors import ConfigError
from sidecar.scheduler.compose.document import Problems
from sidecar.scheduler.compose.stack import stack_of
from sidecar.scheduler.decision import decide, document_of
from sidecar.scheduler.explaining import lines_of
from sidecar.scheduler.model import Placement, Policy
from sidecar.scheduler.nodes_file import nodes_of
from sidecar.scheduler.placing import Decision
from sidecar.scheduler.spec import StackSpec

__all__ = ["main"]

OK: Final = 0
USAGE: Final = 2
PENDING: Final = 3


def main(program: str, arguments: Sequence[str]) -> int:
    """Run ``pinnace stack ARGUMENTS``; return the exit status. Raises ConfigError."""
    parser = _parser(program)
    options = parser.parse_args(arguments)
    if not options.command:
        parser.print_help(sys.stderr)
        return USAGE
    status: int = options.run(options)
    return status


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"pinnace {program}",
        description="Stacks: services, and where their containers go.",
        epilog="exit status: 0 done, 1 failure, 2 usage, 3 something has no place, 78 bad file",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    check = commands.add_parser(
        "check", help="read a stack file and tell every mistake", allow_abbrev=False
    )
    plan = commands.add_parser(
        "plan", help="say where containers would go, without touching Docker", allow_abbrev=False
    )
    for each, run in ((check, _check), (plan, _plan)):
        each.set_defaults(run=run)
        each.add_argument("file", metavar="FILE", help="a Compose file; - for standard input")
        each.add_argument(
            "--name", default="", help="the stack's name [the file's, or its folder's]"
        )
        each.add_argument(
            "--profile", action="append", default=[], metavar="NAME", help="take this one's too"
        )
        each.add_argument("--strict", action="store_true", help="warnings are mistakes")
        each.add_argument("--json", action="store_true", help="print a JSON object")
        each.add_argument("--compat", choices=["classic"], help="classic Swarm's semantics exactly")
    plan.add_argument(
        "--nodes", required=True, metavar="JSON", help="a file with the nodes and their containers"
    )
    plan.add_argument("--seed", type=int, default=0, help="repeats random choices [0]")
    plan.add_argument(
        "--domain", default="", metavar="LABEL", help="failure domain for the strategy balanced"
    )
    return parser


def _read(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text("utf-8")
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: this is no UTF-8 at byte {error.start}"]) from None


def _folder(path: str) -> str:
    """Return what a stack is called by the folder of its file, as Compose does."""
    name = Path.cwd().name if path == "-" else Path(path).resolve().parent.name
    return re.sub(r"[^a-z0-9_-]", "", name.lower()).lstrip("_-")


def _stack(options: argparse.Namespace) -> StackSpec:
    problems = Problems()
    stack = stack_of(
        _read(options.file),
        options.file,
        problems,
        environ=os.environ,
        name=options.name,
        folder=_folder(options.file),
        profiles=options.profile,
        classic=options.compat == "classic",
    )
    wrong = [str(each) for each in problems if each.is_error or options.strict]
    if wrong:
        raise ConfigError(wrong)
    for each in problems:
        print(each, file=sys.stderr)
    return stack


def _check(options: argparse.Namespace) -> int:
    stack = _stack(options)
    names = [service.name for service in stack.services]
    if options.json:
        print(json.dumps({"stack": stack.name, "services": names}))
    else:
        print(f"{stack.name}: {len(names)} services start in this order: {', '.join(names)}")
    return OK


def _plan(options: argparse.Namespace) -> int:
    stack = _stack(options)
    classic = options.compat == "classic"
    nodes = nodes_of(_read(options.nodes), options.nodes, classic=classic)
    policy = Policy(seed=options.seed, is_classic=classic, domain=options.domain)
    decisions = decide(stack, nodes, policy)
    if options.json:
        print(json.dumps(document_of(decisions), indent=2))
    else:
        print("\n".join(map(_line, decisions)) or "nothing to do: every slot has its container")
    is_placed = all(isinstance(each, Placement) for each in decisions)
    return OK if is_placed else PENDING


def _line(decision: Decision) -> str:
    name = f"{decision.request.service}.{decision.request.slot}"
    if isinstance(decision, Placement):
        return f"{name:<24} -> {decision.node}"
    reasons = "; ".join(lines_of(decision)) or "there is no node"
    hint = f"\n{'':<24}    {decision.relaxation}" * bool(decision.relaxation)
    return f"{name:<24} -- {reasons}{hint}"
