"""What the adapter counts of itself; statsd_exporter's names. Pure.

A line that was met before costs one addition: its account knows what else it stands for, and the
sums are made when somebody looks.
"""

from collections import Counter
from typing import Final

__all__ = ["Account", "Tally"]

_MOST_NAMES: Final = 100
_OTHERS: Final = "(others)"


class Account:
    """Lines of one sort that were taken by the short way."""

    __slots__ = ("action", "has_tags", "kind", "renamed", "taken", "weight")

    def __init__(
        self, kind: str, action: str, weight: int, *, has_tags: bool, renamed: int
    ) -> None:
        """``kind`` is the type of event (nothing: none comes of it), ``action`` the rule's."""
        self.kind = kind
        self.action = action
        self.weight = weight
        self.has_tags = has_tags
        self.renamed = renamed
        self.taken = 0


class Tally:
    """Every number; those of lines met before are in ``accounts``."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.lines = 0
        self.samples = 0
        self.sample_errors: Counter[str] = Counter()
        self.tags = 0
        self.tag_errors = 0
        self.events: Counter[str] = Counter()
        self.unmapped = 0
        self.actions: Counter[str] = Counter()
        self.event_errors: Counter[str] = Counter()
        self.conflicts: Counter[tuple[str, str]] = Counter()
        self.overflows: Counter[str] = Counter()
        self.renamed = 0
        self.capped = 0
        self.lookups = 0
        self.lookup_hits = 0
        self.reloads: Counter[str] = Counter({"success": 0, "failure": 0})
        self.udp_packets = 0
        self.udp_drops = 0
        self.unixgram_packets = 0
        self.tcp_connections = 0
        self.tcp_errors = 0
        self.tcp_too_long = 0
        self.flushes = 0
        self.defects = 0
        self._accounts: dict[tuple[str, str, int, bool, int], Account] = {}

    def account(
        self, kind: str, action: str, weight: int, *, has_tags: bool, renamed: int
    ) -> Account:
        """Return the account of lines of this sort."""
        key = (kind, action, weight, has_tags, renamed)
        found = self._accounts.get(key)
        if found is None:
            found = Account(kind, action, weight, has_tags=has_tags, renamed=renamed)
            self._accounts[key] = found
        return found

    def settle(self) -> None:
        """Add what the accounts hold to the numbers."""
        for account in self._accounts.values():
            taken, account.taken = account.taken, 0
            if taken:
                self._add(account, taken)

    def _add(self, account: Account, taken: int) -> None:
        self.samples += taken
        self.tags += taken * account.has_tags
        events = taken * account.weight
        self.lookups += events
        self.lookup_hits += events
        if account.kind:
            self.events[account.kind] += events
            self.renamed += events * account.renamed
        if account.action:
            self.actions[account.action] += events
        else:
            self.unmapped += events

    def conflict(self, kind: str, name: str, count: int) -> None:
        """Count events whose name is another type's."""
        known = (kind, name) in self.conflicts or len(self.conflicts) < _MOST_NAMES
        self.conflicts[kind, name if known else _OTHERS] += count

    def overflow(self, name: str, count: int) -> None:
        """Count events for which there is no room."""
        known = name in self.overflows or len(self.overflows) < _MOST_NAMES
        self.overflows[name if known else _OTHERS] += count
