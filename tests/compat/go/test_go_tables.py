"""Go's own tests of text/template, read out of the installed golang-1.19-src, run on ours.

No text of the tables stands here: a case has the name of its table and its line. What we do
otherwise is listed in DIFFERENCES with the reason; a line there that nothing needs fails.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from sidecar.golang.quoting import quoted
from sidecar.gotemplate.builtins import js
from sidecar.gotemplate.failures import TemplateError
from sidecar.gotemplate.lexer import tokens
from sidecar.gotemplate.numbers import number
from sidecar.gotemplate.parser import parse
from sidecar.gotemplate.template import Template, compile_template
from sidecar.gotemplate.tokens import Kind
from sidecar.gotemplate.trees import is_empty
from tests.compat.go.fixtures import COMPARED, ENVIRONMENT, FUNCTIONS
from tests.compat.go.literals import Composite, Name, table
from tests.compat.go.meaning import evaluated, lexer_names

SOURCES = Path("/usr/share/go-1.19/src/text/template")
PACKAGE = "golang-1.19-src"
_CAPACITY = "a Python list has no capacity beyond its length"

DIFFERENCES: dict[tuple[str, int], str] = {
    ("execTests", 530): _CAPACITY,
    ("execTests", 531): _CAPACITY,
    ("TestJSEscaping", 950): "the character became printable after the Unicode of Go 1.19",
}


class Case(NamedTuple):
    """One entry of a table."""

    table: str
    entry: Composite
    check: Callable[["Case"], None]

    def value(self, at: int, name: str = "") -> object:
        """Return a field of the entry by position or, where it is keyed, by name."""
        for index, (key, value) in enumerate(self.entry.items):
            if index == at if key is None else isinstance(key, Name) and key.text == name:
                return evaluated(value, ENVIRONMENT)
        return None

    def text(self, at: int, name: str = "") -> str:
        """Return a field that is a string."""
        value = self.value(at, name)
        return "" if value is None else str(value)


def _both(template: Template, data: object) -> str:
    """Return what the template gives, walked and compiled alike."""
    outcomes: list[tuple[str, TemplateError | None]] = []
    for run in (template.walk, template.execute):
        try:
            outcomes.append((run(data), None))
        except TemplateError as error:
            outcomes.append(("", error))
    (walked, fault), (compiled, other) = outcomes
    assert walked == compiled
    assert str(fault) == str(other)
    if fault is not None:
        raise fault
    return walked


# --- exec_test.go --------------------------------------------------------------------------------


def _executes(case: Case, base: Template | None = None) -> None:
    name, text, expected = case.text(0), case.text(1), case.text(2)
    data, works = case.value(3), case.value(4)
    template = (base or compile_template("root", "", FUNCTIONS)).extended(name, text).named(name)
    if works:
        assert _both(template, data) == expected
    else:
        with pytest.raises(TemplateError):
            _both(template, data)


def _compares(case: Case) -> None:
    text = "{{if " + case.text(0) + "}}true{{else}}false{{end}}"
    template = compile_template("empty", text)
    if case.value(2):
        assert _both(template, COMPARED) == case.text(1)
    else:
        with pytest.raises(TemplateError):
            _both(template, COMPARED)


def _escapes(case: Case) -> None:
    assert js(case.text(0)) == case.text(1)


def _field_fails(case: Case) -> None:
    template = compile_template("tmpl", case.text(1))
    error = "<nil>"
    try:
        _both(template, case.value(2))
    except TemplateError as fault:
        error = str(fault)
    assert error.endswith(case.text(3))


def _plus_one(number: int) -> int:
    return number + 1


def _interfaces(case: Case) -> None:
    data = {"PlusOne": _plus_one, "Slice": [0, 1, 2, 3], "One": 1, "Two": 2, "Nil": None, "Zero": 0}
    expected = case.text(1)
    template = compile_template("tmpl", case.text(0))
    if expected.startswith("ERROR:"):
        with pytest.raises(TemplateError) as raised:
            _both(template, data)
        assert expected.removeprefix("ERROR:").strip() in str(raised.value)
    else:
        assert _both(template, data) == expected


def _panics(case: Case) -> None:
    template = compile_template("t", case.text(1), FUNCTIONS)
    with pytest.raises(TemplateError) as raised:
        _both(template, case.value(2))
    assert case.text(3) in str(raised.value)


# --- multi_test.go -------------------------------------------------------------------------------


def _multi_parses(case: Case) -> None:
    if not case.value(2):
        with pytest.raises(TemplateError):
            parse("root", case.text(1), ())
        return
    trees = parse("root", case.text(1), ())
    names, results = case.value(3) or [], case.value(4) or []
    assert {"root", *names} == set(trees)  # type: ignore[misc]
    assert [str(trees[name].root) for name in names] == results  # type: ignore[attr-defined]


def _multi_executes(case: Case) -> None:
    base = compile_template("root", "", FUNCTIONS)
    for name in ("file1.tmpl", "file2.tmpl"):
        base = base.extended(name, (SOURCES / "testdata" / name).read_text())
    _executes(case, base)


def _file_executes(case: Case) -> None:
    base = compile_template("root", "", FUNCTIONS)
    for name in ("tmpl1.tmpl", "tmpl2.tmpl"):
        base = base.extended(name, (SOURCES / "testdata" / name).read_text())
    _executes(case, base)


# --- parse_test.go -------------------------------------------------------------------------------

_KNOWN = frozenset({"printf", "contains"})


def _parses(case: Case, *, comments: bool = False) -> None:
    name, text = case.text(0), case.text(1)
    if not case.value(2):
        with pytest.raises(TemplateError):
            parse(name, text, _KNOWN, comments=comments)
        return
    tree = parse(name, text, _KNOWN, comments=comments)[name]
    assert tree.root.show(quoted) == case.value(3)


def _parses_comments(case: Case) -> None:
    _parses(case, comments=True)


def _numbers(case: Case) -> None:
    text = case.text(0, "text")
    kind = Kind.CHAR_CONSTANT if text[0] == "'" else Kind.NUMBER
    if kind is Kind.NUMBER and _is_complex(text):
        kind = Kind.COMPLEX
    truths = [case.value(at) for at in range(1, 5)]
    if not any(truths):
        with pytest.raises(ValueError, match=r".+"):
            number(text, kind)
        return
    read = number(text, kind)
    for truth, found, expected in zip(
        truths,
        (read.integer, read.unsigned, read.real, read.pair),
        [case.value(at) for at in range(5, 9)],
        strict=True,
    ):
        assert found == (expected if truth else None)


def _is_complex(text: str) -> bool:
    try:
        number(text, Kind.COMPLEX)
    except ValueError:
        return False
    return True


def _parse_fails(case: Case) -> None:
    with pytest.raises(TemplateError) as raised:
        parse(case.text(0), case.text(1), ())
    assert case.text(3) in str(raised.value)


def _is_empty(case: Case) -> None:
    tree = parse("root", case.text(1), ())["root"]
    assert is_empty(tree.root.nodes) == case.value(2)


# --- lex_test.go ---------------------------------------------------------------------------------


def _lexes(case: Case, left: str = "", right: str = "", *, places: bool = False) -> None:
    space = lexer_names(SOURCES / "parse" / "lex_test.go")
    text = evaluated(case.entry.items[1][1], space)
    expected = evaluated(case.entry.items[2][1], space)
    found = tokens(str(text), left=left, right=right, comments=True)
    if places:
        assert tuple((t.kind, t.pos, t.text, t.line) for t in found) == expected
    else:
        assert tuple((token.kind, token.text) for token in found) == expected


def _lexes_delimiters(case: Case) -> None:
    _lexes(case, "$$", "@@")


def _lexes_places(case: Case) -> None:
    _lexes(case, places=True)


# --- all of them ---------------------------------------------------------------------------------

TABLES: list[tuple[str, str, str, Callable[[Case], None]]] = [
    ("exec_test.go", "execTests", "", _executes),
    ("exec_test.go", "cmpTests", "", _compares),
    ("exec_test.go", "testCases", "TestJSEscaping", _escapes),
    ("exec_test.go", "tests", "TestEvalFieldErrors", _field_fails),
    ("exec_test.go", "tests", "TestInterfaceValues", _interfaces),
    ("exec_test.go", "tests", "TestExecutePanicDuringCall", _panics),
    ("multi_test.go", "multiParseTests", "", _multi_parses),
    ("multi_test.go", "multiExecTests", "", _multi_executes),
    ("multi_test.go", "templateFileExecTests", "", _file_executes),
    ("parse/parse_test.go", "parseTests", "", _parses),
    ("parse/parse_test.go", "tests", "TestParseWithComments", _parses_comments),
    ("parse/parse_test.go", "numberTests", "", _numbers),
    ("parse/parse_test.go", "errorTests", "", _parse_fails),
    ("parse/parse_test.go", "isEmptyTests", "", _is_empty),
    ("parse/lex_test.go", "lexTests", "", _lexes),
    ("parse/lex_test.go", "lexDelimTests", "", _lexes_delimiters),
    ("parse/lex_test.go", "lexPosTests", "", _lexes_places),
]


def _cases() -> list[Case]:
    if not SOURCES.exists():
        return []
    return [
        Case(within or name, entry, check)
        for file, name, within, check in TABLES
        for entry in table(SOURCES / file, name, within=within)
    ]


CASES = _cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.table}-{case.entry.line}")
def test_a_case_of_go_gives_what_go_gives(case: Case) -> None:
    """One entry of one table."""
    reason = DIFFERENCES.get((case.table, case.entry.line))
    if reason is None:
        case.check(case)
        return
    with pytest.raises((AssertionError, TemplateError)):
        case.check(case)
    pytest.xfail(reason)


def test_go_tests_are_there_and_nearly_all_pass() -> None:
    """Without the package nothing was compared, which CI must not take for success."""
    if not SOURCES.exists():
        missing = f"missing: {PACKAGE} (deploy/setup installs it)"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    lines = {(case.table, case.entry.line) for case in CASES}
    assert set(DIFFERENCES) <= lines
    assert len(CASES) - len(DIFFERENCES) >= 740
