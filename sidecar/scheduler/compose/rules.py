"""Rules about places in a stack file: constraints, affinities, wishes, in both grammars. Pure.

Classic Swarm takes them from the environment (``constraint:storage==ssd``) and from labels that
hold JSON arrays (``com.docker.swarm.constraints``); Compose has ``deploy.placement``.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sidecar.scheduler.compose.document import Place, Problems
from sidecar.scheduler.constraints import Constraint, parse_constraint
from sidecar.scheduler.expressions import Expression, ExpressionError, parse_expression
from sidecar.scheduler.model import Soft

__all__ = ["LABELS", "Rules"]

LABELS: Final[Mapping[str, str]] = {
    "constraint": "com.docker.swarm.constraints",
    "affinity": "com.docker.swarm.affinities",
    "whitelist": "com.docker.swarm.whitelists",
    "reschedule": "com.docker.swarm.reschedule-policies",
}
_SPREAD: Final = "spread"


@dataclass(slots=True)
class Rules:
    """What was found for one service."""

    problems: Problems
    is_classic: bool = False
    constraints: list[Expression | Constraint] = field(default_factory=list)
    affinities: list[Expression] = field(default_factory=list)
    whitelists: list[Expression] = field(default_factory=list)
    soft: list[Soft] = field(default_factory=list)
    spread_over: list[str] = field(default_factory=list)
    reschedule: list[str] = field(default_factory=list)

    def take_environment(
        self, environment: Mapping[str, str | None], place: Callable[[str], Place]
    ) -> dict[str, str | None]:
        """Take classic's entries out of the environment; return the rest."""
        rest: dict[str, str | None] = {}
        for name, value in environment.items():
            word, colon, text = name.partition(":")
            if not colon or word not in LABELS:
                rest[name] = value
                continue
            # A list entry "constraint:a==b" was split at its first "="; a mapping has it whole.
            is_whole = value is None or (not value and ("==" in text or "!=" in text))
            self.take(word, text if is_whole else f"{text}={value}", place(name))
        return rest

    def take_labels(
        self, labels: Mapping[str, str | None], place: Callable[[str], Place]
    ) -> dict[str, str]:
        """Take classic's labels; return the others."""
        words = {label: word for word, label in LABELS.items()}
        for label, word in words.items():
            if label in labels:
                for text in self._array(label, labels[label] or "", place(label)):
                    self.take(word, text, place(label))
        return {name: value or "" for name, value in labels.items() if name not in words}

    def _array(self, label: str, text: str, place: Place) -> list[str]:
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            self.problems.error(place, f"{label} must be a JSON array of texts, not {text!r}")
            return []
        return found

    def take(self, word: str, text: str, place: Place) -> None:
        """Take one of classic's rules: ``word`` is constraint, affinity, whitelist, reschedule."""
        if word == "reschedule":
            self.reschedule.append(text)
            return
        rule = self._parsed(parse_classic(self.is_classic), text, place)
        if not isinstance(rule, Expression):
            return
        if rule.is_soft and word != "whitelist":
            self.soft.append(Soft(rule, 1, word == "affinity"))
        elif word == "constraint":
            self.constraints.append(rule)
        else:
            (self.affinities if word == "affinity" else self.whitelists).append(rule)

    def take_placement(self, texts: Iterable[tuple[str, Place]]) -> None:
        """Take ``deploy.placement.constraints``."""
        for text, place in texts:
            rule = self._parsed(parse_constraint, text, place)
            if isinstance(rule, Expression) and rule.is_soft:
                self.soft.append(Soft(rule))
            elif rule is not None:
                self.constraints.append(rule)

    def take_wish(self, text: str, weight: int, place: Place) -> None:
        """Take one of ``x-pinnace.soft``: ``affinity:`` before it makes it one of containers."""
        word, colon, rest = text.partition(":")
        is_affinity = colon == ":" and word == "affinity"
        wanted = rest if is_affinity else text.removeprefix("constraint:")
        parse = parse_classic(self.is_classic) if is_affinity else parse_constraint
        rule = self._parsed(parse, wanted, place)
        if rule is not None:
            self.soft.append(Soft(rule, weight, is_affinity))

    def take_preference(self, text: str, place: Place) -> None:
        """Take the label of ``deploy.placement.preferences``."""
        label = text.removeprefix("node.labels.").removeprefix("engine.labels.")
        if not label:
            self.problems.error(place, f"{_SPREAD}: {text!r} names no label")
            return
        self.spread_over.append(label)

    def _parsed(
        self,
        parse: Callable[[str], Expression | Constraint],
        text: str,
        place: Place,
    ) -> Expression | Constraint | None:
        try:
            rule = parse(text)
        except ExpressionError as error:
            self.problems.error(place, str(error))
            return None
        if isinstance(rule, Expression) and rule.warning:
            self.problems.warn(place, rule.warning)
        return rule


def parse_classic(is_classic: bool) -> Callable[[str], Expression]:
    """Return the parser of classic's grammar."""
    return lambda text: parse_expression(text, classic=is_classic)
