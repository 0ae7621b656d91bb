"""Corners of the language and its values; what is expected was checked against Go."""

import math
from collections import UserDict, deque
from collections.abc import Callable, Sequence

import pytest

from sidecar.golang.quoting import quoted_char
from sidecar.gotemplate.kinds import INT, STRING, GoType, map_of, pointer_to, slice_of
from sidecar.gotemplate.signatures import Function
from sidecar.gotemplate.template import LimitExceeded, Limits, TemplateError, compile_template
from sidecar.gotemplate.tokens import Kind, Token
from sidecar.gotemplate.values import INVALID, Int8, Map, Pointer, Record, Slice, Uint, Uint64
from sidecar.gotemplate.verbs import sprintf


class Text(str):
    """A string of a class of its own."""

    __slots__ = ()


class Point(Record):
    """A struct that says itself what it is."""

    go_type = GoType("geo.Point", "struct")

    def __init__(self, x: int) -> None:
        """Take the only coordinate."""
        self.x = x

    def go_fields(self) -> Sequence[tuple[str, object]]:
        """Return the coordinate, shown and hidden."""
        return [("X", self.x), ("y", 2)]


STRINGS = Slice(["a", "b"], slice_of(STRING))
DATA: dict[str, object] = {
    "s": "x",
    "i": 1,
    "t": True,
    "nil": None,
    "l": [1, 2, 3],
    "m": {"k": "v"},
    "y": b"hi",
    "f": len,
    "text": Text("own"),
    "user": UserDict({"k": "v"}),
    "odd": deque([1]),
    "inf": math.inf,
    "neg": -math.inf,
    "nan": math.nan,
    "point": Point(1),
    "to": Pointer(Point(1), pointer_to(Point.go_type)),
    "list": Pointer([1], pointer_to(slice_of(INT))),
    "int": Pointer(7, pointer_to(INT)),
    "none": Pointer(None, pointer_to(Point.go_type)),
    "words": STRINGS,
    "typed": Map({"a": 1}, map_of(STRING, INT)),
    "numbers": {1: "one", 2: "two"},
    "mixed": {None: 0, "b": 1, True: 2, 3: 3},
    "pairs": {(1, "a"): 1, (1, 2): 2},
    "i8": Int8(-3),
    "u": Uint(3),
}

ENDED_BY_ELSE = "{{range $.z}}{{else}}{{with 1}}{{range $.l}}{{break}}{{end}}{{end}}{{end}}"


def pick(numbers: object) -> object:
    """Return what was given."""
    return numbers


FUNCTIONS: dict[str, Callable[..., object]] = {
    "list": Function(pick, (slice_of(INT),)),
    "small": Function(pick, (Uint64.go_type,)),
    "spell": Function(pick, (GoType("fmt.Stringer", "interface", methods=frozenset({"String"})),)),
    "point": Function(pick, (pointer_to(Point.go_type),)),
    "place": Function(pick, (Point.go_type,)),
    "pick": pick,
}


def render(text: str, limits: Limits = Limits()) -> str:  # noqa: B008 - the default, unchanged
    """Return what compiled and walked give alike: the output, or the end of the message."""
    out = []
    for how in ("execute", "walk"):
        try:
            template = compile_template("t", text, FUNCTIONS, limits=limits)
            out.append(getattr(template, how)(DATA))
        except TemplateError as error:
            out.append(str(error))
    assert out[0] == out[1]
    return str(out[0])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "{{index .y 0}} {{slice .y 1}} {{len .y}} {{range .y}}{{.}},{{end}}",
            "104 [105] 2 104,105,",
        ),
        ("{{.text}} {{len .text}} {{eq .text `own`}}", "own 3 true"),
        ("{{.user.k}} {{.user}} {{range $k, $v := .user}}{{$k}}{{$v}}{{end}}", "v map[k:v] kv"),
        ("{{.inf}} {{.neg}} {{.nan}}", "+Inf -Inf NaN"),
        (
            '{{printf "%f|%5.1f|%+f|% f|%05f" .inf .neg .nan .nan .inf}}',
            "+Inf| -Inf|+NaN| NaN| +Inf",
        ),
        ("{{.point}} {{.point.X}} {{.to.X}}", "{1 2} 1 1"),
        (
            '{{.to}} {{printf "%v %+v" .to .to}} {{printf "%v" .list}}',
            "{1 2} &{1 2} &{X:1 y:2} &[1]",
        ),
        (
            '{{printf "%v %v %p %d" .int .none .int .none}}',
            "0xc000010000 <nil> 0xc000010000 %!d(*geo.Point=<nil>)",
        ),
        ('{{printf "%#v %#v" .point .words}}', 'geo.Point{X:1, y:2} []string{"a", "b"}'),
        ('{{printf "%v %d" .odd .odd}}', "0xc000010000 %!d(main.deque=0xc000010000)"),
        ('{{printf "%v" .f}}', "0xc000010000"),
        ("{{.mixed}}", "map[<nil>:0 true:2 3:3 b:1]"),
        ("{{len (print .pairs)}}", "20"),
        (
            "{{.numbers}} {{index .numbers 2}} {{index .numbers 9}}",
            "map[1:one 2:two] two <no value>",
        ),
        ("{{index .typed `zz`}} {{index .words 1}} {{slice .words 1}}", "0 b [b]"),
        (
            "{{eq .to .to}} {{eq .to .none}} {{eq .none .none}} {{eq .none nil}} {{ne .nil 1}}",
            "true false true true true",
        ),
        ("{{js `é\u2028<`}} {{js `\u00e9`}}", "é\\u2028\\u003C é"),
        ('{{printf "%c%c" 0x110000 -1}}', "��"),
        ("{{'\\n'}} {{1i}} {{-2+0i}}", "10 (0+1i) (-2+0i)"),
        ("{{(len .l).x}}", "can't evaluate field x in type int"),
        ("{{pick.X}}", "wrong number of args for pick: want 1 got 0"),
        ("{{not .nil}}{{and .i .nil}}{{or .nil .zz}}", "true<no value><no value>"),
        ("{{.i8}} {{le .i8 .u}} {{eq .u 3}} {{lt .u .i8}}", "-3 true true false"),
        ("{{small 7}} {{point .point | printf `%T`}} {{(place .to).X}}", "7 *geo.Point 1"),
        (
            "{{define `a`}}{{end}}{{define `a`}} x{{end}}{{define `a`}} {{end}}{{template `a`}}",
            " x",
        ),
        ("{{$x := 1}}{{if true}}{{$x = 2}}{{$x := 3}}{{$x = 4}}{{end}}{{$x}}", "2"),
        ("{{$ = 1}}{{$}}", "1"),
        ("{{if ($x := 1)}}{{$x}}{{end}}", "1"),
        ("{{$x := 0}}{{print ($x = 2)}}{{$x}}", "22"),
        ("{{$x := 0}}{{($x = 2)}}{{$x}}", "22"),
        ("{{$x := .l}}{{range $y := $x}}{{$y = .}}{{$y}}{{end}}", "123"),
        (
            "{{range .l}}{{if eq . 2}}{{continue}}{{end}}{{if eq . 3}}{{break}}{{end}}{{.}}{{end}}",
            "1",
        ),
        ("{{range .l}}{{range $.zz}}{{else}}{{if true}}{{continue}}{{end}}{{end}}y{{end}}", ""),
        ("{{range .l}}" + ENDED_BY_ELSE + ".{{end}}", "..."),
        ("{{if true}}" * 70 + "x" + "{{end}}" * 70, "x"),
        ("{{range .zz}}{{else}}{{with .i}}{{.}}{{end}}{{end}}", "1"),
    ],
)
def test_a_corner_gives(text: str, shown: str) -> None:
    assert render(text).endswith(shown)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{{.f}}", "can't print {{.f}} of type func()"),
        ("{{slice .l 1 2 3 4}}", "too many slice indexes: 4"),
        ("{{slice .none}}", "slice of nil pointer"),
        ("{{slice .m}}", "can't slice item of type map[string]interface {}"),
        ("{{index .none 1}}", "index of nil pointer"),
        ("{{index .point 1}}", "can't index item of type geo.Point"),
        ("{{index .words 2}}", "reflect: slice index out of range"),
        ("{{index .y 2}}", "reflect: slice index out of range"),
        ("{{index .s 1}}", "reflect: string index out of range"),
        ("{{index .typed nil}}", "value is nil; should be of type string"),
        ("{{index .typed 1}}", "value has type int; should be string"),
        ("{{len .none}}", "len of nil pointer"),
        ("{{len .zz}}", "reflect: call of reflect.Value.Type on zero Value"),
        ("{{call .s}}", "non-function of type string"),
        ("{{call .f}}", "wrong number of args: got 0 want 1"),
        ("{{call .f 1}}", "object of type 'int' has no len()"),
        ("{{eq 1}}", "missing argument for comparison"),
        ("{{eq .l .l}}", "non-comparable type [%!s(int=1) %!s(int=2) %!s(int=3)]: []interface {}"),
        ("{{lt .t .t}}", "invalid type for comparison"),
        ("{{lt .l 1}}", "invalid type for comparison"),
        ("{{0x8000000000000000}}", "0x8000000000000000 overflows int"),
        ("{{print 0x8000000000000000}}", "0x8000000000000000 overflows int"),
        ("{{list 1}}", "can't handle 1 for arg of type []int"),
        ("{{list .l}}", "wrong type for value; expected []int; got []interface {}"),
        ("{{spell .s}}", "wrong type for value; expected fmt.Stringer; got string"),
        ("{{spell .point}}", "wrong type for value; expected fmt.Stringer; got geo.Point"),
        ("{{place .none}}", "dereference of nil pointer of type geo.Point"),
        ("{{.point.y}}", "y is an unexported field of struct type interface {}"),
        ("{{.point.Z}}", "can't evaluate field Z in type interface {}"),
        ("{{.none.X}}", "can't evaluate field X in type interface {}"),
        ("{{.numbers.x}}", "can't evaluate field x in type interface {}"),
        ("{{.m.k 1}}", "k is not a method but has arguments"),
        ("{{1 | .s}}", "s is not a method but has arguments"),
        ("{{(1) 2}}", "can't give argument to non-function 1"),
        ("{{1 | (.s)}}", "can't give argument to non-function .s"),
        ("{{$x := 1}}{{$x 2}}", "can't give argument to non-function $x"),
        ("{{$x := 1}}{{2 | $x}}", "can't give argument to non-function $x"),
        ("{{1 2}}", "can't give argument to non-function 1"),
        ("{{nil}}", "nil is not a command"),
        ("{{if .zz}}{{$x := 1}}{{else}}{{$x}}{{end}}", "undefined variable: $x"),
        ("{{if .zz}}{{$x := 1}}{{else}}{{$x.y}}{{end}}", "undefined variable: $x"),
        ("{{if .zz}}{{$x := 1}}{{else}}{{$x = 2}}{{end}}", "undefined variable: $x"),
        ("{{$x = 2}}", "undefined variable: $x"),
        ("{{range $x = .l}}{{end}}", "undefined variable: $x"),
        ("{{range .i8}}{{end}}{{range .f}}{{end}}", "range can't iterate over 0xc000010000"),
        ("{{'\\z'}}", "invalid syntax"),
        ("{{'ab'}}", "malformed character constant: 'ab'"),
        ('{{"\\400"}}', "invalid syntax"),
        ('{{"\\ud800"}}', "invalid syntax"),
        ("{{'\\\"'}}", "invalid syntax"),
        ("{{18446744073709551616}}", 'integer overflow: "18446744073709551616"'),
        ("{{0x1p99999}}", 'illegal number syntax: "0x1p99999"'),
        ("{{08}}", 'integer overflow: "08"'),
        ("{{''}}", "invalid syntax"),
        ("{{range .l}}{{break 1}}{{end}}", 'unexpected "1" in {{break}}'),
        ("{{.s ($x := 1)}}", "s is not a method but has arguments"),
        ("{{(pick ($x := .m)).k 1}}", "k is not a method but has arguments"),
        ("{{(pick (pick 1)).k 1}}", "can't evaluate field k in type int"),
        ("{{1e999}}", 'illegal number syntax: "1e999"'),
        ("{{1 :2}}", "expected :="),
        ("{{.x | }}{{|}}", 'unexpected "|" in command'),
    ],
)
def test_a_corner_fails(text: str, fault: str) -> None:
    assert render(text).endswith(fault)


def test_a_long_value_is_bounded_where_it_is_printed_too() -> None:
    nested: object = "x" * (1 << 20)
    for _ in range(80):
        nested = [nested]
    template = compile_template("t", "{{.}}")
    for run in (template.execute, template.walk):
        with pytest.raises(LimitExceeded, match="output limit exceeded"):
            run(nested)


def test_a_common_format_is_bounded_as_any_other() -> None:
    with pytest.raises(LimitExceeded):
        sprintf("%s%s", ["x" * 10, "y"], 10)
    assert sprintf("%s" + "x" * 2000, ["y"]) == "y" + "x" * 2000


def test_names_and_texts_of_what_never_gets_into_a_message() -> None:
    assert repr(INVALID) == "INVALID"
    assert str(Token(Kind.EOF, 0, "", 1)) == "EOF"
    assert quoted_char(0x110000) == "'�'"
    assert Function(len, (STRING,))("ab") == 2
    assert Pointer(None, pointer_to(STRING)).go_has_field("X") is False
