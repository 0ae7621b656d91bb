"""A network and mount namespace for a test, with what the test wants in it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["namespace"]

_NETWORK = (
    "ip link set lo up && ip link add v0 type veth peer name v1 && ip link set v0 up"
    " && ip link set v1 up && ip address add 192.0.2.2/24 dev v0"
)


@contextmanager
def namespace(script: str = "true") -> Iterator[list[str]]:
    """Make the namespaces, run the script in them; yield the words that enter them.

    There is an address beside the loopback's, without which resolvers think the network is down.
    """
    command = f"{_NETWORK} && {script} && echo made && exec sleep 300"
    holder = subprocess.Popen(
        ["unshare", "-nm", "sh", "-c", command], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "made\n"
        yield ["nsenter", f"--target={holder.pid}", "--net", "--mount"]
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
