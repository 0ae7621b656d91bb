"""What HAProxy counts (``show info``, ``show stat``), by the endpoints of a model. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from templater.haproxy.answers import columns
from templater.haproxy.model import Model, slot_name
from templater.routes import Endpoint, Protocol, Upstream
from templater.work import Counters, Work

__all__ = ["counters_of"]

_VERSION: Final = re.compile(r"^Version: (\d[\w.]*)", re.MULTILINE | re.ASCII)
_COLUMNS: Final = (
    "pxname", "svname", "addr", "status", "scur", "qcur", "stot", "rate", "ctime", "rtime",
    "econ", "eresp", "hrsp_5xx", "wretr", "wredis",
)  # fmt: skip
_FRONT: Final = "FRONTEND"
_OURS: Final = "http"
"""The frontend of requests; those of TCP are ``tcp_<port>``."""
Row = dict[str, str]


def counters_of(model: Model, info: str, replies: Sequence[str]) -> Counters:
    """Return what the worker counts; ``replies`` are its ``show stat``, then those of old ones.

    Sessions are those of all, as an old worker finishes what it has; the rest is the newest's.
    """
    rows = [dict(zip(_COLUMNS, row, strict=True)) for row in columns(replies[0], *_COLUMNS)]
    lingering = _lingering(replies[1:])
    by_slot = {(row["pxname"], row["svname"]): row for row in rows}
    endpoints = {}
    for upstream, slot, endpoint in _seats(model):
        if (row := by_slot.get(slot)) is not None:
            more = lingering[slot[0], row["addr"]]
            endpoints[upstream, endpoint.key] = _work(row, upstream.protocol, more)
    version = _VERSION.search(info)
    fronts = [row for row in rows if row["svname"] == _FRONT and _is_ours(row["pxname"])]
    return Counters(
        program=f"haproxy {version[1] if version else ''}".strip(),
        connections=sum(_number(row["scur"]) for row in fronts),
        requests=sum(work.requests or 0 for work in endpoints.values()),
        rate=sum(work.rate or 0 for work in endpoints.values()),
        endpoints=endpoints,
    )


def _is_ours(frontend: str) -> bool:
    return frontend == _OURS or frontend.startswith("tcp_")


def _seats(model: Model) -> Iterator[tuple[Upstream, tuple[str, str], Endpoint]]:
    for backend in model.backends.values():
        for index, endpoint in enumerate(backend.slots):
            if endpoint is not None:
                yield backend.upstream, (str(backend.name), slot_name(index)), endpoint


def _lingering(replies: Iterable[str]) -> Counter[tuple[str, str]]:
    """Return the sessions of old workers by backend and address: their slots may be others'."""
    found: Counter[tuple[str, str]] = Counter()
    for reply in replies:
        for backend, address, sessions in columns(reply, "pxname", "addr", "scur"):
            found[backend, address] += _number(sessions)
    return found


def _work(row: Row, protocol: Protocol, lingering: int) -> Work:
    milliseconds = _number(row["rtime" if protocol is Protocol.HTTP else "ctime"])
    requests = _number(row["stot"])
    return Work(
        sessions=_number(row["scur"]) + lingering,
        queued=_number(row["qcur"]),
        requests=requests,
        rate=_number(row["rate"]),
        latency=milliseconds / 1000 if requests else None,
        failures=_number(row["econ"]) + _number(row["eresp"]) + _number(row["hrsp_5xx"]),
        retries=_number(row["wretr"]) + _number(row["wredis"]),
        health=row["status"].lower(),
    )


def _number(text: str) -> int:
    return int(text or 0)
