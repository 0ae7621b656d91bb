"""The command lines of the ambassador: one subcommand per protocol.

Exit status: 0 done, 1 it failed, 2 the command line cannot be understood, 78 bad configuration.
"""

import argparse
from collections.abc import Sequence
from importlib import import_module
from typing import Final

__all__ = ["main"]

PROTOCOLS: Final = {
    "redis": ("ambassador.redis.cli", "writes to the primary, reads to replicas, as one Redis"),
    "tcp": ("ambassador.tcp.cli", "connections to the instances of a service"),
}
"""Protocol to the module whose ``main(program, arguments)`` serves it, and what it does."""
_USAGE: Final = 2


def main(program: str, arguments: Sequence[str]) -> int:
    """Run the command line of a protocol; return the exit status."""
    if arguments and arguments[0] in PROTOCOLS:
        module, _ = PROTOCOLS[arguments[0]]
        status: int = import_module(module).main(f"{program} {arguments[0]}", arguments[1:])
        return status
    parser = argparse.ArgumentParser(
        prog=program,
        description="A local proxy that stands for a remote service.",
        epilog=f"{program} PROTOCOL -h shows the options of one.",
        allow_abbrev=False,
    )
    choices = parser.add_subparsers(dest="protocol", metavar="PROTOCOL", title="protocols")
    for name, (_, meaning) in PROTOCOLS.items():
        choices.add_parser(name, help=meaning, add_help=False)
    parser.parse_args(arguments)
    parser.print_help()
    return _USAGE
