"""Our events as the lines that people grep for in Registrator's log. Pure.

An event that has such a line carries ``action``; any other is told in our own words. The fields
used are ``container``, ``id``, ``containers``, ``what`` and ``reason``.
"""

from collections.abc import Mapping
from typing import Final

__all__ = ["line_of"]

_LINES: Final = {
    "listening": "Listening for Docker events ...",
    "syncing": "Syncing services on {containers} containers",
    "added": "added: {container:.12} {id}",
    "changed": "changed: {container:.12} {id}",
    "removed": "removed: {container:.12} {id}",
    "refreshed": "refreshed: {container:.12} {id}",
    "ignored": "ignored: {container:.12} {what}",
    "dangling": "dangling: {id}",
    "fatal": "{reason}",
}

_FIELDS: Final = ("container", "id", "containers", "what", "reason")


def line_of(fields: Mapping[str, object]) -> str | None:
    """Return the line for an event with these fields, or None when it has none of its own."""
    line = _LINES.get(str(fields.get("action", "")))
    if line is None:
        return None
    return line.format_map({key: str(fields.get(key, "")) for key in _FIELDS})
