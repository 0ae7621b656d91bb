"""The keys of ``x-pinnace`` about scaling, canaries and fencing. Pure."""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final

from sidecar.catalog.matching import Match, matches_of
from sidecar.scheduler.canary import CanaryPolicy
from sidecar.scheduler.compose.document import Item
from sidecar.scheduler.compose.reader import Reader
from sidecar.scheduler.compose.values import ratio, seconds, truth, whole
from sidecar.scheduler.conduct import Keeps
from sidecar.scheduler.fencing import Fencing
from sidecar.scheduler.scale import Direction, Metric, ScalePolicy
from sidecar.scheduler.sources.wanted import PERIOD, Autoscale, Kind, Wanted

__all__ = ["autoscale_of", "canary_of", "fencing_of", "keeps_of"]

_PLAIN: Final = {Kind.CPU, Kind.MEMORY, Kind.SESSIONS, Kind.REQUESTS, Kind.QUEUE}
_SHARES: Final = {Kind.CPU, Kind.MEMORY}
_KEYS: Final = {
    Kind.NGINX: ("target", "port", "path", "of"),
    Kind.ENDPOINT: ("target", "port", "path", "series", "rate"),
    Kind.PROMETHEUS: ("target", "url", "query", "total"),
    Kind.KEY: ("target", "name"),
}


def fencing_of(own: Reader) -> Fencing:
    """Return how lost copies of a service are made sure of."""
    return Fencing(own.one_of("fencing", list(Fencing), Fencing.CATALOG))


def keeps_of(own: Reader) -> Keeps:
    """Return which of two copies stays when a lost node is back."""
    return Keeps(own.one_of("reconcile", list(Keeps), Keeps.REPLACEMENT))


def canary_of(own: Reader) -> CanaryPolicy | None:
    """Return how a new spec is tried, None where it is not."""
    item = own.get("canary")
    if item is None:
        return None
    reader = own.below("canary")
    reader.only(
        ("steps", "hold", "max_error_ratio", "max_p95_ms", "min_requests", "auto_promote",
         "deadline", "match")
    )  # fmt: skip
    steps = _steps(reader)
    hold = reader.value("hold", seconds, 60.0)
    return CanaryPolicy(
        steps=steps,
        hold=hold,
        max_error_ratio=reader.value("max_error_ratio", ratio, 0.01),
        max_p95=reader.value("max_p95_ms", _milliseconds, None),
        min_requests=reader.value("min_requests", whole, 100),
        auto_promote=reader.value("auto_promote", truth, True),
        deadline=reader.value("deadline", seconds, max(600.0, 2 * hold)),
        match=_match(reader),
    )


def _match(reader: Reader) -> str:
    """Return ``{header: {NAME: VALUE}, cookie: "NAME: VALUE"}`` as one text."""
    item = reader.get("match")
    if item is None:
        return ""
    below = reader.below("match")
    below.only(("header", "cookie"))
    found: list[str] = []
    for kind in ("header", "cookie"):
        for name, value in _wanted(below, kind):
            try:
                found.append(str(Match.of(kind, name, value)))
            except ValueError as error:
                below.error(below.item.map[kind], f"{below.where}.{kind}: {error}")
    text = ",".join(found)
    try:
        return ",".join(map(str, matches_of(text))) if text else ""
    except ValueError as error:
        reader.error(item, f"{below.where}: {error}")
        return ""


def _wanted(reader: Reader, kind: str) -> Iterator[tuple[str, str]]:
    """Yield names and values of a mapping, of ``NAME: VALUE``, or of a list of such texts."""
    item = reader.get(kind)
    if item is not None and isinstance(item.value, dict):
        for name, value in reader.pairs(kind).items():
            yield name, value or ""
    else:
        for each in reader.texts(kind):
            name, colon, value = each.text.partition(":")
            if not colon:
                name, _, value = each.text.partition("=")
            yield name.strip(), value.strip()


def _steps(reader: Reader) -> tuple[float, ...]:
    found: list[float] = []
    for item in reader.texts("steps"):
        try:
            found.append(_percent(item.text))
        except ValueError as error:
            reader.error(item, f"{reader.where}.steps: {error}")
    if any(later <= one for one, later in pairwise(found)):
        reader.error(reader.item.map["steps"], f"{reader.where}.steps must grow")
    if not found and not any(reader.texts("steps")):
        reader.error(reader.item, f"{reader.where} has no steps; write for example [5, 25, 50]")
    return tuple(found) or (5.0,)


def _percent(text: str) -> float:
    number = _positive(text.strip().removesuffix("%").rstrip())
    if number > 100:
        raise ValueError(f"{text!r} is no share above 0 and up to 100")
    return number


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e15:
        raise ValueError(f"{text!r} is no number above 0")
    return number


def _milliseconds(text: str) -> float | None:
    return _positive(text) / 1000


def autoscale_of(own: Reader) -> Autoscale | None:
    """Return how a service is scaled, None where it is not."""
    item = own.get("autoscale")
    if item is None:
        return None
    reader = own.below("autoscale")
    reader.only(("min", "max", "metrics", "tolerance", "period", "up", "down"))
    metrics = [found for each in reader.items("metrics") if (found := _metric(each, reader))]
    if not reader.items("metrics"):
        reader.error(item, f"{reader.where} has no metrics; write for example [cpu: 70%]")
    least, most = reader.value("min", whole, 1), reader.value("max", _from_one, 0)
    if not most:
        reader.error(item, f"{reader.where} has no max")
    period = reader.value("period", seconds, PERIOD)
    up, down = (
        _direction(reader.below("up"), Direction(4)),
        _direction(reader.below("down"), Direction(0, stabilisation=300.0)),
    )
    if not metrics or not most:
        return None
    try:
        policy = ScalePolicy(
            least, most, tuple(each.metric for each in metrics),
            reader.value("tolerance", ratio, 0.1), up, down,
        )  # fmt: skip
    except ValueError as error:
        reader.error(item, f"{reader.where}: {error}")
        return None
    return Autoscale(policy, tuple(metrics), period)


def _from_one(text: str) -> int:
    return whole(text, 1)


def _direction(reader: Reader, default: Direction) -> Direction:
    reader.only(("count", "share", "period", "stabilisation", "cooldown"))
    return Direction(
        reader.value("count", whole, default.count),
        reader.value("share", _share, default.share),
        reader.value("period", seconds, default.period),
        reader.value("stabilisation", seconds, default.stabilisation),
        reader.value("cooldown", seconds, default.cooldown),
    )


def _share(text: str) -> float:
    """Return a factor: ``100%`` is 1."""
    return _positive(text.strip().removesuffix("%").rstrip()) / 100


def _metric(item: Item, above: Reader) -> Wanted | None:
    reader = Reader(item, f"{above.where}.metrics", above.problems)
    reader.only([each.value for each in Kind])
    kinds = [Kind(key) for key in item.map if key in set(Kind)]
    if len(kinds) != 1:
        reader.error(item, f"{reader.where}: each item names one metric, as in cpu: 70%")
        return None
    kind = kinds[0]
    if kind in _PLAIN:
        target = reader.value(kind, _parser(kind), 0.0)
        return Wanted(kind=kind, metric=Metric(kind, target)) if target else None
    return _remote(kind, reader.below(kind))


def _parser(kind: Kind) -> Callable[[str], float]:
    return _share if kind in _SHARES else _positive


def _remote(kind: Kind, reader: Reader) -> Wanted | None:
    reader.only(_KEYS[kind])
    needed = {Kind.ENDPOINT: "series", Kind.PROMETHEUS: "query", Kind.KEY: "name"}.get(kind)
    for name in ("target", needed, "url" if kind is Kind.PROMETHEUS else None):
        if name and name not in reader:
            reader.error(reader.item, f"{reader.where} has no {name}")
            return None
    target = reader.value("target", _positive, 0.0)
    query = reader.text(needed) if needed else ""
    url = reader.value("url", _url, "")
    if not target:
        return None
    is_total = kind is Kind.KEY or (kind is Kind.PROMETHEUS and reader.flag("total", default=True))
    default = {Kind.NGINX: "/stub_status", Kind.ENDPOINT: "/metrics"}.get(kind, "")
    of_requests = reader.one_of("of", ("connections", "requests"), "connections") == "requests"
    is_rate = of_requests or reader.flag("rate")
    words = (kind, query, "requests" * of_requests, "per second" * is_rate)
    name = " ".join(filter(None, words))
    return Wanted(
        kind=kind,
        is_rate=is_rate,
        metric=Metric(name, target, is_total),
        url=url,
        query=query,
        port=reader.value("port", whole, 0),
        path=reader.value("path", _path, default),
    )


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", text):
        raise ValueError(f"{text!r} is no address of a server; write http://HOST:PORT")
    return text.rstrip("/")


def _path(text: str) -> str:
    if not re.fullmatch(r"/[\x21-\x7e]*", text):
        raise ValueError(f"{text!r} is no path; write for example /metrics")
    return text
