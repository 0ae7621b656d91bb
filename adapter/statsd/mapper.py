"""Which rule a name falls under, and what it becomes. Pure.

All globs come before all regular expressions, as in statsd_exporter, unless the file asks for its
own order. A name's last result is kept, hits and misses alike.
"""

from typing import Final, NamedTuple

from adapter.statsd.globs import GlobTree, Hit, count_of_captures
from adapter.statsd.mapping import KINDS, Mapping, Rule
from adapter.statsd.templates import GlobTemplate

__all__ = ["Mapped", "Mapper"]

_LONGEST: Final = 1000  # characters of a name whose result is kept
_Templates = tuple[GlobTemplate, tuple[tuple[str, GlobTemplate], ...]]


class Mapped(NamedTuple):
    """A rule, and the name and labels it makes of a StatsD name."""

    rule: Rule
    name: str
    labels: tuple[tuple[str, str], ...]


class Mapper:
    """The rules of one file."""

    def __init__(self, mapping: Mapping, cache_size: int = 1000) -> None:
        """Prepare the rules; ``cache_size`` 0 keeps no result."""
        self.mapping = mapping
        self.lookups = 0
        self.hits = 0
        self._most: Final = cache_size
        self._kept: dict[tuple[str, str], Mapped | None] = {}
        defaults = mapping.defaults
        is_ordered = defaults.is_ordered or defaults.is_strict
        self.trees = {kind: GlobTree(is_ordered=is_ordered) for kind in KINDS}
        self._templates: dict[int, _Templates] = {}
        self._regexes = [rule for rule in mapping.rules if rule.regex is not None]
        for rule in mapping.rules:
            if rule.regex is None:
                self._add(rule)

    def __len__(self) -> int:
        """Return how many results are kept."""
        return len(self._kept)

    def find(self, name: str, kind: str) -> Mapped | None:
        """Return what becomes of a name, or None when no rule is for it."""
        key = name, kind
        self.lookups += 1
        try:
            found = self._kept.pop(key)
        except KeyError:
            found = self._found(name, kind)
        else:
            self.hits += 1
        if self._most and len(name) <= _LONGEST:
            self._kept[key] = found  # the newest stands last
            if len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]
        return found

    def _add(self, rule: Rule) -> None:
        count = count_of_captures(rule.match)
        labels = tuple((label, GlobTemplate(text, count)) for label, text in rule.labels)
        self._templates[rule.number] = GlobTemplate(rule.name, count), labels
        for kind in [rule.kind] if rule.kind else KINDS:
            self.trees[kind].add(rule.match, rule.number)

    def _found(self, name: str, kind: str) -> Mapped | None:
        hit = self.trees[kind].find(name) if kind in self.trees else None
        if hit is not None and not self.mapping.defaults.is_strict:
            return self._by_glob(hit)
        return self._by_regex(name, kind, hit) or (None if hit is None else self._by_glob(hit))

    def _by_glob(self, hit: Hit) -> Mapped:
        name, labels = self._templates[hit.number]
        return Mapped(
            self.mapping.rules[hit.number],
            name.filled(hit.captures),
            tuple((label, template.filled(hit.captures)) for label, template in labels),
        )

    def _by_regex(self, name: str, kind: str, before: Hit | None) -> Mapped | None:
        for rule in self._regexes:
            if before is not None and before.number < rule.number:
                return None
            if rule.regex is None or rule.kind not in ("", kind):
                continue
            try:
                match = rule.regex.all(name, 1)
            except ValueError:
                continue  # it takes too long on this name
            if match:
                expanded, groups = rule.regex.expanded, match[0]
                labels = [(label, expanded(text, name, groups)) for label, text in rule.labels]
                return Mapped(rule, expanded(rule.name, name, groups), tuple(labels))
        return None
