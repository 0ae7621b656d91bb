"""Response rate limiting: how many equal kinds of replies one network gets. Pure.

A forged source address makes us send replies to a victim. Replies of a kind to a network (/24,
/56) draw on an account that fills by so many a second; over it they are dropped, but each
``slip``-th goes out empty with TC set, so that a real client there comes back over TCP, which
cannot be forged. An account may be in debt for ``window`` seconds' worth: who goes on flooding
stays limited.
"""

import enum
from collections import OrderedDict
from ipaddress import ip_address
from typing import Final

from dnsd import codes

__all__ = ["Action", "Rates"]

_ACCOUNTS: Final = 65536


class Action(enum.Enum):
    """What becomes of a reply."""

    SEND = "sent"
    SLIP = "slipped"
    DROP = "dropped"


class _Account:
    __slots__ = ("balance", "limited", "since")

    def __init__(self, balance: float, since: float) -> None:
        self.balance = balance
        self.since = since
        self.limited = 0


class Rates:
    """Accounts of networks, those used last; strangers cannot grow the table."""

    def __init__(self, per_second: int, window: float, slip: int) -> None:
        """Allow so many replies of a kind; ``slip`` 0: drop all over it."""
        self._per_second = per_second
        self._debt = -window * per_second
        self._slip = slip
        self._accounts: OrderedDict[tuple[bytes | str, int], _Account] = OrderedDict()

    def __len__(self) -> int:
        """Return how many accounts there are."""
        return len(self._accounts)

    def judge(self, host: str, reply: bytes, now: float) -> Action:
        """Return what becomes of a reply to an address."""
        key = _network(host), _kind(reply)
        account = self._accounts.get(key)
        if account is None:
            if len(self._accounts) >= _ACCOUNTS:
                self._accounts.popitem(last=False)
            account = self._accounts[key] = _Account(self._per_second, now)
        else:
            self._accounts.move_to_end(key)
            earned = (now - account.since) * self._per_second
            account.balance = min(account.balance + earned, self._per_second)
            account.since = now
        account.balance = max(account.balance - 1, self._debt)
        if account.balance >= 0:
            return Action.SEND
        account.limited += 1
        if self._slip and account.limited % self._slip == 0:
            return Action.SLIP
        return Action.DROP


def _network(host: str) -> bytes | str:
    if ":" not in host:
        return host.rpartition(".")[0]
    return ip_address(host.partition("%")[0]).packed[:7]


def _kind(reply: bytes) -> int:
    """Return answer 0, NODATA 1, NXDOMAIN 2, error 3."""
    rcode = reply[3] & 15
    if rcode == codes.NOERROR:
        return 0 if reply[6:8] != b"\0\0" else 1
    return 2 if rcode == codes.NXDOMAIN else 3
