"""The text of ``pinnace dig``. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sidecar.runtime.log import escape

__all__ = ["lines_of"]


def lines_of(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that show a reply and what made it."""
    yield f";; {found['name']} {found['type']}: {found['status']}, {_asked(found)}"
    for title in ("answer", "authority", "additional"):
        if found[title]:
            yield f";; {title}"
            yield from _table(
                (r["name"], str(r["ttl"]), r["type"], r["data"]) for r in found[title]
            )
    if not found["synced"]:
        yield ";; the catalogue has not been read yet: nothing is called absent"
    for title, words in (("named", "named by the answer"), ("left_out", "left out")):
        if found[title]:
            yield f";; {words}"
            yield from _table(map(_instance, found[title]))


def _asked(found: Mapping[str, Any]) -> str:
    servers = found.get("forwarded_to")
    if servers:
        return f"{found['asked']}; clients that may recurse get it from {', '.join(servers)}"
    return escape(f"{found['asked']} (index {found['index']})")


def _instance(one: Mapping[str, Any]) -> tuple[str, ...]:
    where = f"[{one['address']}]" if ":" in one["address"] else one["address"]
    status = one["status"] + (", draining" if one["draining"] else "")
    words = (f"{one['service']}/{one['id']}", f"{where}:{one['port']}", f"on {one['node']}", status)
    reason = one.get("reason", "")
    return (*words, f"<- {reason}") if reason else words


def _table(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Yield aligned rows."""
    cells = [tuple(map(escape, row)) for row in rows]
    widths = [max(len(row[at]) for row in cells) for at in range(min(map(len, cells)) - 1)]
    for row in cells:
        start = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)]
        yield "  ".join([*start, *row[len(widths) :]])
