"""The interface: what goes in, what comes out, what is said when it fails."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import pytest

from sidecar.errors import RenderError
from sidecar.gotemplate.template import Template, TemplateError, compile_template
from sidecar.gotemplate.values import Uint


class Pair(NamedTuple):
    """As a function of confd returns it."""

    key: str
    value: object


@dataclass(frozen=True)
class Service:
    """As a function of consul-template returns it."""

    node_id: str
    port: int
    tags: tuple[str, ...] = ()
    Address: str = "192.0.2.1"
    _secret: str = "hidden"
    go_methods: ClassVar = {"Upper": "upper", "Joined": "joined", "Fails": "fails"}

    def upper(self) -> str:
        """Return the node in capitals."""
        return self.node_id.upper()

    def joined(self, left: str, *rest: str) -> str:
        """Return texts joined."""
        return "+".join([left, *rest])

    def fails(self) -> str:
        """Raise."""
        raise ValueError("not today")

    def hidden(self) -> str:
        """Return what no template gets at."""
        return "hidden"


def both(template: Template, data: object = None) -> str:
    """Return what a template gives compiled, which the walker must give too."""
    texts = []
    for run in (template.execute, template.walk):
        try:
            texts.append(run(data))
        except TemplateError as error:
            texts.append(f"{error.name}:{error.line}:{error.column}: {error}")
    assert texts[0] == texts[1]
    return texts[0]


def render(text: str, data: object = None, **functions: Callable[..., object]) -> str:
    """Return the output or the error's text behind its place."""
    try:
        return both(compile_template("t", text, functions), data)
    except TemplateError as error:
        return f"{error.name}:{error.line}:{error.column}: {error}"


SERVICE = Service("n1", 80, ("a", "b"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{{.NodeID}}:{{.Port}} {{.Address}} {{.Tags}}", "n1:80 192.0.2.1 [a b]"),
        ("{{.Upper}} {{.Joined `x`}} {{.Joined `x` `y`}} {{`z` | .Joined `x`}}", "N1 x x+y x+z"),
        ("{{.}}", "{n1 80 [a b] 192.0.2.1}"),
        ('{{printf "%+v" .}}', "{NodeID:n1 Port:80 Tags:[a b] Address:192.0.2.1}"),
        ('{{printf "%T" .}}', "main.Service"),
        ("{{if .}}always{{end}}", "always"),
        ("{{$x := .}}{{$x.Upper}} {{$x.Port}} {{($x).Port}}", "N1 80 80"),
        ("{{range .Tags}}<{{.}}>{{end}}", "<a><b>"),
        ("{{eq . .}}", "true"),
    ],
)
def test_a_dataclass_is_a_struct_with_the_methods_it_shows(text: str, shown: str) -> None:
    assert render(text, SERVICE) == shown


@pytest.mark.parametrize("name", ["Hidden", "hidden", "_secret", "Secret", "__class__", "node_id"])
def test_a_template_reaches_nothing_else_of_an_object(name: str) -> None:
    assert f"can't evaluate field {name} in type main.Service" in render(
        f"{{{{.{name}}}}}", SERVICE
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "{{.Fails}}",
            't:1:2: template: t:1:2: executing "t" at <.Fails>: error calling Fails: not today',
        ),
        ("{{.Port 1}}", "Port has arguments but cannot be invoked as function"),
        ("{{.Upper 1}}", "wrong number of args for Upper: want 0 got 1"),
        ("{{.Joined 1}}", "expected string; found 1"),
        ("{{.Port.Deep}}", "can't evaluate field Deep in type int"),
        ("{{(.).Fails}}", "at <(.).Fails>: error calling Fails: not today"),
    ],
)
def test_a_struct_misused_says_where_and_how(text: str, fault: str) -> None:
    assert fault in render(text, SERVICE)


def test_a_named_tuple_is_a_struct_too() -> None:
    assert render("{{range .}}{{.Key}}={{.Value}} {{.}};{{end}}", [Pair("/a", 1)]) == "/a=1 {/a 1};"


def test_an_error_is_a_render_error_with_name_line_and_column() -> None:
    with pytest.raises(RenderError) as raised:
        compile_template("a.tmpl", "x\n  {{.s.deep}}").execute({"s": "é"})
    error = raised.value
    assert isinstance(error, TemplateError)
    assert (error.name, error.line, error.column) == ("a.tmpl", 2, 6)
    assert str(error) == (
        'template: a.tmpl:2:6: executing "a.tmpl" at <.s.deep>: '
        "can't evaluate field deep in type interface {}"
    )


def test_a_malformed_text_fails_to_compile_with_name_and_line() -> None:
    with pytest.raises(TemplateError) as raised:
        compile_template("a.tmpl", "\n{{if .x}}")
    assert str(raised.value) == "template: a.tmpl:2: unexpected EOF"
    assert (raised.value.name, raised.value.line, raised.value.column) == ("a.tmpl", 2, -1)


def test_columns_count_bytes_as_in_go() -> None:
    assert render("é{{fail}}", fail=lambda: 1 / 0).startswith("t:1:4: ")


def half(number: float) -> float:
    """Return half of a number."""
    return number / 2


def twice(text: str, times: int = 2) -> str:
    """Return a text again and again."""
    return text * times


def given(truth: bool, *rest: object, hidden: str = "") -> str:
    """Return what was given."""
    return f"{truth}{list(rest)}{hidden}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{{half 3}} {{half 1.5}} {{3.0 | half}}", "1.5 0.75 1.5"),
        ("{{twice `a`}} {{twice `a` 3}} {{3 | twice `b`}} {{twice .s .i}}", "aa aaa bbb xxxx"),
        ("{{given true}} {{given false 1 nil .none .s}}", "True[] False[1, None, None, 'x']"),
        ("{{3 | half}}", "at <half>: wrong type for value; expected float64; got int"),
        ("{{twice .i}}", "at <.i>: wrong type for value; expected string; got int"),
        ("{{twice .none}}", "at <.none>: invalid value; expected string"),
        ("{{twice .nil}}", "expected string; got interface {}"),
        ("{{.nil | twice}}", "invalid value; expected string"),
        ("{{twice `a` 1.5}}", "expected integer; found 1.5"),
        ("{{half `a`}}", "expected float; found `a`"),
        ("{{given 1}}", "expected bool; found 1"),
        ("{{given nil}}", "cannot assign nil to bool"),
        ("{{twice}}", "wrong number of args for twice: want 2 got 0"),
        ("{{twice 1 2 3}}", "wrong number of args for twice: want 2 got 3"),
        ("{{given}}", "wrong number of args for given: want at least 1 got 0"),
        ("{{twice (half 3)}}", "at <3>: wrong type for value; expected string; got float64"),
        ("{{half (twice `a`).deep}}", "can't evaluate field deep in type string"),
    ],
)
def test_functions_take_what_their_annotations_say(text: str, shown: str) -> None:
    out = render(text, {"s": "x", "i": 4, "nil": None}, half=half, twice=twice, given=given)
    assert shown in out


def test_what_a_function_raises_becomes_the_templates_error_with_its_cause() -> None:
    def fail(text: str) -> str:
        raise KeyError(text)

    template = compile_template("t", "{{ 1 }}{{fail `gone`}}", {"fail": fail})
    for run in (template.execute, template.walk):
        with pytest.raises(TemplateError, match="error calling fail: 'gone'") as raised:
            run(None)
        assert isinstance(raised.value.__cause__, KeyError)
        assert raised.value.column == 9


def test_the_call_that_failed_is_told_from_others_on_its_line() -> None:
    def fail(text: str) -> str:
        raise ValueError(text)

    text = '{{print 1}}{{with 1}}{{print (print 2 (fail "a"))}}{{end}}{{fail "b"}}'
    assert "t:1:39: " in render(text, fail=fail)
    assert 'at <fail "a">: error calling fail: a' in render(text, fail=fail)


def test_a_function_hides_the_builtin_of_its_name() -> None:
    assert render("{{len 1 2}}", len=max) == "2"
    out = compile_template("t", "{{or 1 2}}{{not 3}}", {"or": max, "not": str}).execute(None)
    assert out == "23"


def test_a_function_named_break_hides_the_keyword() -> None:
    assert compile_template("t", "{{break}}", {"break": lambda: "b"}).execute(None) == "b"


def test_a_function_that_tells_no_signature_takes_anything() -> None:
    assert render("{{most 1 2}} {{most `a` `b` `c`}}", most=max) == "2 c"


def test_other_delimiters() -> None:
    template = compile_template("t", "<<.x>> {{.x}} <<- /* c */ ->>!", left="<<", right=">>")
    assert both(template, {"x": 1}) == "1 {{.x}}!"
    assert both(template.extended("u", '<<define "v">>V<<end>>').named("v")) == "V"


@pytest.mark.parametrize(
    ("missing", "shown"),
    [
        ("default", "<no value> <no value>"),
        ("zero", "<no value> <no value>"),
        ("error", 'map has no entry for key "x"'),
    ],
)
def test_a_missing_key_by_option(missing: str, shown: str) -> None:
    template = compile_template("t", "{{.x}} {{.x}}", missing=missing)  # type: ignore[arg-type]
    assert shown in both(template, {})


def test_missing_data_by_option() -> None:
    template = compile_template("t", "{{.x}}", missing="error")
    assert 'nil data; no entry for key "x"' in both(template, None)


def test_later_definitions_win_unless_they_are_empty() -> None:
    base = compile_template("t", '{{define "a"}}1{{end}}{{template "a"}}{{template "b"}}')
    assert 'template "b" not defined' in both(base)
    more = base.extended("u", '{{define "b"}}2{{end}}{{define "a"}} {{end}}')
    assert both(more) == "12"
    assert more.names == {"t", "a", "b", "u"}
    assert both(more.extended("v", '{{define "a"}}3{{end}}')) == "32"
    assert both(more) == "12"
    with pytest.raises(TemplateError, match='no template "zzz" associated with template "t"'):
        more.named("zzz")


def test_bytes_that_are_no_text_come_out_as_they_went_in() -> None:
    out = render(r'{{slice "é" 0 1}}{{"\xff"}}{{.}}', "\udc80")
    assert out.encode("utf-8", "surrogateescape") == b"\xc3\xff\x80"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{{range 3}}{{.}}{{end}}", "012"),
        ("{{range $i := .u}}{{$i}}{{end}}", "01"),
        ("{{range 0}}x{{else}}none{{end}}", "none"),
        ("{{range $i, $x := 3}}{{end}}", "can't use 3 to iterate over more than one variable"),
        ("{{with .no}}1{{else with .u}}{{.}}{{else}}3{{end}}", "2"),
        ("{{$x := 0}}{{range $x = .l}}{{end}}{{$x}}", "7"),
        ("{{$i := 0}}{{$x := 0}}{{range $i, $x = .l}}{{end}}{{$i}}{{$x}}", "17"),
        ("{{range .it}}{{.}}{{end}}", "12"),
        ("{{range true}}{{end}}", "range can't iterate over true"),
    ],
)
def test_newer_go_is_understood(text: str, shown: str) -> None:
    template = compile_template("t", text)
    for run in (template.execute, template.walk):
        try:
            out = run({"u": Uint(2), "l": [5, 7], "it": iter([1, 2])})
        except TemplateError as error:
            out = str(error)
        assert shown in out


def test_an_empty_template_gives_nothing() -> None:
    assert render("") == ""
    assert render("{{/* only this */}}") == ""


def test_a_long_chain_of_else_if_is_no_deep_nesting() -> None:
    links = "".join(f"{{{{else if eq . {n}}}}}{n}" for n in range(2, 500))
    assert render("{{if eq . 1}}1" + links + "{{end}}", 400) == "400"


def test_what_the_compiler_cannot_take_is_walked() -> None:
    deep = "{{range .}}" * 25 + "x" + "{{end}}" * 25
    assert render(deep, []) == ""
    assert render("{{range .}}{{range .}}{{else}}{{break}}{{end}}y{{end}}", [[], []]) == "yy"
    assert render("{{print ($x := 1) $x}}", []) == "1 1"


def test_self_reference_is_an_error_not_a_crash() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert "nested too deeply" in render("{{.}}", loop)
    assert "nested too deeply" in render("{{print .}}", loop)
