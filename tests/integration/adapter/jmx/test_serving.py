"""The exporter as a program: targets, reloads, who may ask, and what it says when it cannot."""

import base64
import hashlib
import json
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from deploy.tools.jvm import Beans
from tests.support.jmx import PASSWORD, Exporter, KeyStores, families_of, value_of
from tests.support.pinnace import until

pytestmark = pytest.mark.jvm


def test_one_process_serves_many_targets(beans: Beans) -> None:
    config = f"""
jvmMetrics: false
includeObjectNames: ["bench:name=t1,*"]
rules: [{{pattern: "<>(Count)", name: things_$1}}]
targets:
- {{hostPort: "{beans.place}", name: one}}
- hostPort: localhost:{beans.numbers[0]}
  rules: [{{pattern: "<>(Count)", name: others_$1}}]
"""
    with Exporter(config) as exporter:
        everything = exporter.metrics()
        assert value_of(everything, 'things_Count{target="one"}') == 1
        name = f"localhost:{beans.numbers[0]}"
        assert value_of(everything, f'others_Count{{target="{name}"}}') == 1
        assert value_of(exporter.metrics("?target=one"), "things_Count") == 1
        assert value_of(exporter.metrics(f"?target={name}"), "others_Count") == 1
        assert exporter.get("/metrics?target=nobody") == (
            404,
            f"no such target; there are: one, {name}\n",
        )
        listed = json.loads(exporter.get("/targets")[1])
        assert [entry["labels"]["__param_target"] for entry in listed] == ["one", name]
        assert listed[0]["targets"] == [f"127.0.0.1:{exporter.port}"]


def test_the_format_is_the_one_that_is_asked_for(beans: Beans) -> None:
    config = f'hostPort: {beans.place}\nincludeObjectNames: ["bench:name=t1,*"]\n'
    with Exporter(config) as exporter:
        status, headers, text = exporter.ask(
            "/metrics", {"Accept": "application/openmetrics-text", "Accept-Encoding": "gzip"}
        )
        assert (status, headers["Content-Encoding"]) == (200, "gzip")
        assert headers["Content-Type"].startswith("application/openmetrics-text")
        assert text.endswith("# EOF\n")
        assert exporter.get("/")[0] == 200
        assert exporter.get("/nothing")[0] == 404


def test_a_changed_file_is_taken_at_the_next_scrape_and_a_bad_one_is_not(beans: Beans) -> None:
    rule = 'jvmMetrics: false\nincludeObjectNames: ["bench:name=t1,*"]\n'
    rule += "rules: [{pattern: '<>(Count)', name: NAME_$1}]\n"
    config = f"hostPort: {beans.place}\n{rule}"
    with Exporter(config.replace("NAME", "first")) as exporter:
        assert "first_Count" in families_of(exporter.metrics())

        exporter.config_path.write_text(config.replace("NAME", "second"))
        until(lambda: "second_Count" in families_of(exporter.metrics()), 10)
        exporter.config_path.write_text(config.replace("NAME", "third") + "maxSeries: no\n")
        until(lambda: value_of(exporter.metrics(), "jmx_config_reload_failure_total") == 1, 10)

        text = exporter.metrics()
        assert "second_Count" in families_of(text)
        assert value_of(text, "jmx_config_reload_success_total") == 1
        assert "5:12: maxSeries:" in exporter.log_text()
        assert exporter.stop() == 0


def test_only_who_knows_the_password_is_let_in(beans: Beans) -> None:
    hashed = hashlib.pbkdf2_hmac("sha256", b"secret", b"salt", 1000, 32).hex()
    config = f"""
hostPort: {beans.place}
includeObjectNames: ["bench:name=t1,*"]
httpServer:
  authentication:
    basic: {{username: prometheus, algorithm: PBKDF2WithHmacSHA256, salt: salt,
            iterations: 1000, passwordHash: "{hashed}"}}
"""

    def ask(password: str) -> int:
        word = base64.b64encode(f"prometheus:{password}".encode()).decode()
        return exporter.ask("/metrics", {"Authorization": f"Basic {word}"})[0]

    # /-/healthy is guarded too, so the start is told by a refusal.
    exporter = Exporter(config)
    exporter._serves = lambda: _answers(exporter)  # type: ignore[method-assign]
    with exporter:
        assert exporter.get()[0] == 401
        assert ask("wrong") == 401
        assert [ask("secret"), ask("secret")] == [200, 200]


def _answers(exporter: Exporter) -> bool:
    try:
        return exporter.get("/-/healthy")[0] in {200, 401}
    except OSError:
        return False


def test_metrics_are_served_by_tls(beans: Beans, stores: KeyStores) -> None:
    config = f"""
hostPort: {beans.place}
includeObjectNames: ["bench:name=t1,*"]
httpServer:
  ssl: {{keyStore: {{filename: "{stores["server.p12"]}", password: "{PASSWORD}"}}}}
"""
    context = ssl.create_default_context(cafile=stores["server.crt"])
    context.check_hostname = False
    exporter = Exporter(config)

    def fetched() -> bool:
        url = f"https://127.0.0.1:{exporter.port}/metrics"
        try:
            with urllib.request.urlopen(url, context=context, timeout=20) as response:
                return value_of(response.read().decode(), "up") == 1
        except OSError:
            return False

    exporter._serves = fetched  # type: ignore[method-assign]
    with exporter:
        assert fetched()


def _run(*words: str) -> tuple[int, str]:
    program = str(Path(sys.executable).with_name("pinnace"))
    found = subprocess.run(
        [program, "adapter", "jmx", *words], capture_output=True, text=True, check=False, timeout=60
    )
    return found.returncode, found.stdout + found.stderr


def test_explain_names_the_rule_of_each_value(beans: Beans, tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    file.write_text(
        f"hostPort: {beans.place}\njvmMetrics: false\nincludeObjectNames: ['bench:name=t1,*']\n"
        "rules:\n- pattern: '<>(Count)'\n  name: things_$1\n- pattern: '<>On'\n"
    )
    status, text = _run("--explain", beans.place, str(file))

    assert status == 0
    assert "<>Count: 1\trule 1: things_Count\n" in text
    assert '<>On: false\trule 2: bench_Thing_On{name="t1",topic="a"}\n' in text
    assert "<>Small: 1\t-\n" in text


def test_the_command_line_of_the_peer_works_by_its_name(beans: Beans, tmp_path: Path) -> None:
    link = tmp_path / "jmx_exporter"
    link.symlink_to(Path(sys.executable).with_name("pinnace"))
    exporter = Exporter(f"hostPort: {beans.place}\nincludeObjectNames: ['bench:name=t1,*']\n")
    exporter.command = [str(link), *exporter.command[3:]]
    with exporter:
        assert value_of(exporter.metrics(), "up") == 1


def test_a_bad_rule_costs_its_own_matches_and_is_told_of(beans: Beans) -> None:
    bad = "{pattern: '^(?!x)(.*)(.*)(.*)(.*)(.*)=(.*)y$', name: bad}"
    rules = f"rules: [{bad}, {{pattern: '<>(Count)', name: ok_$1}}]"
    config = f'hostPort: {beans.place}\nincludeObjectNames: ["bench:name=t1,*"]\n{rules}\n'
    with Exporter(config) as exporter:
        text = exporter.metrics()
        assert value_of(text, "ok_Count") == 1
        assert (value_of(exporter.metrics(), "jmx_rule_gave_up_total") or 0) > 0
        assert exporter.log_text().count("rule takes too long on some texts") == 1
