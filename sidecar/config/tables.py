"""Lists of tables in TOML or YAML as structs, with the place of each mistake. Pure."""

import re
from typing import Any, Final, TypeVar

import msgspec
import yaml

from sidecar.config.document import parse
from sidecar.errors import ConfigError

__all__ = ["Path", "Tables", "tables_of"]

_WHERE: Final = re.compile(r" - at `\$\.?(.*)`$")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`")
Path = tuple[str | int, ...]
_Kind = TypeVar("_Kind")


class Tables:
    """What a file says, and what is wrong with it so far."""

    def __init__(self, file: str, values: dict[str, Any], places: dict[Path, str]) -> None:
        """``places`` has line and column of each key and item."""
        self.values = values
        self._file = file
        self._places = places
        self._base: Path = ()
        self._problems: list[tuple[Path, str]] = []

    def narrow(self, section: str, known: tuple[str, ...]) -> None:
        """Go into a section if there is one; else the whole file must have the known keys alone."""
        if isinstance(self.values.get(section), dict):
            self.values, self._base = self.values[section], (section,)
            return
        for key in sorted(self.values.keys() - {*known}):
            self.wrong((key,), f"unknown key {key!r}")

    def wrong(self, path: Path, text: str) -> None:
        """Note a mistake."""
        self._problems.append((path, text))

    def missing(self, text: str) -> None:
        """Note that something is not there, unless that follows from another mistake."""
        if not self._problems:
            self.wrong(self._base, text)

    def check(self) -> None:
        """Raise ConfigError with all mistakes, if there are any."""
        if self._problems:
            raise ConfigError(
                [f"{self._file}:{self._place(path)}: {why}" for path, why in self._problems]
            )

    def _place(self, path: Path) -> str:
        known = (path[:n] for n in range(len(path), 0, -1) if path[:n] in self._places)
        return self._places.get(next(known, ()), "1:1")

    def each(self, key: str, kind: type[_Kind]) -> list[tuple[Path, _Kind]]:
        """Return the tables of a list; what is wrong with each is noted with its path."""
        found = []
        for number, value in enumerate(self.values.get(key) or ()):
            path: Path = (*self._base, key, number)
            try:
                found.append((path, msgspec.convert(value, kind)))
            except msgspec.ValidationError as error:
                self._note(path, str(error))
        return found

    def _note(self, path: Path, text: str) -> None:
        where = _WHERE.search(text)
        inner = re.findall(r"[^.\[\]]+", where[1]) if where else []
        text = text[: where.start()] if where else text
        unknown = _UNKNOWN.fullmatch(text)
        inner += [unknown[1]] if unknown else []
        path = (*path, *(int(each) if each.isdigit() else each for each in inner))
        self.wrong(path, f"unknown key {unknown[1]!r}" if unknown else text)


def tables_of(text: str, file: str, *, section: str, known: tuple[str, ...]) -> Tables:
    """Read a file, YAML by its name or else TOML; it may be a section of a larger one."""
    places: dict[Path, str] = {}
    is_yaml = file.endswith((".yaml", ".yml"))
    values, problems = _yaml(text, places) if is_yaml else _toml(text, places)
    found = Tables(file, values, places)
    for path, why in problems:
        found.wrong(path, why)
    found.narrow(section, known)
    return found


def _toml(text: str, places: dict[Path, str]) -> tuple[dict[str, Any], list[tuple[Path, str]]]:
    document = parse(text)
    places |= {path: str(at) for path, at in document.positions.items()}
    problems: list[tuple[Path, str]] = []
    for number, mistake in enumerate(document.mistakes):
        places["", number] = str(mistake.at or "1:1")
        problems.append((("", number), mistake.message))
    return dict(document.values), problems


def _yaml(text: str, places: dict[Path, str]) -> tuple[dict[str, Any], list[tuple[Path, str]]]:
    def note(node: yaml.Node | None, path: Path) -> None:
        if node is not None:
            places.setdefault(path, f"{node.start_mark.line + 1}:{node.start_mark.column + 1}")
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        for key, value in pairs:
            places[*path, key.value] = f"{key.start_mark.line + 1}:{key.start_mark.column + 1}"
            note(value, (*path, key.value))
        for number, each in enumerate(node.value if isinstance(node, yaml.SequenceNode) else ()):
            note(each, (*path, number))

    try:
        note(yaml.compose(text, yaml.SafeLoader), ())
        values = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        places["",] = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
        return {}, [(("",), error.problem or "this is no YAML")]
    return (values if isinstance(values, dict) else {}), []
