"""A document, variables and a command line to settings: the first that says something wins. Pure.

Flags stand before variables (``AMBASSADOR_UPSTREAM__PASSWORD``), those before the file, that
before the defaults, which stand in ``settings``.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ambassador.frame.fields import Place, near, read
from ambassador.redis.fitting import mistakes_in
from ambassador.redis.framing import CommandLimits
from ambassador.redis.options import LISTENER, OTHERS, UPSTREAM
from ambassador.redis.settings import Listener, RedisSettings
from sidecar.errors import ConfigError

__all__ = ["Given", "settings_of"]

_PREFIX: Final = "AMBASSADOR_"
_LINE: Final = Place("command line")
_FILE: Final = Place("file")
_SECTIONS: Final = ("listeners", "upstream")
_FOREIGN: Final = re.compile(
    r"AMBASSADOR_(SERVICE_(HOST|PORT\w*)|PORT|PORT_\d+_(TCP|UDP)\w*)", re.ASCII
)
"""What Kubernetes tells every container of a service that is called ambassador."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the command line says."""

    listen: Sequence[str] = ()
    primary: str = ""
    replicas: Sequence[str] = ()
    service: str = ""
    store: str = ""
    sentinels: Sequence[str] = ()
    master_name: str = ""
    cluster: Sequence[str] = ()
    mode: str = ""
    max_lag: str = ""
    admin: str = ""
    workers: str = ""


def settings_of(
    given: Given, environ: Mapping[str, str], document: object = None, place: Place = _FILE
) -> RedisSettings:
    """Return the settings. Raises ConfigError with every mistake."""
    problems: list[str] = []
    if document is None:
        document = {}
    if not isinstance(document, Mapping):
        raise ConfigError([f"{place}: keys and values are expected"])
    variables = _variables(environ, problems)
    found = read(_without(document, "listeners", "upstream"), OTHERS, place, problems, _SECTIONS)
    upstream = read(document.get("upstream"), UPSTREAM, place.below("upstream"), problems)
    found |= variables.others | upstream | variables.upstream
    _flags(given, found, problems)
    shared = variables.listener | _shared(given, problems)
    listeners = _listeners(given, shared, document.get("listeners"), place, problems)
    if not problems:
        _check(found, listeners, place, problems)
    if problems:
        raise ConfigError(problems)
    return RedisSettings(listeners=tuple(listeners), **found)  # type: ignore[arg-type]


def _without(document: Mapping[object, object], *names: str) -> dict[object, object]:
    return {key: value for key, value in document.items() if key not in names}


class _Variables(NamedTuple):
    """What the environment says."""

    others: dict[str, object]
    upstream: dict[str, object]
    listener: dict[str, object]


def _variables(environ: Mapping[str, str], problems: list[str]) -> _Variables:
    """Return what ``AMBASSADOR_...`` say; two underscores go into a table."""
    found = _Variables({}, {}, {})
    sections = {"upstream": (UPSTREAM, found.upstream), "listener": (LISTENER, found.listener)}
    for variable, value in environ.items():
        if not variable.startswith(_PREFIX) or _FOREIGN.fullmatch(variable):
            continue
        section, *rest = variable.removeprefix(_PREFIX).lower().split("__")
        fields, table = sections.get(section, (OTHERS, found.others)) if rest else (
            OTHERS, found.others
        )  # fmt: skip
        steps = rest if rest and section in sections else [section, *rest]
        told: list[str] = []
        asked: object = value
        for step in reversed(steps):
            asked = {step: asked}
        table |= read(asked, fields, Place(""), told)
        problems += [_of_variable(variable, one) for one in told]
    return found


def _of_variable(variable: str, mistake: str) -> str:
    path, _, why = mistake.removeprefix(": ").partition(": ")
    if why.startswith("there is no such key") and "." not in path:
        tables = (("", OTHERS), ("UPSTREAM__", UPSTREAM), ("LISTENER__", LISTENER))
        known = [f"{_PREFIX}{front}{key.upper()}" for front, table in tables for key in table]
        why = f"there is no such variable{near(variable, known)}"
    return f"{variable}: {why}"


def _flags(given: Given, found: dict[str, object], problems: list[str]) -> None:
    servers = [given.primary] if given.primary else []
    sources = {
        "static": [*servers, *given.replicas],
        "sentinel": list(given.sentinels),
        "cluster": list(given.cluster),
        "catalog": [given.service] if given.service else [],
    }
    asked = [source for source, values in sources.items() if values]
    if len(asked) > 1:
        problems.append(f"command line: {' and '.join(asked)} cannot be the source at once")
        return
    for source in asked:
        found["source"] = source
        if source != "catalog":
            found |= read({"servers": sources[source]}, UPSTREAM, _LINE, problems)
    for key in ("service", "store", "master_name"):
        if value := getattr(given, key):
            found[key] = value
    for key in ("admin", "workers"):
        if value := getattr(given, key):
            found |= read({key: value}, OTHERS, _LINE, problems)


def _shared(given: Given, problems: list[str]) -> dict[str, object]:
    """Return what the command line says of all listeners."""
    asked = {key: value for key in ("mode", "max_lag") if (value := getattr(given, key))}
    return read(asked, LISTENER, _LINE, problems)


def _listeners(
    given: Given, shared: Mapping[str, object], document: object, place: Place, problems: list[str]
) -> list[Listener]:
    if given.listen:
        tables: list[object] = [_asked(word) for word in given.listen]
        place = _LINE.below("listen")
    else:
        several = document if isinstance(document, list) else [document]
        tables = [] if document is None else several
        place = place.below("listeners")
    if not tables:
        tables = [{"bind": "127.0.0.1:6379"}]
    found = []
    for number, told in enumerate(tables):
        own = read(told, LISTENER, place.below(number), problems)
        if "bind" not in own and "bind" not in shared:
            if not (isinstance(told, Mapping) and "bind" in told):
                problems.append(f"{place.below(number)}: bind is missing")
            continue
        found.append(_listener({**own, **shared, **(own if given.listen else {})}))
    return found


def _asked(word: str) -> dict[str, object]:
    bind, equals, mode = word.rpartition("=")
    return {"bind": bind, "mode": mode} if equals else {"bind": word}


def _listener(values: dict[str, Any]) -> Listener:
    limits = CommandLimits()
    bulk, query = values.pop("max_bulk", limits.bulk), values.pop("max_query", limits.buffer)
    return Listener(**values, limits=CommandLimits(bulk, query))


def _check(
    found: Mapping[str, Any], listeners: list[Listener], place: Place, problems: list[str]
) -> None:
    """Tell what does not fit together."""
    whole = RedisSettings(listeners=tuple(listeners), **found)
    problems += [f"{place.below(*steps)}: {why}" for steps, why in mistakes_in(whole)]
