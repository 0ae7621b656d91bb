"""Go's own tests of fmt, read out of the installed golang-1.19-src, run on our printf.

Only entries whose values can be written in a template's data are run: numbers, strings, lists and
maps of these. What else stands in those tables (pointers, Go's own test types, float32) is counted
but not run.
"""

import math
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from sidecar.golang.quoting import encoded
from sidecar.gotemplate.kinds import ANY, BOOL, COMPLEX, FLOAT, INT, STRING, map_of, slice_of
from sidecar.gotemplate.values import (
    Int8,
    Int16,
    Int32,
    Int64,
    Map,
    Slice,
    Uint,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
)
from sidecar.gotemplate.verbs import sprintf
from tests.compat.go.literals import Composite, table
from tests.compat.go.meaning import Environment, evaluated

SOURCE = Path("/usr/share/go-1.19/src/fmt/fmt_test.go")
_WHOLE = (Int8, Int16, Int32, Int64, Uint, Uint8, Uint16, Uint32, Uint64)
_NAMED = {kind.__name__.lower(): kind for kind in _WHOLE}
_TYPES = {name: kind.go_type for name, kind in _NAMED.items()} | {
    "int": INT,
    "string": STRING,
    "any": ANY,
    "bool": BOOL,
    "byte": Uint8.go_type,
    "float64": FLOAT,
    "complex128": COMPLEX,
}


def _string(code: int) -> str:
    return chr(code) if 0 <= code < 0x110000 and not 0xD800 <= code < 0xE000 else "�"


def _bytes(text: str | None) -> bytes:
    if text is None:
        raise KeyError("a nil slice")
    return encoded(text)


def _composite(literal: Composite, space: Environment) -> object:
    name = literal.type
    values = [evaluated(value, space) for _, value in literal.items]
    if name in ("SE", "args"):
        return values
    if name in ("[]byte", "[]uint8"):
        return bytes(values)  # type: ignore[arg-type]
    if name == "[]complex128":
        values = [complex(value) for value in values]  # type: ignore[call-overload]
    if name.startswith("[]"):
        return Slice(values, slice_of(_TYPES[name[2:]]))
    if name.startswith("map["):
        key, elem = name[4:].split("]", 1)
        keys = [evaluated(at, space) for at, _ in literal.items if at is not None]
        return Map(dict(zip(keys, values, strict=True)), map_of(_TYPES[key], _TYPES[elem]))
    raise KeyError(name)


ENVIRONMENT = Environment(
    names={},
    calls={
        **_NAMED,
        "rune": Int32,
        "byte": Uint8,
        "int": int,
        "float64": float,
        "string": _string,
        "[]byte": _bytes,
        "args": lambda *values: list(values),
        "math.Inf": lambda sign: math.inf * sign,
        "math.NaN": lambda: math.nan,
        "math.Copysign": math.copysign,
        "complex": complex,
    },
    composite=_composite,
)

DIFFERENCES: dict[int, str] = {}


def _cases() -> list[tuple[int, str, Sequence[object], str]]:
    if not SOURCE.exists():
        return []
    cases = []
    for name in ("fmtTests", "reorderTests", "startests"):
        for entry in table(SOURCE, name):
            try:
                form, given, shown = [evaluated(value, ENVIRONMENT) for _, value in entry.items]
            except KeyError:
                continue
            if "PTR" in str(shown):
                continue  # an address
            args = [given] if name == "fmtTests" else given
            cases.append((entry.line, form, args, shown))
    return cases  # type: ignore[return-value]


CASES = _cases()


@pytest.mark.parametrize(("line", "form", "args", "shown"), CASES, ids=[str(c[0]) for c in CASES])
def test_printf_prints_what_go_prints(
    line: int, form: str, args: Sequence[object], shown: str
) -> None:
    """One entry of one table."""
    if line not in DIFFERENCES:
        assert sprintf(form, args) == shown
        return
    assert sprintf(form, args) != shown
    pytest.xfail(DIFFERENCES[line])


def test_go_tests_of_fmt_are_there() -> None:
    """Without the package nothing was compared, which CI must not take for success."""
    if not SOURCE.exists():
        missing = "missing: golang-1.19-src (deploy/setup installs it)"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    assert set(DIFFERENCES) <= {case[0] for case in CASES}
    assert len(CASES) >= 400
