"""A bridge of our own with a private subnet nobody uses: made for one engine, removed with it."""

import ipaddress
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_POOL = ipaddress.IPv4Network("172.31.0.0/16")
_FILTERED = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")


def run(*command: str, check: bool = True) -> str:
    """Run a system command and return what it printed; its own words are the error message."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def networks_in_use() -> list[ipaddress.IPv4Network]:
    """Every IPv4 network that an address or a route of this machine names."""
    lines = run("ip", "-4", "-o", "route", "show", "table", "all").splitlines()
    lines += run("ip", "-4", "-o", "addr").splitlines()
    found = []
    for word in (word for line in lines for word in line.split()):
        try:
            found.append(ipaddress.IPv4Network(word, strict=False))
        except ValueError:
            continue
    return found


def free_subnets(used: list[ipaddress.IPv4Network], start: int) -> Iterator[ipaddress.IPv4Network]:
    """Private /24 networks that overlap nothing in use, beginning at a place that varies."""
    subnets = list(_POOL.subnets(new_prefix=24))
    for place in range(len(subnets)):
        subnet = subnets[(start + place) % len(subnets)]
        if not any(subnet.overlaps(other) for other in used):
            yield subnet


def _own_address() -> str:
    """A hardware address that is set stays; else a bridge takes that of one of its ports.

    When that port goes, what containers send to the old address is lost until they ask anew, which
    takes seconds.
    """
    return ":".join(f"{octet:02x}" for octet in b"\x02" + secrets.token_bytes(5))


@dataclass(frozen=True, slots=True)
class Bridge:
    """A bridge that is up and has the first address of its subnet."""

    name: str
    subnet: ipaddress.IPv4Network

    @property
    def gateway(self) -> str:
        """The host's address on the bridge."""
        return str(self.subnet.network_address + 1)

    @classmethod
    def create(cls) -> Self:
        """Take a free subnet; the name carries it, so two that race cannot both win."""
        for subnet in free_subnets(networks_in_use(), start=os.getpid() % 256):
            name = f"pn{str(subnet.network_address).split('.')[2]}x"
            try:
                run("ip", "link", "add", name, "address", _own_address(), "type", "bridge")
            except RuntimeError as error:
                if "File exists" in str(error):
                    continue
                raise
            bridge = cls(name, subnet)
            try:
                bridge._up()
            except BaseException:
                bridge.remove()
                raise
            return bridge
        raise RuntimeError(f"no free /24 is left in {_POOL}")

    def _up(self) -> None:
        run("ip", "addr", "add", f"{self.gateway}/24", "dev", self.name)
        run("ip", "link", "set", self.name, "up")
        if self._is_filtered():
            run("iptables", "-w", "-I", *self._rule())

    def remove(self) -> None:
        """Leave neither the bridge nor its rule; fine when they are gone already."""
        if shutil.which("iptables"):
            run("iptables", "-w", "-D", *self._rule(), check=False)
        run("ip", "link", "del", self.name, check=False)

    def _is_filtered(self) -> bool:
        # Another engine's FORWARD policy (DROP) also hits what two containers of our bridge send.
        return shutil.which("iptables") is not None and (
            not _FILTERED.exists() or _FILTERED.read_text().strip() == "1"
        )

    def _rule(self) -> tuple[str, ...]:
        return ("FORWARD", "-i", self.name, "-o", self.name, "-j", "ACCEPT")
