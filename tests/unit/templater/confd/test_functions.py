"""The functions of confd's templates, as templates call them; expected values are Go's."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from sidecar.errors import RenderError
from sidecar.gotemplate.template import compile_template
from templater.confd.extra import EXTRA
from templater.confd.functions import TABLE, store_functions
from templater.confd.store import Store
from templater.functions.moment import Moment

VALUES = {
    "/a": "x", "/u/b": "2", "/u/a": "10", "/j": '{"k":[1,2.5,"s",null,true],"big":2592000}',
}  # fmt: skip


def rendered(text: str) -> str:
    store = Store()
    store.fill(VALUES)
    functions = {**EXTRA, **TABLE, **store_functions(store)}
    return compile_template("t", text, functions).execute(None)


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ('{{get "/a"}} {{(get "/a").Key}} {{(get "/a").Value}}', "{/a x} /a x"),
        ('{{getv "/no" "d"}} {{exists "/a"}} {{exists "/u"}}', "d true false"),
        ('{{gets "/u/*"}} {{getvs "/u/*"}}', "[{/u/a 10} {/u/b 2}] [10 2]"),
        ('{{ls "/"}} {{lsdir "/"}} {{ls "/u"}}', "[a j] [] [a b]"),
        ('{{printf "%T %T %T" (ls "/") (gets "/u/*") (get "/a")}}',
         "[]string memkv.KVPairs memkv.KVPair"),
        ('{{base "/a/b"}} {{dir "/a/b"}}', "b /a"),
        ('{{split "a,b" ","}} {{split "abc" ""}} {{len (split "" ",")}}', "[a b] [a b c] 1"),
        ('{{join (split "a,b" ",") "-"}}', "a-b"),
        ('{{replace "aaa" "a" "b" 2}} {{replace "aaa" "a" "b" -1}}', "bba bbb"),
        ('{{replace "abc" "" "-" 2}}', "-a-bc"),
        ('{{contains "abc" "b"}} {{trimSuffix "a.x" ".x"}}', "true a"),
        ('{{toUpper "aß"}} {{toLower "AÉ"}}', "Aß aé"),
        ('{{json (getv "/j")}}', "map[big:2.592e+06 k:[1 2.5 s <nil> true]]"),
        ('{{(jsonInt (getv "/j")).big}} {{index (jsonArrayInt "[7, 1e2]") 0}}', "2592000 7"),
        ('{{jsonArray "[1, \\"x\\"]"}} {{json "null"}} {{jsonArray "null"}}', "[1 x] map[] []"),
        ('{{map "a" 1 "b" "x"}}', "map[a:1 b:x]"),
        ('{{base64Encode "hello"}} {{base64Decode "aGVsbG8="}}', "aGVsbG8= hello"),
        ('{{parseBool "t"}} {{parseBool "0"}} {{atoi "-3"}} {{atoi "+3"}}', "true false -3 3"),
        ("{{add 1 2}} {{sub 1 2}} {{mul 3 4}} {{add 1 1.0}}", "3 -1 12 2"),
        ("{{div 7 2}} {{div -7 2}} {{mod -7 3}} {{mod 7 -3}}", "3 -3 -1 1"),
        ("{{add 9223372036854775807 1}}", "-9223372036854775808"),
        ("{{seq 1 3}} {{seq 3 1}}", "[1 2 3] []"),
        ('{{reverse (split "a,b" ",")}} {{reverse (gets "/u/*")}} {{reverse 5}}',
         "[b a] [{/u/b 2} {/u/a 10}] 5"),
        ('{{sortByLength (split "ccc,a,bb" ",")}}', "[a bb ccc]"),
        ('{{sortKVByLength (gets "/*")}}',
         '[{/a x} {/j {"k":[1,2.5,"s",null,true],"big":2592000}}]'),
        # Those of the fork.
        ('{{default "d" ""}} {{default "d" "v"}} {{"" | default "d"}}', "d v d"),
        ('{{ternary "y" "n" true}} {{coalesce "" 0 "z"}} {{empty ""}}', "y z true"),
        ('{{toJson (dict "a" 1.0 "b" (list "<" nil))}}', '{"a":1,"b":["\\u003c",null]}'),
        ('{{toJson (get "/a")}}', '{"Key":"/a","Value":"x"}'),
        ('{{toPrettyJson (dict "a" 1)}}', '{\n  "a": 1\n}'),
        ('{{(fromJson "{\\"a\\":[true]}").a}}', "[true]"),
        ('{{indent 2 "a\\nb"}}{{nindent 1 "c"}}', "  a\n  b\n c"),
        ('{{quote "a\\"b" 1}} {{squote "x"}}', '"a\\"b" "1" \'x\''),
        ('{{regexMatch "^a.c$" "abc"}} {{regexFind "b+" "abbc"}}', "true bb"),
        ('{{regexReplaceAll "a(b+)" "xabb" "${1}-$1\\\\"}}', "xbb-bb\\"),
        ('{{regexReplaceAll "a" "a" "$9"}}{{regexFind "x" "a"}}', ""),
        ('{{regexFind "a|ab" "ab"}} {{regexReplaceAll "(?P<n>b)" "ab" "<$n>"}}', "a a<b>"),
        ('{{trimPrefix "abc" "a"}} {{repeat 3 "ab"}} {{nospace "a b"}}', "bc ababab ab"),
        ('{{snakecase "FooBarBaz"}} {{camelcase "foo_bar"}} {{kebabcase "fooBar"}}',
         "foo_bar_baz FooBar foo-bar"),
        ('{{hasKey (dict "a" 1) "a"}} {{keys (dict "b" 1 "a" 2)}} {{values (dict "b" 1 "a" 2)}}',
         "true [a b] [2 1]"),
        ('{{append (list 1) 2}} {{pluck "a" (dict "a" 1) (dict "b" 2) (dict "a" 3)}}',
         "[1 2] [1 3]"),
        ('{{sha256sum "a"}}', "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
    ],
)  # fmt: skip
def test_a_function_gives_what_go_gives(text: str, output: str) -> None:
    assert rendered(text) == output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{{getv "/no"}}', "error calling getv: key does not exist: /no"),
        ('{{gets "["}}', "error calling gets: syntax error in pattern"),
        ('{{map "a"}}', "error calling map: invalid map call"),
        ("{{map 1 2}}", "error calling map: map keys must be strings"),
        (
            '{{json "[1]"}}',
            "json: cannot unmarshal array into Go value of type map[string]interface {}",
        ),
        (
            '{{json "1"}}',
            "json: cannot unmarshal number into Go value of type map[string]interface {}",
        ),
        (
            '{{jsonArray "{}"}}',
            "json: cannot unmarshal object into Go value of type []interface {}",
        ),
        ('{{json ""}}', "unexpected end of JSON input"),
        ('{{json "{\\"a\\":"}}', "unexpected end of JSON input"),
        ('{{json "{} x"}}', "invalid character 'x' after top-level value"),
        (
            "{{json \"{'a':1}\"}}",
            "invalid character '\\'' looking for beginning of object key string",
        ),
        ('{{json "{\\"a\\":NaN}"}}', "invalid character 'N' looking for beginning of value"),
        (
            '{{json "{\\"a\\":1e400}"}}',
            "json: cannot unmarshal number 1e400 into Go value of type float64",
        ),
        ('{{base64Decode "!!"}}', "illegal base64 data at input byte 0"),
        ('{{parseBool "yes"}}', 'strconv.ParseBool: parsing "yes": invalid syntax'),
        ('{{atoi "x"}}', 'strconv.Atoi: parsing "x": invalid syntax'),
        ('{{atoi ""}}', 'strconv.Atoi: parsing "": invalid syntax'),
        ('{{atoi "99999999999999999999"}}', 'parsing "99999999999999999999": value out of range'),
        ("{{div 1 0}}", "runtime error: integer divide by zero"),
        ("{{mod 1 0}}", "runtime error: integer divide by zero"),
        ('{{join "x" ","}}', 'can\'t handle "x" for arg of type []string'),
        ('{{join (gets "/u/*") ","}}', "expected []string; got memkv.KVPairs"),
        ('{{sortKVByLength (ls "/")}}', "expected []memkv.KVPair; got []string"),
        ("{{seq 1 100000000}}", "more than 10000000 numbers"),
        ('{{regexFind "(" "x"}}', "error parsing regexp"),
        ('{{regexMatch "(?=a)" "x"}}', "invalid or unsupported Perl syntax: `(?=`"),
        ('{{dict "a"}}', "odd number"),
        ('{{append "a" 1}}', "must be a list"),
        ('{{keys "a"}}', "is not a map"),
        ('{{repeat 100000000 "ab"}}', "repeat: more than"),
    ],
)
def test_a_mistake_is_told_in_gos_words(text: str, words: str) -> None:
    with pytest.raises(RenderError) as raised:
        rendered(text)
    assert words in str(raised.value)
    assert str(raised.value).startswith("template: t:1:")


AT = Moment(datetime(2026, 1, 3, 15, 4, 5, tzinfo=UTC), 93_250_283, 0.012)


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        ("Jan 2, 2006 at 3:04pm (MST)", "Jan 3, 2026 at 3:04pm (UTC)"),
        ("Mon Monday January 01 1 _2 02 002 __2 06", "Sat Saturday January 01 1  3 03 003   3 26"),
        ("15:04:05.000 5.999999 4 03 PM", "15:04:05.093 5.09325 4 03 PM"),
        (
            "2006-01-02T15:04:05Z07:00 -0700 -07 -07:00 Z0700",
            "2026-01-03T15:04:05Z +0000 +00 +00:00 Z",
        ),
        ("_2006 plain", "_2026 plain"),
    ],
)
def test_a_time_has_the_layouts_form(layout: str, text: str) -> None:
    assert AT.format(layout) == text


def test_a_time_in_another_zone_and_later() -> None:
    west = timezone(timedelta(hours=-8), "PST")
    at = Moment(datetime(2026, 1, 23, 23, 34, 56, tzinfo=west), 999_999_999, 0.012)
    assert str(at) == "2026-01-23 23:34:56.999999999 -0800 PST m=+0.012000000"
    later = at.add(1)
    assert later.text() == "2026-01-23 23:34:57 -0800 PST"
    assert at.add("1h30m").format("15:04 -07:00:00") == "01:04 -08:00:00"
    assert at.utc().format("2006-01-02 15 Z07:00") == "2026-01-24 07 Z"
    assert at.format("Z07:00 Z0700 -070000") == "-08:00 -0800 -080000"
    assert Moment(datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=5)))).format("MST") == "+05"
    with pytest.raises(TypeError, match="not a duration"):
        at.add(1.5)


def test_the_parts_of_a_time() -> None:
    parts = (AT.year(), AT.month(), AT.day(), AT.hour(), AT.minute(), AT.second(), AT.nanosecond())
    assert parts == (2026, "January", 3, 15, 4, 5, 93_250_283)
    assert (AT.weekday(), AT.year_day()) == ("Saturday", 3)
    assert AT.unix() == 1767452645
    assert AT.unix_nano() == 1767452645093250283
    functions = {"datetime": lambda: AT}
    text = '{{datetime.Year}} {{datetime.UTC.Format "06"}} {{datetime.Weekday}}'
    assert compile_template("t", text, functions).execute(None) == "2026 26 Saturday"
