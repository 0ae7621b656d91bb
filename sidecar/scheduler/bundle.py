"""A stack file with all that it names, so that it means the same wherever it is read. Pure.

Whoever deploys a stack sends its file, the files that one names, and the variables that it asks
for. A scheduler on another host, or years later for a rollback, reads the very same stack from it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from sidecar.scheduler.compose.document import Problems
from sidecar.scheduler.compose.stack import stack_of
from sidecar.scheduler.spec import StackSpec

__all__ = ["MOST_BYTES", "Bundle", "bundle_of", "gathered", "stack_in"]

MOST_BYTES: Final = 8 << 20
Read = Callable[[str], bytes | None]


class Bundle(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``files`` are by absolute path; ``main`` is the stack file's, ``more`` change it."""

    name: str
    main: str
    files: Mapping[str, bytes] = {}
    environ: Mapping[str, str] = {}
    base: str = "/"
    """Where relative paths begin."""
    profiles: tuple[str, ...] = ()
    more: tuple[str, ...] = ()


def bundle_of(body: bytes, name: str) -> Bundle:
    """Return the bundle of a stack file that stands alone: no variables, no other files."""
    return Bundle(name=name, main="/stack.yaml", files={"/stack.yaml": body})


def stack_in(bundle: Bundle, problems: Problems) -> StackSpec:
    """Return the stack; what is wrong is noted."""
    return _stack(bundle, problems, bundle.environ, bundle.files.get)


def gathered(
    main: str,
    problems: Problems,
    *,
    read: Read,
    environ: Mapping[str, str],
    name: str = "",
    base: str = "/",
    folder: str = "",
    profiles: tuple[str, ...] = (),
    more: tuple[str, ...] = (),
) -> tuple[Bundle, StackSpec]:
    """Read a stack by ``read``; return it with all that was asked for on the way.

    ``more`` are paths of files that change the ``main`` one, the last one strongest.
    """
    files: dict[str, bytes] = {}
    asked = _Asked(environ)

    def noted(path: str) -> bytes | None:
        found = read(path)
        if found is not None:
            files[path] = found
        return found

    for path in (main, *more):
        noted(path)
    bundle = Bundle(name=name, main=main, files=files, base=base, profiles=profiles, more=more)
    stack = _stack(bundle, problems, asked, noted, folder)
    kept = msgspec.structs.replace(
        bundle, name=stack.name, environ=dict(sorted(asked.found.items()))
    )
    return kept, stack


def _stack(
    bundle: Bundle,
    problems: Problems,
    environ: Mapping[str, str],
    read: Read,
    folder: str = "",
) -> StackSpec:
    return stack_of(
        _text(bundle, bundle.main),
        bundle.main,
        problems,
        environ=environ,
        name=bundle.name,
        folder=folder,
        profiles=bundle.profiles,
        base=bundle.base,
        read=read,
        more=[(path, _text(bundle, path)) for path in bundle.more],
    )


def _text(bundle: Bundle, path: str) -> str:
    return bundle.files.get(path, b"").decode("utf-8", "replace")


class _Asked(Mapping[str, str]):
    """Variables, and which of them were asked for."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.found: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        self.found[name] = self._environ[name]
        return self.found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)
