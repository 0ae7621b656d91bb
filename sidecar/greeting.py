"""What ``pinnace up`` shows a person at the terminal once it serves. Pure."""

from collections.abc import Iterable

from sidecar.catalog.model import Instance, Snapshot
from sidecar.config.model import Settings
from sidecar.config.units import endpoints
from sidecar.runtime.log import escape

__all__ = ["greeting"]

_HEADS = ("SERVICE", "INSTANCE", "ADDRESS", "STATE")
_MOST_ROWS = 20


def greeting(snapshot: Snapshot, settings: Settings) -> str:
    """Return a table of what was found and three lines to copy."""
    instances = [i for name in sorted(snapshot.services) for i in snapshot.services[name]]
    lines = ["", *_table(instances), "", *_examples(instances, settings), ""]
    return "\n".join(lines) + "\n"


def _table(instances: list[Instance]) -> Iterable[str]:
    if not instances:
        return ["No container with a service is running yet; start one and ask again."]
    rows = [_HEADS, *(_row(instance) for instance in instances[:_MOST_ROWS])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    if len(instances) > _MOST_ROWS:
        lines.append(f"and {len(instances) - _MOST_ROWS} more")
    return lines


def _row(instance: Instance) -> tuple[str, str, str, str]:
    state = "draining" if instance.draining else str(instance.status)
    return (
        escape(instance.service),
        escape(instance.id),
        f"{escape(instance.address)}:{instance.port}",
        state,
    )


def _examples(instances: list[Instance], settings: Settings) -> Iterable[str]:
    service = escape(instances[0].service) if instances else "web"
    dns = endpoints(settings.dns.listen)[0]
    yield "Try it:"
    yield f"  dig @{dns.host} -p {dns.port} {service}.service.{settings.dns.domain} SRV"
    if settings.lb.kind != "none":
        yield f"  curl -H 'Host: {service}.localhost' http://{settings.lb.listen}/"
    yield f"  http://{settings.http.listen}/ui/"
