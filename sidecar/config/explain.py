"""What ``pinnace explain`` shows: each key, its value and where that comes from. Pure."""

import json

from sidecar.config.keys import KEYS
from sidecar.config.load import Loaded
from sidecar.config.rules import redacted
from sidecar.config.sources import Value

__all__ = ["as_json", "as_table", "shown", "value_of"]


def value_of(loaded: Loaded, key: str) -> Value:
    """Return a setting by its key, secrets hidden."""
    section, name = key.split(".")
    value: Value = getattr(getattr(loaded.settings, section), name)
    if isinstance(value, tuple):
        return tuple(map(redacted, value))
    return redacted(value) if isinstance(value, str) else value


def shown(value: Value) -> str:
    """Return a value as one would write it: durations with their unit, text as it is."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.12g}s"
    if isinstance(value, tuple):
        return " ".join(value) or "[]"
    return str(value) or '""'


def as_table(loaded: Loaded) -> str:
    """Return one aligned line per key."""
    rows = [("key", "value", "origin")]
    rows += [(key, shown(value_of(loaded, key)), str(loaded.origins[key])) for key in KEYS]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(
        f"{key:{widths[0]}}  {value:{widths[1]}}  {origin}" for key, value, origin in rows
    )


def as_json(loaded: Loaded) -> str:
    """Return one object with a member per key."""
    return json.dumps(
        {key: {"value": value_of(loaded, key), "origin": str(loaded.origins[key])} for key in KEYS},
        indent=2,
        ensure_ascii=False,
    )
