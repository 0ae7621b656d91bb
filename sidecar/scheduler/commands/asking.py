"""What all commands that ask a running scheduler have in common."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable
from threading import Event
from typing import Any, Final

from sidecar.config.units import duration
from sidecar.runtime.log import escape
from sidecar.scheduler.client import Access, Client, Refused
from sidecar.scheduler.convergence import State, Verdict, verdict_of

__all__ = [
    "FAILED", "FAILURE", "OK", "PENDING", "USAGE", "add_access", "add_waiting", "client_of",
    "complain", "pause", "say", "show", "target_of", "wait",
]  # fmt: skip

OK: Final = 0
FAILURE: Final = 1
USAGE: Final = 2
PENDING: Final = 3
FAILED: Final = 4
_PAUSE: Final = 0.25
_PATIENCE: Final = 3.0
"""Something that has no place now may have one in a moment: when what holds it has gone."""


def add_access(parser: argparse.ArgumentParser) -> None:
    """Add how the scheduler is reached."""
    group = parser.add_argument_group("the scheduler")
    group.add_argument(
        "--api", default="", metavar="ADDRESS",
        help="a socket's path, or http(s)://HOST:PORT [PINNACE_SCHEDULER__API, this user's socket]",
    )  # fmt: skip
    group.add_argument("--token-file", default="", metavar="FILE", help="holds the token")
    group.add_argument("--ca", default="", metavar="FILE", help="whom its certificate is to be of")
    group.add_argument("--cert", default="", metavar="FILE", help="a certificate of ours")
    group.add_argument("--key", default="", metavar="FILE", help="the certificate's key")
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_waiting(parser: argparse.ArgumentParser) -> None:
    """Add whether to wait until it has come true."""
    parser.add_argument("--detach", action="store_true", help="do not wait until it is so")
    parser.add_argument(
        "--timeout", type=duration, default=600.0, metavar="DURATION", help="wait no longer [10m]"
    )


def client_of(options: argparse.Namespace) -> Client:
    """Return the client that the options describe."""
    return Client(Access(options.api, options.token_file, options.ca, options.cert, options.key))


def target_of(client: Client, words: Iterable[str]) -> tuple[str, str]:
    """Return stack and service of ``STACK SERVICE``, ``STACK/SERVICE`` or ``SERVICE``.

    Raises Refused.
    """
    text = "/".join(words)
    stack, slash, service = text.partition("/")
    if slash:
        return stack, service
    found = client.get("stacks")["stacks"]
    known = [
        (each["name"], one["service"])
        for each in found
        for one in each["services"]
        if one["service"] == text
    ]
    if len(known) == 1:
        return known[0]
    if not known:
        names = ", ".join(
            f"{each['name']}/{one['service']}" for each in found for one in each["services"]
        )
        raise Refused(404, f"there is no service {text!r}; known are {names or 'none'}")
    names = ", ".join("/".join(each) for each in known)
    raise Refused(404, f"{text} is in several stacks: {names}")


def say(text: str) -> None:
    """Print what was asked for."""
    sys.stdout.write("".join(escape(line) + "\n" for line in text.split("\n")))
    sys.stdout.flush()


def show(document: object) -> None:
    """Print JSON."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """Print what else is to be known."""
    sys.stderr.write("".join(escape(line) + "\n" for line in text.splitlines()))
    sys.stderr.flush()


def wait(
    client: Client,
    stack: str,
    options: argparse.Namespace,
    services: Iterable[str] = (),
    *,
    is_there: Callable[[Any], bool] = lambda _: True,
) -> int:
    """Tell the progress of a stack until it has come true; return the exit status.

    3: something has no place; 4: a rollout failed; 1: the time was up.
    """
    names = [*services]
    end = time.monotonic() + options.timeout
    told: tuple[str, ...] = ()
    stuck: float | None = None
    while True:
        found = client.get("stacks", stack)
        verdict = verdict_of(found, names)
        for line in verdict.lines:
            if line not in told:
                complain(line)
        told = verdict.lines
        now = time.monotonic()
        if verdict.state is State.DONE and is_there(found):
            return _ended(found, verdict, options, OK)
        if verdict.state is State.FAILED:
            return _ended(found, verdict, options, FAILED)
        stuck = (stuck or now) if verdict.state is State.PENDING else None
        if stuck is not None and now - stuck >= min(_PATIENCE, options.timeout):
            return _ended(found, verdict, options, PENDING)
        if now >= end:
            complain(f"{stack}: not there after {options.timeout:g} s; it is gone on with")
            refused = any(each["refusals"] for each in found["services"])
            return _ended(found, verdict, options, PENDING if refused else FAILURE)
        pause()


def _ended(found: Any, verdict: Verdict, options: argparse.Namespace, status: int) -> int:
    if options.json:
        show(found)
    for reason in verdict.reasons:
        complain(reason)
    return status


def pause() -> None:
    """Wait before the next question."""
    Event().wait(_PAUSE)
