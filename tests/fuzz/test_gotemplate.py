"""Any text is a template or a TemplateError, and walked it gives what it gives compiled."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sidecar.gotemplate.template import Limits, Template, TemplateError, compile_template
from tests.compat.go.program import FUNCTIONS

LIMITS = Limits(steps=2_000, output=20_000, depth=20, nesting=20)
WORDS = """
{{ }} {{- -}} if else end range with define template block break continue nil true false . .a .b.c
$ $x := = , | ( ) "a" `b` 'c' 1 -2 3.5 0x1F 1i print printf "%v" "%5d" "%q" eq lt and or not index
slice len call html js urlquery upper add fail null join count /* */ \n x .l .m .s .i $x.a "%[2]*d"
"""
PIECES = st.sampled_from([*WORDS.split(), " ", "\n", "  text "])
SPACED = st.lists(PIECES, max_size=40).map(" ".join)
ACTIONS = st.lists(
    st.lists(PIECES, max_size=6).map(lambda p: "{{" + " ".join(p) + "}}"), max_size=12
)
TEXTS = st.one_of(SPACED, st.text(max_size=60), ACTIONS.map("".join))
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=5)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from("abclmsix"), inner, max_size=4),
    ),
    max_leaves=8,
)


def _outcome(template: Template, data: object, *, walked: bool) -> tuple[str, str]:
    try:
        return (template.walk(data) if walked else template.execute(data)), ""
    except TemplateError as error:
        return "", str(error)


@settings(max_examples=400)
@given(text=TEXTS, data=VALUES)
@example(text="{{- ", data=None)
@example(text="{{'\\", data=None)
@example(text="{{range $x := .l}}{{else}}{{break}}{{end}}", data={"l": []})
@example(text="{{or (and .a) .b | upper}}", data={"a": 1})
def test_any_text_is_a_template_or_an_error(text: str, data: object) -> None:
    try:
        template = compile_template("t", text, FUNCTIONS, limits=LIMITS)
    except TemplateError:
        return
    walked = _outcome(template, data, walked=True)
    assert _outcome(template, data, walked=False) == walked
    assert len(walked[0]) <= LIMITS.output


@settings(max_examples=200)
@given(
    form=st.text(st.sampled_from("%+-# 0123456789.*[]vTtbcdoOqxXUeEfFgGsp!aé"), max_size=12),
    data=VALUES,
)
def test_any_format_prints_any_value(form: str, data: object) -> None:
    template = compile_template("t", "{{printf .f .v .v}}", limits=LIMITS)
    shown = _outcome(template, {"f": form, "v": data}, walked=False)
    assert shown == _outcome(template, {"f": form, "v": data}, walked=True)
    assert not shown[1] or "output limit exceeded" in shown[1]
