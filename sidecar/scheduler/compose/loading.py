"""Several files that are one stack: ``-f`` repeated, ``include``, ``extends``. Pure.

Source: the Compose specification. Each file has its own variables put in and its own ``extends``
resolved, then later files change earlier ones. Relative paths of a file in another folder begin
there; those of further ``-f`` files begin where the first one's do.
"""

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sidecar.scheduler.compose.document import Item, Problems, parse
from sidecar.scheduler.compose.interpolation import interpolated
from sidecar.scheduler.compose.merging import merged, without_tags
from sidecar.scheduler.compose.reader import Reader
from sidecar.scheduler.compose.rebasing import rebased, rebased_service
from sidecar.scheduler.compose.setting import Read
from sidecar.scheduler.compose.words import pairs_of_file

__all__ = ["loaded"]

_MOST_FILES: Final = 100
_SHARED: Final = ("services", "networks", "volumes", "configs", "secrets")
_DOT_ENV: Final = ".env"


def loaded(
    files: Sequence[tuple[str, str]],
    problems: Problems,
    *,
    environ: Mapping[str, str],
    folder: str,
    read: Read | None,
) -> Item | None:
    """Return what files (name and text) say together; None when one cannot be read at all."""
    loader = _Loader(problems, read)
    home = _Home(folder, _with_file(environ, folder, _DOT_ENV, loader, None), (files[0][0],))
    whole = Item({})
    for name, text in files:
        document = loader.document(text, name, home, whole)
        if document is None:
            return None
        whole = merged(whole, document)
    return without_tags(whole)


@dataclass(frozen=True, slots=True)
class _Home:
    """Where a file's paths begin, what its variables are, and by which files it was reached."""

    folder: str
    environ: Mapping[str, str]
    chain: tuple[str, ...]


class _Loader:
    def __init__(self, problems: Problems, read: Read | None) -> None:
        self._problems = problems
        self._read = read
        self._count = 0

    def document(self, text: str, name: str, home: _Home, before: Item) -> Item | None:
        """Return a file with everything put in; ``before`` is what earlier files say."""
        found = parse(text, name, self._problems)
        if found is None:
            return None
        found = interpolated(found, home.environ, self._problems)
        found = self._extended(found, home, before)
        return self._included(found, home)

    def text(self, path: str, asked: Item | None) -> str | None:
        """Return a file's text; what is wrong is noted where it was asked for, if anywhere."""
        self._count += 1
        if self._count > _MOST_FILES:
            self._note(asked, f"more than {_MOST_FILES} files")
            return None
        content = self._read(path) if self._read is not None else None
        if content is None:
            self._note(asked, f"{path} cannot be read")
            return None
        return content.decode("utf-8", "replace")

    def _note(self, asked: Item | None, text: str) -> None:
        if asked is not None:
            self._problems.error(asked.place, text)

    # include

    def _included(self, document: Item, home: _Home) -> Item:
        entries = document.map.get("include")
        if entries is None:
            return document
        kept = {key: item for key, item in document.map.items() if key != "include"}
        whole = replace(document, value=kept)
        for entry in entries.items or [entries] * bool(entries.text):
            part = self._part(entry, home)
            if part is not None:
                whole = self._joined(whole, part)
        return whole

    def _part(self, entry: Item, home: _Home) -> Item | None:
        """Return what one entry of ``include`` brings."""
        table = Item({"path": entry}, entry.place) if isinstance(entry.value, str) else entry
        reader = Reader(table, "include", self._problems)
        reader.only(("path", "project_directory", "env_file"))
        paths = [_join(home.folder, each.text) for each in reader.texts("path")]
        if not paths:
            reader.error(entry, "include: path is missing")
            return None
        folder = posixpath.dirname(paths[0])
        if "project_directory" in reader:
            folder = _join(home.folder, reader.text("project_directory"))
        environ = home.environ
        for each in reader.texts("env_file"):
            environ = _with_file(environ, home.folder, each.text, self, each)
        if "env_file" not in reader:
            environ = _with_file(environ, folder, _DOT_ENV, self, None)
        whole = Item({})
        for path in paths:
            if path in home.chain:
                self._note(entry, f"include: files include each other: {' -> '.join(home.chain)}")
                return None
            text = self.text(path, entry)
            inner = _Home(folder, environ, (*home.chain, path))
            document = None if text is None else self.document(text, path, inner, whole)
            if document is None:
                return None
            whole = merged(whole, document)
        return rebased(without_tags(whole), folder)

    def _joined(self, whole: Item, part: Item) -> Item:
        """Return both; what is in both must be the same."""
        found, keys = dict(whole.map), dict(whole.keys)
        for section in _SHARED:
            theirs = part.map.get(section)
            if theirs is None:
                continue
            ours = found.get(section) or Item({}, theirs.place)
            for name, item in theirs.map.items():
                if name in ours.map and ours.map[name].plain() != item.plain():
                    place = ours.place_of(name)
                    text = f"{section}.{name} is in {item.place.file} too, which is included"
                    self._problems.error(place, text)
            table = {**theirs.map, **ours.map}
            found[section] = replace(ours, value=table, keys={**theirs.keys, **ours.keys})
            keys.setdefault(section, theirs.place)
        return replace(whole, value=found, keys=keys)

    # extends

    def _extended(self, document: Item, home: _Home, before: Item) -> Item:
        services = document.map.get("services")
        if services is None or not services.map:
            return document
        known = {**before.map.get("services", Item({})).map, **services.map}
        done = {
            name: self._whole(name, item, known, home, ()) for name, item in services.map.items()
        }
        table = {**document.map, "services": replace(services, value=done)}
        return replace(document, value=table)

    def _whole(
        self,
        name: str,
        item: Item,
        known: Mapping[str, Item],
        home: _Home,
        chain: tuple[tuple[str, str], ...],
    ) -> Item:
        """Return a service with what it extends."""
        wish = item.map.get("extends")
        if wish is None:
            return item
        own = replace(item, value={k: v for k, v in item.map.items() if k != "extends"})
        table = Item({"service": wish}, wish.place) if isinstance(wish.value, str) else wish
        reader = Reader(table, f"services.{name}.extends", self._problems)
        reader.only(("service", "file"))
        file, target = reader.text("file"), reader.text("service")
        path = _join(home.folder, file) if file else home.chain[-1]
        if (path, target) in chain or (not file and target == name):
            self._note(wish, f"services.{name}.extends: services extend each other in a circle")
            return own
        if file and path not in home.chain:
            base = self._elsewhere(path, target, reader, home, (*chain, (path, target)))
        elif target in known:
            base = self._whole(target, known[target], known, home, (*chain, (path, target)))
        else:
            base = None
        if base is None:
            self._note(wish, f"services.{name}.extends: there is no service {target!r} in {path}")
            return own
        return merged(base, own, ("services", name))

    def _elsewhere(
        self,
        path: str,
        target: str,
        reader: Reader,
        home: _Home,
        chain: tuple[tuple[str, str], ...],
    ) -> Item | None:
        """Return a service of another file, its paths as seen from here."""
        text = self.text(path, reader.item)
        document = None if text is None else parse(text, path, self._problems)
        if document is None:
            return None
        document = interpolated(document, home.environ, self._problems)
        known = document.map.get("services", Item({})).map
        if target not in known:
            return None
        folder = posixpath.dirname(path)
        inner = _Home(folder, home.environ, (*home.chain, path))
        whole = self._whole(target, known[target], known, inner, chain)
        return whole if folder == home.folder else rebased_service(whole, folder)


def _join(folder: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(folder, path)) if path else ""


def _with_file(
    environ: Mapping[str, str], folder: str, file: str, loader: _Loader, asked: Item | None
) -> Mapping[str, str]:
    """Return variables and those of a file that are not among them."""
    text = loader.text(_join(folder, file), asked) if folder else None
    if text is None:
        return environ
    try:
        pairs: Iterable[tuple[str, str | None]] = [*pairs_of_file(text)]
    except ValueError as error:
        loader._note(asked, f"{file}: {error}")  # noqa: SLF001
        return environ
    return _Layered(environ, {name: value for name, value in pairs if value is not None})


class _Layered(Mapping[str, str]):
    """Variables before others; asks for one only when it is wanted, as who watches expects."""

    def __init__(self, first: Mapping[str, str], then: Mapping[str, str]) -> None:
        self._first = first
        self._then = then

    def __getitem__(self, name: str) -> str:
        return self._first[name] if name in self._first else self._then[name]

    def __contains__(self, name: object) -> bool:
        return name in self._first or name in self._then

    def __iter__(self) -> Iterator[str]:
        return iter({**self._then, **self._first})

    def __len__(self) -> int:
        return len({**self._then, **self._first})
