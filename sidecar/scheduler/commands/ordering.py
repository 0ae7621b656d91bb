"""Commands that give a running scheduler orders, and wait until they have come true."""

import argparse
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

from sidecar.errors import ConfigError
from sidecar.scheduler.commands.asking import (
    FAILURE,
    OK,
    USAGE,
    client_of,
    complain,
    pause,
    say,
    show,
    target_of,
    wait,
)

_STACK_AND_SERVICE = 2
_SCALED = re.compile(r"[^=]+=([0-9]{1,6}|file)")

__all__ = ["bundled", "down", "node", "scale", "service", "up"]


def bundled(options: argparse.Namespace) -> tuple[str, bytes]:
    """Return the name of the stack in the files and its bundle as JSON. Raises ConfigError."""
    import msgspec  # noqa: PLC0415 - it takes a while

    from sidecar.scheduler.commands.here import files_or_here  # noqa: PLC0415 - other orders
    from sidecar.scheduler.compose.document import Problems  # noqa: PLC0415 - read
    from sidecar.scheduler.files import gather  # noqa: PLC0415 - no file

    problems = Problems()
    files = files_or_here(options.file)
    first, *more = map(Path, files)
    bundle, stack = gather(
        first, problems, os.environ, name=options.name, profiles=tuple(options.profile), more=more,
        content=sys.stdin.buffer.read() if files[0] == "-" else None,
    )  # fmt: skip
    wrong = [str(each) for each in problems if each.is_error or options.strict]
    if wrong:
        raise ConfigError(wrong)
    for each in problems:
        complain(str(each))
    return stack.name, msgspec.json.encode(bundle)


def up(options: argparse.Namespace) -> int:
    """Put a stack file in force."""
    name, body = bundled(options)
    client = client_of(options)
    answer = client.put("stacks", name, body=body)
    if options.detach:
        _answered(options, answer, f"{name}: revision {answer['revision']} is in force")
        return OK
    return wait(client, name, options)


def down(options: argparse.Namespace) -> int:
    """Take a stack down: drain, stop and remove its containers."""
    from sidecar.scheduler.commands.here import stack_or_here  # noqa: PLC0415 - reads a file

    client = client_of(options)
    stack = stack_or_here(options.stack, client)
    answer = client.delete("stacks", stack)
    if options.detach:
        _answered(options, answer, f"{stack}: its containers are taken down")
        return OK
    end = time.monotonic() + options.timeout
    told = -1
    while left := len(client.get("stacks", stack)["leaving"]):
        if left != told:
            complain(f"{stack}: {left} containers leave")
        told = left
        if time.monotonic() >= end:
            complain(f"{stack}: not gone after {options.timeout:g} s; it is gone on with")
            return FAILURE
        pause()
    _answered(options, answer, f"{stack} is down")
    return OK


def scale(options: argparse.Namespace) -> int:
    """Have so many replicas of services."""
    client = client_of(options)
    is_named = "=" not in options.words[0]
    prefix, words = options.words[:is_named], options.words[is_named:]
    targets: dict[str, list[str]] = {}
    wrong = next((each for each in words if not _SCALED.fullmatch(each)), None)
    if wrong is not None or not words:
        complain(f"{wrong or prefix[0]!r}: write SERVICE=NUMBER, or SERVICE=file for the file's")
        return USAGE
    for text in words:
        place, _, number = text.rpartition("=")
        stack, service = target_of(client, [*prefix, place])
        client.post("stacks", stack, "services", service, "scale", replicas=number)
        targets.setdefault(stack, []).append(service)
    status = OK
    for stack, services in targets.items():
        if options.detach:
            _answered(options, {"stack": stack, "services": services}, f"{stack}: scaled")
        else:
            status = max(status, wait(client, stack, options, services))
    return status


def service(options: argparse.Namespace) -> int:
    """Pause, resume, roll back or promote a service."""
    if len(options.words) > _STACK_AND_SERVICE:
        complain(f"{' '.join(options.words)}: one service at a time, as SERVICE or STACK SERVICE")
        return USAGE
    client = client_of(options)
    stack, name = target_of(client, options.words)
    answer = client.post("stacks", stack, "services", name, options.order)
    is_awaited = options.order in {"resume", "rollback", "promote"} and not options.detach
    if is_awaited:
        return wait(client, stack, options, [name])
    _answered(options, answer, f"{stack}/{name}: {options.order} is in force")
    return OK


def node(options: argparse.Namespace) -> int:
    """Empty a node, leave it alone, or use it again."""
    client = client_of(options)
    answer = client.post("nodes", options.node, options.order)
    _answered(options, answer, f"{options.node} is {_WORDS[answer['availability']]}")
    if options.order != "drain" or options.detach:
        return OK
    end = time.monotonic() + options.timeout
    while left := _left(client.get("stacks"), options.node):
        if time.monotonic() >= end:
            complain(f"{options.node}: {left} containers after {options.timeout:g} s")
            return FAILURE
        pause()
    complain(f"{options.node} is empty")
    return OK


_WORDS = {"drain": "emptied", "pause": "left alone", "active": "used"}


def _left(found: Any, node: str) -> int:
    return sum(
        each["node"] == node and not each["state"].startswith(("exited", "unreachable"))
        for stack in found["stacks"]
        for one in stack["services"]
        for each in one["containers"]
    )


def _answered(options: argparse.Namespace, answer: object, text: str) -> None:
    if options.json:
        show(answer)
    else:
        say(text)
