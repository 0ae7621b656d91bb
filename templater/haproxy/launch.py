"""Start a program that dies with the process that asked for it.

Run as a script: ``launch.py PARENT_PID PROGRAM ARGUMENT...``. The kernel sends the program
SIGTERM when its parent ends, however that ends, even by SIGKILL (prctl(2) PR_SET_PDEATHSIG, kept
across exec). A helper of its own, because code between fork and exec is not safe in a process
with threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Ask for the signal, make sure that the parent is still there, become the program."""
    parent, *command = arguments
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != int(parent):  # it ended before we asked
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606  an argument list of our own making, no shell


if __name__ == "__main__":
    main(sys.argv[1:])
