"""Stack files: what they mean, and what is told of what they do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.scheduler.compose.document import Problems
from sidecar.scheduler.compose.stack import stack_of
from sidecar.scheduler.compose.values import cpus, published, seconds, size
from sidecar.scheduler.model import NANO, Port, Resources, Strategy
from sidecar.scheduler.spec import Condition, Mode, ServiceSpec

GIB = 2**30


def _read(text: str, **more: object) -> tuple[list[ServiceSpec], list[str]]:
    problems = Problems()
    stack = stack_of(text, "stack.yaml", problems, **more)  # type: ignore[arg-type]
    return list(stack.services), [str(each) for each in problems]


def _web(body: str, **more: object) -> tuple[ServiceSpec, list[str]]:
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    (service, *_), problems = _read(f"services:\n  web:\n    image: nginx\n{lines}", **more)
    return service, problems


def test_a_whole_service_is_read() -> None:
    service, problems = _web(
        """
environment: ["constraint:storage==~ssd", "affinity:container!=db", "PATH=/bin", "EMPTY"]
labels:
  com.docker.swarm.constraints: '["zone==a"]'
  team: blue
ports: ["127.0.0.1:8080-8081:80-81", "53:53/udp", {target: 9, published: "99", host_ip: "::1"}]
expose: ["7"]
volumes: ["data:/data", "./x:/x", {type: volume, source: more, target: /y}]
network_mode: service:net
depends_on: {net: {condition: service_started, restart: true}}
healthcheck: {test: ["CMD", "true"]}
deploy:
  replicas: 4
  placement:
    constraints: [node.role == worker]
    preferences: [{spread: node.labels.zone}]
    max_replicas_per_node: 2
  resources:
    reservations: {cpus: "0.5", memory: 1g}
    limits: {cpus: "2"}
x-pinnace: {strategy: binpacking, soft: ["zone==b", {rule: "affinity:image==redis", weight: 3}]}
"""
    )
    assert [each for each in problems if "net" not in each] == []
    assert service.replicas == 4
    assert service.strategy is Strategy.BINPACK
    assert service.resources == Resources(NANO // 2, GIB)
    assert service.environment == {"PATH": "/bin", "EMPTY": None}
    assert service.labels == {"team": "blue"}
    assert service.ports == (
        Port(8080, "tcp", "127.0.0.1"), Port(8081, "tcp", "127.0.0.1"), Port(53, "udp"),
        Port(99, "tcp", "::1"),
    )  # fmt: skip
    assert Port(7) in service.exposed
    assert service.volumes == ("data", "more")
    assert (service.pod, service.max_per_node, service.spread_over) == ("net", 2, ("zone",))
    assert [rule.text for rule in service.constraints] == ["zone==a", "node.role == worker"]
    assert [rule.text for rule in service.affinities] == ["container!=db"]
    wishes = [(wish.expression.text, wish.weight, wish.is_affinity) for wish in service.soft]
    assert wishes == [
        ("storage==~ssd", 1, False), ("zone==b", 1, False), ("image==redis", 3, True),
    ]  # fmt: skip
    assert service.has_healthcheck


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("imagge: x", "5:5: services.web: unknown key 'imagge'; did you mean image?"),
        ("develop: {}", "4:5: warning: services.web.develop is ignored"),
        ("build: .", "4:5: warning: services.web.build is ignored"),
        ("gpus: all", "4:5: services.web.gpus is not supported"),
        ("extends: {service: a}", "services.web.extends: there is no service 'a'"),
        ("deploy: {endpoint_mode: x}", "'x' is none of vip, dnsrr"),
        ("ports: [x]", "4:13: services.web.ports: 'x' in 'x' is no port"),
        ("ports: ['1-3:1-2']", "differ in length"),
        ("ports: ['80/xtp']", "none of tcp, udp, sctp"),
        ("ports: ['1.2.3.4.5:80:80']", "does not appear to be"),
        ("ports: {a: b}", "must be a list"),
        ("scale: many", "no whole number"),
        ("scale: 2\ndeploy: {replicas: 3}", "scale and deploy.replicas differ"),
        ("deploy: {replica: 3}", "unknown key 'replica'; did you mean replicas?"),
        ("deploy: {mode: some}", "'some' is none of replicated, global"),
        ("deploy: {resources: {limits: {memory: much}}}", "'much' is no size"),
        ("deploy: {resources: {reservations: {devices: []}}}", ""),
        ("deploy: {placement: {constraints: ['node.x==1']}}", "'node.x' is none of"),
        ("deploy: {placement: {preferences: [{spread: node.labels.}]}}", "names no label"),
        ("environment: ['constraint:x=1']", "neither == nor !="),
        ("labels: {com.docker.swarm.affinities: x}", "must be a JSON array"),
        ("environment: ['constraint:x===1']", "warning: the value begins with ="),
        ("x-pinnace: {strategy: best}", "'best' is none of spread"),
        ("x-pinnace: {soft: [{rule: 'a==b', weight: 0}]}", "no whole number from 1"),
        ("depends_on: [db]", "depends_on: 'db' is not there"),
        ("depends_on: {db: {condition: service_started, required: false}}", "warning: "),
        ("depends_on: {db: {condition: soon}}", "'soon' is none of"),
        ("depends_on: [web]", "in a circle: web -> web"),
        ("network_mode: service:db", "there is no service 'db'"),
        ("environment: {A: [b]}", "must be text, not a list"),
        ("healthcheck: [x]", "must be a mapping, not a list"),
        ("ports: ['$']", "a single $"),
        ("image: twice", "5:5: 'image' is given twice"),
        ("command: ${NOPE}", "warning: the variable NOPE is not set"),
        ("command: ${NOPE:?give one}", "the variable NOPE is required: give one"),
        ("command: ${NOPE", "without its }"),
        ("command: ${}", "no name"),
        ("command: ${NOPE!x}", "cannot read"),
    ],
)
def test_what_is_wrong_is_told_with_line_and_column(body: str, says: str) -> None:
    _, problems = _web(body)
    assert any(says.replace("5:5", "4:5") in each for each in problems), problems


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "stack.yaml:1:1: there are no services"), ("a: [", "expected"),
        ("[1]", "must be a mapping"),
        ("services: {a: {}}", "services.a has no image"),
        ("servises: {}", "did you mean services?"),
        ("version: '3'\nservices: {a: {image: x}}", "1:1: warning: version is obsolete"),
        ("a: &a [*a]", "does an alias lead to itself"), ("\x00", "special characters"),
        ("? [x]\n: y", "a key must be text"), ("x: {<<: 1}", "<< needs a mapping"),
        ("models: {}", "models is not supported"), ("include: [a]", "a cannot be read"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_told(text: str, says: str) -> None:
    _, problems = _read(text)
    assert any(says in each for each in problems), problems


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]" for n in range(1, 9)]
    _, problems = _read("\n".join(lines))
    assert "do aliases multiply?" in problems[0]


def test_variables_are_put_in() -> None:
    body = "command: $A-${A}-${B:-b${A}}-${C-c}-${A:+yes}-${B:+no}-$$x\nscale: ${N}"
    service, problems = _web(body, environ={"A": "a", "B": "", "N": "3"})
    assert problems == []
    assert service.replicas == 3


def test_merge_keys_and_anchors_are_followed() -> None:
    services, problems = _read(
        "x-base: &base {image: nginx, scale: 2}\n"
        "services:\n  a: {<<: *base, scale: 5}\n  b: {<<: [*base]}\n"
    )
    assert problems == []
    assert [(each.image, each.replicas) for each in services] == [("nginx", 5), ("nginx", 2)]


def test_services_come_after_what_they_need() -> None:
    services, problems = _read(
        "services:\n"
        "  web: {image: x, depends_on: {db: {condition: service_healthy}, job: {}}}\n"
        "  job: {image: x, depends_on: [db], deploy: {mode: global}}\n"
        "  db: {image: x, healthcheck: {test: NONE}}\n"
    )
    assert [each.name for each in services] == ["db", "job", "web"]
    assert services[1].mode is Mode.GLOBAL
    assert services[2].depends_on[0].condition is Condition.HEALTHY
    assert any("service_healthy needs a healthcheck" in each for each in problems)


def test_a_longer_circle_is_named() -> None:
    _, problems = _read(
        "services:\n"
        "  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [c]}\n"
        "  c: {image: x, depends_on: [a]}\n"
    )
    assert any("a -> b -> c -> a" in each for each in problems)


def test_profiles_choose_services() -> None:
    text = "services:\n  a: {image: x}\n  b: {image: x, profiles: [debug]}\n"
    assert [each.name for each in _read(text)[0]] == ["a"]
    assert [each.name for each in _read(text, profiles=["debug"])[0]] == ["a", "b"]
    _, problems = _read(text + "  c: {image: x, depends_on: [b]}\n")
    assert any("'b' is not in the active profiles" in each for each in problems)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1),
        ("1b", 1),
        ("2k", 2048),
        ("1.5g", 3 * GIB // 2),
        ("2GiB", 2 * GIB),
        ("3 mb", 3 << 20),
    ],
)
def test_sizes(text: str, number: int) -> None:
    assert size(text) == number


def test_short_ports() -> None:
    assert published("80") == [(Port(0), 80)]
    assert published("[::1]:8080:80/tcp") == [(Port(8080, "tcp", "::1"), 80)]
    assert published("127.0.0.1::80") == [(Port(0, "tcp", "127.0.0.1"), 80)]
    assert published("8000-8009:80") == [(Port(8000), 80)]
    for wrong in ("127.0.0.1:80", "0", "70000", "1-5000", "a:b", "2-1"):
        with pytest.raises(ValueError, match=wrong.split(":", maxsplit=1)[0]):
            published(wrong)


def test_other_values() -> None:
    assert cpus("0.5") == NANO // 2
    assert seconds("1m30s") == 90
    for parse, wrong in ((cpus, "x"), (cpus, "-1"), (seconds, "10"), (size, "g")):
        with pytest.raises(ValueError, match=wrong):
            parse(wrong)


@given(st.text(max_size=200))
def test_any_text_is_a_stack_or_told(text: str) -> None:
    services, problems = _read(text)
    assert services or problems


@pytest.mark.parametrize(
    "text",
    ["links: ['db:d']", "volumes_from: ['db:ro']", "ipc: service:db", "pid: service:db"],
)
def test_what_is_linked_or_shared_starts_first(text: str) -> None:
    services, problems = _read(
        f"services: {{web: {{image: x, {text}}}, db: {{image: y}}}}", read=lambda _: None
    )
    assert [each.name for each in services] == ["db", "web"]
    assert problems == []
    assert [each.service for each in services[1].depends_on] == ["db"]


@pytest.mark.parametrize(
    ("check", "is_wrong"),
    [
        ("", True), ("healthcheck: {disable: true}", True), ("healthcheck: {test: NONE}", True),
        ("healthcheck: {test: ['NONE']}", True), ("healthcheck: {test: [CMD, x]}", False),
        ("healthcheck: {interval: 1s}", False),
    ],
)  # fmt: skip
def test_nobody_can_wait_for_the_health_of_what_has_no_check(check: str, is_wrong: bool) -> None:
    _, problems = _read(
        f"services:\n  web: {{image: x, depends_on: {{db: {{condition: service_healthy}}}}}}\n"
        f"  db: {{image: y, {check}}}"
    )
    assert [("service_healthy needs a healthcheck" in each) for each in problems] == (
        [True] if is_wrong else []
    )
    assert not any("warning" in each for each in problems)
