"""What is asked for, and the variables that its answers make. Pure.

Per key, as in envconsul: the path before it when that is wanted (what is no letter or digit in it
becomes ``_``, and one ``_`` follows), then the format, then sanitizing, then upper case. Prefixes
come first, then services, then secrets: a later one wins, so that nobody who may only write to
Consul replaces what Vault says.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from sidecar.errors import PermanentError, RenderError
from sidecar.gotemplate.failures import TemplateError
from templater.consul_template import queries
from templater.consul_template.helpers import HELPERS
from templater.consul_template.instances import Entry
from templater.consul_template.queries import ListQuery, Query
from templater.consul_template.records import Pair, Secret
from templater.envconsul.formats import NameFormat, path_of
from templater.envconsul.settings import Origin, ServiceOrigin, Settings

__all__ = ["Unusable", "Variables", "Wanted", "variables_of", "wanted_of"]

_INVALID: Final = re.compile(r"[^a-zA-Z0-9_]")


class Unusable(PermanentError):
    """A path or a query cannot be asked for."""


class Wanted(NamedTuple):
    """A query, why it is asked, and its path with variables filled in."""

    query: Query
    origin: Origin | ServiceOrigin
    path: str = ""


class Variables(NamedTuple):
    """Variables by name, and what was left out, a line each without any value."""

    values: dict[str, str]
    problems: tuple[str, ...]


def wanted_of(settings: Settings, environ: Mapping[str, str]) -> tuple[Wanted, ...]:
    """Return what is asked for, in the order in which later ones win.

    Of several that ask the same only the last counts, as there. Raises Unusable.
    """
    try:
        prefixes = [(path_of(each.path, environ), each) for each in settings.prefixes]
        secrets = [(path_of(each.path, environ), each) for each in settings.secrets]
        found = [
            *(Wanted(_listing(path), each, path) for path, each in prefixes),
            *(Wanted(queries.instances(each.query), each) for each in settings.services),
            *(Wanted(queries.secret(path), each, path) for path, each in secrets),
        ]
    except (ValueError, TemplateError) as error:
        raise Unusable(str(error)) from error
    last: dict[Query, Wanted] = {}
    for each in found:
        last.pop(each.query, None)
        last[each.query] = each
    return tuple(last.values())


def _listing(path: str) -> ListQuery:
    """Return the query for all below a prefix; an empty one means everything."""
    return queries.listing(path) if path else ListQuery("")


def variables_of(
    settings: Settings, wanted: Sequence[Wanted], answers: Mapping[Query, object]
) -> Variables:
    """Return the variables; every query must be answered."""
    values: dict[str, str] = {}
    problems: list[str] = []
    for each in wanted:
        for raw, value in _raw(each, answers[each.query], problems):
            name = _INVALID.sub("_", raw) if settings.is_sanitized else raw
            name = str(HELPERS["toUpper"](name)) if settings.is_upper else name
            problem = _problem(name, value)
            if problem:
                problems.append(f"{each.query}: {name!r} is left out: {problem}")
            else:
                values[name] = value
    return Variables(values, tuple(problems))


def _problem(name: str, value: str) -> str:
    """Return why this can be no variable."""
    if not name:
        return "the name is empty"
    if "=" in name or "\0" in name:
        return "no name has an equals sign or a NUL"
    return "no value has a NUL" if "\0" in value else ""


def _raw(wanted: Wanted, answer: object, problems: list[str]) -> Iterator[tuple[str, str]]:
    """Yield names before sanitizing, and values."""
    for names, value in _fields(wanted, answer, problems):
        for name in names:
            try:
                yield name(), value
            except RenderError as error:
                problems.append(f"{wanted.query}: {error}")


class _Name(NamedTuple):
    """How a name is made, when it is time."""

    key: str
    service: str = ""
    before: NameFormat | None = None
    prefix: str | None = None
    after: NameFormat | None = None

    def __call__(self) -> str:
        """Return it. Raises TemplateError."""
        name = self.before.name(self.key, self.service) if self.before else self.key
        name = name if self.prefix is None else f"{self.prefix}_{name}"
        return self.after.name(name) if self.after else name


def _fields(
    wanted: Wanted, answer: object, problems: list[str]
) -> Iterator[tuple[tuple[_Name, ...], str]]:
    origin = wanted.origin
    if isinstance(origin, ServiceOrigin):
        yield from _service_fields(origin, answer)
    elif isinstance(answer, Secret):
        yield from _secret_fields(wanted, origin, answer, problems)
    else:
        for pair in [each for each in _list(answer) if isinstance(each, Pair)]:
            if pair.key.strip():
                yield (_name(wanted, origin, pair.key),), pair.value


def _list(answer: object) -> Sequence[object]:
    return answer if isinstance(answer, Sequence) else ()


def _name(wanted: Wanted, origin: Origin, key: str, own: NameFormat | None = None) -> _Name:
    prefix = _INVALID.sub("_", wanted.path) if origin.has_prefix else None
    return _Name(key, before=own, prefix=prefix, after=origin.format)


def _service_fields(
    origin: ServiceOrigin, answer: object
) -> Iterator[tuple[tuple[_Name, ...], str]]:
    for entry in [each for each in _list(answer) if isinstance(each, Entry)]:
        fields = {
            "id": entry.id,
            "name": entry.name,
            "address": entry.address,
            "tag": ",".join(sorted(entry.tags or ())),
            "port": str(entry.port),
        }
        for field, value in fields.items():
            chosen = origin.formats.get(field)
            key = field if chosen is not None else f"{entry.name}/{field}"
            yield (_Name(key, entry.name, chosen),), value


def _secret_fields(
    wanted: Wanted, origin: Origin, secret: Secret, problems: list[str]
) -> Iterator[tuple[tuple[_Name, ...], str]]:
    for key, value in _secret_data(secret).items():
        names = _secret_names(wanted, origin, key)
        if not key.strip() or value is None or not names:
            continue
        if isinstance(value, str):
            yield names, value
        else:
            problems.append(f"{wanted.query}: {key!r} is left out: its value is no text")


def _secret_data(secret: Secret) -> dict[str, object]:
    """Return the fields; version 2 of the engine puts them beside what it says of them."""
    data = {str(key): value for key, value in secret.data.items()}
    about = data.get("metadata")
    if not isinstance(about, Mapping) or about.get("version") is None:
        return data
    inner = data.get("data")
    found = inner if isinstance(inner, Mapping) else {}
    return {str(key): value for key, value in found.items()}


def _secret_names(wanted: Wanted, origin: Origin, key: str) -> tuple[_Name, ...]:
    """Return the names of a field: none when only others are listed, else at least one."""
    if origin.keys is None or origin.format is not None:
        return (_name(wanted, origin, key),)
    if key not in origin.keys:
        return ()
    formats = origin.keys[key] or (None,)
    return tuple(_name(wanted, origin, key, each) for each in formats)
