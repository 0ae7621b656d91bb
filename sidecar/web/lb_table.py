"""What ``pinnace lb show`` prints, from what ``/v1/pinnace/lb`` answers. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sidecar.runtime.log import escape

__all__ = ["only", "services_of", "table"]

Status = Mapping[str, Any]

_TEXTS: Final = ("SERVICE", "VIA", "INSTANCE", "ADDRESS", "STATE", "HEALTH")
_NEEDED: Final = 5
_NUMBERS: Final = ("WEIGHT", "SESSIONS", "QUEUED", "REQUESTS", "REQ/S", "TIME", "FAILED", "RETRIED")
_DULL: Final = {"", "no check"}
_ROUTES: Final = ("hosts", "wildcards", "paths", "listeners")
_HOW: Final = {"runtime": "at run time", "reload": "by a reload", "start": "by a start"}
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"))


def services_of(found: Status) -> set[str]:
    """Return the services that are routed."""
    return {upstream["service"] for upstream in found["upstreams"]}


def only(found: Status, services: frozenset[str]) -> dict[str, Any]:
    """Return what concerns some services, and the proxy as a whole."""
    routes = {
        kind: {route: to for route, to in found[kind].items() if to in services} for kind in _ROUTES
    }
    lists = {
        kind: [one for one in found[kind] if one["service"] in services]
        for kind in ("upstreams", "problems")
    }
    return {**found, **routes, **lists}


def table(found: Status) -> str:
    """Return it for people."""
    parts = [list(_head(found)), list(_routes(found)), list(_endpoints(found["upstreams"]))]
    if problems := found["problems"]:
        parts.append(["left out:", *(f"  {_problem(one)}" for one in problems)])
    if (proxy := found["proxy"]) and proxy["lacks"]:
        parts.append([proxy["lacks"]])
    return "\n\n".join("\n".join(map(escape, lines)) for lines in parts if lines)


def _head(found: Status) -> Iterable[str]:
    proxy = found["proxy"]
    where = f"on {found['listen']}"
    if found["attached"]:
        where += f", attached by {found['attached']}"
    if proxy is None:
        yield f"{found['kind']} {where}: does not answer now"
    else:
        counts = [
            f"{what} {count:,.0f}"
            for count, what in (
                (proxy["connections"], "connections"),
                (proxy["rate"], "requests/s"),
                (proxy["requests"], "requests"),
            )
            if count is not None
        ]
        yield f"{proxy['program']} {where}: {', '.join(counts)}"
    if found["trouble"]:
        yield f"not ready: {found['trouble']}"
    last, reload = found["last"], found["last_reload"]
    if last is not None:
        how = _HOW.get(last["kind"], last["kind"])
        yield f"last change {how}, {_applied(last)}"
    if reload is not None and reload != last:
        yield f"last {'start' if reload['kind'] == 'start' else 'reload'} {_applied(reload)}"


def _applied(applied: Status) -> str:
    took = f"{applied['seconds'] * 1000:.0f} ms"
    return f"{_ago(applied['ago'])} ago, in {took}: {applied['why']}"


def _ago(seconds: float) -> str:
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _routes(found: Status) -> Iterable[str]:
    rows = [(route, to) for kind in _ROUTES[:3] for route, to in found[kind].items()]
    rows += [(f"TCP port {port}", to) for port, to in found["listeners"].items()]
    if not rows:
        return ["nothing is routed yet"]
    rows.sort(key=lambda row: (row[1], row[0]))
    return _aligned([("ROUTE", "SERVICE"), *rows], texts=2)


def _endpoints(upstreams: Sequence[Status]) -> Iterable[str]:
    rows = [row for upstream in upstreams for row in _rows(upstream)]
    if not rows:
        return []
    heads = (*_TEXTS, *_NUMBERS)
    kept = [
        index
        for index in range(len(heads))
        if index < _NEEDED or any(row[index] not in _DULL for row in rows)
    ]
    cut = [tuple(row[index] for index in kept) for row in (heads, *rows)]
    return _aligned(cut, texts=sum(index < len(_TEXTS) for index in kept))


def _rows(upstream: Status) -> Iterable[tuple[str, ...]]:
    service, via = upstream["service"], f"{upstream['protocol']}{upstream['shape']}"
    if not upstream["endpoints"]:
        none = "none: 503" if upstream["protocol"] == "http" else "none"
        yield (service, via, none, *("",) * (len(_TEXTS) + len(_NUMBERS) - 3))
    for one in upstream["endpoints"]:
        work = one["work"] or {}
        latency = work.get("latency")
        counts = (
            one["weight"],
            *(work.get(name) for name in ("sessions", "queued", "requests", "rate")),
            None if latency is None else f"{latency * 1000:.0f} ms",
            work.get("failures"),
            work.get("retries"),
        )
        yield (
            service, via, f"{one['node']}/{one['id']}", one["address"], one["state"],
            work.get("health") or "", *("" if count is None else str(count) for count in counts),
        )  # fmt: skip


def _aligned(rows: Sequence[tuple[str, ...]], *, texts: int) -> Iterable[str]:
    """Align texts to the left and numbers to the right; foreign text is escaped before."""
    safe = [tuple(map(escape, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*safe, strict=True)]
    for row in safe:
        cells = (
            cell.ljust(width) if index < texts else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()


def _problem(problem: Status) -> str:
    return f"{problem['service']}, {problem['field']}: {problem['reason']}"
