"""A scrape with a transport that holds its answers in memory."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest

from adapter.exposition import written
from adapter.jmx.bean import Attribute, Bean, Known, Values, attributes_in, values_in
from adapter.jmx.config import settings_of
from adapter.jmx.errors import OutOfTime, TargetUnavailable
from adapter.jmx.feed import Feed
from adapter.jmx.objectname import parse
from adapter.jmx.operations import FAILED, Operation
from adapter.jmx.records import JavaArray
from adapter.jmx.scrape import Outcome, Scraper
from adapter.jmx.settings import Target
from adapter.jmx.stream import Reader
from adapter.jmx.values import Composite
from tests.support import java_stream as java

Beans = dict[str, dict[str, Any]]


KINDS: dict[str, str] = {"str": "java.lang.String", "list": "[J"}


class FakeTransport:
    """Answers from a dictionary; what is asked is counted."""

    def __init__(self, beans: Beans) -> None:
        self.beans = beans
        self.peer = b"one"
        self.looked: list[str] = []
        self.broken: set[str] = set()
        self.ends_after = 1000
        self.asked: dict[str, tuple[str, ...]] = {}
        self.patterns: list[str | None] = []
        self.returns: dict[str, object] = {}
        self.invoked: list[Operation] = []

    def names(self, pattern: str | None) -> Iterable[str]:
        self.patterns.append(pattern)
        if pattern is None:
            return [*self.beans, "no name"]
        return [name for name in self.beans if name.startswith(pattern.split(":")[0] + ":")]

    def attributes(
        self, beans: Sequence[Bean]
    ) -> Iterator[tuple[Bean, Sequence[Attribute] | None]]:
        for bean in beans:
            self.looked.append(bean.text)
            if bean.text in self.broken:
                yield bean, None
                continue
            yield (
                bean,
                [
                    Attribute(name, KINDS.get(type(value).__name__, "long"), f"about {name}")
                    for name, value in self.beans[bean.text].items()
                ],
            )

    def invoke(self, operations: Sequence[Operation]) -> Iterator[tuple[Operation, object]]:
        for operation in operations:
            self.invoked.append(operation)
            yield operation, self.returns.get(operation.name, FAILED)

    def read(self, beans: Sequence[Bean]) -> Iterator[tuple[Bean, Known | Values | None]]:
        for number, bean in enumerate(beans):
            if number >= self.ends_after:
                raise OutOfTime("over")
            self.asked[bean.text] = bean.asked
            if bean.text in self.broken:
                yield bean, None
            else:
                found = self.beans[bean.text]
                yield bean, [(name, found[name]) for name in bean.asked]


def _target(text: str) -> Target:
    return settings_of(f"hostPort: h:1\n{text}\n", "file", {}).targets[0]


def _scraper(text: str) -> Scraper:
    return Scraper(_target(f"jvmMetrics: false\n{text}"))


def _shown(outcome: Outcome) -> dict[str, float]:
    assert outcome.error is None
    found: dict[str, float] = {}
    for family in outcome.families({}):
        found |= dict(family.rows)
    return found


BEANS: Beans = {
    "d:type=A,n=1": {"x": 1, "y": 2, "text": "t", "array": []},
    "d:type=B": {"z": 3},
    "java.lang:type=Threading": {"ThreadCount": 9, "Other": 4},
}


def test_numbers_become_samples_and_texts_are_not_even_asked_for() -> None:
    transport = FakeTransport(BEANS)
    assert _shown(_scraper("").scrape(transport)) == {
        'd_A_x{n="1"}': 1.0,
        'd_A_y{n="1"}': 2.0,
        "d_B_z": 3.0,
        "java_lang_Threading_ThreadCount": 9.0,
        "java_lang_Threading_Other": 4.0,
    }
    assert [*transport.asked["d:type=A,n=1"]] == ["x", "y"]
    rules = "rules: [{pattern: 'text: (.)', value: $1, name: x}]"
    _scraper(rules).scrape(transport)
    assert [*transport.asked["d:type=A,n=1"]] == ["x", "y", "text"]


def test_what_beans_have_is_asked_once_and_then_now_and_then() -> None:
    transport = FakeTransport(BEANS)
    scraper = _scraper("refreshScrapes: 3")
    for _ in range(3):
        scraper.scrape(transport)
    assert len(transport.looked) == 3
    for _ in range(3):
        scraper.scrape(transport)
    assert len(transport.looked) == 6  # spread: not all in one scrape
    transport.peer = b"another JVM"
    scraper.scrape(transport)
    assert len(transport.looked) >= 9


def test_beans_are_chosen_by_patterns() -> None:
    chosen = "includeObjectNames: ['d:*']\nexcludeObjectNames: ['d:type=B']"
    transport = FakeTransport(BEANS)
    assert _shown(_scraper(chosen).scrape(transport)).keys() == {'d_A_x{n="1"}', 'd_A_y{n="1"}'}
    assert transport.patterns == ["d:*"]
    without = _shown(_scraper("excludeJvmMetrics: true").scrape(FakeTransport(BEANS)))
    assert "d_B_z" in without
    assert "java_lang_Threading_Other" not in without
    named = "excludeJvmMetrics: true\nincludeObjectNames: ['java.lang:*']"
    assert "java_lang_Threading_Other" in _shown(_scraper(named).scrape(FakeTransport(BEANS)))


def test_attributes_are_chosen_by_name() -> None:
    only = "includeObjectNameAttributes: {'d:n=1,type=A': [y]}"
    assert _shown(_scraper(only).scrape(FakeTransport(BEANS))) == {'d_A_y{n="1"}': 2.0}
    never = "includeObjectNames: ['d:*']\nexcludeObjectNameAttributes: {'d:type=A,n=1': [y]}"
    found = _shown(_scraper(never).scrape(FakeTransport(BEANS)))
    assert found == {'d_A_x{n="1"}': 1.0, "d_B_z": 3.0}


def test_an_attribute_that_holds_no_number_is_asked_for_once() -> None:
    beans = {"d:type=A": {"x": 1, "odd": object()}}
    transport = FakeTransport(beans)
    scraper = _scraper("")
    for _ in range(2):
        scraper.scrape(transport)
    assert [*transport.asked["d:type=A"]] == ["x"]
    kept = _scraper("autoExcludeObjectNameAttributes: false")
    for _ in range(2):
        kept.scrape(transport)
    assert [*transport.asked["d:type=A"]] == ["x", "odd"]


def test_a_bean_that_fails_is_counted_and_asked_anew() -> None:
    transport = FakeTransport(BEANS)
    scraper = _scraper("")
    scraper.scrape(transport)
    transport.broken = {"d:type=B"}
    outcome = scraper.scrape(transport)
    assert (outcome.failed, outcome.up, outcome.beans) == (1, True, 3)
    scraper.scrape(transport)
    transport.broken = set()
    assert "d_B_z" in _shown(scraper.scrape(transport)) | _shown(scraper.scrape(transport))


def test_what_came_before_the_time_was_over_stands() -> None:
    transport = FakeTransport(BEANS)
    transport.ends_after = 1
    outcome = _scraper("").scrape(transport)
    assert (outcome.up, outcome.timed_out, len(outcome.samples)) == (False, True, 2)
    assert not Outcome(error=TargetUnavailable("x")).timed_out


def test_a_bean_that_is_gone_is_forgotten() -> None:
    transport = FakeTransport(dict(BEANS))
    scraper = _scraper("")
    scraper.scrape(transport)
    del transport.beans["d:type=B"]
    assert "d_B_z" not in _shown(scraper.scrape(transport))


def test_a_flood_of_series_is_capped_and_counted() -> None:
    beans: Beans = {f"d:type=A,n={n}": {"x": n, "y": n} for n in range(50)}
    outcome = _scraper("maxSeries: 11").scrape(FakeTransport(beans))
    assert (len(outcome.samples), outcome.dropped, outcome.up) == (11, 1, False)
    assert "maxSeries=11" in str(outcome.error)


def test_a_name_that_is_too_long_to_be_asked_for_is_left_out() -> None:
    beans: Beans = {"d:type=" + "x" * 70_000: {"x": 1}, "d:type=A": {"x": 1}}
    assert _shown(_scraper("").scrape(FakeTransport(beans))) == {"d_A_x": 1.0}


def test_learnt_answers_are_samples_at_once() -> None:
    class Learnt(FakeTransport):
        def read(self, beans: Sequence[Bean]) -> Iterator[tuple[Bean, Known | Values | None]]:
            for bean, told in super().read(beans):
                assert told is not None
                assert not isinstance(told, Known)
                yield bean, Known(bean.samples(told))

    assert _shown(_scraper("").scrape(Learnt(BEANS)))["d_B_z"] == 3.0


def test_rows_that_come_and_go_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapter.jmx.bean._MOST_RECIPES", 10)
    bean = _bean(["t"])
    for number in range(50):
        row = {"key": java.string(f"k{number}"), "n": java.boxed(5)}
        table = java.tabular(["key"], [(java.string("k"), row)])
        bean.samples(values_in(_value(java.attribute_list({"t": table}))))
    assert len(bean._recipes) <= 10


def test_customizers_give_labels_and_constant_metrics() -> None:
    text = """
includeObjectNames: ["d:*"]
metricCustomizers:
- mbeanFilter: {domain: d, properties: {type: A}}
  attributesAsLabels: [text, y, gone]
  extraMetrics: [{name: live, value: true, description: is it}]
"""
    outcome = _scraper(text).scrape(FakeTransport(BEANS))
    assert _shown(outcome) == {
        'd_A_live{n="1",text="t",y="2"}': 1.0,
        'd_A_x{n="1",text="t",y="2"}': 1.0,
        'd_A_y{n="1",text="t",y="2"}': 2.0,
        "d_B_z": 3.0,
    }
    assert "# HELP d_A_live is it d:name=null" in written(outcome.families({}))


def test_properties_may_be_sorted_as_rule_files_expect() -> None:
    beans: Beans = {"d:name=n,type=T": {"x": 1}}
    assert _shown(_scraper("").scrape(FakeTransport(beans))) == {'d_n_x{type="T"}': 1.0}
    first = _scraper("propertyOrder: typeFirst").scrape(FakeTransport(beans))
    assert _shown(first) == {'d_T_x{name="n"}': 1.0}


def test_cached_rules_are_counted() -> None:
    text = "rules: [{pattern: 'd<type=B><>z', name: z, cache: true}]"
    assert _scraper(text).scrape(FakeTransport(BEANS)).cached == 1


def test_the_text_that_patterns_see_is_shown_with_the_rule() -> None:
    text = "includeObjectNames: ['d:*']\nrules: [{pattern: '<>(x)', name: $1}]"
    assert [*_scraper(text).lines(FakeTransport(BEANS))] == [
        "d<type=A, n=1><>x: 1\trule 1: x",
        "d<type=A, n=1><>y: 2\t-",
        "d<type=B><>z: 3\t-",
    ]


JVM: Beans = {
    "java.lang:type=Threading": {"ThreadCount": 9, "TotalStartedThreadCount": 20, "Other": 4},
    "java.lang:name=G1,type=GarbageCollector": {"CollectionCount": 3, "CollectionTime": 1500},
    "java.nio:type=BufferPool,name=direct": {"MemoryUsed": 10, "TotalCapacity": 20, "Count": 2},
    "java.lang:type=Runtime": {
        "VmName": "VM", "VmVendor": "V", "VmVersion": "17", "StartTime": 2000, "SpecVersion": "17",
        "SystemProperties": 5,
    },
    "java.lang:type=OperatingSystem": {"ProcessCpuTime": 2_000_000_000},
    "jdk.management.jfr:type=FlightRecorder": {"x": 1},
    "d:type=A": {"x": 1},
}  # fmt: skip


def test_jvm_metrics_come_along_whatever_the_rules_leave_out() -> None:
    usage = _composite({"used": 1, "committed": 2, "max": -1, "init": 0})
    beans = {
        **JVM,
        "java.lang:type=Memory": {"HeapMemoryUsage": usage},
        "java.lang:type=MemoryPool,name=Eden": {"Usage": usage, "CollectionUsage": None},
        "java.lang:type=GarbageCollector,name=odd": {"CollectionCount": 1.5},
        "java.lang:type=Memory,name=odd": {"HeapMemoryUsage": _composite({})},
    }
    target = _target("includeObjectNames: ['d:*']\nrules: [{pattern: '^d<', name: mine}]")
    text = written(Scraper(target).scrape(FakeTransport(beans)).families({"target": "t"}))
    for line in (
        'mine{target="t"} 1.0',
        'jvm_threads_current{target="t"} 9.0',
        'jvm_threads_started_total{target="t"} 20.0',
        'jvm_gc_collection_seconds_count{gc="G1",target="t"} 3',
        'jvm_gc_collection_seconds_sum{gc="G1",target="t"} 1.5',
        'jvm_buffer_pool_capacity_bytes{pool="direct",target="t"} 20.0',
        'jvm_memory_used_bytes{area="heap",target="t"} 1.0',
        'jvm_memory_pool_max_bytes{pool="Eden",target="t"} -1.0',
        'jvm_runtime_info{runtime="VM",vendor="V",version="17",target="t"} 1.0',
        'process_cpu_seconds_total{target="t"} 2.0',
        'process_start_time_seconds{target="t"} 2.0',
    ):
        assert f"\n{line}\n" in f"\n{text}", line
    assert "Other" not in text


def _array(*items: object) -> JavaArray:
    made = JavaArray("[")
    made.items = [*items]
    return made


def _threads(*ids: int) -> FakeTransport:
    transport = FakeTransport({"java.lang:type=Threading": {"AllThreadIds": _array(*ids)}})
    transport.returns = {
        "findDeadlockedThreads": _array(4, 5),
        "findMonitorDeadlockedThreads": None,
        "getThreadInfo": _array(
            Composite({"threadState": "RUNNABLE"}), None, Composite({"threadState": "odd"})
        ),
    }
    return transport


def test_deadlocks_and_states_of_threads_are_asked_for_by_operations() -> None:
    transport = _threads(1, 0, 7)
    assert _shown(Scraper(_target("")).scrape(transport)) == {
        "jvm_threads_deadlocked": 2.0,
        "jvm_threads_deadlocked_monitor": 0.0,
        'jvm_threads_state{state="BLOCKED"}': 0.0,
        'jvm_threads_state{state="NEW"}': 0.0,
        'jvm_threads_state{state="RUNNABLE"}': 1.0,
        'jvm_threads_state{state="TERMINATED"}': 0.0,
        'jvm_threads_state{state="TIMED_WAITING"}': 0.0,
        'jvm_threads_state{state="UNKNOWN"}': 2.0,
        'jvm_threads_state{state="WAITING"}': 0.0,
    }
    assert transport.invoked[-1].arrays == ([1, 7],)
    assert transport.invoked[-1].signature == ("[J",)
    assert _shown(_scraper("").scrape(_threads(1))) == {}


def test_many_threads_are_asked_for_in_parts() -> None:
    transport = _threads(*range(1, 1200))
    assert (
        _shown(Scraper(_target("")).scrape(transport))['jvm_threads_state{state="RUNNABLE"}'] == 3
    )
    assert [len(one.arrays[0]) for one in transport.invoked[2:]] == [500, 500, 199]


def test_who_may_not_ask_for_operations_is_read_all_the_same_and_asked_now_and_then() -> None:
    transport = _threads(1)
    transport.returns = {}
    scraper = Scraper(_target("refreshScrapes: 3"))
    counts = []
    for _ in range(7):
        outcome = scraper.scrape(transport)
        assert (_shown(outcome), outcome.up) == ({}, True)
        counts.append(len(transport.invoked))
    assert counts == [3, 3, 3, 6, 6, 6, 9]
    transport.peer = b"another JVM"
    scraper.scrape(transport)
    assert len(transport.invoked) == 12


def test_states_of_which_a_part_failed_are_not_shown() -> None:
    transport = _threads(1)
    transport.returns["getThreadInfo"] = FAILED
    assert len(_shown(Scraper(_target("")).scrape(transport))) == 2


def test_a_rule_s_own_metric_goes_before_one_of_the_jvm() -> None:
    target = _target("rules: [{pattern: 'Threading.*Other', name: jvm_threads_current}]")
    text = written(Scraper(target).scrape(FakeTransport(JVM)).families({}))
    assert "jvm_threads_current 4.0\n" in text
    assert "jvm_threads_current 9.0\n" not in text


def test_what_is_expensive_is_never_asked_for() -> None:
    transport = FakeTransport(JVM)
    _scraper("").scrape(transport)
    assert "SystemProperties" not in transport.asked["java.lang:type=Runtime"]
    assert "jdk.management.jfr:type=FlightRecorder" not in transport.asked


def _value(data: bytes) -> Any:
    pieces = iter([data])
    return Reader(Feed(lambda: next(pieces, b""), 1 << 20)).value()


def _composite(items: dict[str, int]) -> Any:
    return _value(java.composite({key: java.boxed(value) for key, value in items.items()}))


# --- answers that are known but for their numbers -------------------------------------------


def _answer(values: dict[str, bytes], count: int = 0) -> bytes:
    head = java.HEAD[:-2] + count.to_bytes(2, "big")  # a number that grows with every answer
    return head + java.attribute_list(values)


def _taken(bean: Bean, data: bytes) -> tuple[str, dict[str, float]]:
    """Take an answer as the transport does; say how, and what it was."""
    feed = Feed(bytes, len(data))
    feed.data = data
    if bean.can_learn and (known := bean.known(feed)) is not None:
        return "known", {recipe.name: value for recipe, value in known}

    def read(slots: list[tuple[int, str]] | None = None) -> object:
        again = Feed(bytes, len(data))
        again.data, again.at = data, 22
        return Reader(again, slots=slots).value()

    if bean.can_learn:
        slots: list[tuple[int, str]] = []
        bean.learn(data, read(slots), slots)
    return "read", {recipe.name: value for recipe, value in bean.samples(values_in(read()))}


def _bean(names: Sequence[str], rules: str = "") -> Bean:
    bean = Bean("d:type=A", parse("d:type=A"), _target(rules))
    bean.choose([Attribute(name, "long", "") for name in names])
    return bean


def test_the_second_answer_is_taken_by_the_layout_of_the_first() -> None:
    bean = _bean(["i", "d", "b", "f", "c"])

    def values(number: int) -> dict[str, bytes]:
        return {
            "i": java.boxed(number, "Integer"),
            "d": java.boxed(number / 4),
            "b": java.boxed(number % 2 == 0),
            "f": java.boxed(0.5 * number, "Float"),
            "c": java.composite({"used": java.boxed(number + 7)}),
        }

    expected = {"d_A_i": 3.0, "d_A_d": 0.75, "d_A_b": 0.0, "d_A_f": 1.5, "d_A_c_used": 10.0}
    assert _taken(bean, _answer(values(3), 1)) == ("read", expected)
    assert _taken(bean, _answer(values(3), 2)) == ("known", expected)
    how, found = _taken(bean, _answer(values(8), 3))
    assert (how, found["d_A_i"], found["d_A_b"], found["d_A_c_used"]) == ("known", 8.0, 1.0, 15.0)


def test_an_answer_that_differs_in_more_than_numbers_is_read_in_full() -> None:
    bean = _bean(["x"])
    assert _taken(bean, _answer({"x": java.boxed(1)}))[0] == "read"
    assert _taken(bean, _answer({"x": java.boxed(1.5)})) == ("read", {"d_A_x": 1.5})
    assert _taken(bean, _answer({"x": java.NULL})) == ("read", {})
    for value in (java.boxed(2), java.boxed(2.5)):
        assert _taken(bean, _answer({"x": value}))[0] == "known"


def test_a_bean_that_answers_ever_differently_is_not_learnt_for_ever() -> None:
    bean = _bean(["x"])
    for size in range(1, 30):
        texts = {"t": java.string("s" * size), "x": java.boxed(size)}
        assert _taken(bean, _answer(texts)) == ("read", {"d_A_x": float(size)})
    assert not bean.can_learn


def test_rules_that_look_at_the_value_see_each_one() -> None:
    rules = "rules: [{pattern: '<>(x): 7', name: seven}, {pattern: '<>f: (.+)', name: f_$1}]"
    bean = _bean(["x", "f"], rules)

    def names(x: int, f: float) -> tuple[str, set[str]]:
        values = {"x": java.boxed(x), "f": java.boxed(f, "Float")}
        how, found = _taken(bean, _answer(values))
        return how, {*found}

    assert names(1, 0.5) == ("read", {"f_0_5"})
    assert names(7, 0.1) == ("known", {"seven", "f_0_1"})
    assert names(8, 0.5) == ("known", {"f_0_5"})


def test_what_no_rule_takes_is_learnt_too() -> None:
    bean = _bean(["x"], "rules: [{pattern: 'xyz<>'}]")
    assert _taken(bean, _answer({"x": java.boxed(1)})) == ("read", {})
    assert _taken(bean, _answer({"x": java.boxed(2)})) == ("known", {})


def test_an_index_that_is_a_number_is_never_taken_for_a_value() -> None:
    bean = _bean(["t"])

    def table(key: int) -> dict[str, bytes]:
        row = {"key": java.boxed(key), "n": java.boxed(5)}
        return {"t": java.tabular(["key"], [(java.boxed(key), row)])}

    assert _taken(bean, _answer(table(1)))[0] == "read"
    assert _taken(bean, _answer(table(2)))[0] == "read"
    assert not bean.can_learn


def test_infos_and_lists_of_another_shape_have_nothing_in_them() -> None:
    info = _value(java.info({"a": "long", "b": "[J"}))
    assert attributes_in(info) == [("a", "long", "the a"), ("b", "[J", "the b")]
    assert attributes_in("text") == []
    about = java.desc("A", [("Z", "isRead"), ("L", "name")])
    items = [java.obj(about, b"\x00" + java.string("x")), java.obj(about, b"\x01" + java.NULL)]
    odd = java.obj(java.desc("I", [("[", "attributes")]), java.array([*items, java.string("y")]))
    assert attributes_in(_value(odd)) == []
    nameless = java.obj(java.desc("javax.management.Attribute", [("L", "name")]), java.NULL)
    assert values_in(_value(java.array_list([nameless]))) == []
    assert values_in(_value(java.array_list([java.string("no attribute")]))) == []
