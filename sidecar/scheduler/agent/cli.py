"""``pinnace agent``: holds the lease of a node, for services with ``fencing: self``."""

import argparse
import os
import socket
from collections.abc import Sequence
from typing import Any, Final

from sidecar.config.units import duration
from sidecar.errors import ConfigError
from sidecar.runtime.usage import Help

__all__ = ["main"]

_DOCKER: Final = "unix:///var/run/docker.sock"
_SHORTEST: Final = 2.0


def main(program: str, arguments: Sequence[str]) -> int:
    """Run until a signal; return the exit status. Raises ConfigError."""
    parser = argparse.ArgumentParser(
        prog=f"pinnace {program}",
        description="Holds the lease of this node, and stops the containers labelled"
        " pinnace.fencing=self when it cannot be renewed: so that the scheduler may start them"
        " elsewhere without two running. Keep it running: what a supervisor starts again within"
        " the lease loses nothing.",
        allow_abbrev=False,
        formatter_class=Help,
    )
    add = parser.add_argument
    add("--node", default=socket.gethostname(), help="the node's name [this host's]")
    add("--store", required=True, metavar="URL", help="where leases are: consul://, etcd://, ...")
    add("--docker", default=os.environ.get("DOCKER_HOST", _DOCKER), metavar="URL",
        help="the engine [DOCKER_HOST, else the usual socket]")  # fmt: skip
    add("--ttl", type=_duration, default=10.0, metavar="TIME",
        help="how long what is fenced runs on without a renewal [10s]")  # fmt: skip
    known = parser.add_argument_group("so that schedulers with --nodes store: know this node")
    tell = known.add_argument
    tell("--endpoint", metavar="URL", help="where its engine is reached: tcp://, https://")
    tell("--advertise", metavar="ADDR", help="the address of its published ports")
    tell("--label", action="append", type=_pair, metavar="K=V", help="what rules may ask for")
    tell("--reserve", type=_pairs, metavar="cpus=N,memory=SIZE", help="what is kept free")
    tell("--overcommit", type=_pairs, metavar="cpus=F,memory=F", help="a factor for each")
    add("--log-format", choices=["text", "json"], default="text", help="[text]")
    add("--log-level", choices=["debug", "info", "warning", "error"], default="info",
        help="[info]")  # fmt: skip
    options = parser.parse_args(arguments)
    if options.ttl < _SHORTEST:
        raise ConfigError([f"--ttl: a lease lasts {_SHORTEST:g} s at least"])
    about = _about(options)
    from sidecar.runtime.log import configure  # noqa: PLC0415 - start-up time
    from sidecar.scheduler.agent.alone import run  # noqa: PLC0415

    configure(options.log_format, options.log_level)
    return run(options.node, options.store, options.docker, options.ttl, about)


def _about(options: argparse.Namespace) -> dict[str, Any]:
    """Return how the node is reached, nothing if that is not said. Raises ConfigError."""
    given = {
        "endpoint": options.endpoint,
        "advertise": options.advertise,
        "labels": dict(options.label or ()),
        "reserve": options.reserve,
        "overcommit": options.overcommit,
    }
    about = {key: value for key, value in given.items() if value}
    if about:
        from sidecar.scheduler.nodes.settings import registered  # noqa: PLC0415 - start-up time

        registered({"name": options.node, **about}, f"--{min(about)}")
    return about


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return key, value


def _pairs(text: str) -> dict[str, str | float]:
    found: dict[str, str | float] = {}
    for key, value in map(_pair, text.split(",")):
        try:
            found[key] = float(value)
        except ValueError:
            found[key] = value
    return found


def _duration(text: str) -> float:
    try:
        return duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
