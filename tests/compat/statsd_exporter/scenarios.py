"""What is sent to both: lines of every sort, and names under mapping rules."""

from typing import NamedTuple

__all__ = ["SCENARIOS", "Scenario"]


class Scenario(NamedTuple):
    """Lines, each a datagram, under a mapping file and flags."""

    lines: tuple[str, ...]
    """Bytes that are no UTF-8 as lone surrogates."""
    mapping: str = ""
    flags: tuple[str, ...] = ()


_LINES = (
    "a.b:1|c",
    "a.b:2|c",
    "rate:3|c|@0.3",
    "trate:100|ms|@0.3",
    "name:x:1|c",
    "multi:1|c:2|c",
    "_e{5,4}:title|text",
    "_sc|name|0",
    "x:1_000|g",
    "y:0x10|g",
    "y:0x1p4|g",
    "z: 1|g",
    "z:1 |g",
    "w:inf|g",
    "w2:+Inf|g",
    "w3:nan|g",
    "w4:+nan|g",
    "w5:1e999|g",
    "w6:-infinity|g",
    "w7:.5|g",
    "w8:5.|g",
    "w9:1_|g",
    "w10:1__0|g",
    "w11:1e1_0|g",
    "w12:1_.5|g",
    "w13:1._5|g",
    "w14:_1|g",
    "w15:1e|g",
    "w16:e1|g",
    "w17:|g",
    "w18:--1|g",
    "g:5|g",
    "g:+3|g",
    "g:-1|g",
    "g2:-4|g",
    "cneg:-1|c",
    "cneg:1|c|@-1",
    "tm:320|ms",
    "hh:3|h",
    "dd:3|d",
    "ss:1|s",
    "ss:x|s",
    "un:1|zz",
    "un2:1|",
    "nocolon",
    ":1|c",
    "n:",
    "n2:1",
    "n3:1|c|",
    "n4:1|c||@0.1",
    "n5:1|c|@",
    "n6:1|c|@x",
    "n7:1|ms|@x",
    "n8:1|c|@0",
    "n9:1|ms|@2",
    "n10:1|ms|@-1",
    "n11:1|ms|@0",
    "n12:1|g|@0.1",
    "n13:1|c|@0.1|#a:b",
    "n14:1|c|#a:b|@0.1",
    "n15:1|c|#a:b,c:d",
    "n16:1|c|#a:b,,c:d",
    "n17:1|c|#a,b:c",
    "n18:1|c|#:x,y:",
    "n19:1|c|##a:b,#c:d",
    "n20:1|c|#a:b,",
    "n21:1|c|#a:b:c",
    "n22:1|c|#a=b",
    "n23:1:2:3|ms",
    "n24:1:2|h|#t:x",
    "n25:1:2|c",
    "n26:1:x:3|ms|@0.5",
    "n27:1|c:2|g",
    "n28:1|c|@0.1:2|c",
    "n29,a=b:1|c",
    "n30#a=b,c=d:1|c",
    "n31[a=b]:1|c",
    "n32[a=b]x:1|c",
    "n33[a=b:1|c",
    "n35,a=b:1|c|#c:d",
    "n36,:1|c",
    "n37,a:1|c",
    "n37b,=:1|c",
    "n38#a=b:1:2|ms",
    "n39,a=b,a=c:1|c",
    "foo--bar:1|c",
    "foo---bar:1|c",
    "1foo:1|c",
    "fö.x:1|c",
    "a b:1|c",
    "a/b-c.d:1|c",
    "n40:1|c|#1a:b",
    "n41:1|c|#a-b.c:d",
    "n42:1|c|#a:ü",
    "conf:1|c",
    "conf:1|g",
    "conf:1|ms",
    "sumx:1|ms",
    "sumx_sum:1|c",
    "sumx_count:1|g",
    "sumx_bucket:1|c",
    "zz_sum:1|c",
    "zz:1|ms",
    "qq_bucket:1|c",
    "qq:1|ms",
    "gx:1|g",
    "gx_sum:1|g",
    "cx:1|c",
    "cx_sum:1|g",
    "lab:1|c|#a:b",
    "lab:1|c|#c:d",
    "lab:1|c",
    "\ufffd:1|c",
    "n43:1|c\r",
    "n44:1|C",
    "n45:1|c|x",
    "n46:1|c|#",
    "n47:1|c|#|@0.5",
    "n48[]:1|c",
    "n49[a=b,c]:1|c",
    "n50[a=b]#c=d:1|c",
    "n51:1|ms|@0.1:2|ms",
    "n52:1|h|@0.0001",
    "n53:3|c|@1e-3",
    "",
    "x..y:1|c",
    ".x:1|c",
    "n54:1|c|#a:b\\c",
    'n55:1|c|#a:q"x',
    "dup:1|c|#a:1,a:2",
    "n56:0x_1p1|g",
    "n57:0x1.8p1|g",
    "n58:0b1|g",
    "n59:1e5|g",
    "n60:Infinity|g",
    "n61:iNf|c",
    "n62:nan|c",
    "n63:nan|ms",
    "n64:inf|ms",
    "n65:1|c|@nan",
    "n66:1|ms|@nan",
    "n67:1|ms|@inf",
    "n68:1e-999|g",
    "١:1|g",
    "n69:١|g",
    "bad\udcff:1|c",
    "ok:1|c|#x:\udcff",
)

_MAPPED = (
    "test.dispatcher.Foo.send.success:1|c",
    "test.dispatcher.Foo.send.fail:2|c|#t:v",
    "foo.signup.facebook.failure:1|c",
    "a.b.c:1|c",
    "a.x.c:1|c",
    "a.b.x:1|c",
    "a..c:1|c",
    "drop.x:1|c",
    "drop.x:1|ms|@0.1",
    "scale.c:3|c",
    "scale.g:+3|g",
    "scale.m:30|ms",
    "scalez.x:5|c",
    "scale.n:-3|c",
    "hist.a:3|h",
    "hist.a:7|h",
    "hist.b:70|ms|@0.1",
    "plain:2|h",
    "plain:200|h",
    "typed.x:1|c",
    "typed.x2:1|g",
    "typed.y:1|ms",
    "honor.x:1|c|#xx:tag,z:tag",
    "nohonor.x:1|c|#xx:tag,z:tag",
    "reg.abc.12:1|c",
    "xreg.abc.12:1|c",
    "reg.abc.x:1|c",
    "foo.empty:1|c",
    "xanchx:1|c",
    "1.x.dig:1|c",
    "é.x.dig:1|c",
    "unmapped.name:1|c",
    "unmapped.name:5|c",
)

_UNORDERED = (
    "a.b.c:1|c",
    "q.b.c:1|c",
    "a.q.c:1|c",
    "a.b.q:1|c",
    "x.y:1|c",
    "x.z:1|c",
    "x.y.z:1|c",
    "long.a.b.z:1|c",
    "long.a.b.q:1|c",
    "long.b.b.q:1|c",
)

_MAPPING = r"""
defaults:
  observer_type: histogram
  histogram_options: {buckets: [0.01, 1, 100]}
  ttl: 1h
mappings:
- match: "test.dispatcher.*.*.*"
  name: "dispatcher_events_total"
  help: "Events handled."
  labels: {processor: "$1", action: "$2", outcome: "$3", job: "test_dispatcher"}
- match: "*.signup.*.*"
  name: "signup_events_total"
  labels:
    {provider: "$2", outcome: "$3", job: "${1}_server", none: "$9", zero: "$0", word: "$foo",
     joined: "$1_$2"}
- match: "a.b.c"
  name: "abc_literal"
- match: "a.*.c"
  name: "abc_star"
  labels: {mid: "$1"}
- match: "a.b.*"
  name: "abc_late"
- match: "drop.*"
  name: dropped
  action: drop
- match: "scale.*"
  name: scaled_$1
  scale: 0.5
- match: "scalez.*"
  name: scaledz
  scale: 0
- match: "hist.*"
  name: hist_$1
  observer_type: summary
  summary_options:
    quantiles: [{quantile: 0.5, error: 0.05}, {quantile: 0.95, error: 0.01}]
    max_age: 30s
    age_buckets: 3
- match: "typed.*"
  name: typed_counter
  match_metric_type: counter
- match: "honor.*"
  name: honored
  honor_labels: true
  labels: {xx: "rule", yy: "rule"}
- match: "nohonor.*"
  name: nothonored
  labels: {xx: "rule", yy: "rule"}
- match: 'reg\.(\w+)\.(?P<last>\d+)$'
  match_type: regex
  name: "reg_${1}"
  labels: {last: "$last", dollar: "a$$b", whole: "$0", joined: "$1x"}
- match: '(.+)\.empty'
  match_type: regex
  name: "$2"
- match: "anch"
  match_type: regex
  name: "anchored"
- match: "*.*.dig"
  name: "$1_dig"
"""

_UNORDERED_MAPPING = r"""
defaults:
  glob_disable_ordering: true
  match_type: glob
mappings:
- match: "*.b.c"
  name: first
- match: "a.*.c"
  name: second
- match: "a.b.*"
  name: third
- match: "x.*"
  name: star
- match: "x.y"
  name: literal
- match: "long.*.*.z"
  name: long_z
- match: "long.a.*.q"
  name: long_q
- match: '^x\.'
  match_type: regex
  name: never
"""

_TAGS = (
    "a[x=y]:1|c", "b#x=y:1|c", "c,x=y:1|c", "d:1|c|#x:y", "e[x=y]#q=r:1|c", "f]x[:1|c",
    "g:1:2|ms|#x:y,bad",
)  # fmt: skip

SCENARIOS = {
    "lines": Scenario(_LINES),
    "mapping": Scenario(_MAPPED, _MAPPING),
    "unordered": Scenario(_UNORDERED, _UNORDERED_MAPPING),
    "no dogstatsd": Scenario(_TAGS[:5], flags=("--no-statsd.parse-dogstatsd-tags",)),
    "no signalfx": Scenario(_TAGS, flags=("--no-statsd.parse-signalfx-tags",)),
    "no others": Scenario(
        _TAGS[:5],
        flags=("--no-statsd.parse-librato-tags", "--no-statsd.parse-influxdb-tags"),
    ),
}
