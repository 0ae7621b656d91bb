"""The dashboard: one page of plain HTML made from a snapshot. Pure.

No script at all (the page reloads itself), every value escaped: names come from labels.
"""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Final

from sidecar.catalog.model import Instance, Snapshot
from sidecar.runtime.component import Health

__all__ = ["HEADERS", "STYLE", "page"]

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem;color:#1c2733}"
    "table{border-collapse:collapse;margin:1rem 0}td,th{padding:.25rem .8rem;text-align:left;"
    "border-bottom:1px solid #d8dee4}.passing{color:#15803d}.critical{color:#b91c1c}"
    ".warning,.draining{color:#b45309}code{background:#eef1f4;padding:0 .3rem}"
)


def page(snapshot: Snapshot, health: Mapping[str, Health], version: str) -> str:
    """Return the whole page."""
    instances = [i for name in sorted(snapshot.services) for i in snapshot.services[name]]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="refresh" content="2"><title>Pinnace</title>'
        f"<style>{STYLE}</style></head><body><h1>Pinnace {escape(version)}</h1>"
        f"<p>{len(snapshot.services)} services, {len(instances)} instances,"
        f" index {snapshot.index}</p>"
        + _table(("service", "instance", "address", "state", "tags"), map(_row, instances))
        + _table(("part", "state", "restarts", "trouble"), map(_part, health.items()))
        + '<p>More: <a href="/readyz">readyz</a>, <a href="/metrics">metrics</a>,'
        ' <a href="/v1/catalog/services">catalog</a></p></body></html>'
    )


def _table(heads: Iterable[str], rows: Iterable[str]) -> str:
    titles = "".join(f"<th>{head}</th>" for head in heads)
    return f"<table><tr>{titles}</tr>{''.join(rows)}</table>"


def _row(instance: Instance) -> str:
    state = "draining" if instance.draining else str(instance.status)
    cells = (
        escape(instance.service),
        escape(instance.id),
        f"<code>{escape(instance.address)}:{instance.port}</code>",
        f'<span class="{state}">{state}</span>',
        escape(", ".join(instance.tags)),
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _part(item: tuple[str, Health]) -> str:
    name, health = item
    cells = (escape(name), health.phase, str(health.restarts), escape(health.trouble or ""))
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
