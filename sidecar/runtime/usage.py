"""How the command lines of small programs show their help."""

from argparse import HelpFormatter

__all__ = ["Help"]


class Help(HelpFormatter):
    """Help of 79 columns; argparse loads half a megabyte of modules to measure the terminal.

    It would do so for each option that is declared, so in every process that runs.
    """

    def __init__(self, prog: str) -> None:
        """Take the name of the program."""
        super().__init__(prog, width=79)
