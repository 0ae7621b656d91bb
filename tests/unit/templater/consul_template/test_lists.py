# ruff: noqa: E501, ISC004  (tables of templates)
"""Functions on lists, maps, text and numbers: values seen on the peer's release 0.41.1."""

import json

import pytest

from templater.consul_template import queries
from templater.consul_template.answers import value_of
from templater.consul_template.data import Knowledge
from tests.unit.templater.consul_template.test_rendering import run, shown


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("{{ add 1 2 }} {{ subtract 2 5 }} {{ multiply 2 3 }} {{ divide 2 10 }}", "3 3 6 5"),
        ("{{ modulo 3 10 }} {{ divide 3 -7 }} {{ modulo 3 -7 }}", "1 -2 -1"),
        ("{{ add 1.5 2 }} {{ divide 4 10.0 }} {{ 10 | subtract 3 }}", "3.5 2.5 7"),
        ("{{ minimum 3 5 }} {{ maximum 3 5 }} {{ maximum 2.5 2 }}", "3 5 2.5"),
        ('{{ printf "%T %T" (add 1 2) (parseUint "1" | add (parseUint "2")) }}', "int64 uint64"),
        ("{{ divide 0.0 1.0 }} {{ divide 0.0 -1.0 }}", "+Inf -Inf"),
        ("{{ add 9223372036854775807 1 }}", "-9223372036854775808"),
        ("{{ range loop 3 }}{{ . }}{{ end }}|{{ range $i, $v := loop 2 5 }}{{ $i }}{{ $v }} {{ end }}",
         "012|02 13 24 "),
        ('{{ range loop "2" }}{{ . }}{{ end }}{{ range loop 5 2 }}x{{ end }}', "01"),
        ('{{ "a,b" | split "," }}{{ "" | split "," | len }}{{ " ab " | split "" }}', "[a b]0[a b]"),
        ('{{ "a=1;b=2;c" | splitToMap ";" "=" }}{{ "" | splitToMap ";" "=" }}',
         "map[a:1 b:2]map[]"),
        ('{{ in (parseJSON "[1,\\"a\\"]") "a" }} {{ in (parseJSON "[1]") 1 }} '
         '{{ in (parseJSON "[1]") 1.0 }}', "true false true"),
        ('{{ "abc" | contains "b" }} {{ in 5 5 }} {{ in "abc" 1 }}', "true false false"),
        ('{{ $r := parseJSON "[\\"a\\",\\"b\\"]" }}{{ "a,c" | split "," | containsAny $r }} '
         '{{ "a,b" | split "," | containsAll $r }} {{ "a" | split "," | containsNotAll $r }} '
         '{{ "z" | split "," | containsNone $r }}', "true true true true"),
        ('{{ mergeMap (parseJSON `{"a":1,"n":{"x":1}}`) (parseJSON `{"a":2,"b":3,"n":{"y":2}}`) }}',
         "map[a:1 b:3 n:map[x:1 y:2]]"),
        ('{{ mergeMapWithOverride (parseJSON `{"a":1,"e":1}`) (parseJSON `{"a":2,"e":0}`) }}',
         "map[a:2 e:1]"),
        ('{{ explodeMap (parseJSON `{"a/":1}`) }}{{ range loop "" "1" }}{{ . }}{{ end }}', "map[a:map[]]0"),
        ('{{ explodeMap (parseJSON `{"a/b":1,"a/c":2,"d":3}`) }}', "map[a:map[b:1 c:2] d:3]"),
        ('{{ toLower "AbC" }}{{ toUpper "straße" }}{{ toTitle "hello wOrld don\'t a-b a_b" }}',
         "abcSTRAßEHello WOrld Don't A-B A_b"),
        ('{{ trim "x" "xaxx" }}{{ trim "" "b" }}{{ trimPrefix "x" "xxa" }}{{ trimSuffix "x" "axx" }}'
         "{{ trimSpace \" a\\n\" }}", "abxaaxa"),
        ('{{ indent 2 "a\\n\\nb" }}{{ replaceAll "a" "b" "aa" }}', "  a\n\n  bbb"),
        ('{{ "aXbX" | regexReplaceAll "X(.?)" "<$1>" }}{{ "foo" | regexMatch "^f" }}', "a<b><>true"),
        ('{{ parseBool "" }}{{ parseBool "T" }}{{ parseInt "" }}{{ parseInt "-5" }}'
         '{{ parseUint "7" }}{{ parseFloat "1.50" }}{{ parseFloat "" }}', "falsetrue0-571.50"),
        ('{{ parseJSON "" }}{{ (parseJSON `{"a":{"b":2592000}}`).a.b }}', "map[]2.592e+06"),
        ('{{ parseYAML "" }}{{ (parseYAML "a: [1, yes]").a }}', "map[][1 true]"),
        ('{{ base64Encode "a?>" }}{{ base64Decode "YT8+" }}{{ base64URLEncode "a?>" }}'
         '{{ base64URLDecode "YT8-" }}', "YT8+a?>YT8-a?>"),
        ('{{ md5sum "a" }}', "0cc175b9c0f1b6a831c399e269772661"),
        ('{{ hmacSHA256Hex "m" "k" | len }}{{ sha256Hex "a" | len }}', "6464"),
        ('{{ parseJSON `{"a":"<"}` | toJSON }}{{ parseJSON `{"a":"<"}` | toUnescapedJSON }}',
         '{"a":"\\u003c"}{"a":"<"}'),
        ('{{ parseJSON `{"a":"<"}` | toUnescapedJSONPretty }}{{ toJSONPretty "a" }}',
         '{\n  "a": "<"\n}"a"'),
        ('{{ parseJSON `{"a":{"b":1}}` | toYAML }}|{{ parseJSON `{"a":1}` | toTOML }}',
         "a:\n  b: 1|a = 1.0"),
    ],
)  # fmt: skip
def test_helpers_give_the_peers_values(text: str, result: str) -> None:
    assert shown(text) == result


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ divide 0 1 }}", "integer divide by zero"),
        ("{{ modulo 0 1 }}", "integer divide by zero"),
        ("{{ modulo 1.5 1 }}", "modulo: unknown type for"),
        ('{{ add "a" 1 }}', 'add: unknown type for "a" (string)'),
        ("{{ loop }}", "loop: wrong number of arguments, expected 1 or 2, but got 0"),
        ("{{ loop true }}", "loop: bad argument type: bool"),
        ('{{ loop "x" }}', 'parsing "x": invalid syntax'),
        ("{{ loop 100000000 }}", "loop: more than"),
        ('{{ byTag "x" }}', "byTag: wrong argument type string"),
        ("{{ byPort services }}", "byPort: wrong argument type []*dependency.CatalogSnippet"),
        ('{{ mergeMap "x" "y" }}', "expected map[string]interface {}; got string"),
        ('{{ containsAny "x" "y" }}', "expected []interface {}; got string"),
        ('{{ parseBool "x" }}', 'parseBool: strconv.ParseBool: parsing "x": invalid syntax'),
        ('{{ parseFloat "x" }}', 'parseFloat: strconv.ParseFloat: parsing "x": invalid syntax'),
        ('{{ parseFloat "1e999" }}', "value out of range"),
        ('{{ parseInt "99999999999999999999" }}', "value out of range"),
        ('{{ parseUint "-1" }}', "invalid syntax"),
        ('{{ parseJSON "{" }}', "unexpected end of JSON input"),
        ('{{ parseYAML "a: [" }}', "yaml:"),
        ('{{ base64Decode "%" }}', "base64Decode: illegal base64 data at input byte 0"),
        ('{{ regexMatch "(" "a" }}', "error parsing regexp: missing closing ): `(`"),
        ('{{ indent -1 "a" }}', "indent value must be a positive integer"),
        ("{{ indent 99999999 \"a\" }}", "too large"),
        ('{{ "a" | toTOML }}', "toTOML: toml: top-level values must be Go maps or structs"),
    ],
)  # fmt: skip
def test_helpers_refuse_in_the_peers_words(text: str, words: str) -> None:
    assert words in run(text).error


def test_a_pattern_that_goes_back_for_ever_elsewhere_is_quick() -> None:
    text = '{{ regexMatch "(a+)+$" "%sb" }}{{ regexReplaceAll "(a*)*b" "x" "%sb" }}'
    assert shown(text % ("a" * 2000, "a" * 2000)) == "falsex"


def _services() -> Knowledge:
    entries = [
        {
            "Node": {"Node": "n"},
            "Service": {
                "ID": f"w{at}", "Service": "web", "Port": 80 + at % 2, "Tags": tags,
                "Meta": {"v": f"a.{at % 2}", "n": str(at), "bad": "x"},
            },
            "Checks": [{"Node": "n", "CheckID": "c", "Status": "passing"}],
        }
        for at, tags in enumerate((["b", "a"], ["b"], None))
    ]  # fmt: skip
    query = queries.health("web")
    return {query: value_of(query, json.dumps(entries).encode())}


@pytest.mark.parametrize(
    ("how", "result"),
    [
        ("byTag", "a=w0 b=w0w1 "),
        ("byPort", "80=w0w2 81=w1 "),
        ('byMeta "v,n|int"', "a_0_00000=w0 a_0_00002=w2 a_1_00001=w1 "),
        ('byMeta "none,none|int"', "_no_none__00000=w0w1w2 "),
    ],
)
def test_services_are_grouped(how: str, result: str) -> None:
    text = '{{ range $k, $s := service "web" | %s }}{{ $k }}={{ range $s }}{{ .ID }}{{ end }} {{ end }}'
    assert run(text % how, _services()).text == result


def test_metadata_that_is_no_number_is_refused() -> None:
    done = run('{{ service "web" | byMeta "bad|int" }}', _services())
    assert 'cannot parse x as number : strconv.Atoi: parsing "x": invalid syntax' in done.error


def test_checks_are_there_and_nothing_groups_to_nothing() -> None:
    text = (
        '{{ range service "web" }}{{ range .Checks }}{{ .CheckID }}{{ .Status }}{{ end }}{{ end }}'
    )
    assert run(text, _services()).text == "cpassing" * 3
    assert shown("{{ byTag nil }}{{ byPort nil }}") == "map[]map[]"
