# ruff: noqa: E501  (tables of templates)
"""Templates with data: what is asked, what is missing, what the functions give."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from sidecar.errors import RenderError
from sidecar.gotemplate.run import Limits
from sidecar.gotemplate.values import Slice
from templater.consul_template import queries
from templater.consul_template.certificates import CaLeafQuery, CaRootsQuery, roots_of
from templater.consul_template.data import Knowledge
from templater.consul_template.queries import Query
from templater.consul_template.records import PAIRS, SERVICES, SNIPPETS, Pair, Snippet, strings
from templater.consul_template.rendering import Document, Interest, Rendered, RenderRules

NOTHING: Knowledge = {}


def _pairs(prefix: str, **values: str) -> Slice:
    found = []
    for name, value in values.items():
        key = name.replace("__", "/")
        found.append(Pair(f"{prefix}/{key}", key, value))
    return Slice(found, PAIRS)


KNOWN: Final[Mapping[Query, object]] = {
    queries.key("a", blocks=True): "A",
    queries.key("a"): "A",
    queries.key("empty"): "",
    queries.key("gone"): None,
    queries.listing("app"): _pairs("app", x="1", sub__y="2", sub__deep__z="3", dir__=""),
    queries.listing("void"): Slice((), PAIRS),
    queries.services(""): Slice([Snippet("web", strings(["a", "b"]))], SNIPPETS),
    queries.health("web"): Slice((), SERVICES),
    queries.datacenters(): strings(["dc1"]),
    queries.file("/f"): "content",
    CaRootsQuery(): roots_of(b'{"Roots": [{"ID": "r", "RootCert": "PEM"}]}'),
}


def run(text: str, known: Knowledge = KNOWN, **rules: Any) -> Rendered:
    return Document(text, known, RenderRules(**rules)).execute()


def shown(text: str, **rules: Any) -> str:
    done = run(text, **rules)
    assert done.error == ""
    assert done.text is not None
    return done.text


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ('{{ key "a" }}{{ key "" }}', "A"),
        ('{{ keyExists "a" }} {{ keyExists "gone" }} {{ keyExists "" }}', "true false false"),
        ('{{ keyOrDefault "gone" "d" }}{{ keyOrDefault "empty" "e" }}{{ keyOrDefault "a" "x" }}',
         "deA"),
        ('{{ keyOrDefault "" "d" }}', "d"),
        ('{{ range ls "app" }}{{ .Key }}={{ .Value }};{{ end }}', "x=1;"),
        ('{{ range tree "app" }}{{ .Path }}:{{ .Key }};{{ end }}',
         "app/x:x;app/sub/y:sub/y;app/sub/deep/z:sub/deep/z;"),
        ('{{ ls "void" | len }}{{ tree "void" | len }}{{ ls "" | len }}', "000"),
        ('{{ range safeLs "app" }}{{ .Key }}{{ end }}{{ len (safeTree "app") }}', "x3"),
        ('{{ tree "app" | explode }}', "map[sub:map[deep:map[z:3] y:2] x:1]"),
        ('{{ range $k, $v := tree "app" | byKey }}{{ $k }}{{ range $n, $p := $v }}:{{ $n }}={{ $p.Key }}{{ end }}{{ end }}',
         "sub:deep/z=deep/z:y=y"),
        ("{{ range services }}{{ .Name }}{{ .Tags | join \",\" }}{{ end }}", "weba,b"),
        ("{{ range $t, $s := services | byTag }}{{ $t }}{{ end }}", "ab"),
        ('{{ service "" | len }}{{ service "web" | len }}', "00"),
        ("{{ datacenters }}", "[dc1]"),
        ('{{ file "/f" }}{{ file "" }}', "content"),
        ('{{ range caRoots }}{{ .ID }}{{ .RootCertPEM }}{{ end }}{{ caLeaf "" }}', "rPEM<no value>"),
        ('{{ define "t" }}<{{ . }}>{{ end }}{{ executeTemplate "t" 1 }}{{ executeTemplate "t" }}',
         "<1><<no value>>"),
        ('{{ scratch.Set "a" 1 }}{{ scratch.SetX "a" 2 }}{{ scratch.Get "a" }}{{ scratch.Key "b" }}',
         "1false"),
        ('{{ scratch.MapSet "m" "b" 1 }}{{ scratch.MapSetX "m" "b" 3 }}{{ scratch.MapSet "m" "a" 2 }}{{ scratch.MapValues "m" }}{{ scratch.MapValues "q" }}',
         "[2 1][]"),
        ('{{ (index (ls "app") 0).Nope }}', None),
        ('{{ with parseJSON `{"a":1}` }}[{{ .nope }}]{{ end }}', "[<no value>]"),
        ('{{ sprig_upper "a" }}', "A"),
        ('{{ secret }}{{ secrets "" }}', "<no value>[]"),
        ("{{ pkiCert }}", "<no value>"),
        ('{{ tree "app" | len }}{{ range ls "app" | explode }}{{ . }}{{ end }}', "31"),
    ],
)  # fmt: skip
def test_data_functions_give_what_is_known(text: str, result: str | None) -> None:
    if result is None:
        assert "can't evaluate field Nope" in run(text).error
    else:
        assert shown(text) == result


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ('{{ key "x" }}', "kv.block(x)"),
        ('{{ keyOrDefault "x" "d" }}{{ keyExists "x" }}', "kv.get(x)"),
        ('{{ range ls "x" }}{{ end }}', "kv.list(x)"),
        ('{{ range service "x" }}{{ end }}', "health.service(x|passing)"),
        ('{{ range service "x" "any" }}{{ end }}', "health.service(x|any)"),
        ('{{ range connect "x" }}{{ end }}', "health.connect(x|passing)"),
        ("{{ range nodes }}{{ end }}", "catalog.nodes"),
        ('{{ with node "x" }}{{ .Node.Node }}{{ end }}', "catalog.node(x)"),
        ("{{ with secret \"x\" }}{{ .Data.a }}{{ end }}", "vault.read(x)"),
        ('{{ range secrets "x" }}{{ end }}', "vault.list(x)"),
        ('{{ with pkiCert "/x/" "a=b" }}{{ .Cert }}{{ end }}', "vault.pki(x->)"),
        ('{{ index (ls "x") 0 }}', "kv.list(x)"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_missing_and_gives_no_text(text: str, used: str) -> None:
    done = run(text, NOTHING)
    assert done.text is None
    assert [str(query) for query in done.used] == [used]
    assert done.missing == done.used


def test_an_empty_list_holds_a_careful_template_back() -> None:
    for name in ("safeLs", "safeTree"):
        done = run(f'{{{{ range {name} "void" }}}}{{{{ end }}}}')
        assert done.text is None
        assert len(done.missing) == 1


def test_questions_in_a_loop_are_found_in_a_later_execution() -> None:
    known: dict[Query, object] = {}
    document = Document(
        '{{ range ls "app" }}{{ key (printf "%s" .Path) }}{{ end }}', known, RenderRules()
    )
    assert [str(query) for query in document.execute().missing] == ["kv.list(app)"]
    known[queries.listing("app")] = _pairs("app", x="1")
    assert [str(query) for query in document.execute().missing] == ["kv.block(app/x)"]
    known[queries.key("app/x", blocks=True)] = "v"
    assert document.execute().text == "v"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{{ key "a@" }}', 'error calling key: kv.get: invalid format: "a@"'),
        ('{{ explode (tree "clash") }}',
         'explode: not a map: "a/b": "a" already has value "1"'),
        ('{{ nomadService "x" }}', "nomadService: there is no Nomad here"),
        ("{{ importedServices }}", "importedServices: admin partitions and peerings are not"),
        ('{{ executeTemplate "no" }}', 'no template "no" associated with template ""'),
        ('{{ executeTemplate "a" 1 2 }}',
         "executeTemplate: wrong number of arguments, expected 1 or 2, but got 3"),
        ('{{ define "t" }}{{ executeTemplate "t" }}{{ end }}{{ executeTemplate "t" }}',
         "nested more than"),
        ('{{ "a" | join "," }}', "wrong type for value; expected []string; got string"),
        ('{{ file "/no" }}', "outside"),
        ('{{ scratch.Set "a" 1 }}{{ scratch.MapSet "a" "b" 1 }}', '"a" is not a map'),
    ],
)  # fmt: skip
def test_mistakes_of_data_functions_are_told(text: str, words: str) -> None:
    def check(path: str) -> None:
        raise ValueError(f"'{path}' is outside of sandbox")

    clash = Slice([Pair("c/a", "a", "1"), Pair("c/a/b", "a/b", "2")], PAIRS)
    known = {**KNOWN, queries.listing("clash"): clash}
    done = run(text, known, check_path=check)
    assert words in done.error
    assert done.text is None


def test_errors_have_the_peers_shape() -> None:
    assert run('{{ parseInt "x" }}').error == (
        'template: :1:3: executing "" at <parseInt "x">: error calling parseInt: parseInt: '
        'strconv.ParseInt: parsing "x": invalid syntax'
    )
    with pytest.raises(RenderError, match='template: :1: function "nope" not defined'):
        run("{{ nope }}")


def test_functions_can_be_denied_by_pattern() -> None:
    assert "function is disabled" in run('{{ sprig_upper "a" }}', denied=("sprig_*",)).error
    assert shown('{{ toUpper "a" }}', denied=("sprig_*", "key")) == "A"


def test_delimiters_and_missing_keys_are_chosen() -> None:
    assert shown("<<1>>{{", left="<<", right=">>") == "1{{"
    text = '{{ with parseJSON `{"a":1}` }}{{ .nope }}{{ end }}'
    assert 'map has no entry for key "nope"' in run(text, fails_on_missing=True).error


def test_an_endless_template_ends() -> None:
    text = "{{ range loop 1000 }}{{ range loop 1000 }}x{{ end }}{{ end }}"
    assert "step limit exceeded" in run(text, limits=Limits(steps=5000)).error
    late = run("{{ range loop 1000 }}x{{ end }}", limits=Limits(expired=lambda: True))
    assert "time limit exceeded" in late.error


def test_interest_knows_who_uses_an_answer() -> None:
    a, b, c = queries.key("a"), queries.key("b"), queries.key("c")
    interest = Interest()
    interest.note(0, frozenset({a, b}))
    interest.note(1, frozenset({b}))
    assert interest.concerned([b]) == {0, 1}
    assert interest.concerned([a, c]) == {0}
    interest.note(0, frozenset({c}))
    assert interest.all() == {b, c}
    assert interest.of(0) == {c}
    assert interest.of(7) == frozenset()


def test_certificates_that_are_not_there_yet_are_asked_for() -> None:
    rendered = run('{{ with caLeaf "web" }}{{ .CertPEM }}{{ end }}{{ range caRoots }}{{ end }}', {})
    assert rendered.text is None
    assert rendered.missing == {CaLeafQuery("web"), CaRootsQuery()}
