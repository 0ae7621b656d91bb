"""Reads that no single Redis could give, through the ambassador and a replica that lags.

    python -m bench.ambassador_history [--rounds 5000] [--clients 4] [--delay 0.004]

Each client writes a number in one of several ways (SET, a pipeline, a transaction, a script) and
reads it back, and the number of another client, ``--rounds`` times. Mode ``session`` must give no
stale read; with ``session_scope: listener`` the whole history must be linearizable. Mode
``eventual`` shows that the checker finds what is stale.
"""

import argparse
import os
from contextlib import ExitStack

from bench.figures import Figure, report
from tests.support.ambassador import Ambassador
from tests.support.pinnace import until
from tests.support.read_history import recorded, violations
from tests.support.redis import Redis
from tests.support.streams import Stream

_CASES = (
    ("session", "connection", False),
    ("session", "listener", True),
    ("eventual", "connection", False),
)


def main() -> int:
    """Run each case, print how many reads were stale."""
    parser = argparse.ArgumentParser(prog="bench.ambassador_history")
    parser.add_argument("--rounds", type=int, default=5000, help="of all clients together")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--delay", type=float, default=0.004, help="of the replica, in seconds")
    args = parser.parse_args()
    figures = []
    for mode, scope, is_shared in _CASES:
        stale, reads, elsewhere = run(args, mode, scope, is_shared=is_shared)
        print(f"{mode}, {scope}: {reads} reads, {elsewhere:.0f} by the replica, {stale} stale")
        if mode == "session":
            figures.append(Figure(f"stale reads, {mode}, {scope}", "", 0, [stale]))
    return report(figures)


def run(
    args: argparse.Namespace, mode: str, scope: str, *, is_shared: bool
) -> tuple[int, int, float]:
    """Return how many reads were stale, how many there were, and how many the replica answered."""
    with ExitStack() as stack:
        quick = ("--repl-diskless-sync-delay", "0")
        primary, replica = (stack.enter_context(Redis(*quick)) for _ in range(2))
        stream = stack.enter_context(Stream(primary.port))
        stream.delay = args.delay
        replica.do("REPLICAOF", "127.0.0.1", str(stream.port))
        until(lambda: b"master_link_status:up" in replica.do("INFO", "replication"), 30)
        words = ("--primary", f"127.0.0.1:{primary.port}", "--replica", f"127.0.0.1:{replica.port}")
        environ = {**os.environ, "AMBASSADOR_LISTENER__SESSION_SCOPE": scope}
        proxy = stack.enter_context(Ambassador(*words, "--mode", mode, env=environ))
        proxy.until_reads(replica)
        history = recorded([proxy.port] * args.clients, args.rounds // args.clients)
        reads = sum(not operation.is_write for operation in history)
        elsewhere = proxy.node(replica)["commands"]["read"]
        return len(violations(history, is_shared=is_shared)), reads, elsewhere


if __name__ == "__main__":
    raise SystemExit(main())
