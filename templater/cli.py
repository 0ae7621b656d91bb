"""The programs that the templater stands for, by the name it is called by."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Final

__all__ = ["main"]

PROGRAMS: Final[Mapping[str, str]] = {
    "templater": "templater.confd.cli",
    "confd": "templater.confd.cli",
    "consul-template": "templater.consul_template.cli",
    "envconsul": "templater.envconsul.cli",
}
"""Name to the module whose ``main(program, arguments)`` is that program."""


def main(program: str, arguments: Sequence[str]) -> int:
    """Run the command line of the program whose name was used."""
    status: int = import_module(PROGRAMS[program]).main(program, arguments)
    return status
