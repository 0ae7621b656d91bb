"""File, environment and flags to values: what each source says, and every mistake in it. Pure.

A source yields ``Found`` values; mistakes go into one list, each line starting with where it
stands: ``file:line:column:``, ``environment NAME:`` or ``--flag:``. A value that a stronger source
overrides is checked too.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple

import msgspec

from sidecar.config.document import Document, Mistake, parse
from sidecar.config.keys import (
    KEYS,
    OPTIONS,
    PREFIX,
    SECTIONS,
    TEMPLATE_KEYS,
    TEMPLATES,
    VARIABLES,
    Key,
    nearest,
    suggestion,
)
from sidecar.config.model import TemplateSettings
from sidecar.config.positions import Position
from sidecar.config.rules import RULES, TEMPLATE_RULES, plain
from sidecar.config.units import duration

__all__ = ["Found", "Origin", "Value", "checked", "docker_host", "environment", "file", "flags"]

Value = str | float | int | bool | tuple[str, ...]


class Origin(NamedTuple):
    """Where a value comes from."""

    kind: Literal["default", "environment", "file", "flag"]
    place: str = ""

    def __str__(self) -> str:
        """Return for example ``file pinnace.toml:3:1`` or ``environment DOCKER_HOST``."""
        return f"{self.kind} {self.place}".rstrip()


class Found(NamedTuple):
    """A value that a source gives for a key."""

    key: Key
    value: Value | tuple[TemplateSettings, ...]
    origin: Origin


_EXPECTED: Final[Mapping[object, str]] = {
    str: "text in quotes",
    int: "a whole number",
    bool: "true or false",
}
_KINDS: Final[tuple[tuple[type | tuple[type, ...], str], ...]] = (
    (bool, "true or false"),
    (int, "a whole number"),
    (float, "a number"),
    (str, "text"),
    (list, "an array"),
    (dict, "a table"),
    ((dt.date, dt.time), "a date or time"),
)


def checked(key: Key, value: object, *, strict: bool = False) -> Value:
    """Return the value with its key's type and form; text is read as the type asks.

    Strict: text is no number (a file has types). Raises ValueError saying what is wrong.
    """
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str):
            plain(text)
    typed = _typed(key, value, strict=strict)
    rule = RULES.get(str(key)) or TEMPLATE_RULES.get(str(key))
    return typed if rule is None else rule(typed)


def _typed(key: Key, value: object, *, strict: bool) -> Value:
    if key.choices:
        return _choice(key, value)
    if key.type is float:
        return _seconds(value)
    if key.is_list:
        return _texts(value, strict=strict)
    try:
        typed: Value = msgspec.convert(value, key.type, strict=strict)
    except msgspec.ValidationError:
        raise ValueError(f"must be {_EXPECTED[key.type]}, not {_shown(value)}") from None
    return typed


def _choice(key: Key, value: object) -> str:
    if isinstance(value, str) and value in key.choices:
        return value
    hint = suggestion(value, key.choices) if isinstance(value, str) else ""
    raise ValueError(f"must be one of {', '.join(key.choices)}, not {_shown(value)}{hint}")


def _seconds(value: object) -> float:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        return duration(str(value))
    raise ValueError(
        f'must be a duration such as "30s" or a number of seconds, not {_shown(value)}'
    )


def _texts(value: object, *, strict: bool) -> tuple[str, ...]:
    if isinstance(value, str) and not strict:
        return tuple(value.split())
    if isinstance(value, list) and all(isinstance(text, str) for text in value):
        return tuple(value)
    raise ValueError(f'must be an array of texts such as ["a", "b"], not {_shown(value)}')


def _shown(value: object) -> str:
    if isinstance(value, str):
        return repr(value)
    return next(name for kinds, name in _KINDS if isinstance(value, kinds))


def flags(given: Mapping[str, str], mistakes: list[str]) -> Iterator[Found]:
    """Yield what flags say (``{"--http": "127.0.0.1:8500"}``)."""
    for flag, text in given.items():
        key = KEYS[OPTIONS[flag].key]
        yield from _text(key, text, Origin("flag", flag), flag, mistakes)


def environment(environ: Mapping[str, str], mistakes: list[str]) -> Iterator[Found]:
    """Yield what ``PINNACE_SECTION__NAME`` variables say.

    Variables without a double underscore are not ours to judge: Kubernetes sets some for a
    service named pinnace.
    """
    for name in sorted(environ):
        if not name.startswith(PREFIX) or "__" not in name:
            continue
        origin = Origin("environment", name)
        key = VARIABLES.get(name)
        if key is None:
            mistakes.append(f"{origin}: no such setting{_variables_hint(name)}")
        else:
            yield from _text(key, environ[name], origin, str(origin), mistakes)


def docker_host(environ: Mapping[str, str], mistakes: list[str]) -> Iterator[Found]:
    """Yield what ``DOCKER_HOST`` says: the default of ``docker.url``."""
    if url := environ.get("DOCKER_HOST"):
        origin = Origin("environment", "DOCKER_HOST")
        yield from _text(KEYS["docker.url"], url, origin, str(origin), mistakes)


def file(text: str, name: str, mistakes: list[str]) -> Iterator[Found]:
    """Yield what a TOML document says; ``name`` is how its mistakes call it."""
    document = parse(text)
    reader = _File(name, document)
    for section, content in document.values.items():
        yield from reader.section(section, content)
    for mistake in sorted(reader.mistakes, key=lambda mistake: mistake.at or (0, 0)):
        place = f"{name}:{mistake.at}" if mistake.at else name
        mistakes.append(f"{place}: {mistake.message}")


class _File:
    def __init__(self, name: str, document: Document) -> None:
        self.mistakes = list(document.mistakes)
        self._name = name
        self._positions = document.positions

    def complain(self, at: Position, message: str) -> None:
        self.mistakes.append(Mistake(at, message))

    def section(self, name: str, content: object) -> Iterator[Found]:
        at = self._positions[name,]
        if name == TEMPLATES.section:
            yield from self._templates(content, at)
            return
        if not isinstance(content, dict):
            self.complain(at, _misplaced(name))
            return
        section = name
        if name not in SECTIONS:
            self.complain(at, f"unknown section [{name}]{_sections_hint(name)}")
            section = nearest(name, SECTIONS) or ""
        if section:
            for key_name, value in content.items():
                yield from self._pair(section, key_name, value, self._positions[name, key_name])

    def _templates(self, content: object, at: Position) -> Iterator[Found]:
        if not isinstance(content, list) or not all(isinstance(one, dict) for one in content):
            self.complain(at, "'template' must be an array of tables: [[template]]")
            return
        found = [self._template(one, number) for number, one in enumerate(content)]
        whole = tuple(one for one in found if one is not None)
        yield Found(TEMPLATES, whole, Origin("file", f"{self._name}:{at}"))

    def _template(self, table: Mapping[str, object], number: int) -> TemplateSettings | None:
        """Return one ``[[template]]``, or None after telling what is wrong with it."""
        before = len(self.mistakes)
        values: dict[str, Value] = {}
        for name, value in table.items():
            at = self._positions["template", number, name]
            if (key := TEMPLATE_KEYS.get(name)) is None:
                hint = suggestion(name, TEMPLATE_KEYS)
                self.complain(at, f"unknown key {name!r} in [[template]]{hint}")
                continue
            try:
                values[name] = checked(key, value, strict=True)
            except ValueError as error:
                self.complain(at, f"{key}: {error}")
        at = self._positions["template", number]
        for name in ("source", "destination"):
            if name not in table:
                self.complain(at, f"[[template]] needs {name}")
        return msgspec.convert(values, TemplateSettings) if len(self.mistakes) == before else None

    def _pair(self, section: str, name: str, value: object, at: Position) -> Iterator[Found]:
        key = KEYS.get(f"{section}.{name}")
        if key is None:
            self.complain(at, f"unknown key {name!r} in [{section}]{_keys_hint(section, name)}")
            return
        try:
            yield Found(key, checked(key, value, strict=True), Origin("file", f"{self._name}:{at}"))
        except ValueError as error:
            self.complain(at, f"{key}: {error}")


def _text(key: Key, text: str, origin: Origin, label: str, mistakes: list[str]) -> Iterator[Found]:
    try:
        yield Found(key, checked(key, text), origin)
    except ValueError as error:
        mistakes.append(f"{label}: {error}")


def _misplaced(name: str) -> str:
    if name in SECTIONS:
        return f"{name!r} must be a table: [{name}]"
    homes = [str(key) for key in KEYS.values() if key.name == name]
    if homes:
        return f"{name!r} stands outside of a section; is it {' or '.join(homes)}?"
    return f"unknown key {name!r} outside of a section{suggestion(name, KEYS)}"


def _variables_hint(name: str) -> str:
    # The prefix, common to all, would make any two names look alike.
    known = [variable.removeprefix(PREFIX) for variable in VARIABLES]
    near = suggestion(name.removeprefix(PREFIX), known, PREFIX + "{}")
    return near or "; `pinnace explain` lists all keys"


def _sections_hint(name: str) -> str:
    near = suggestion(name, SECTIONS, "[{}]")
    return near or f"; there are {', '.join(f'[{section}]' for section in SECTIONS)}"


def _keys_hint(section: str, name: str) -> str:
    here = [key.name for key in KEYS.values() if key.section == section]
    if near := nearest(name, here):
        return f"; did you mean {near}?"
    elsewhere = {key.name: str(key) for key in KEYS.values()}
    if near := nearest(name, elsewhere):
        return f"; did you mean {elsewhere[near]}?"
    return f"; there are {', '.join(here)}"
