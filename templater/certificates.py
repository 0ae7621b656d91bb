"""Certificates from a directory, each checked before anybody uses it. Blocks: call it in a thread.

``NAME.pem`` holds a chain and its key, or ``NAME.crt`` the one and ``NAME.key`` the other, or a
directory ``NAME`` has ``fullchain.pem`` and ``privkey.pem``; NAME is a host or a domain. What does
not fit together (an old key beside a new chain, half a file) is a Problem, and what was there
before stays.
"""

import base64
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from templater.names import CertName
from templater.routes import Problem
from templater.tls import Certificate

__all__ = ["Found", "found_in", "signature_of"]

_OPTION: Final = "lb.certificates"
_LARGEST: Final = 1 << 20
_BLOCK: Final = re.compile(
    r"-----BEGIN ([A-Z0-9 ]+)-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END \1-----", re.ASCII
)
_CHAIN: Final = "CERTIFICATE"
_KEY: Final = "PRIVATE KEY"
_NOT_CERTIFICATES: Final = (".chain.pem", ".dhparam.pem")  # nginx-proxy's, beside the others


class Found(NamedTuple):
    """The certificates that can be used, and what is wrong with others."""

    certificates: Mapping[CertName, Certificate]
    problems: tuple[Problem, ...]


def signature_of(directory: Path) -> object:
    """Return what changes when somebody changes a file."""
    try:
        return tuple((str(path), _stat(path)) for one in _files(directory) for path in one[1])
    except OSError as error:
        return error.errno


def found_in(directory: Path, before: Mapping[CertName, Certificate]) -> Found:
    """Read and check them all; ``before`` are those that stay where the new ones are bad."""
    found: dict[CertName, Certificate] = {}
    problems: list[Problem] = []
    try:
        files = list(_files(directory))
    except OSError as error:
        reason = f"{directory}: {error.strerror or error}; the last ones stay"
        return Found(before, (Problem("", _OPTION, reason),))
    for text, paths in files:
        try:
            name = CertName(text)
        except ValueError as error:
            problems.append(Problem("", _OPTION, f"{paths[0]}: {error}"))
            continue
        try:
            found[name] = _certificate(name, paths)
        except (OSError, ValueError) as error:
            stays = "; the last one stays" if name in before else ""
            problems.append(Problem("", _OPTION, f"{_words(error, paths[0])}{stays}"))
            if name in before:
                found[name] = before[name]
    return Found(found, tuple(problems))


def _words(error: OSError | ValueError, path: Path) -> str:
    if isinstance(error, OSError):
        return f"{error.filename or path}: {error.strerror or error}"
    return f"{path}: {error}"


def _files(directory: Path) -> Iterator[tuple[str, tuple[Path, ...]]]:
    """Yield names with the files that belong to each, the first one naming it."""
    seen: set[str] = set()
    for path in sorted(directory.iterdir()):
        if path.name.startswith(".") or path.name.endswith(_NOT_CERTIFICATES):
            continue
        name = path.stem
        paths: tuple[Path, ...] = (path,)
        if path.suffix == ".crt":
            paths = path, path.with_suffix(".key")
        elif path.is_dir() and (path / "fullchain.pem").exists():
            name, paths = path.name, (path / "fullchain.pem", path / "privkey.pem")
        elif path.suffix != ".pem":
            continue
        if name not in seen:
            seen.add(name)
            yield name, paths


def _stat(path: Path) -> object:
    try:
        found = path.stat()
    except OSError as error:
        return error.errno
    return found.st_mtime_ns, found.st_size, found.st_ino


def _certificate(name: CertName, paths: tuple[Path, ...]) -> Certificate:
    blocks = [block for path in paths for block in _blocks(path)]
    chain = [text for kind, text in blocks if kind == _CHAIN]
    keys = [text for kind, text in blocks if kind.endswith(_KEY)]
    if not chain or len(keys) != 1:
        raise ValueError("a chain and one key are needed" if chain else "this is no certificate")
    pem = "\n".join([*chain, *keys, ""])
    _check(pem)
    body = "".join(chain[0].splitlines()[1:-1])
    fingerprint = hashlib.sha1(base64.b64decode(body), usedforsecurity=False).hexdigest()
    return Certificate(name, hashlib.sha256(pem.encode("ascii")).hexdigest(), pem, fingerprint)


def _blocks(path: Path) -> Iterator[tuple[str, str]]:
    with path.open("rb") as file:
        data = file.read(_LARGEST)
    for match in _BLOCK.finditer(data.decode("ascii", "replace")):
        lines = "\n".join(match[2].split())
        yield match[1], f"-----BEGIN {match[1]}-----\n{lines}\n-----END {match[1]}-----"


def _check(pem: str) -> None:
    """Raise ValueError unless chain and key belong together and OpenSSL takes them."""
    import ssl  # noqa: PLC0415  (memory: only where TLS is)

    handle = os.memfd_create("certificate")
    try:
        os.write(handle, pem.encode("ascii"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"/proc/self/fd/{handle}", password=_no_password(ValueError))
    except ssl.SSLError as error:
        raise ValueError((error.reason or str(error)).lower().replace("_", " ")) from error
    finally:
        os.close(handle)


def _no_password(error: type[ValueError]) -> Callable[[], str]:
    """Return what refuses: OpenSSL would ask on the terminal."""

    def refuse() -> str:
        raise error("the key has a password")

    return refuse
