"""What is kept of one bean between scrapes: what to ask it, and what its answers become. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from adapter.jmx.feed import Feed
from adapter.jmx.layout import Layout
from adapter.jmx.leaves import Leaf, Unsupported, leaves
from adapter.jmx.objectname import ObjectName
from adapter.jmx.records import JavaObject, Single, is_a
from adapter.jmx.rules import Judgement, Recipe, judge
from adapter.jmx.samples import Sample
from adapter.jmx.settings import Target
from adapter.jmx.values import Slot, Unlearnable, items_of, text_of

__all__ = ["Attribute", "Bean", "Known", "Values", "attributes_in", "values_in"]

_MOST_RECIPES = 20_000  # of one bean: rows of tables come and go
_LONGEST_NAME = 10_000  # characters
_MOST_LAYOUTS = 3
_MOST_LESSONS = 12  # a bean that answers ever differently is not worth learning

Values = Sequence[tuple[str, object]]


class Known(NamedTuple):
    """The samples of an answer that was known but for its numbers."""

    samples: list[Sample]


class Attribute(NamedTuple):
    """What a bean says of an attribute that can be read."""

    name: str
    type: str
    description: str


class _Entry(NamedTuple):
    """One sample of a learnt answer: a number's place or a constant, and what becomes of it."""

    number: int  # -1: a constant
    constant: object
    is_single: bool
    recipe: Recipe | None
    leaf: Leaf | None  # where each value has to be judged


class Bean:
    """One bean of one target."""

    def __init__(
        self, text: str, name: ObjectName, target: Target, *, is_exported: bool = True
    ) -> None:
        """``text`` is the name as the JVM gave it; rules see the bean if it is exported."""
        self.text = text
        self.is_exported = is_exported
        self.name = name.type_first() if target.type_first else name
        self.due = 0  # the scrape that asks anew what it has
        self.asked: tuple[str, ...] = ()
        self.frame = b""  # the question, ready to send
        self.is_learning = True
        self._target = target
        self._exported: Mapping[str, str] = {}
        self._unsupported: set[str] = set()
        self._recipes: dict[object, Judgement] = {}
        self._layouts: list[tuple[Layout, tuple[_Entry, ...]]] = []
        self._lessons = 0
        self._customizer = next((c for c in target.customizers if c.fits(name)), None)

    @property
    def cached(self) -> int:
        """How many of its attributes have a rule for good, by ``cache: true``."""
        return sum(judgement.cached for judgement in self._recipes.values())

    def choose(self, found: Sequence[Attribute], more: Iterable[str] = ()) -> None:
        """Take what it has; ``more`` are attributes that are asked for besides."""
        labels = self._customizer.labels if self._customizer is not None else ()
        chosen = {
            attribute.name: attribute.description
            for attribute in found
            if self.is_exported and self._is_chosen(attribute, labels)
        }
        known = {attribute.name for attribute in found}
        asked = (*chosen, *(name for name in more if name in known and name not in chosen))
        if asked != self.asked or chosen != self._exported:
            self.asked, self._exported = asked, chosen
            self.frame = b""
            self._recipes.clear()
            self._layouts.clear()

    def exclude(self, name: str) -> None:
        """Never ask for this attribute again, as long as the bean lives."""
        if self._target.selection.auto_exclude:
            self._unsupported.add(name)
            self.asked = tuple(other for other in self.asked if other != name)
            self._exported = {n: text for n, text in self._exported.items() if n != name}
            self.frame = b""
            self._layouts.clear()

    def _is_chosen(self, attribute: Attribute, labels: Sequence[str]) -> bool:
        selection, key, name = self._target.selection, self.name.key, attribute.name
        if name in self._unsupported or name in selection.not_attributes.get(key, ()):
            return False
        if selection.attributes is not None and name not in selection.attributes.get(key, ()):
            return False
        if name in labels:
            return True
        is_text = attribute.type == "java.lang.String"
        return (self._target.wants_texts or not is_text) and _may_hold_numbers(attribute.type)

    # --- from an answer to samples ---------------------------------------------------------

    def samples(self, values: Values) -> list[Sample]:
        """Return the samples of what was read."""
        out = []
        for leaf, judgement in self._judged(values):
            recipe = judgement.recipe
            if recipe is not None and (number := recipe.value(leaf.value)) is not None:
                out.append((recipe, number))
        return out

    def explained(self, values: Values) -> Iterator[tuple[Leaf, Recipe | None]]:
        """Yield each value and what becomes of it, for people."""
        for leaf, judgement in self._judged(values):
            yield leaf, judgement.recipe

    def _judged(self, values: Values) -> Iterator[tuple[Leaf, Judgement]]:
        extra = self._labels(values)
        for leaf in self._leaves(values):
            yield leaf, self._judgement(leaf, extra)

    def _leaves(self, values: Values) -> Iterator[Leaf]:
        for extra in self._customizer.extras if self._customizer is not None else ():
            yield from leaves(self.name.properties, extra.name, extra.description, extra.value)
        for name, value in values:
            description = self._exported.get(name)
            if description is None:
                continue
            try:
                yield from leaves(self.name.properties, name, description, value)
            except Unsupported:
                self.exclude(name)

    def _labels(self, values: Values) -> Mapping[str, str]:
        wanted = self._customizer.labels if self._customizer is not None else ()
        found = {name: text_of(value) for name, value in values if name in wanted}
        return {name: found[name] or "" for name in wanted if found.get(name) is not None}

    def _judgement(self, leaf: Leaf, extra: Mapping[str, str]) -> Judgement:
        own = leaf.properties is self.name.properties
        key = (
            leaf.path,
            leaf.name,
            None if own else (*leaf.properties.items(),),
            (*extra.items(),) if extra else None,
        )
        known = self._recipes.get(key)
        if known is not None and (known.cached or not isinstance(leaf.value, str)):
            return known
        target = self._target
        found = judge(self.name.domain, leaf, target.rules, target.naming, extra)
        if found.is_fixed:
            if len(self._recipes) >= _MOST_RECIPES:
                self._recipes.clear()
            self._recipes[key] = found
        return found

    # --- answers that are known but for their numbers ----------------------------------------

    def known(self, feed: Feed) -> list[Sample] | None:
        """Take the next answer off the feed if it differs from one before in its numbers only."""
        for layout, entries in self._layouts:
            if feed.rest >= layout.size:
                numbers = layout.numbers(feed.data, feed.at)
                if numbers is not None:
                    feed.at += layout.size
                    return self._filled(entries, numbers)
        return None

    def _filled(self, entries: Sequence[_Entry], numbers: Sequence[float]) -> list[Sample]:
        out = []
        for index, constant, is_single, recipe, leaf in entries:
            value = numbers[index] if index >= 0 else constant
            if leaf is not None:
                seen = Single(value) if is_single and isinstance(value, float) else value
                recipe = self._judgement(leaf._replace(value=seen), {}).recipe  # noqa: PLW2901
            if recipe is not None and (number := recipe.value(value)) is not None:
                out.append((recipe, number))
        return out

    def learn(self, raw: bytes, told: object, slots: Sequence[tuple[int, str]]) -> None:
        """Learn an answer: its bytes, the same read with places for numbers, and the places."""
        self._lessons += 1
        try:
            entries = self._entries(told, slots)
        except Unlearnable:
            entries, self._lessons = (), _MOST_LESSONS
        if self._lessons >= _MOST_LESSONS:
            self.is_learning = False
            self._layouts.clear()
            return
        self._layouts = [(Layout(raw, slots), entries), *self._layouts[: _MOST_LAYOUTS - 1]]

    def _entries(self, told: object, slots: Sequence[tuple[int, str]]) -> tuple[_Entry, ...]:
        entries = []
        for leaf in self._leaves(values_in(told)):
            value = leaf.value
            index = value.number if isinstance(value, Slot) else -1
            is_single = index >= 0 and slots[index][1] == "f"
            # A number stands for all: what is fixed is so for each.
            judgement = self._judgement(leaf if index < 0 else leaf._replace(value=0), {})
            if judgement.is_fixed:
                if judgement.recipe is not None:
                    entries.append(_Entry(index, value, is_single, judgement.recipe, None))
            else:
                entries.append(_Entry(index, value, is_single, None, leaf))
        return tuple(entries)

    @property
    def can_learn(self) -> bool:
        """Whether its answers may be read that way at all."""
        has_labels = self._customizer is not None and bool(self._customizer.labels)
        return self.is_learning and not has_labels


def _may_hold_numbers(type_name: str) -> bool:
    return not type_name.startswith("[") and type_name != "javax.management.ObjectName"


def attributes_in(info: object) -> list[Attribute]:
    """Return the attributes in a ``MBeanInfo`` that can be read."""
    found = []
    for item in items_of(info.fields.get("attributes")) if isinstance(info, JavaObject) else []:
        if isinstance(item, JavaObject) and item.fields.get("isRead"):
            name, kind = item.fields.get("name"), item.fields.get("attributeType")
            if isinstance(name, str) and len(name) <= _LONGEST_NAME:
                text = item.fields.get("description")
                found.append(Attribute(name, str(kind), text if isinstance(text, str) else ""))
    return found


def values_in(told: object) -> list[tuple[str, object]]:
    """Return names and values in an ``AttributeList``."""
    found = []
    for item in items_of(told):
        if isinstance(item, JavaObject) and is_a(item, "javax.management.Attribute"):
            name = item.fields.get("name")
            if isinstance(name, str):
                found.append((name, item.fields.get("value")))
    return found
