"""Real JVMs, read over RMI: the same values as a Java client reads, and what stands around them."""

import re
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.tools.jvm import Beans, JmxZooKeeper, Tomcat, java_client
from tests.integration.adapter.jmx.conftest import LOGIN
from tests.support.jmx import PASSWORD, Exporter, KeyStores, families_of, value_of

pytestmark = pytest.mark.jvm

ODD = """
hostPort: {place}
includeObjectNames: ["odd:*", "bench:name=t3,*"]
jvmMetrics: false
"""


def _dump(beans: Beans, tmp_path: Path, pattern: str) -> list[str]:
    file = tmp_path / "dump.yml"
    file.write_text(
        f'hostPort: {beans.place}\njvmMetrics: false\nincludeObjectNames: ["{pattern}"]\n'
    )
    with Exporter("hostPort: 127.0.0.1:1\n") as exporter:
        program = exporter.command[0]
    found = subprocess.run(
        [program, "adapter", "jmx", "--dump", beans.place, str(file)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return found.stdout.splitlines()


def _comparable(lines: list[str]) -> set[str]:
    """Return lines with control characters written alike and moving numbers left out."""
    shown = set()
    for line in lines:
        plain = re.sub(r"\\x([0-9a-f]{2})", r"\\u00\1", line)
        text = "".join(
            f"\\u{unit:04x}" if unit < 32 or unit > 126 else chr(unit)
            for unit in memoryview(plain.encode("utf-16-le", "surrogatepass")).cast("H")
        )
        shown.add(re.sub(r"(>Big: ).*", r"\1(moves)", text))
    return shown


@pytest.mark.parametrize("pattern", ["odd:*", "bench:*"])
def test_values_are_those_that_a_java_client_reads(
    beans: Beans, classes: Path, tmp_path: Path, pattern: str
) -> None:
    ours = _comparable(_dump(beans, tmp_path, pattern))
    theirs = _comparable(java_client(classes, beans.place, pattern))

    # An enumeration's text is its name for us, and a Java client without the class cannot say.
    assert ours == theirs
    assert len(ours) > 30


def test_platform_beans_are_those_that_a_java_client_reads(
    beans: Beans, classes: Path, tmp_path: Path
) -> None:
    def names(lines: list[str]) -> set[str]:
        return {re.sub(r": .*", "", line, flags=re.DOTALL) for line in lines}

    ours = names(_dump(beans, tmp_path, "java.*:*"))
    theirs = names(java_client(classes, beans.place, "java.*:*"))

    # These hold what is expensive, and never a number.
    costly = {
        line for line in theirs if re.search(r"<SystemProperties|SystemProperties$|Path$", line)
    }
    assert {line for line in theirs - costly - ours if "LastGcInfo" not in line} == set()
    assert {line for line in ours - theirs if "LastGcInfo" not in line} == set()


def test_odd_beans_become_metrics(beans: Beans) -> None:
    with Exporter(ODD.format(place=beans.place)) as exporter:
        exporter.metrics()
        text = exporter.metrics()
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
    assert {series: value_of(text, series) for series in expected} == expected
    assert value_of(text, "odd_Throws_Bad") is None
    assert value_of(text, "odd_Kinds_Letter") is None


def test_numbers_move_from_scrape_to_scrape(beans: Beans) -> None:
    with Exporter(ODD.format(place=beans.place)) as exporter:
        series = 'bench_Thing_Big{name="t3",topic="a"}'
        values = [value_of(exporter.metrics(), series) for _ in range(4)]

    assert values == sorted(set(values), key=float)  # type: ignore[arg-type]


def test_a_thousand_beans_are_read_without_repeats(beans: Beans) -> None:
    with Exporter(f"hostPort: {beans.place}\n") as exporter:
        exporter.metrics()
        text = exporter.metrics()

    series = [line.rpartition(" ")[0] for line in text.splitlines() if line[0] != "#"]
    assert len(series) == len(set(series))
    assert sum(name.startswith("bench_Thing_") for name in series) == 7000
    parsed = {family.name for family in text_string_to_metric_families(text)}
    assert len(parsed) == len(families_of(text))
    assert value_of(text, "jvm_threads_current") is not None


def test_promtool_accepts_what_zookeeper_says(zookeeper: JmxZooKeeper) -> None:
    rules = f"""
hostPort: {zookeeper.place}
lowercaseOutputName: true
rules:
- pattern: 'org.apache.ZooKeeperService<name0=(.+)><>(\\w+)'
  name: zookeeper_$2
  attrNameSnakeCase: true
  type: GAUGE
  labels: {{server: "$1"}}
"""
    with Exporter(rules) as exporter:
        text = exporter.metrics()

    assert value_of(text, "up") == 1
    found = re.findall(r'^zookeeper_num_alive_connections\{server="(\w+)"\} 0\.0$', text, re.M)
    assert len(found) == 1
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    # Who names a gauge is the rule; all that would keep Prometheus from reading it is an error.
    assert "error while linting" not in checked.stderr + checked.stdout
    assert checked.returncode in {0, 3}, checked.stderr


SECURE = """
hostPort: {place}
username: {name}
password: ${{JMX_PASSWORD}}
ssl:
  enabled: true
  keyStore: {{filename: {keys}, password: {password}}}
  trustStore: {{filename: {trust}, password: {password}}}
includeObjectNames: ["Catalina:*"]
"""


@pytest.mark.parametrize(
    ("keys", "trust"), [("client.p12", "trusts_server.jks"), ("client.pem", "server.crt")]
)
def test_tomcat_is_read_with_password_and_certificates(
    tomcat: Tomcat, stores: KeyStores, keys: str, trust: str
) -> None:
    config = SECURE.format(
        place=tomcat.place, name=LOGIN[0], keys=stores[keys], trust=stores[trust],
        password=PASSWORD,
    )  # fmt: skip
    with Exporter(config, env={"JMX_PASSWORD": LOGIN[1]}) as exporter:
        text = exporter.metrics()

    assert value_of(text, "up") == 1
    assert any(name.startswith("Catalina_ThreadPool_") for name in families_of(text))
    assert "jvm_memory_used_bytes" in families_of(text)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("${JMX_PASSWORD}", "wrong"), "the JVM refuses user 'monitor' with this password"),
        (("username: monitor\n", ""), "the JVM wants username and password"),
        (("client.p12", "stranger.p12"), "the JVM refuses our certificate"),
        (("trusts_server.jks", "stranger.crt"), "its certificate is not trusted"),
        (("ssl:\n  enabled: true", "ssl:\n  enabled: false"), "it speaks TLS here: set ssl: true"),
        (("client.p12", "nowhere.p12"), "nowhere.p12: No such file or directory"),
        (("password: let me in}\n  trust", "password: bad}\n  trust"), "the password is wrong"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_refused_is_told(
    tomcat: Tomcat, stores: KeyStores, change: tuple[str, str], reason: str
) -> None:
    config = SECURE.format(
        place=tomcat.place, name=LOGIN[0], keys=stores["client.p12"],
        trust=stores["trusts_server.jks"], password=PASSWORD,
    )  # fmt: skip
    assert change[0] in config
    with Exporter(config.replace(*change), env={"JMX_PASSWORD": LOGIN[1]}) as exporter:
        text = exporter.metrics()

        assert value_of(text, "up") == 0
        assert value_of(text, "jmx_scrape_error") == 1
        assert reason in exporter.log_text()
        assert LOGIN[1] not in exporter.log_text()


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
