"""Templates made at random, rendered by Go's text/template and by ours, walked and compiled.

Bytes and error texts must be equal. ``PINNACE_TESTS_SEEDS`` multiplies how many are made.
"""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.gotemplate.template import Template, TemplateError
from tests.compat.go.generator import generated
from tests.compat.go.program import Answer, Case, build, compiled, run_go

MANY = 1500 * int(os.environ.get("PINNACE_TESTS_SEEDS", "1"))
_PIECES = [*"{}()|.$:=,\"`'-+ \n\t\\/*%!#é0x9_eiabE\x01", "{{", "}}", "{{-", "}}", "{{- ", " -}}"]
_PIECES += ["{{end}}", "{{else}}", "/*", "*/", '{{define "x"}}', '{{block "b" .}}', "{{range", "$x"]
_PIECES += [":=", "nil", "break", "{{continue}}", "1e", "0x", "1_0", "1+2i", ".5", "'a'", "'\\n'"]
_PIECES += ['"\\x41\\u00e9"', "{{else if .s}}", '{{template "b"}}', "with", ".x.y", "(", ".."]


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program that runs templates by Go."""
    return build(tmp_path_factory.mktemp("go"))


def _ours(case: Case) -> Iterator[Answer]:
    """Yield what ours gives: walked, then compiled."""
    for run in (Template.walk, Template.execute):
        try:
            out = run(compiled(case), case.data)
        except TemplateError as error:
            yield Answer("", str(error))
        else:
            # JSON, by which Go answers, has no bytes that are no UTF-8.
            yield Answer(out.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def _compare(program: Path, cases: list[Case]) -> None:
    answers = run_go(program, cases)
    assert len(answers) == len(cases)
    for case, expected in zip(cases, answers, strict=True):
        if _newer_than(expected):
            continue
        for found in _ours(case):
            assert found == expected, case


def _newer_than(answer: Answer) -> bool:
    """Tell whether Go 1.19 refuses what ours takes, as newer Go does."""
    return "range can't iterate over" in answer.err


def test_templates_render_as_by_go(go: Path) -> None:
    cases = [generated(seed) for seed in range(MANY)]
    _compare(go, cases)
    assert sum(not answer.err for answer in run_go(go, cases)) > MANY // 4


def test_damaged_templates_fail_as_in_go(go: Path) -> None:
    _compare(go, [_damaged(seed) for seed in range(MANY)])


def _damaged(seed: int) -> Case:
    case = generated(seed)
    chance = random.Random(seed)
    text = case.text
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(text) + 1)
        other = chance.randrange(len(text) + 1)
        end = at + chance.randint(1, 4)
        piece = chance.choice([*_PIECES, text[other : other + 8], ""])
        text = text[:at] + piece + text[chance.choice([at, end]) :]
    return Case(text, case.data, case.missing)


@pytest.mark.parametrize(
    "text",
    [
        '{{$s := "é"}}{{len $s}} {{index $s 0}} {{printf "%q" (slice $s 0 1)}}',
        "{{range $k, $v := .m}}{{$k}}={{$v}};{{end}}{{.m}}",
        '{{with .missing}}no{{else}}{{with .nil}}no{{else}}{{printf "%v" .}}{{end}}{{end}}',
        '{{block "b" .i}}[{{.}}]{{end}}{{define "c"}}{{$}}{{end}}{{template "c"}}',
        '{{1.0}} {{1e6}} {{100000.0}} {{0.00001}} {{printf "%v %d" 1e20 0x7fffffffffffffff}}',
        "{{/* a */ -}}\n x {{- /* b */}}",
        '{{printf "%0[4]*[1]d|%-[4]*[2]q|%.1[3]e|%[7]x|%!|%" 41 "ab" 0.75 9}}',
        '{{or nil 0 ""}}{{and 1 "x" 0 (fail "never")}}',
    ],
)
def test_a_known_corner_is_as_in_go(go: Path, text: str) -> None:
    _compare(go, [Case(text, generated(0).data)])
