# ruff: noqa: E501  (tables of templates)
"""Sprig's functions, as templates call them; values seen on consul-template 0.41.1."""

import pytest

from sidecar.gotemplate.template import compile_template
from templater.functions.sprig_world import sprig_world
from tests.unit.templater.consul_template.test_rendering import run, shown


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ('{{ sprig_trim "  a " }}|{{ sprig_trimAll "$" "$5$" }}|{{ sprig_trimSuffix "-" "h-" }}', "a|5|h"),
        ('{{ sprig_upper "a" }}{{ sprig_title "hello world" }}{{ sprig_untitle "Hello" }}{{ sprig_repeat 3 "ab" }}', "AHello Worldhelloababab"),
        ('{{ sprig_substr 0 5 "hello world" }}|{{ sprig_nospace "h e l" }}|{{ sprig_trunc 5 "hello world" }}|{{ sprig_trunc -5 "hello world" }}', "hello|hel|hello|world"),
        ('{{ sprig_abbrev 5 "hello world" }}|{{ sprig_initials "First Try" }}|{{ sprig_wrap 8 "some long words here" }}', "he...|FT|some\nlong\nwords\nhere"),
        ('{{ sprig_contains "cat" "catch" }}{{ sprig_hasPrefix "cat" "catch" }}{{ sprig_quote "a" 1 }}{{ sprig_squote "b" }}{{ sprig_cat "a" 1 "b" }}', "truetrue\"a\" \"1\"'b'a 1 b"),
        ('{{ sprig_indent 2 "a\\nb" }}{{ sprig_nindent 2 "a" }}{{ sprig_replace " " "-" "a b c" }}{{ sprig_plural "one" "many" 2 }}', "  a\n  b\n  aa-b-cmany"),
        ('{{ sprig_snakecase "FirstName" }} {{ sprig_snakecase "HTTPServer2Go" }} {{ sprig_camelcase "http_server" }} {{ sprig_kebabcase "FirstName" }} {{ sprig_swapcase "This Is A.Test" }}', "first_name http_server2_go HttpServer first-name tHIS iS a.tEST"),
        ('{{ sprig_list 1 "a" 2.5 | sprig_join "-" }} {{ sprig_splitList "," "a,b" }} {{ (sprig_split "$" "a$b")._1 }} {{ sprig_splitn "," 2 "a,b,c" }} {{ sprig_sortAlpha (sprig_list "c" "a") }}', "1-a-2.5 [a b] b map[_0:a _1:b,c] [a c]"),
        ('{{ sprig_add 1 2 3 }} {{ sprig_add1 5 }} {{ sprig_sub 5 3 }} {{ sprig_div 10 3 }} {{ sprig_mod 10 3 }} {{ sprig_mul 2 3 4 }} {{ sprig_max 1 3 2 }} {{ sprig_min 1 3 }}', "6 6 2 3 1 24 3 1"),
        ('{{ sprig_floor 1.7 }} {{ sprig_ceil 1.2 }} {{ sprig_round 123.555555 3 }} {{ sprig_int "5" }} {{ sprig_int64 2.7 }} {{ sprig_float64 "1.5" }} {{ sprig_atoi "42" }} {{ sprig_toString 1.5 }}', "1 2 123.556 5 2 1.5 42 1.5"),
        ("{{ sprig_until 3 }} {{ sprig_untilStep 3 6 2 }} {{ sprig_seq 5 }} {{ sprig_seq -3 }} {{ sprig_seq 0 2 10 }}", "[0 1 2] [3 5] 1 2 3 4 5 1 0 -1 -2 -3 0 2 4 6 8 10"),
        ("{{ $l := sprig_list 1 2 3 2 }}{{ sprig_first $l }} {{ sprig_rest $l }} {{ sprig_last $l }} {{ sprig_initial $l }} {{ sprig_append $l 4 }} {{ sprig_prepend $l 0 }}", "1 [2 3 2] 2 [1 2 3] [1 2 3 2 4] [0 1 2 3 2]"),
        ("{{ $l := sprig_list 1 2 3 2 }}{{ sprig_concat $l (sprig_list 9) }} {{ sprig_reverse $l }} {{ sprig_uniq $l }} {{ sprig_without $l 2 }} {{ sprig_has 3 $l }} {{ sprig_slice $l 1 3 }} {{ sprig_chunk 2 $l }}", "[1 2 3 2 9] [2 3 2 1] [1 2 3] [1 3] true [2 3] [[1 2] [3 2]]"),
        ('{{ sprig_compact (sprig_list 0 1 "" "a") }}', "[1 a]"),
        ('{{ $d := sprig_dict "a" 1 "b" (sprig_dict "c" 2) }}{{ $d }} {{ sprig_get $d "a" }}{{ sprig_get $d "x" }} {{ sprig_hasKey $d "a" }} {{ sprig_set $d "z" 3 }} {{ sprig_unset $d "z" }}', "map[a:1 b:map[c:2]] 1 true map[a:1 b:map[c:2] z:3] map[a:1 b:map[c:2]]"),
        ('{{ $d := sprig_dict "a" 1 "b" (sprig_dict "c" 2) }}{{ sprig_keys $d }} {{ sprig_pick $d "a" }} {{ sprig_omit $d "a" }} {{ sprig_pluck "a" $d }} {{ sprig_dig "b" "c" "q" $d }} {{ sprig_dig "x" "c" "q" $d }}', "[a b] map[a:1] map[b:map[c:2]] [1] 2 q"),
        ('{{ sprig_merge (sprig_dict "a" 1) (sprig_dict "a" 2 "q" 3) }} {{ sprig_mergeOverwrite (sprig_dict "a" 1) (sprig_dict "a" 2 "q" 3) }}', "map[a:1 q:3] map[a:2 q:3]"),
        ('{{ sprig_default "d" "" }} {{ sprig_default "d" "x" }} {{ sprig_empty "" }} {{ sprig_coalesce "" 0 "x" }} {{ sprig_ternary "y" "n" true }} {{ sprig_all 1 "" }} {{ sprig_any 0 1 }}', "d x true x y false true"),
        ('{{ sprig_toRawJson "<" }} {{ sprig_fromJson "{\\"a\\":1}" }} {{ sprig_b64enc "a" }} {{ sprig_b64dec "YQ==" }} {{ sprig_b32enc "a" }} {{ sprig_b32dec "ME======" }} {{ sprig_adler32sum "a" }}', '"<" map[a:1] YQ== a ME====== a 6422626'),
        ('{{ sprig_regexMatch "^a" "ab" }} {{ sprig_regexFind "[0-9]+" "a12b3" }} {{ sprig_regexFindAll "[0-9]" "a12b3" -1 }} {{ sprig_regexReplaceAllLiteral "a" "ab" "$1" }}', "true 12 [1 2 3] $1b"),
        ('{{ sprig_regexSplit "z+" "pizza" -1 }} {{ sprig_regexSplit "z" "pizza" 2 }} {{ sprig_regexSplit "z" "a" 0 }} {{ sprig_regexQuoteMeta "1.2" }}', "[pi a] [pi za] [] 1\\.2"),
        ('{{ sprig_base "a/b.c" }} {{ sprig_dir "a/b" }} {{ sprig_ext "a.b" }} {{ sprig_clean "a//b" }} {{ sprig_isAbs "/a" }}', "b.c a .b a/b true"),
        ('{{ sprig_kindOf 1 }} {{ sprig_kindOf (sprig_dict) }} {{ sprig_typeOf "a" }} {{ sprig_kindIs "string" "a" }} {{ sprig_typeIs "int" 1 }} {{ sprig_typeOf (sprig_list 1) }}', "int map string true true []interface {}"),
        ('{{ sprig_deepEqual (sprig_list 1) (sprig_list 1) }} {{ sprig_deepEqual 1 1.0 }} {{ sprig_deepEqual (sprig_dict "a" 1) (sprig_dict "a" 1) }}', "true false true"),
        ('{{ $d := sprig_dict "a" (sprig_list 1) }}{{ $c := sprig_deepCopy $d }}{{ sprig_set $c "b" 1 }} {{ $d }} {{ sprig_values $d }}', "map[a:[1] b:1] map[a:[1]] [[1]]"),
        ('{{ sprig_int "x" }}{{ sprig_int "0x10" }}{{ sprig_float64 true }}{{ sprig_float64 "x" }}{{ sprig_toStrings (sprig_list 1 2) }}{{ sprig_join "," "a" }}', "01610[1 2]a"),
        ('{{ sprig_substr -1 2 "abc" }}{{ sprig_substr 1 -1 "abc" }}{{ sprig_wrapWith 3 "|" "abcdefg hi" }} {{ sprig_seq }}{{ sprig_seq 3 1 }}{{ sprig_seq 1 -1 5 }}', "abbcabc|def|g|hi 3 2 1"),
        ('{{ sprig_b64dec "%" | len | lt 0 }}{{ sprig_b32dec "1" | len | lt 0 }}{{ sprig_fromJson "{" }}{{ sprig_untilStep 3 1 1 }}{{ sprig_int 1e300 | lt 5 }}{{ sprig_kindOf nil }}', "truetrue<no value>[]trueinvalid"),
        ('{{ sprig_mergeOverwrite (sprig_dict "n" (sprig_dict "a" 1)) (sprig_dict "n" (sprig_dict "a" 2 "b" 3)) }}{{ sprig_toStrings nil }}{{ sprig_last (sprig_list) }}', "map[n:map[a:2 b:3]][]<no value>"),
        ('{{ sprig_deepCopy (parseJSON `{"a":[{"b":1}]}`) }}{{ sprig_deepCopy ("a" | split ",") }}', "map[a:[map[b:1]]][a]"),
        ('{{ sprig_wrap 5 "a b c d" }}{{ sprig_regexSplit "" "ab" -1 }}{{ sprig_trim (slice "ab" 0 1) }}', "a b c\nd[a b]a"),
        ('{{ sprig_sha1sum "a" | len }} {{ sprig_sha256sum "a" | len }} {{ sprig_sha512sum "a" | len }}', "40 64 128"),
    ],
)  # fmt: skip
def test_sprig_functions_give_sprigs_values(text: str, result: str) -> None:
    assert shown(text) == result


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{{ sprig_fail "no" }}', "error calling sprig_fail: no"),
        ("{{ sprig_div 1 0 }}", "integer divide by zero"),
        ("{{ sprig_mod 1 0 }}", "integer divide by zero"),
        ('{{ sprig_repeat 99999999 "ab" }}', "longer than"),
        ("{{ sprig_until 99999999 }}", "more than"),
        ("{{ sprig_first 1 }}", "Cannot find items of type int"),
        ('{{ sprig_keys "a" }}', "expected map[string]interface {}; got string"),
        ("{{ sprig_slice (sprig_list 1) 5 }}", "slice bounds out of range"),
        ("{{ sprig_chunk 0 (sprig_list 1) }}", "at least 1"),
    ],
)
def test_sprig_functions_refuse(text: str, words: str) -> None:
    assert words in run(text).error


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("{{ sprig_addf 0.1 0.2 }} {{ sprig_subf 5 0.1 2 }} {{ sprig_mulf 1.5 2 2 }} {{ sprig_divf 10 4 }}", "0.3 2.9 6 2.5"),
        ("{{ sprig_add1f 1.5 }} {{ sprig_maxf 1 2.5 3 }} {{ sprig_minf 1.5 3 }}", "2.5 3 1.5"),
        ('{{ sprig_mustRegexMatch "^a" "ab" }} {{ sprig_mustFirst (sprig_list 7 8) }} {{ sprig_mustFromJson "[1]" }} {{ sprig_mustToRawJson "<" }}', 'true 7 [1] "<"'),
    ],
)  # fmt: skip
def test_sprigs_other_names_are_there_too(text: str, result: str) -> None:
    assert shown(text) == result


def test_what_must_be_json_is_an_error_otherwise() -> None:
    assert "error calling sprig_mustFromJson" in run('{{ sprig_mustFromJson "{" }}').error
    assert "decimal division by 0" in run("{{ sprig_divf 1 0 }}").error


_WORLD = sprig_world({"HOME": "/root", "EMPTY": ""}, lambda: 1_000_000_000.5)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ('{{ date "2006-01-02" 86400 | len }} {{ htmlDateInZone 0 "UTC" }} {{ dateInZone "15:04 MST" 0 "Europe/Berlin" }}', "10 1970-01-01 01:00 CET"),
        ('{{ date_in_zone "15:04" 0 "Nowhere/None" }} {{ date_in_zone "15:04" 0 "" }}', "00:00 00:00"),
        ('{{ now | unixEpoch }} {{ unixEpoch "no time" }} {{ now | dateModify "-1h30m" | unixEpoch }} {{ now | date_modify "1s" | unixEpoch }}', "1000000000 1000000000 999994600 1000000001"),
        ('{{ htmlDate now | len }} {{ env "HOME" }} {{ env "NOPE" }}.{{ expandenv "$HOME/${EMPTY}x$NOPE" }}', "10 /root ./root/x"),
    ],
)  # fmt: skip
def test_sprig_functions_ask_for_time_and_environment(text: str, result: str) -> None:
    assert compile_template("t", text, _WORLD).execute(None) == result
