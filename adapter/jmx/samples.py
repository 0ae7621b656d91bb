"""From samples to families: grouped by name, one type each, no two series alike. Pure.

As jmx_exporter does it: the first help wins, types that differ make the whole ``unknown``, and
where two series would be one, every series of that name says by ``_objectname`` whence it is.
"""

from collections.abc import Iterable, Mapping

from adapter.exposition import Family, Kind, label_text
from adapter.jmx.rules import Recipe

__all__ = ["Sample", "families", "merged"]

Sample = tuple[Recipe, float]


def families(samples: Iterable[Sample], more: Mapping[str, str] | None = None) -> list[Family]:
    """Return the families in the order of their names; ``more`` are labels for each series."""
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(sample[0].name, []).append(sample)
    return [_family(name, groups[name], more or {}) for name in sorted(groups)]


def _family(name: str, group: list[Sample], more: Mapping[str, str]) -> Family:
    kinds = {recipe.kind for recipe, _ in group}
    kind: Kind = kinds.pop() if len(kinds) == 1 else "unknown"
    shown = f"{name}_total" if kind == "counter" else name
    family = Family(shown, kind, group[0][0].help)
    texts = {recipe.text for recipe, _ in group}
    if len(texts) == len(group) and not more:
        family.rows = [(shown + recipe.text, value) for recipe, value in group]
        return family
    seen: dict[str, float] = {}
    for recipe, value in group:
        labels = dict(recipe.labels)
        if len(texts) != len(group):
            labels["_objectname"] = recipe.match
        labels |= {f"exported_{key}": labels.pop(key) for key in more if key in labels}
        # Two that even the object's name does not tell apart: one value twice is no series.
        seen.setdefault(shown + label_text({**labels, **more}), value)
    family.rows = [*seen.items()]
    return family


def merged(parts: Iterable[Iterable[Family]]) -> list[Family]:
    """Return the families of several targets as one list: equal names become one family."""
    found: dict[str, Family] = {}
    for part in parts:
        for family in part:
            known = found.get(family.name)
            if known is None:
                # A copy: families of a scrape may be on their way to somebody else as well.
                copy = found[family.name] = Family(family.name, family.kind, family.help)
                copy.rows, copy.spreads = [*family.rows], [*family.spreads]
                continue
            if known.kind != family.kind:
                known.kind = "unknown"
            known.rows += family.rows
            known.spreads += family.spreads
    return [found[name] for name in sorted(found)]
