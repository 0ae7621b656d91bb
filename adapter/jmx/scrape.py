"""One scrape of one target: which beans, what to ask them, what becomes of the answers.

Runs in a thread of its own and waits for nothing but the transport. What a bean has is kept; what
cannot be had of one bean is counted and the others go on; when the time is over, what has come
stands (``Outcome.error``).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from adapter.exposition import Family, label_text
from adapter.jmx import jvm
from adapter.jmx.bean import Attribute, Bean, Known, Values
from adapter.jmx.errors import OutOfTime, TooMany
from adapter.jmx.numbers import java_text
from adapter.jmx.objectname import ObjectName, parse, parse_pattern
from adapter.jmx.operations import Operation, thread_families, thread_operations
from adapter.jmx.rules import match_text
from adapter.jmx.samples import Sample, families
from adapter.jmx.settings import Target
from sidecar.errors import PinnaceError

__all__ = ["Outcome", "Scraper", "Transport"]

_JVM: Final = tuple(
    parse_pattern(f"{domain}:*")[1]
    for domain in (
        "com.sun.management", "com.sun.management.jmxremote", "java.lang", "java.nio",
        "java.util.logging", "javax.management", "javax.management.remote", "jdk.internal",
        "jdk.management", "jdk.management.jfr", "sun.management",
    )
)  # fmt: skip
"""What ``excludeJvmMetrics`` leaves out."""

_LONGEST_NAME: Final = 10_000  # characters; one of 65,536 bytes could not even be asked for

_NEVER: Final[Mapping[str, frozenset[str]]] = {
    "java.lang:type=Runtime": frozenset(
        {"SystemProperties", "ClassPath", "BootClassPath", "LibraryPath"}
    ),
}
_NOT_AT_ALL: Final = frozenset({"jdk.management.jfr:type=FlightRecorder"})
"""Expensive, and nothing of it is a number."""


class Transport(Protocol):
    """How a target is asked: RMI or Jolokia. All block; all raise a PinnaceError."""

    @property
    def peer(self) -> bytes:
        """What tells one run of the JVM from the next; empty before anything was asked."""

    def names(self, pattern: str | None) -> Iterable[str]:
        """Return the names of beans that match, or of all."""

    def attributes(
        self, beans: Sequence[Bean]
    ) -> Iterator[tuple[Bean, Sequence[Attribute] | None]]:
        """Yield what each bean has; None when it cannot say."""

    def read(self, beans: Sequence[Bean]) -> Iterator[tuple[Bean, Known | Values | None]]:
        """Yield what was read of each, or samples where that is known already; None: failed."""

    def invoke(self, operations: Sequence[Operation]) -> Iterator[tuple[Operation, object]]:
        """Yield what each operation returned; FAILED where it is refused or went wrong."""


@dataclass(slots=True)
class Outcome:
    """What a scrape came to."""

    samples: list[Sample] = field(default_factory=list)
    jvm: list[Family] = field(default_factory=list)
    error: PinnaceError | None = None
    beans: int = 0
    failed: int = 0
    dropped: int = 0  # samples beyond what a target may have
    cached: int = 0
    seconds: float = 0.0

    @property
    def up(self) -> bool:
        """Whether everything was read that could be."""
        return self.error is None

    @property
    def timed_out(self) -> bool:
        """Whether the time was over first."""
        return isinstance(self.error, OutOfTime)

    def families(self, more: Mapping[str, str]) -> list[Family]:
        """Return the metrics; those of rules go before the ``jvm_*`` of the same name."""
        found = families(self.samples, more)
        taken = {family.name for family in found}
        others = (family for family in self.jvm if family.name not in taken)
        return sorted(
            [*found, *(_labelled(family, more) for family in others)],
            key=lambda family: family.name,
        )


def _labelled(family: Family, more: Mapping[str, str]) -> Family:
    if not more:
        return family
    suffix = label_text(more)[1:-1]
    found = Family(family.name, family.kind, family.help)
    found.rows = [(_with(series, suffix), value) for series, value in family.rows]
    found.spreads = [
        spread._replace(labels=_with(spread.labels, suffix)) for spread in family.spreads
    ]
    return found


def _with(series: str, more: str) -> str:
    return f"{series[:-1]},{more}}}" if series.endswith("}") else f"{series}{{{more}}}"


class Scraper:
    """Keeps what is known of a target's beans between scrapes."""

    def __init__(self, target: Target) -> None:
        """Start without knowing any bean."""
        self._target = target
        self._beans: dict[str, Bean] = {}
        self._names: dict[str, ObjectName | None] = {}
        self._scrapes = 0
        self._invokes_from = 0  # the scrape that asks for operations again, after a refusal
        self._peer = b""

    def scrape(self, transport: Transport) -> Outcome:
        """Read everything once; an error ends it early and is in the outcome."""
        outcome = Outcome()
        if transport.peer != self._peer:
            self._beans.clear()
            self._invokes_from = 0
        read: list[tuple[ObjectName, Mapping[str, object]]] = []
        threads: list[Family] = []
        try:
            for bean, values in self._run(transport, outcome):
                outcome.samples += bean.samples(values)
                self._check(outcome)
                if self._target.jvm_metrics and jvm.wanted(bean.name):
                    read.append((bean.name, dict(values)))
            threads = self._threads(transport, read)
        except PinnaceError as error:
            outcome.error = error
        self._peer = transport.peer
        most = self._target.most_series
        outcome.dropped = max(0, len(outcome.samples) - most)
        del outcome.samples[most:]
        outcome.jvm = [*jvm.families(read), *threads]
        outcome.cached = sum(bean.cached for bean in self._beans.values())
        return outcome

    def _threads(self, transport: Transport, read: jvm.Read) -> list[Family]:
        """Return what only operations tell; who may only read is not asked for them each time."""
        operations = thread_operations(read)
        if not operations or self._scrapes < self._invokes_from:
            return []
        told = [*transport.invoke(operations)]
        found = thread_families(read, told)
        if not found:
            self._invokes_from = self._scrapes + self._target.refresh
        return found

    def lines(self, transport: Transport) -> Iterator[str]:
        """Yield the text that patterns see of every value, and what becomes of it.

        Raises PinnaceError.
        """
        for bean, values in self._run(transport, Outcome()):
            for leaf, recipe in bean.explained(values):
                text = match_text(bean.name.domain, leaf, leaf.name)
                shown = f"rule {recipe.rule + 1}: {recipe.name}{recipe.text}" if recipe else "-"
                yield f"{text}: {java_text(leaf.value)}\t{shown}"

    def _run(self, transport: Transport, outcome: Outcome) -> Iterator[tuple[Bean, Values]]:
        self._scrapes += 1
        beans = self._selected(transport)
        self._look(transport, [bean for bean in beans if bean.due <= self._scrapes])
        asked = [bean for bean in beans if bean.asked]
        outcome.beans = len(asked)
        for bean, told in transport.read(asked):
            if told is None:
                outcome.failed += 1
                bean.due = 0  # perhaps it has other attributes now
            elif isinstance(told, Known):
                outcome.samples += told.samples
                self._check(outcome)
            else:
                yield bean, told

    def _check(self, outcome: Outcome) -> None:
        """Stop reading when there is more than ever will be shown."""
        if len(outcome.samples) > self._target.most_series:
            raise TooMany(f"more than maxSeries={self._target.most_series} series")

    def _look(self, transport: Transport, beans: Sequence[Bean]) -> None:
        """Ask beans what they have; spread over the scrapes that follow."""
        refresh = self._target.refresh
        for index, (bean, found) in enumerate(transport.attributes(beans)):
            bean.due = self._scrapes + refresh + index % refresh
            if found is None:
                bean.due = self._scrapes + 1
                continue
            never = _NEVER.get(bean.text, frozenset())
            has = [attribute for attribute in found if attribute.name not in never]
            more = jvm.wanted(bean.name) if self._target.jvm_metrics else ()
            bean.choose(has, more)
            bean.is_learning = not more

    def _selected(self, transport: Transport) -> list[Bean]:
        """Return the beans to read; those that are gone are forgotten."""
        chosen, extra = self._chosen(transport)
        kept = {}
        for text, name in {**extra, **chosen}.items():
            bean = self._beans.get(text)
            is_exported = text in chosen
            if bean is None or bean.is_exported != is_exported:
                bean = Bean(text, name, self._target, is_exported=is_exported)
            kept[text] = bean
        self._beans = kept
        self._names = {text: self._names.get(text) for text in self._names if text in kept}
        return [*kept.values()]

    def _chosen(self, transport: Transport) -> tuple[dict[str, ObjectName], dict[str, ObjectName]]:
        """Return the beans of the rules, and those that only ``jvm_*`` needs."""
        selection = self._target.selection
        patterns: list[str | None] = [text for text, _ in selection.include] or [None]
        everything: dict[str, ObjectName] = {}
        for pattern in patterns:
            everything |= self._parsed(transport.names(pattern))
        extra = everything
        if self._target.jvm_metrics and selection.include:
            for domain in jvm.JVM_DOMAINS:
                extra = extra | self._parsed(transport.names(f"{domain}:*"))
        is_explicit = bool(selection.include)
        chosen = {
            text: name
            for text, name in everything.items()
            if text not in _NOT_AT_ALL and not any(matches(name) for matches in selection.exclude)
        }
        if selection.without_jvm and not is_explicit:
            chosen = {t: n for t, n in chosen.items() if not any(matches(n) for matches in _JVM)}
        wanted = extra if self._target.jvm_metrics else {}
        return chosen, {text: name for text, name in wanted.items() if jvm.wanted(name)}

    def _parsed(self, texts: Iterable[str]) -> dict[str, ObjectName]:
        found: dict[str, ObjectName] = {}
        for text in texts:
            if len(text) > _LONGEST_NAME or len(found) >= self._target.most_series:
                continue
            name = self._names.get(text)
            if name is None:
                try:
                    name = self._names[text] = parse(text)
                except ValueError:
                    continue  # no JVM makes such a name
            found[text] = name
        return found
