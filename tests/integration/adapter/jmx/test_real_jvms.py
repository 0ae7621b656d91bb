"""Real JVMs, read over RMI: the same values as a Java client reads, and what stands around them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.tools.jvm import Beans, JmxZooKeeper, Tomcat, java_client
from tests.integration.adapter.jmx.conftest import LOGIN
from tests.support.jmx import PASSWORD, Exporter, KeyStores, families_of, value_of
from tests.support.pinnace import until
from tests.support.prometheus import complaints

pytestmark = pytest.mark.jvm

ODD = """
hostPort: {place}
includeObjectNames: ["odd:*", "bench:name=t3,*"]
jvmMetrics: false
"""


def _dump(place: str) -> list[str]:
    program = str(Path(sys.executable).with_name("pinnace"))
    found = subprocess.run(
        [program, "adapter", "jmx", "--dump", place],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return found.stdout.splitlines()


def _comparable(line: str) -> str:
    """Return a line with control characters written as the Java client writes them."""
    plain = re.sub(r"\\x([0-9a-f]{2})", r"\\u00\1", line)
    units = memoryview(plain.encode("utf-16-le", "surrogatepass")).cast("H")
    text = "".join(f"\\u{unit:04x}" if not 32 <= unit <= 126 else chr(unit) for unit in units)
    return re.sub(r"(>Big: ).*", r"\1(moves)", text)


def test_values_are_those_that_a_java_client_reads(beans: Beans, classes: Path) -> None:
    ours = {_comparable(line) for line in _dump(beans.place)}
    theirs = {_comparable(line) for line in java_client(classes, beans.place, "*:*")}
    still = re.compile(r"(odd|bench)<")

    # These stand still, so all is compared; 8,000 things and each kind of value.
    assert {line for line in ours if still.match(line)} == set(filter(still.match, theirs))
    assert sum(map(bool, map(still.match, ours))) > 8000

    def names(lines: set[str]) -> set[str]:
        found = {line.partition(": ")[0] for line in lines if not still.match(line)}
        # What depends on whether a collection was between the two, and what is never a number.
        return {name for name in found if not re.search(r"LastGcInfo|SystemProp|Path$|jfr", name)}

    # Those of the JVM itself move; that they are there is compared.
    assert names(ours) == names(theirs)
    assert len(names(ours)) > 200


def test_odd_beans_become_metrics(beans: Beans) -> None:
    with Exporter(ODD.format(place=beans.place)) as exporter:
        texts = [exporter.metrics() for _ in range(5)]
        log = exporter.log_text()

    # Told once, and not asked for again.
    assert log.count("attribute left out") == 2
    expected = {
        "odd_Kinds_Date": 1234567890.123,
        "odd_Kinds_BigInteger": 2.0**80,
        "odd_Kinds_AtomicLong": 42,
        "odd_Kinds_Adder": 44,
        "odd_Kinds_BigDecimal": 12.75,
        "odd_Kinds_Endless": float("-inf"),
        "odd_Throws_Good": 7,
        "odd_Unserializable_Before": 1,
        "odd_Unserializable_Yonder": 2,
        'odd_Open_Nested_inner_used{key="mine"}': 11,
        'odd_Open_Nested_table_used{key="mine",key_="k2"}': 22,
        'odd_Open_Counts{key="mine",key_="a"}': 1,
        'odd_Open_ByNumber_used{key="mine",key_="2"}': 32,
        'odd_1_Good{a="2",type="Order"}': 7,
        'bench_Thing_Count{name="t3",topic="a"}': 3,
        'bench_Thing_On{name="t3",topic="a"}': 0,
        "up": 1,
        "jmx_scrape_error": 0,
        "jmx_scrape_bean_errors_total": 0,
    }
    for text in texts:  # the first is read in full, later ones by what was learnt
        assert {series: value_of(text, series) for series in expected} == expected
        assert value_of(text, "odd_Throws_Bad") is None
        assert value_of(text, "odd_Kinds_Letter") is None


def test_numbers_move_from_scrape_to_scrape(beans: Beans) -> None:
    with Exporter(ODD.format(place=beans.place)) as exporter:
        series = 'bench_Thing_Big{name="t3",topic="a"}'
        values = [value_of(exporter.metrics(), series) for _ in range(4)]

    assert values == sorted(set(values), key=float)  # type: ignore[arg-type]


def test_a_thousand_beans_are_read_without_repeats(beans: Beans) -> None:
    with Exporter(f"hostPort: {beans.place}\nscrapeTimeoutSeconds: 60\n") as exporter:
        text = exporter.metrics()

    series = [line.rpartition(" ")[0] for line in text.splitlines() if line[0] != "#"]
    assert len(series) == len(set(series))
    assert sum(name.startswith("bench_Thing_") for name in series) == 7000
    parsed = {family.name for family in text_string_to_metric_families(text)}
    assert len(parsed) == len(families_of(text))
    assert value_of(text, "jvm_threads_current") is not None


@pytest.mark.prometheus
def test_promtool_passes_what_zookeeper_says(zookeeper: JmxZooKeeper) -> None:
    rules = f"""
hostPort: {zookeeper.place}
lowercaseOutputName: true
rules:
- pattern: 'org.apache.ZooKeeperService<name0=(.+)><>(\\w+?)(?:_count)?:'
  name: zookeeper_$2
  attrNameSnakeCase: true
  type: GAUGE
  labels: {{server: "$1"}}
"""
    with Exporter(rules) as exporter:
        text = exporter.metrics()

    assert value_of(text, "up") == 1
    found = re.findall(
        r'^zookeeper_num_alive_connections\{server="(\w+)"\} 0\.0$', text, re.MULTILINE
    )
    assert len(found) == 1
    assert complaints(text.encode()) == ""


@pytest.mark.prometheus
@pytest.mark.parametrize("is_lower", [False, True])
def test_without_rules_promtool_minds_capitals_and_nothing_else(
    beans: Beans, *, is_lower: bool
) -> None:
    config = f'hostPort: {beans.place}\nincludeObjectNames: ["java.lang:*"]\n'
    with Exporter(config + f"lowercaseOutputName: {str(is_lower).lower()}\n") as exporter:
        said = complaints(exporter.metrics().encode()).splitlines()

    assert (said == []) == is_lower
    assert {line.partition(" ")[2] for line in said} <= {
        "metric names should be written in 'snake_case' not 'camelCase'"
    }


SECURE = """
username: {name}
password: ${{JMX_PASSWORD}}
jvmMetrics: false
includeObjectNames: ["Catalina:type=ThreadPool,*"]
ssl: &ssl
  enabled: true
  keyStore: &key {{filename: {folder}/client.p12, password: {password}}}
  trustStore: &trust {{filename: {folder}/trusts_server.jks, password: {password}}}
targets:
- {{hostPort: "{place}", name: good}}
- hostPort: {place}
  name: pem
  ssl:
    enabled: true
    keyStore: {{filename: {folder}/client.pem}}
    trustStore: {{filename: {folder}/server.crt}}
- {{hostPort: "{place}", name: wrong password, password: wrong}}
- {{hostPort: "{place}", name: no password, username: ""}}
- {{hostPort: "{place}", name: no TLS, ssl: false}}
- hostPort: {place}
  name: stranger
  ssl: {{enabled: true, keyStore: {{filename: {folder}/stranger.pem}}, trustStore: *trust}}
- hostPort: {place}
  name: distrust
  ssl: {{enabled: true, keyStore: *key, trustStore: {{filename: {folder}/stranger.crt}}}}
- hostPort: {place}
  name: no file
  ssl: {{enabled: true, keyStore: {{filename: {folder}/nowhere.p12}}, trustStore: *trust}}
- hostPort: {place}
  name: bad store
  ssl: {{enabled: true, keyStore: {{filename: {folder}/client.p12, password: bad}}}}
"""
REASONS = {
    "wrong password": "the JVM refuses user 'monitor' with this password",
    "no password": "the JVM wants username and password",
    "no TLS": "it speaks TLS here: set ssl: true",
    "stranger": "the JVM refuses our certificate",
    "distrust": "its certificate is not trusted",
    "no file": "nowhere.p12: No such file or directory",
    "bad store": "the password is wrong",
}


def test_tomcat_is_read_with_password_and_certificates_and_says_what_it_refuses(
    tomcat: Tomcat, stores: KeyStores
) -> None:
    config = SECURE.format(
        place=tomcat.place, name=LOGIN[0], folder=stores.folder, password=PASSWORD
    )
    with Exporter(config, env={"JMX_PASSWORD": LOGIN[1]}) as exporter:
        text, log = exporter.metrics(), exporter.log_text()

    for name in ("good", "pem"):
        assert value_of(text, f'up{{target="{name}"}}') == 1, log
        assert re.search(rf'^Catalina_ThreadPool_maxThreads.*target="{name}"', text, re.MULTILINE)
    told = {name: _reason_of(log, name) for name in REASONS}
    for name, reason in REASONS.items():
        assert value_of(text, f'up{{target="{name}"}}') == 0
        assert reason in told[name]
    assert LOGIN[1] not in log


def _reason_of(log: str, target: str) -> str:
    found = re.search(rf'target="?{target}"? reason=(.*)', log)
    return "" if found is None else found[1]


AGENT = """
jvm_buffer_pool_capacity_bytes gauge
jvm_buffer_pool_used_buffers gauge
jvm_buffer_pool_used_bytes gauge
jvm_classes_currently_loaded gauge
jvm_classes_loaded_total counter
jvm_classes_unloaded_total counter
jvm_compilation_time_seconds_total counter
jvm_gc_collection_seconds summary
jvm_memory_committed_bytes gauge
jvm_memory_init_bytes gauge
jvm_memory_max_bytes gauge
jvm_memory_objects_pending_finalization gauge
jvm_memory_pool_allocated_bytes_total counter
jvm_memory_pool_collection_committed_bytes gauge
jvm_memory_pool_collection_init_bytes gauge
jvm_memory_pool_collection_max_bytes gauge
jvm_memory_pool_collection_used_bytes gauge
jvm_memory_pool_committed_bytes gauge
jvm_memory_pool_init_bytes gauge
jvm_memory_pool_max_bytes gauge
jvm_memory_pool_used_bytes gauge
jvm_memory_used_bytes gauge
jvm_runtime_info gauge
jvm_threads_current gauge
jvm_threads_daemon gauge
jvm_threads_deadlocked gauge
jvm_threads_deadlocked_monitor gauge
jvm_threads_peak gauge
jvm_threads_started_total counter
jvm_threads_state gauge
process_cpu_seconds_total counter
process_max_fds gauge
process_open_fds gauge
process_resident_memory_bytes gauge
process_start_time_seconds gauge
process_virtual_memory_bytes gauge
"""
"""Names and types that jmx_exporter's agent 1.0.1 shows in a JVM 17."""
BY_OTHER_WAYS = {
    "jvm_memory_pool_allocated_bytes_total counter",  # told by notifications only
    "process_resident_memory_bytes gauge",  # JMX does not know it
}


def test_deadlocks_and_states_of_threads_are_those_of_the_jvm(classes: Path) -> None:
    with (
        Beans(classes, 1, main="Locked") as locked,
        Exporter(f"hostPort: {locked.place}\n") as exporter,
    ):
        until(lambda: value_of(exporter.metrics(), "jvm_threads_deadlocked") == 4, 20)
        text = exporter.metrics()

    shown = re.findall(r"^# TYPE ((?:jvm|process)_.*)$", text, re.MULTILINE)
    assert {*shown} == {*AGENT.strip().splitlines()} - BY_OTHER_WAYS
    assert value_of(text, "jvm_threads_deadlocked_monitor") == 2
    states = re.findall(r'^jvm_threads_state\{state="(\w+)"\} (\S+)$', text, re.MULTILINE)
    found = {name: float(value) for name, value in states}
    assert found["BLOCKED"] == 2
    assert found["RUNNABLE"] > 0
    assert sum(found.values()) == pytest.approx(value_of(text, "jvm_threads_current"), abs=5)


def test_a_user_who_may_only_read_gets_everything_but_what_operations_tell(
    half_open: Beans, stores: KeyStores
) -> None:
    config = (
        f"hostPort: {half_open.place}\nusername: {LOGIN[0]}\npassword: {LOGIN[1]}\n"
        f"ssl:\n  enabled: true\n  trustStore: {{filename: {stores['server.crt']}}}\n"
    )
    with Exporter(config, env={"RMI_REGISTRY_SSL_DISABLED": "true"}) as exporter:
        text = exporter.metrics()

    assert value_of(text, "up") == 1
    assert value_of(text, "jvm_threads_current") is not None
    assert value_of(text, "jvm_threads_deadlocked") is None
    assert "jvm_threads_state" not in text


def test_a_plain_registry_may_lead_to_tls(half_open: Beans, stores: KeyStores) -> None:
    config = (
        f"hostPort: {half_open.place}\nusername: {LOGIN[0]}\npassword: {LOGIN[1]}\n"
        f"ssl:\n  enabled: true\n  trustStore: {{filename: {stores['server.crt']}}}\n"
    )
    with Exporter(config, env={"RMI_REGISTRY_SSL_DISABLED": "true"}) as exporter:
        assert value_of(exporter.metrics(), "up") == 1
    with Exporter(config) as exporter:
        assert value_of(exporter.metrics(), "up") == 0
        assert "does not speak TLS here" in exporter.log_text()
