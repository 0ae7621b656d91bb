"""Query parameters and paths as Consul reads them, with its own complaints. Pure."""

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from sidecar.config.units import go_duration
from sidecar.errors import ApiError

__all__ = [
    "Wait",
    "checked",
    "cleaned_path",
    "conflict",
    "decoded",
    "flag",
    "read_options",
    "takes_gzip",
    "unsigned",
    "without_wait",
]

_DEFAULT: Final = 300.0
_LONGEST: Final = 600.0
_MOST: Final = 2**64 - 1
_DIGITS: Final = re.compile(r"[0-9]+", re.ASCII)

_REFUSED_GZIP: Final = re.compile(r"gzip\s*;\s*q=0(?:\.0*)?\s*(?:,|$)")

Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Wait:
    """What a reader asked for: the index it has, and for how many seconds it waits."""

    index: int
    seconds: float

    @classmethod
    def of(cls, query: Query) -> "Wait":
        """Parse ``index`` and ``wait``; raises ApiError."""
        index = query.get("index", "0") or "0"
        if not _DIGITS.fullmatch(index) or len(index) > 20 or int(index) > _MOST:
            raise ApiError(400, "Invalid index")
        return cls(int(index), _seconds(query.get("wait", "")))


def without_wait(target: str) -> tuple[str, str, str]:
    """Return a request's target without ``index`` and ``wait``, and these; both only as written."""
    path, mark, query = target.partition("?")
    if "index=" not in query and "wait=" not in query:
        return target, "", ""
    found = {"index": "", "wait": ""}
    rest = []
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        if equals and name in found and not found[name]:
            found[name] = value
        else:
            rest.append(part)
    return path + (mark + "&".join(rest) if rest else ""), found["index"], found["wait"]


def _seconds(text: str) -> float:
    try:
        seconds = go_duration(text) if text else 0.0
    except ValueError as error:
        raise ApiError(400, "Invalid wait time") from error
    if seconds < 0:
        raise ApiError(400, "Invalid wait time")
    return min(seconds, _LONGEST) or _DEFAULT


def read_options(query: Query, datacenter: str) -> Wait:
    """Return how to wait, after all that every read may carry was checked; raises ApiError."""
    wait = Wait.of(query)
    if "stale" in query and "consistent" in query:
        raise ApiError(400, "Cannot specify ?stale with ?consistent, conflicting semantics.")
    checked(query, datacenter)
    return wait


def checked(query: Query, datacenter: str) -> None:
    """Refuse another datacenter and namespaces; raises ApiError."""
    if "ns" in query:
        raise ApiError(
            400,
            'Bad request: Invalid query parameter: "ns" -'
            " Namespaces are a Consul Enterprise feature",
        )
    if query.get("dc", "") not in {"", datacenter}:
        raise ApiError(500, "No path to datacenter")


def conflict(query: Query, names: Iterable[str]) -> None:
    """Refuse two parameters that exclude each other; raises ApiError."""
    if sum(name in query for name in names) > 1:
        raise ApiError(400, f"Conflicting flags: {urlencode(sorted(query.items()))}")


def unsigned(text: str) -> int:
    """Return a number of 64 bits; raises ApiError with the words of Go's ``ParseUint``."""
    if not _DIGITS.fullmatch(text):
        raise ApiError(500, f'strconv.ParseUint: parsing "{text}": invalid syntax')
    number = int(text) if len(text) <= 20 else _MOST + 1
    if number > _MOST:
        raise ApiError(500, f'strconv.ParseUint: parsing "{text}": value out of range')
    return number


def decoded(body: bytes) -> Any:
    """Return what a JSON body says; raises ValueError, whatever is wrong with it."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from error


def flag(value: str | None) -> bool:
    """Read ``?passing``: present, empty or true filters, false does not; raises ApiError."""
    match (value or "true").lower() if value is not None else "false":
        case "true" | "1" | "t":
            return True
        case "false" | "0" | "f":
            return False
        case _:
            raise ApiError(400, "Invalid value for ?passing")


def takes_gzip(accepted: str) -> bool:
    """Whether a client takes gzip by name, and not with weight 0."""
    return "gzip" in accepted and _REFUSED_GZIP.search(accepted) is None


def cleaned_path(path: str) -> str:
    """Return a decoded path without doubled slashes and dots, as Go's mux redirects to."""
    clean = "/" + posixpath.normpath("/" + path).lstrip("/")
    return clean + "/" if path.endswith("/") and clean != "/" else clean
