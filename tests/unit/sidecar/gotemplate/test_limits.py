"""A template of anyone's ends within bounds, whatever it does."""

from collections.abc import Iterator
from itertools import count

import pytest

from sidecar.gotemplate.template import LimitExceeded, Limits, TemplateError, compile_template

SMALL = Limits(steps=20_000, output=50_000, depth=50, nesting=40)

_TWICE = '{{template "r" (slice . 1)}}' * 2
FAN = '{{define "r"}}{{if .}}' + _TWICE + '{{end}}{{end}}{{template "r" .}}'


def fails(text: str, data: object = None, limits: Limits = SMALL) -> str:
    """Return why a template ends, compiled and walked."""
    template = compile_template("t", text, limits=limits)
    with pytest.raises(LimitExceeded) as compiled:
        template.execute(data)
    with pytest.raises(LimitExceeded) as walked:
        template.walk(data)
    why = str(walked.value).rpartition(": ")[2]
    assert str(compiled.value).rpartition(": ")[2] == why
    return why


def test_an_endless_loop_ends() -> None:
    assert fails("{{range 9223372036854775807}}{{end}}") == "step limit exceeded"
    assert fails("{{range .}}{{.}}{{end}}", 1 << 80) == "step limit exceeded"
    assert fails("{{range 200}}{{range 200}}x{{end}}{{end}}") == "step limit exceeded"


def test_an_endless_iterator_ends() -> None:
    def endless() -> Iterator[int]:
        yield from count()

    template = compile_template("t", "{{range endless}}{{end}}", {"endless": endless}, limits=SMALL)
    for run in (template.execute, template.walk):
        with pytest.raises(LimitExceeded, match="step limit exceeded"):
            run(None)


def test_recursion_ends() -> None:
    text = '{{define "r"}}{{template "r" .}}{{end}}{{template "r"}}'
    assert fails(text) == "exceeded maximum template depth (50)"
    assert fails(text, limits=Limits(depth=10**6)) == "nested too deeply"


def test_recursion_that_fans_out_ends() -> None:
    assert fails(FAN, "x" * 40) == "step limit exceeded"


@pytest.mark.parametrize(
    "text",
    [
        '{{range 1000}}{{printf "%100d" .}}{{end}}',
        "{{range 1000}}" + "x" * 100 + "{{end}}",
        '{{$x := "ab"}}{{range 40}}{{$x = print $x $x}}{{end}}',
        '{{printf "%60000d" 1}}',
        '{{printf "%.60000f" 1.0}}',
        "x" * 50_001,
        '{{define "a"}}' + "x" * 6000 + "{{end}}" + '{{template "a"}}' * 10,
    ],
)
def test_output_ends(text: str) -> None:
    assert fails(text) == "output limit exceeded"


def test_a_wide_field_in_a_long_list_ends() -> None:
    big = Limits(steps=10**6, output=10**6)
    template = compile_template("t", '{{printf "%1000000v" .}}', limits=big)
    with pytest.raises(TemplateError, match="output limit exceeded"):
        template.execute(list(range(10_000)))


def test_time_ends() -> None:
    asked = iter([False] * 3 + [True] * 100)
    limits = Limits(expired=lambda: next(asked))
    assert fails("{{range 100000}}x{{end}}", limits=limits) == "time limit exceeded"


def test_time_is_looked_at_where_nothing_is_written_too() -> None:
    limits = Limits(expired=lambda: True)
    assert fails(FAN, "x" * 30, limits) == "time limit exceeded"


@pytest.mark.parametrize(
    "text",
    [
        "{{if .}}" * 50 + "{{end}}" * 50,
        "{{" + "(" * 50 + "1" + ")" * 50 + "}}",
        "{{if .}}" * 10**5,
        "{{" + "(" * 10**5,
        '{{block "a" .}}' * 10**5,
        "{{with " + "(" * 10**4,
    ],
)
def test_deep_nesting_is_refused(text: str) -> None:
    with pytest.raises(LimitExceeded, match=r"^template: t:1: nested too deeply$"):
        compile_template("t", text, limits=SMALL)


def test_nesting_beyond_pythons_stack_is_refused_too() -> None:
    with pytest.raises(LimitExceeded, match="nested too deeply"):
        compile_template("t", "{{if .}}" * 10**5, limits=Limits(nesting=10**6))


def test_what_is_within_bounds_is_let_through() -> None:
    template = compile_template("t", "{{range 100}}{{.}},{{end}}", limits=SMALL)
    assert template.execute(None).count(",") == 100
    assert compile_template("t", "{{if .}}" * 39 + "{{end}}" * 39, limits=SMALL).execute(1) == ""


def test_long_numbers_and_long_lines_are_read_in_time() -> None:
    for text in (
        "{{" + "9" * 10**5 + "}}",
        "{{0x" + "f" * 10**5 + "}}",
        "{{1" + "+1" * 10**5 + "i}}",
    ):
        with pytest.raises(TemplateError):
            compile_template("t", text)
    assert compile_template("t", "x" * 10**6).execute(None) == "x" * 10**6
