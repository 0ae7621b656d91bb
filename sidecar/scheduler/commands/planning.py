"""Commands that decide and do nothing: check, plan, simulate."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from sidecar.errors import ConfigError
from sidecar.scheduler.commands.asking import (
    FAILED,
    OK,
    PENDING,
    USAGE,
    client_of,
    complain,
    say,
    show,
)
from sidecar.scheduler.commands.here import files_or_here
from sidecar.scheduler.commands.ordering import bundled
from sidecar.scheduler.compose.document import Problems
from sidecar.scheduler.compose.stack import stack_of
from sidecar.scheduler.decision import decide, document_of
from sidecar.scheduler.explaining import lines_of
from sidecar.scheduler.faults import faults_of
from sidecar.scheduler.files import content_of, folder_of, read_file
from sidecar.scheduler.model import NodeView, Placement, Policy
from sidecar.scheduler.nodes_file import nodes_of
from sidecar.scheduler.placing import Decision
from sidecar.scheduler.rehearsal import Rehearsal
from sidecar.scheduler.spec import StackSpec

__all__ = ["Progress", "check", "plan", "simulate"]

_OFTEN: Final = 5.0


def check(options: argparse.Namespace) -> int:
    """Tell every mistake in a stack file, and what it means."""
    stack = _stack(options, is_made=True)
    names = [service.name for service in stack.services]
    stay = [each.name for each in stack.services if not each.conduct.moves]
    if options.json:
        show({"stack": stack.name, "services": names, "stay": stay})
        return OK
    say(f"{stack.name}: {len(names)} services start in this order: {', '.join(names)}")
    if stay:
        say(f"not moved when their node is lost, as they keep something there: {', '.join(stay)}")
    return OK


def plan(options: argparse.Namespace) -> int:
    """Say where containers would go: on nodes of a file, or on those of the scheduler that runs."""
    if not options.nodes:
        return _foreseen(options)
    stack = _stack(options)
    nodes, policy = _nodes(options)
    decisions = decide(stack, nodes, policy)
    if options.json:
        show(document_of(decisions))
    else:
        say("\n".join(map(_line, decisions)) or "nothing to do: every slot has its container")
    is_placed = all(isinstance(each, Placement) for each in decisions)
    return OK if is_placed else PENDING


def _foreseen(options: argparse.Namespace) -> int:
    if options.compat or options.domain or options.seed is not None:
        complain("--compat, --seed and --domain are of --nodes: a running scheduler has its own")
        return USAGE
    name, body = bundled(options)
    found = client_of(options).post("stacks", name, "plan", body=body)
    if options.json:
        show(found)
    else:
        say("\n".join(_lines(found)) or "nothing to do: every slot has its container")
    return PENDING if found["refusals"] else OK


def _lines(found: dict[str, Any]) -> Iterable[str]:
    for each in found["placements"]:
        yield f"{_slot(each):<24} -> {each['node']}"
    for each in found["updates"]:
        how = f"{each['how']}, {each['from']} becomes {each['to']}"
        yield f"{_slot(each):<24} is updated on {each['node']} ({how})"
    for each in found["removals"]:
        yield f"{_slot(each):<24} is removed from {each['node']}"
    for each in found["refusals"]:
        yield f"{_slot(each):<24} -- {'; '.join(each['reasons'])}"


def _slot(each: dict[str, Any]) -> str:
    return f"{each['service']}.{each['slot']}"


def simulate(options: argparse.Namespace) -> int:
    """Run a stack on nodes that exist in numbers only, by a virtual clock."""
    stack = _stack(options)
    nodes, policy = _nodes(options)
    faults = []
    if options.faults:
        faults = faults_of(_read(options.faults), options.faults, [each.name for each in nodes])
    rehearsal = Rehearsal(stack, nodes, policy)
    rehearsal.run(faults, options.seconds, Progress(options.seconds, time.monotonic))
    found = rehearsal.document()
    if options.json:
        show(found)
    else:
        _tell(found)
    if any(each["phase"] in {"failed", "paused", "rollback_paused"} for each in found["services"]):
        return FAILED
    return PENDING if any(each["refusals"] for each in found["services"]) else OK


class Progress:
    """Tells every few seconds how far a simulation is, where it takes long."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        """``seconds`` are to be simulated at most; ``clock`` is the real one."""
        self._seconds = seconds
        self._clock = clock
        self._due = clock() + _OFTEN

    def __call__(self, now: float, events: int) -> None:
        """Hear of a look."""
        if self._clock() >= self._due:
            complain(f"simulated {now:.0f} s of {self._seconds:.0f} s at most, {events} events")
            self._due = self._clock() + _OFTEN


def _tell(found: dict[str, Any]) -> None:
    for each in found["events"]:
        where = f" on {each['node']}" if each["node"] else ""
        say(f"{each['at']:8.1f} s  {each['what']:<10} {each['about']}{where}")
    for each in found["services"]:
        text = f"{each['ready']} of {each['wanted']} ready"
        say(f"{found['ended']:8.1f} s  {each['service']}: {each['phase']}, {text}")
        for reason in each["refusals"]:
            say(f"{'':12}{reason}")


def _stack(options: argparse.Namespace, *, is_made: bool = False) -> StackSpec:
    """Read the files; ``is_made``: also what only the making of containers needs."""
    first, *others = files_or_here(options.file)
    problems = Problems()
    path = Path.cwd() / "-" if first == "-" else Path(first).resolve()
    stack = stack_of(
        _read(first),
        first,
        problems,
        environ=os.environ,
        name=options.name,
        folder=folder_of(path),
        profiles=options.profile,
        classic=options.compat == "classic",
        base=str(path.parent),
        read=read_file,
        more=[(each, _read(each)) for each in others],
        is_made=is_made,
    )
    wrong = [str(each) for each in problems if each.is_error or options.strict]
    for each in problems:
        if str(each) not in wrong:
            complain(str(each))
    if wrong:
        raise ConfigError(wrong)
    return stack


def _nodes(options: argparse.Namespace) -> tuple[list[NodeView], Policy]:
    classic = options.compat == "classic"
    nodes = nodes_of(_read(options.nodes), options.nodes, classic=classic)
    return nodes, Policy(seed=options.seed or 0, is_classic=classic, domain=options.domain)


def _read(path: str) -> str:
    return sys.stdin.read() if path == "-" else content_of(Path(path)).decode()


def _line(decision: Decision) -> str:
    name = f"{decision.request.service}.{decision.request.slot}"
    if isinstance(decision, Placement):
        return f"{name:<24} -> {decision.node}"
    reasons = "; ".join(lines_of(decision)) or "there is no node"
    hint = f"\n{'':<24}    {decision.relaxation}" * bool(decision.relaxation)
    return f"{name:<24} -- {reasons}{hint}"
