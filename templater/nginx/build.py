"""nginx's words about itself, as values: what a binary can, what a running one counts. Pure."""

import re
import shlex
from dataclasses import dataclass
from typing import Final

from sidecar.errors import PermanentError

__all__ = ["OLDEST", "Build", "build_of", "counters_of", "requests_of"]

OLDEST: Final = (1, 19, 5)  # the first that takes -e, so that no log file of the system is opened
_VERSION: Final = re.compile(r"^nginx version: \S+?/(\d+)\.(\d+)\.(\d+)", re.MULTILINE)
_ARGUMENTS: Final = re.compile(r"^configure arguments: (.*)$", re.MULTILINE)
_COUNTER: Final = re.compile(r"(Active connections|Reading|Writing|Waiting): (\d+)")
_REQUESTS: Final = re.compile(r"^ \d+ \d+ (\d+)", re.MULTILINE)
_OPTIONAL: Final = ("proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True, slots=True)
class Build:
    """A binary: ``temporary`` are the modules that want a directory for temporary files.

    ``stream_file`` is where a module for TCP would be that is not built in.
    """

    version: tuple[int, int, int]
    has_stream: bool
    stream_file: str
    has_stub_status: bool
    has_tls: bool
    has_http2: bool
    temporary: tuple[str, ...]


def build_of(words: str) -> Build:
    """Read what ``nginx -V`` says; raises PermanentError for none and for one too old."""
    found = _VERSION.search(words)
    if found is None:
        raise PermanentError(f"this is not nginx: {words.strip()[:80]!a}")
    version = int(found[1]), int(found[2]), int(found[3])
    if version < OLDEST:
        given, needed = (".".join(map(str, one)) for one in (version, OLDEST))
        raise PermanentError(f"nginx {given} is too old: {needed} or newer is needed")
    arguments = _ARGUMENTS.search(words)
    options = shlex.split(arguments[1]) if arguments else []
    values = dict(option.split("=", 1) for option in options if "=" in option)
    prefix = values.get("--prefix", "/usr/local/nginx")
    folder = values.get("--modules-path", f"{prefix}/modules")
    return Build(
        version,
        "--with-stream" in options,
        f"{folder}/ngx_stream_module.so",
        "--with-http_stub_status_module" in options,
        "--with-http_ssl_module" in options,
        "--with-http_v2_module" in options,
        ("client_body", *(n for n in _OPTIONAL if f"--without-http_{n}_module" not in options)),
    )


def requests_of(words: str) -> int | None:
    """Read how many requests there were, from what ``stub_status`` answers."""
    found = _REQUESTS.search(words)
    return int(found[1]) if found is not None else None


def counters_of(words: str) -> dict[str, int]:
    """Read what ``stub_status`` answers: connections that are active, reading, writing, waiting."""
    return {name.split()[0].lower(): int(count) for name, count in _COUNTER.findall(words)}
