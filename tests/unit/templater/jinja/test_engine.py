"""What templates can do, and that whatever they do ends, bounded and with a line number."""

import time
from types import MappingProxyType
from typing import Any

import pytest
from jinja2 import Environment
from jinja2.filters import FILTERS

from sidecar.errors import RenderError
from templater.jinja.budget import Budget, LimitReached, Limits
from templater.jinja.engine import compile_template
from templater.own.values import wrapped
from templater.own.world import RECORDS, Service
from tests.support.pace import allowed

SMALL = Limits(steps=20_000, output=10_000, seconds=2.0, text=5_000)
SUSPECT = wrapped("a\nb", "service 'web'", "meta 'k'")


def render(text: str, limits: Limits = SMALL, **data: Any) -> str:
    return compile_template("t.j2", text, records=RECORDS, limits=limits).render(
        data, time.monotonic
    )


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("{% for x in [1, 2] %}{{ loop.index }}/{{ loop.length }};{% endfor %}", "1/2;2/2;"),
        ("{% for x in range(9) if x > 6 %}{{ x }}{% else %}none{% endfor %}", "78"),
        ("{% for x in range(9) %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}", "01"),
        (("{% set ns = namespace(n=0) %}{% for x in [1, 2] %}{% set ns.n = ns.n + x %}{% endfor %}"
         "{{ ns.n }}"), "3"),
        ("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(1) }}{{ m('b') }}", "<1><b>"),
        ("{% filter upper %}abc{{ 'd' }}{% endfilter %}", "ABCD"),
        ("{% set x %}a{{ 1 }}b{% endset %}{{ x }}", "a1b"),
        ("{{ {'a': 1, 'b': [2]}.items()|list }}", "[('a', 1), ('b', [2])]"),
        ("{{ 'a' ~ 1 ~ true }} {{ 1.5 }} {{ 7 % 4 }} {{ 2 ** 10 }}", "a1True 1.5 3 1024"),
        ("{{ [3, 1, 2]|sort|join('-') }} {{ [1, 2]|sum }}", "1-2-3 3"),
        ("{{ 'a,b'.split(',')|map('upper')|join(';') }}", "A;B"),
        ("{{ 'abcabc'|replace('b', 'xx', 1) }}", "axxcabc"),
        ("{{ '{\"a\": [1, \"b\"]}'|from_json }}", "{'a': [1, 'b']}"),
        ("{{ meta.get('x', 'none') }} {{ meta.k }} {{ meta.items()|length }}", "none v 2"),
        ("{{ 'a b'|haproxy }} {{ 'a b'|shell }} {{ ['a']|json }} {{ 'a'|yaml }}",
         "'a b' 'a b' [\"a\"] \"a\""),
        ("{{ 'a.b'|regex }} {{ 'a;b'|nginx }} {{ '%x'|haproxy(format=true) }}",
         "a\\.b \"a;b\" '%%x'"),
        ("{% for i in [[1, [2]]] recursive %}{{ loop(i) if i is iterable else i }}{% endfor %}",
         "12"),
        ("{{ service.name }}\n", "web\n"),
        ("{{ [{'a': [1, 2]}, {'b': (3,)}] }}", "[{'a': [1, 2]}, {'b': (3,)}]"),
        ("{{ ('x' * 4500)|length }} {{ ('x' * 4500)|shell|length }}", "4500 4500"),
        ("{% macro m() %}{{ 1 }}{{ 'b' }}{% endmacro %}{{ m() }} {{ 2.0 ** 0.5 > 1 }}", "1b True"),
        ("", ""),
    ],
)  # fmt: skip
def test_templates_do_what_jinja_does(text: str, output: str) -> None:
    meta = MappingProxyType({"k": "v", "items": "no method"})
    assert render(text, meta=meta, service=Service("web")) == output


@pytest.mark.parametrize(
    "text",
    [
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ self.__init__.__globals__ }}",
        "{{ ''|attr('__class__') }}",
        "{{ [''.__class__]|map(attribute='__mro__')|list|first }}",
        "{{ service.__class__ }}",
        "{{ service.__dataclass_fields__ }}",
        "{{ dict.update(meta, x=1) }}",
        "{{ meta.update(x=1) }}",
        "{{ 'x'.format(1) }}",
        "{{ '%s' % 1 }}",
        "{{ (1).to_bytes(9, 'big') }}",
        "{{ 'x'|safe }}",
        "{{ 'x'|center(9) }}",
        "{{ lipsum() }}",
        "{% include 'x' %}",
        "{% import 'x' as x %}",
        "{% extends 'x' %}",
    ],
)
def test_ways_out_of_the_sandbox_are_errors(text: str) -> None:
    meta = {"k": "v"}
    with pytest.raises(RenderError, match=r"^t\.j2"):
        render(text, meta=meta, service=Service("web"))
    assert meta == {"k": "v"}


def test_the_first_way_out_is_one_where_there_is_no_sandbox() -> None:
    probe = "{{ cycler.__init__.__globals__.os.getpid() }}"
    assert int(Environment().from_string(probe).render()) > 0


def again(start: str, step: str) -> str:
    """Return a template that makes x anew out of itself many times."""
    loop = "{% for i in range(99) %}{% set ns.x = " + step + " %}{% endfor %}"
    return "{% set ns = namespace(" + start + ") %}" + loop


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "steps"),
        ("{% for i in range(99999) if false %}{% endfor %}", "steps"),
        ("{% for i in range(99999) %}" + "x" * 1000 + "{% endfor %}", "writes more"),
        ("{% macro m() %}{% for i in range(999) %}" + "x" * 99 + "{% endfor %}{% endmacro %}"
         "{{ m()|length }}", "writes more"),
        ("{% set x %}{% for i in range(999) %}{{ 'x' * 99 }}{% endfor %}{% endset %}", "writes"),
        ("{{ 'x' * 10 ** 9 }}", "text or list"),
        ("{{ 10 ** 9 * 'x' }}", "text or list"),
        ("{{ [1] * 10 ** 9 }}", "text or list"),
        ("{{ 9 ** 9 ** 9 ** 9 ** 9 }}", "power"),
        ("{{ 9 ** 10000 }}", "power"),
        (again("x=2", "ns.x * ns.x"), "number"),
        (again("x='a'", "ns.x ~ ns.x"), "text or list"),
        (again("x='a'", "ns.x + ns.x"), "text or list"),
        (again("x=1", "[ns.x, ns.x]"), "steps"),
        (again("x=[1]", "[ns.x] + [ns.x]"), "steps"),
        (again("x=1", "(ns.x, ns.x)"), "steps"),
        (again("x=1", "dict(a=ns.x, b=ns.x)"), "steps"),
        ("{{ range(9999)|map('string')|join('x' * 999) }}", "text or list"),
        ("{{ ('x' * 999)|replace('x', 'y' * 999) }}", "text or list"),
        ("{{ range(99999)|list|sort|length }}", "steps"),
        ("{{ range(99999)|map('string')|select|list|length }}", "steps"),
        ("{{ 'x'|indent(10 ** 9, true) }}", "out of bounds"),
        ("{{ [1]|batch(10 ** 9, 0)|list }}", "out of bounds"),
        ("{{ 1.5|round(10 ** 9) }}", "out of bounds"),
        ("{{ range(10 ** 9) }}", "Range too big"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "too deep"),
        ("{% for i in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}", "too deep"),
        ("{{ " + "(" * 999 + "1" + ")" * 999 + " }}", "too deep"),
        ("{% if 1 %}" * 9999 + "{% endif %}" * 9999, "too deep"),
        ("{% for x in [1] %}" * 30 + "{% endfor %}" * 30, "nested"),
        ("x" * (1 << 20) + "x", "is longer than"),
        ("{{ [1, 'a']|sum }}", "no number"),
        ("{% for i in range(9) %}{{ 'x' * 4900 }}{% endfor %}", "writes more"),
        ("{{ 'a' ** 2 }}", "power"),
        ("{{ ('x' * 4999 ~ ' ')|shell }}", "text or list"),
    ],
)  # fmt: skip
def test_whatever_takes_too_much_ends_soon_with_an_error(text: str, words: str) -> None:
    began = time.monotonic()
    with pytest.raises(RenderError, match=words):
        render(text)
    assert time.monotonic() - began < allowed(2)


def test_time_is_looked_at_between_steps() -> None:
    times = iter(range(1000))
    template = compile_template("t", "{% for i in range(9999) %}{% endfor %}", limits=SMALL)
    with pytest.raises(RenderError, match="takes more than 2 s"):
        template.render({}, lambda: float(next(times)))


def test_the_default_bounds_let_a_large_file_through() -> None:
    text = "{% for i in range(50000) %}server s{{ i }} 192.0.2.1:80\n{% endfor %}"
    assert len(render(text, Limits())) > 1_000_000


@pytest.mark.parametrize(
    "text",
    [
        "{{ v }}", "{{ 'a' ~ v }}", "{{ v ~ 'a' }}", "{{ [v] }}", "{{ [v]|join }}", "{{ v|upper }}",
        "{{ {'a': v} }}", "{{ v + 'a' }}", "{{ 'a' + v }}", "{{ v|replace('a', 'b') }}",
        "{{ v[0] }}",
        "{% for c in v %}{{ c }}{% endfor %}", "{{ v|trim }}", "{{ v|string }}", "{{ v|length }}",
        "{{ v|list }}", "{{ v|indent }}", "{% filter upper %}{{ v }}{% endfilter %}", "{{ v * 2 }}",
        "{% macro m(x) %}{{ x }}{% endmacro %}{{ m(v) }}", "{{ v|urlencode }}", "{{ 'a' in v }}",
        "{{ [v, v]|sort }}", "{{ v|truncate(9) }}", "{{ v|title }}", "{{ v < 'x' }}",
        "{{ (v, 1) }}",
    ],
)  # fmt: skip
def test_a_value_with_a_line_end_is_never_written_and_names_service_and_field(text: str) -> None:
    with pytest.raises(RenderError, match=r"t\.j2:1: service 'web': meta 'k' holds .* U\+000A"):
        render(text, v=SUSPECT)


def test_a_value_with_a_line_end_may_be_compared_and_quoted() -> None:
    text = "{{ v == w }} {{ v == 'a' }} {{ 1 if v }} {{ v|default('x')|json }} {{ v|yaml }}"
    assert render(text, v=SUSPECT, w=SUSPECT) == 'True False 1 "a\\nb" "a\\nb"'
    assert render("{{ x|from_json|json }}", x='{"a":"b\\n"}') == '{"a": "b\\n"}'
    with pytest.raises(RenderError, match=r"from_json: a text holds .* U\+000A"):
        render("{{ (x|from_json).a }}", x='{"a":"b\\n"}')


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\n{{ x }}", r"t\.j2:2: 'x' is undefined"),
        ("a\n{{ service.nam }}", r"t\.j2:2: .*nam"),
        ("a\n\n{% if %}", r"t\.j2:3: Expected an expression"),
        ("{{ 1 / 0 }}", r"t\.j2:1: division by zero"),
        ("{{ none }}", r"t\.j2:1: None is nothing to write"),
        ("{{ service }}", r"t\.j2:1: a service is nothing to write"),
        ("{{ 'x'|nofilter }}", r"t\.j2:1: No filter named 'nofilter'"),
        ("{{ 'x'|from_json }}", r"t\.j2:1: from_json: "),
        ("{{ meta.nope }}", r"t\.j2:1: .*no attribute 'nope'"),
    ],
)
def test_mistakes_say_file_line_and_what(text: str, words: str) -> None:
    with pytest.raises(RenderError, match=words):
        render(text, service=Service("web"), meta=MappingProxyType({}))


def test_every_filter_that_is_left_out_is_known() -> None:
    sandbox = compile_template("t", "")._sandbox
    assert set(FILTERS) - set(sandbox.filters) == {
        "center", "e", "escape", "filesizeformat", "forceescape", "format", "pprint", "random",
        "safe", "striptags", "tojson", "urlize", "wordwrap", "xmlattr",
    }  # fmt: skip


def test_a_budget_counts_down_to_an_error() -> None:
    budget = Budget(Limits(steps=10, output=3, text=2), lambda: 0.0)
    budget.step(10)
    budget.write(3)
    budget.fits(2)
    for call, size in ((budget.step, 1), (budget.write, 1), (budget.fits, 3)):
        with pytest.raises(LimitReached):
            call(size)
