"""Commands that show what a running scheduler wants, sees and decided."""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sidecar.scheduler.commands.asking import OK, client_of, say, show
from sidecar.scheduler.convergence import trial_words

__all__ = ["events", "nodes", "ps", "why"]


def ps(options: argparse.Namespace) -> int:
    """Show services and containers."""
    client = client_of(options)
    found = client.get("stacks")
    stacks = [client.get("stacks", options.stack)] if options.stack else found["stacks"]
    if options.json:
        show(stacks[0] if options.stack else found)
        return OK
    rows = [
        row
        for stack in stacks
        for service in stack["services"]
        for row in _rows(stack, service, options.all)
    ]
    rows += [_leaving(stack["name"], each) for stack in stacks for each in stack["leaving"]]
    say(_table(("STACK", "SERVICE", "SLOT", "NODE", "STATE", "ROLLOUT", "CONTAINER"), rows))
    return OK


def _rows(
    stack: Mapping[str, Any], service: Mapping[str, Any], is_all: bool
) -> Iterable[Sequence[object]]:
    name, phase = service["service"], service["rollout"]["phase"].replace("_", " ")
    phase = trial_words(service) or phase
    alive = {each["slot"] for each in service["containers"] if not _is_over(each)}
    for each in service["containers"]:
        if _is_over(each) and each["slot"] in alive and not is_all:
            continue
        health = each["health"]
        state = each["state"] if health == "none" else f"{each['state']}, {health}"
        is_new = each["spec"] == service["rollout"]["spec"]
        word = phase if is_new else f"{phase}, old spec"
        yield stack["name"], name, each["slot"], each["node"], state, word, each["name"]
    for each in service["refusals"]:
        reasons = "; ".join(each["reasons"])
        yield stack["name"], name, each["slot"], "-", "no place", phase, reasons
    if not service["containers"] and not service["refusals"]:
        yield stack["name"], name, "-", "-", "-", phase, ""


def _is_over(container: Mapping[str, Any]) -> bool:
    return bool(container["state"].startswith("exited"))


def _leaving(stack: str, copy: Mapping[str, Any]) -> Sequence[object]:
    service = copy["service"].partition("/")[2]
    return stack, service, copy["slot"], copy["node"], copy["state"], "leaves", copy["name"]


def nodes(options: argparse.Namespace) -> int:
    """Show nodes."""
    found = client_of(options).get("nodes")
    if options.json:
        show(found)
        return OK
    rows = [
        (
            each["name"], each["state"], each["availability"],
            f"{each['used']['cpus']:g}/{each['capacity']['cpus']:g}",
            f"{each['used']['memory'] >> 20}/{each['capacity']['memory'] >> 20}",
            f"{each['containers']['running']}/{each['containers']['all']}",
            each["address"],
        )
        for each in found["nodes"]
    ]  # fmt: skip
    heads = ("NODE", "STATE", "USE", "CPUS", "MEMORY (MIB)", "RUNNING", "ADDRESS")
    say(_table(heads, rows))
    return OK


def events(options: argparse.Namespace) -> int:
    """Show decisions, orders and actions."""
    client = client_of(options)
    try:
        for each in client.events(options.after, follows=options.follow):
            if options.json:
                sys.stdout.write(json.dumps(each) + "\n")
                sys.stdout.flush()
            else:
                say(_event(each))
    except KeyboardInterrupt:
        return OK
    return OK


def _event(entry: Mapping[str, Any]) -> str:
    at = time.strftime("%H:%M:%S", time.localtime(entry["at"]))
    about = " ".join(
        f"{key}={_short(value)}"
        for key, value in entry.items()
        if key not in {"number", "at", "kind"} and value not in ("", None)
    )
    return f"{entry['number']:>6} {at} {entry['kind']:<12} {about}"


def _short(value: object) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def why(options: argparse.Namespace) -> int:
    """Show why something is where it is, or nowhere."""
    found = client_of(options).get("why", options.target)
    if options.json:
        show(found)
        return OK
    for each in found["slots"]:
        for line in _reasons(each):
            say(line)
    return OK


def _reasons(slot: Mapping[str, Any]) -> Iterable[str]:
    yield f"{slot['service']}/{slot['slot']}"
    for each in slot["containers"]:
        yield f"  {each['name']} on {each['node']}: {each['state']}"
    decided = slot["decided"]
    if decided is not None and decided["kind"] == "placed":
        second = f", before {decided['runner_up']}" if decided["runner_up"] else ""
        yield f"  placed on {decided['node']} by {decided['strategy']}{second}"
        yield f"  rank (less is better): {', '.join(map(str, decided['rank'])) or 'drawn'}"
    elif decided is None and slot["containers"]:
        yield "  placed before this scheduler began; its reasons are not kept"
    if slot["refused"] is not None:
        yield "  has no place:"
        yield from (f"    {each}" for each in slot["refused"]["reasons"])
        if slot["refused"]["relaxation"]:
            yield f"    {slot['refused']['relaxation']}"
    for each in slot["events"]:
        if each["kind"] not in {"placed", "refused"}:
            yield f"  {_event(each)}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    table = [tuple(heads), *(tuple(map(str, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )
