"""What ``x-pinnace`` says of scaling, canaries and fencing, and what it cannot say."""

import pytest

from sidecar.scheduler.canary import CanaryPolicy
from sidecar.scheduler.compose.document import Problems
from sidecar.scheduler.compose.stack import stack_of
from sidecar.scheduler.conduct import Conduct, Keeps, Order
from sidecar.scheduler.fencing import Fencing
from sidecar.scheduler.scale import Direction, Metric
from sidecar.scheduler.sources.wanted import Kind


def read(text: str) -> tuple[Conduct, list[str]]:
    problems = Problems()
    indented = "".join(f"      {line}\n" for line in text.strip("\n").splitlines())
    file = f"services:\n  web:\n    image: web\n    x-pinnace:\n{indented}"
    stack = stack_of(file, "f", problems, name="s")
    return stack.services[0].conduct, [str(each) for each in problems.errors]


def test_without_anything_a_lost_copy_only_loses_its_traffic() -> None:
    conduct, errors = read("strategy: spread")
    assert errors == []
    assert (conduct.fencing, conduct.canary, conduct.autoscale) == (Fencing.CATALOG, None, None)


def test_which_copy_stays_when_a_node_is_back_can_be_said() -> None:
    assert read("reconcile: keep_original")[0].keeps is Keeps.ORIGINAL
    assert read("strategy: spread")[0].keeps is Keeps.REPLACEMENT


def test_self_fencing_has_one_copy_at_a_time() -> None:
    conduct, errors = read("fencing: self")
    assert (conduct.fencing, conduct.update.order, errors) == (Fencing.SELF, Order.STOP_FIRST, [])


def test_a_canary_has_the_defaults_of_the_manual() -> None:
    conduct, errors = read("canary: {steps: [5, 25, 50]}")
    assert (conduct.canary, errors) == (CanaryPolicy(steps=(5.0, 25.0, 50.0)), [])


def test_a_canary_takes_all_its_keys() -> None:
    conduct, errors = read(
        """
canary:
  steps: [0.5%, 100]
  hold: 2m
  max_error_ratio: 0.05
  max_p95_ms: 250
  min_requests: 7
  auto_promote: false
  deadline: 1h
"""
    )
    assert errors == []
    assert conduct.canary == CanaryPolicy(
        steps=(0.5, 100.0), hold=120.0, max_error_ratio=0.05, max_p95=0.25, min_requests=7,
        auto_promote=False, deadline=3600.0,
    )  # fmt: skip


def test_scaling_takes_all_its_metrics() -> None:
    conduct, errors = read(
        """
autoscale:
  min: 0
  max: 20
  tolerance: 0.2
  period: 5s
  up: {count: 2, share: 50%, period: 30s}
  down: {stabilisation: 10s, cooldown: 1m}
  metrics:
    - cpu: 70%
    - memory: 80
    - requests: 50
    - sessions: 20
    - queue: 1
    - nginx: {target: 100, port: 8080}
    - endpoint: {target: 3, port: 9100, series: 'jobs{kind="a"}'}
    - prometheus: {target: 5, url: "http://127.0.0.1:9090/", query: sum(up)}
    - key: {target: 10, name: queue/length}
"""
    )
    assert errors == []
    found = conduct.autoscale
    assert found is not None
    assert (found.policy.least, found.policy.most, found.period) == (0, 20, 5.0)
    assert found.policy.up == Direction(2, 0.5, 30.0)
    assert found.policy.down == Direction(0, 1.0, 15.0, 10.0, 60.0)
    assert found.policy.metrics[:3] == (
        Metric("cpu", 0.7), Metric("memory", 0.8), Metric("requests", 50.0),
    )  # fmt: skip
    kinds = {each.kind: each for each in found.metrics}
    assert set(kinds) == set(Kind)
    assert (kinds[Kind.NGINX].path, kinds[Kind.NGINX].port) == ("/stub_status", 8080)
    assert (kinds[Kind.ENDPOINT].path, kinds[Kind.ENDPOINT].query) == (
        "/metrics", 'jobs{kind="a"}',
    )  # fmt: skip
    prometheus = kinds[Kind.PROMETHEUS]
    assert (prometheus.url, prometheus.metric.is_total) == ("http://127.0.0.1:9090", True)
    assert kinds[Kind.KEY].metric == Metric("key queue/length", 10.0, is_total=True)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("fencing: shelf", "f:5:16: services.web.x-pinnace.fencing: 'shelf' is none of none,"),
        ("canary: {}", "f:5:15: services.web.x-pinnace.canary has no steps; write"),
        ("canary: {steps: [5, 5]}", "canary.steps must grow"),
        ("canary: {steps: [0]}", "'0' is no number above 0"),
        ("canary: {steps: [101]}", "'101' is no share above 0 and up to 100"),
        ("canary: {steps: [5], max_error_ratio: 2}", "'2' is no share from 0 to 1"),
        ("canary: {steps: [5], max_error_ratio: x}", "'x' is no share from 0 to 1"),
        ("canary: {steps: [5], hold: 60}", "'60' has no unit; write 60s"),
        ("canary: {steps: [5], match: {header: {X y: z}}}", "'X y' is not the name of a header"),
        ("canary: {steps: [5], match: {cookie: {a-b: z}}}", "'a-b' is not the name of a cookie"),
        ('canary: {steps: [5], match: {header: {X: "a b"}}}', "'a b' cannot be asked for"),
        ("canary: {steps: [5], match: {header: {X: a}, path: /a}}", "unknown key 'path'"),
        ("canary: {steps: [5], match: {cookie: [a]}}", "'' cannot be asked for"),
        ("canary: {steps: [5], match: yes}", "match must be a mapping"),
        ("autoscale: {max: 3}", "f:5:18: services.web.x-pinnace.autoscale has no metrics; write"),
        ("autoscale: {metrics: [cpu: 70%]}", "autoscale has no max"),
        ("autoscale: {max: 3, min: 4, metrics: [cpu: 70%]}", "bounds 4 to 3"),
        ("autoscale: {max: 3, min: 0, metrics: [cpu: 70%]}", "0 replicas need a metric"),
        ("autoscale: {max: 3, metrics: [cpu: x]}", "'x' is no number above 0"),
        ("autoscale: {max: 3, metrics: [disk: 3]}", "f:5:37: services.web.x-pinnace.autoscale"),
        ("autoscale: {max: 3, metrics: [{cpu: 1, queue: 1}]}", "each item names one metric"),
        ("autoscale: {max: 3, metrics: [{nginx: {port: 1}}]}", "nginx has no target"),
        ("autoscale: {max: 3, metrics: [{key: {target: 1}}]}", "key has no name"),
        (
            "autoscale: {max: 3, metrics: [{prometheus: {target: 1, query: x}}]}",
            "prometheus has no url",
        ),
        (
            "autoscale: {max: 3, metrics: [{prometheus: {target: 1, query: x, url: ftp://x}}]}",
            "is no address of a server",
        ),
        ("autoscale: {max: 3, metrics: [{nginx: {target: x}}]}", "'x' is no number above 0"),
        ("autoscale: {max: 3, metrics: [{nginx: {target: 1, of: bytes}}]}", "'bytes' is none of"),
        (
            "autoscale: {max: 3, metrics: [{endpoint: {target: 1, series: a, path: b}}]}",
            "'b' is no path",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, error: str) -> None:
    _, errors = read(text)
    assert any(error in each for each in errors), errors


def test_self_fencing_and_start_first_exclude_each_other() -> None:
    problems = Problems()
    file = (
        "services:\n  web:\n    image: web\n    deploy: {update_config: {order: start-first}}\n"
        "    x-pinnace: {fencing: self}\n"
    )
    stack_of(file, "f", problems, name="s")
    (error,) = map(str, problems.errors)
    assert error.startswith("f:5:17: services.web.x-pinnace.fencing: self allows one copy")


def test_counts_are_read_as_rates_where_that_is_said() -> None:
    conduct, errors = read(
        "autoscale: {max: 3, metrics: [{nginx: {target: 5, of: requests}}, "
        "{endpoint: {target: 5, series: jobs_total, rate: true}}, {nginx: {target: 9}}]}"
    )
    assert errors == []
    assert conduct.autoscale is not None
    found = [(each.metric.name, each.is_rate) for each in conduct.autoscale.metrics]
    assert found == [
        ("nginx requests per second", True),
        ("endpoint jobs_total per second", True),
        ("nginx", False),
    ]


def test_requests_for_canaries_are_told_by_headers_and_cookies() -> None:
    for text, match in (
        ('match: {header: {X-Canary: "1"}}', "header:X-Canary=1"),
        ('match: {header: "X-Canary: 1"}', "header:X-Canary=1"),
        ("match: {cookie: [beta=yes, a=b]}", "cookie:beta=yes,cookie:a=b"),
        ('match: {cookie: {b: c}, header: "X-A=d"}', "header:X-A=d,cookie:b=c"),
    ):
        conduct, errors = read(f"canary: {{steps: [5], {text}}}")
        assert conduct.canary is not None
        assert (conduct.canary.match, errors) == (match, [])
