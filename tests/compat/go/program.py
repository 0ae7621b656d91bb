"""Go's text/template as a program that runs many cases, and ours with the same functions."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from sidecar.gotemplate.template import Template, compile_template
from sidecar.gotemplate.values import Uint

__all__ = ["FUNCTIONS", "Answer", "Case", "build", "compiled", "go_program", "run_go"]

SOURCE = Path(__file__).parent / "oracle" / "main.go"


@dataclass(frozen=True)
class Case:
    """One template with its data."""

    text: str
    data: object
    missing: Literal["default", "zero", "error"] = "default"
    name: str = "t"


@dataclass(frozen=True)
class Answer:
    """What came out, or the error's text."""

    out: str
    err: str = ""


def go_program() -> str:
    """Return Debian's go, else any; skip when there is none, fail in CI."""
    for place in ("/usr/lib/go/bin/go", shutil.which("go")):
        if place and Path(place).exists():
            return place
    if os.environ.get("CI"):
        pytest.fail("missing: go (deploy/setup installs it)", pytrace=False)
    pytest.skip("missing: go (deploy/setup installs it)")


def build(folder: Path) -> Path:
    """Build the program into a folder."""
    program = folder / "oracle"
    command = [go_program(), "build", "-o", str(program), str(SOURCE)]
    environment = dict(os.environ, GO111MODULE="off", GOFLAGS="", GOTOOLCHAIN="local")
    environment.setdefault("GOCACHE", str(folder / "cache"))
    subprocess.run(command, check=True, env=environment, capture_output=True, timeout=110)
    return program


def run_go(program: Path, cases: Sequence[Case], *options: str) -> list[Answer]:
    """Return Go's answers to all cases, by one process."""
    lines = [
        json.dumps({"name": c.name, "text": c.text, "missing": c.missing, "data": _typed(c.data)})
        for c in cases
    ]
    done = subprocess.run(
        [program, *options],
        input="\n".join([*lines, ""]),
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        encoding="utf-8",
    )
    return [Answer(**json.loads(line)) for line in done.stdout.splitlines()]


def _typed(value: object) -> object:
    """Return data that says its types."""
    match value:
        case bool():
            return {"b": value}
        case Uint():
            return {"u": str(int(value))}
        case int():
            return {"i": str(value)}
        case float():
            return {"f": repr(value)}
        case str():
            return {"s": value}
        case bytes():
            return {"y": value.decode()}
        case list():
            return {"l": [_typed(item) for item in value]}
        case dict():
            return {"m": {key: _typed(item) for key, item in value.items()}}
    return {"n": True}


def _upper(text: str) -> str:
    return text.upper()


def _add(a: int, b: int) -> int:
    return a + b


def _half(a: float) -> float:
    return a / 2


def _echo(a: object) -> object:
    return a


def _count(*items: object) -> int:
    return len(items)


def _join(sep: str, *items: str) -> str:
    return sep.join(items)


def _null() -> object:
    return None


def _fail(text: str) -> str:
    raise ValueError(text)


FUNCTIONS: Mapping[str, Callable[..., object]] = {
    "upper": _upper,
    "add": _add,
    "half": _half,
    "echo": _echo,
    "count": _count,
    "join": _join,
    "null": _null,
    "fail": _fail,
}


def compiled(case: Case) -> Template:
    """Return our template of a case."""
    return compile_template(case.name, case.text, FUNCTIONS, missing=case.missing)
