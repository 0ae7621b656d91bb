"""What a target said, by its rules, to samples; and samples to families. Pure."""

import json
import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Final, NamedTuple

import msgspec

from adapter.exposition import Family, label_text
from adapter.http.paths import Found, find, path_of
from adapter.http.rules import Rule, Target
from sidecar.errors import ProtocolError

__all__ = ["MOST", "Collected", "Sample", "samples_of"]

MOST: Final = 10_000
"""Samples of one target; what is beyond is counted and left out."""
_LONGEST_LINE: Final = 4096
_MOST_LINES: Final = 20_000
_REFERENCE: Final = re.compile(r"\$(?:(\d)|\{([^}]*)\})")
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


class Sample(NamedTuple):
    """A number for a series."""

    rule: Rule
    labels: dict[str, str]
    value: float


def samples_of(target: Target, body: bytes) -> Iterator[Sample]:
    """Yield the samples of an answer; what is no number is left out. Raises ProtocolError."""
    own = dict(target.labels)
    if target.form == "text":
        yield from _from_text(target, body, own)
        return
    root = _decoded(body)
    for rule in target.rules:
        for found in find(root, rule.path):
            for number in _numbers(found, rule):
                labels = {label: _filled(text, found) for label, text in rule.labels}
                yield Sample(rule, own | labels, number * rule.scale)


def _decoded(body: bytes) -> Any:
    body = body.removeprefix(BOM_UTF8)
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # Many programs write NaN, infinities and numbers of any size, which JSON has not.
        with suppress(ValueError, RecursionError):
            return json.loads(body)
        raise ProtocolError(f"the answer is not JSON: {error}") from error


def _numbers(found: Found, rule: Rule) -> Iterator[float]:
    values = [found.value]
    if rule.value:
        values = [below.value for below in find(found.value, path_of(rule.value))]
    for value in values:
        number = _number(value, rule)
        if number is not None:
            yield number


def _from_text(target: Target, body: bytes, own: dict[str, str]) -> Iterator[Sample]:
    rules = [(rule, rule.regex) for rule in target.rules if rule.regex is not None]
    for line in body.decode("utf-8", "replace").splitlines()[:_MOST_LINES]:
        if len(line) > _LONGEST_LINE:
            continue
        for rule, regex in rules:
            try:
                matches = regex.all(line, 1)
            except ValueError:
                continue  # it takes too long on this line
            for groups in matches:
                number = _number(regex.expanded(rule.value, line, groups), rule)
                if number is not None:
                    labels = {
                        label: regex.expanded(text, line, groups) for label, text in rule.labels
                    }
                    yield Sample(rule, own | labels, number * rule.scale)


def _number(value: Any, rule: Rule) -> float | None:
    if isinstance(value, str) and value in rule.values:
        return rule.values[value]
    if isinstance(value, bool | int | float):
        word = str(value).lower()  # true, false and numbers may be words too
        return rule.values.get(word, float(value)) if abs(value) < 1e308 else None
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    return None


def _filled(template: str, found: Found) -> str:
    """Fill ``$1`` (what a star stood for) and ``${key}`` (a value beside the last star)."""

    def text_of(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name.isascii() and name.isdigit():
            at = int(name[:4]) - 1
            return found.captures[at] if 0 <= at < len(found.captures) else ""
        try:
            below = next(find(found.element, path_of(name)), None)
        except ValueError:
            return ""
        value = None if below is None else below.value
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value) if isinstance(value, str | int | float) else ""

    return _REFERENCE.sub(text_of, template)


class Collected:
    """Samples of all targets, each series once; the first of a series and of a type counts."""

    def __init__(self) -> None:
        """Begin with none."""
        self.families: dict[str, Family] = {}
        self.left_out: Counter[tuple[str, str]] = Counter()
        self._seen: set[str] = set()

    def add(self, target: str, samples: Iterable[Sample]) -> int:
        """Take the samples of a target; return how many became series."""
        count = 0
        for rule, labels, value in samples:
            if count >= MOST:
                self.left_out[target, "too many"] += 1
                continue
            series = rule.name + label_text(dict(sorted(labels.items())))
            family = self.families.get(rule.name)
            if family is None:
                family = self.families[rule.name] = Family(rule.name, rule.kind, rule.help)
            if family.kind != rule.kind:
                self.left_out[target, "another type"] += 1
            elif series in self._seen:
                self.left_out[target, "duplicate"] += 1
            else:
                self._seen.add(series)
                family.rows.append((series, value))
                count += 1
        return count
