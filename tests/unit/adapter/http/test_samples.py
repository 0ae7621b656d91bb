import pytest

from adapter.exposition import duplicates, written
from adapter.http.rules import Target, targets_of
from adapter.http.samples import MOST, Collected, samples_of
from sidecar.errors import ProtocolError

JSON = b"""{"queues": {"mail": {"depth": 3, "state": "ok"},
 "web": {"depth": "7.5", "state": "odd"}},
 "workers": [{"id": "a", "n": 1, "on": true}, {"id": "b", "n": 2, "on": false}],
 "up": true, "none": null, "huge": 1e308}"""


def target(*rules: str, form: str = "json", labels: str = "{}") -> Target:
    lines = "\n".join(f"  - {rule}" for rule in rules)
    text = f"targets:\n- url: http://x\n  format: {form}\n  labels: {labels}\n  rules:\n{lines}\n"
    return targets_of(text, "h.yml", {})[0]


def shown(made: Target, body: bytes = JSON) -> list[str]:
    collected = Collected()
    collected.add("t", samples_of(made, body))
    text = written(collected.families.values())
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize(
    ("rule", "lines"),
    [
        (
            '{path: queues.*.depth, name: d, labels: {q: "$1"}}',
            ['d{q="mail"} 3.0', 'd{q="web"} 7.5'],
        ),
        (
            '{path: queues.*.state, name: s, values: {ok: 1}, labels: {q: "${1}"}}',
            ['s{q="mail"} 1.0'],
        ),
        (
            '{path: workers.*, value: n, name: n, scale: 10, labels: {id: "w-${id}", on: "${on}"}}',
            ['n{id="w-a",on="true"} 10.0', 'n{id="w-b",on="false"} 20.0'],
        ),
        ("{path: up, name: up}", ["up 1.0"]),
        ("{path: up, name: up, values: {true: 5}}", ["up 5.0"]),
        ("{path: none, name: x}", []),
        ("{path: huge, name: x}", []),
        ("{path: workers, name: x}", []),
        ("{path: queues.*, value: depth, name: x}", ["x 3.0"]),
        (
            '{path: workers.*.n, name: n, labels: {a: "$2", b: "${zz}", c: "${a..b}", i: "$1"}}',
            ['n{a="",b="",c="",i="0"} 1.0', 'n{a="",b="",c="",i="1"} 2.0'],
        ),
    ],
)
def test_values_of_json(rule: str, lines: list[str]) -> None:
    assert shown(target(rule)) == lines


def test_values_of_text_line_by_line() -> None:
    rules = (
        r"{match: 'Active connections: (\d+)', name: active}",
        r"{match: '(?P<what>\w+)=(?P<n>\S+)', value: '$n', name: n, labels: {what: '$what'}}",
        r"{match: 'state (\w+)', name: state, values: {up: 1}}",
    )
    body = b"Active connections: 291 \nreads=5\nwrites=x\nstate up\n\xff=1\n" + b"a=1" * 2000
    made = target(*rules, form="text", labels="{job: web}")
    assert shown(made, body) == [
        'active{job="web"} 291.0',
        'n{job="web",what="reads"} 5.0',
        'state{job="web"} 1.0',
    ]


def test_a_pattern_that_takes_too_long_gives_nothing() -> None:
    made = target("{match: '(a|b|ab)*(b|a|ba)*c(1)', name: x}", form="text")
    assert shown(made, b"ab" * 2000 + b"c1") == []


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b'{"a": nan}', b"\xff"])
def test_what_is_no_json_is_an_error(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="the answer is not JSON"):
        list(samples_of(target("{path: a, name: a}"), body))


@pytest.mark.parametrize(
    "body",
    [
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": 1, "b": NaN}',
        b'{"a": 1, "b": [-Infinity, 1e999]}',
        b'{"a": 1, "b": %b}' % (b"9" * 400),
    ],
    ids=["byte order mark", "no number", "endless", "long"],
)
def test_what_others_take_for_json_is_read(body: bytes) -> None:
    rules = "{path: a, name: a}", "{path: b, name: b}", "{path: 'b.*', name: b}"
    assert [sample.value for sample in samples_of(target(*rules), body)] == [1.0]


def test_a_series_and_a_type_are_their_firsts() -> None:
    made = target(
        "{path: up, name: a}",
        "{path: up, name: a}",
        "{path: up, name: a, type: counter}",
    )
    collected = Collected()
    assert collected.add("t", samples_of(made, JSON)) == 1
    assert collected.left_out == {("t", "duplicate"): 1, ("t", "another type"): 1}
    assert duplicates(collected.families.values()) == []


def test_a_target_gives_only_so_many_series() -> None:
    made = target('{path: "*", name: a, labels: {n: "$1"}}'.replace('"*"', "'*'"))
    body = b"[" + b",".join(b"1" for _ in range(MOST + 5)) + b"]"
    collected = Collected()
    assert collected.add("t", samples_of(made, body)) == MOST
    assert collected.left_out == {("t", "too many"): 5}
