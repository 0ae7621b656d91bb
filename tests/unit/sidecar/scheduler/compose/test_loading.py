"""Several files that are one stack: merge rules, extends, include."""

from typing import Any

import pytest

from sidecar.scheduler.compose.document import Item, Problems, parse
from sidecar.scheduler.compose.keys import DEPLOY, FILE, SERVICE
from sidecar.scheduler.compose.loading import loaded
from sidecar.scheduler.compose.merging import merged, without_tags


def _files(*files: str, **others: str) -> tuple[Any, list[str]]:
    """Return what files say together; ``others`` are read by name below /dir."""
    problems = Problems()
    held = {f"/dir/{name}": text.encode() for name, text in others.items()}
    found = loaded(
        [(f"/dir/f{number}.yaml", text) for number, text in enumerate(files)],
        problems,
        environ={"HOST": "own"},
        folder="/dir",
        read=held.get,
    )
    return (found.plain() if found else None), [str(each) for each in problems]


def _web(base: str, over: str) -> Any:
    """Return the service that one of two files and then the other describe."""
    head = "services:\n  web:\n    image: x\n"
    whole, problems = _files(head + _in(base), "services:\n  web:\n" + _in(over))
    assert problems == []
    return whole["services"]["web"]


def _in(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.strip().splitlines())


@pytest.mark.parametrize(
    ("base", "over", "key", "both"),
    [
        ("hostname: a", "hostname: b", "hostname", "b"),
        ("command: [a, b]", "command: [c]", "command", ["c"]),
        ("entrypoint: a", "entrypoint: [c]", "entrypoint", ["c"]),
        ("cap_add: [A]", "cap_add: [B, A]", "cap_add", ["A", "B"]),
        ("environment: [A=1, B=2]", "environment: {B: '3'}", "environment", {"A": "1", "B": "3"}),
        ("environment: {A: '1'}", "environment: [A]", "environment", {"A": "1"}),
        ("labels: [a=1]", "labels: [b=x=y]", "labels", {"a": "1", "b": "x=y"}),
        ("dns: 192.0.2.1", "dns: [192.0.2.2]", "dns", ["192.0.2.1", "192.0.2.2"]),
        ("env_file: a", "env_file: b", "env_file", ["a", "b"]),
        ("extra_hosts: ['a:192.0.2.1']", "extra_hosts: {a: 192.0.2.2}", "extra_hosts",
         {"a": "192.0.2.2"}),
        ("ports: ['80:80', '81:81']", "ports: [{target: 80, published: '80'}, '82:82']", "ports",
         [{"target": "80", "published": "80"}, "81:81", "82:82"]),
        ("volumes: [a:/x, b:/y]", "volumes: ['c:/x:ro']", "volumes", ["c:/x:ro", "b:/y"]),
        ("volumes: [{type: volume, source: a, target: /x}]",
         "volumes: [{target: /x, read_only: true}]", "volumes",
         [{"type": "volume", "source": "a", "target": "/x", "read_only": "true"}]),
        ("secrets: [a]", "secrets: [{source: b, target: a}, c]", "secrets",
         [{"source": "b", "target": "a"}, "c"]),
        ("depends_on: [a]", "depends_on: {b: {condition: service_healthy}}", "depends_on",
         {"a": {"condition": "service_started"}, "b": {"condition": "service_healthy"}}),
        ("networks: [a]", "networks: {b: {aliases: [x]}}", "networks",
         {"a": None, "b": {"aliases": ["x"]}}),
        ("healthcheck: {test: [CMD, a], interval: 1s}", "healthcheck: {test: [CMD, b]}",
         "healthcheck", {"test": ["CMD", "b"], "interval": "1s"}),
        ("logging: {driver: a, options: {x: '1'}}", "logging: {driver: a, options: {y: '2'}}",
         "logging", {"driver": "a", "options": {"x": "1", "y": "2"}}),
        ("logging: {driver: a, options: {x: '1'}}", "logging: {driver: b}", "logging",
         {"driver": "b"}),
        ("deploy: {replicas: 2, labels: [a=1]}", "deploy: {replicas: 3}", "deploy",
         {"replicas": "3", "labels": ["a=1"]}),
        ("ports: ['80:80']", "ports: !override ['81:81']", "ports", ["81:81"]),
        ("ports: ['80:80']", "ports: !reset []", "ports", None),
        ("environment: {A: '1', B: '2'}", "environment: {A: !reset null}", "environment",
         {"B": "2"}),
        ("hostname: a", "hostname: ", "hostname", "a"),
    ],
)  # fmt: skip
def test_a_later_file_changes_an_earlier_one(base: str, over: str, key: str, both: object) -> None:
    assert _web(base, over).get(key) == both


def test_a_single_file_has_no_reset_or_override_left() -> None:
    whole, _ = _files("services: {web: {image: x, ports: !reset [], dns: !override [a]}}")
    assert whole == {"services": {"web": {"image": "x", "dns": ["a"]}}}


def test_merging_with_nothing_changes_nothing() -> None:
    item = parse("services: {web: {image: x, ports: ['1', '2']}}", "f", Problems())
    assert item is not None
    assert without_tags(merged(Item({}), item)).plain() == item.plain()
    assert without_tags(merged(item, Item({}))).plain() == item.plain()
    assert without_tags(merged(item, item)).plain() == item.plain()


def test_each_file_has_variables_of_the_caller_and_of_dot_env() -> None:
    whole, problems = _files(
        "services: {web: {image: '${HOST}-${FILE}'}}",
        "services: {web: {hostname: '${FILE}'}}",
        **{".env": "HOST=no\nFILE=yes\n"},
    )
    assert problems == []
    assert whole["services"]["web"] == {"image": "own-yes", "hostname": "yes"}


# extends


def test_a_service_extends_one_of_its_file_and_that_another() -> None:
    whole, problems = _files(
        "services:\n"
        "  base: {image: x, environment: {A: '1'}, ports: ['80']}\n"
        "  more: {extends: base, environment: {B: '2'}}\n"
        "  web: {extends: {service: more}, environment: {A: '3'}, ports: !reset []}\n"
    )
    assert problems == []
    assert whole["services"]["web"] == {"image": "x", "environment": {"A": "3", "B": "2"}}


def test_a_service_of_another_file_keeps_its_own_paths() -> None:
    whole, problems = _files(
        "services: {web: {extends: {file: sub/other.yaml, service: base}, env_file: mine}}",
        **{
            "sub/other.yaml": "services: {base: {image: '$HOST', env_file: [a, {path: b}],"
            " label_file: l, volumes: ['./d:/d', 'n:/n', '/abs:/a', '~/h:/h',"
            " {type: bind, source: ../e, target: /e}, {type: volume, source: v, target: /v}]}}"
        },
    )
    assert problems == []
    web = whole["services"]["web"]
    assert web["env_file"] == ["/dir/sub/a", {"path": "/dir/sub/b"}, "mine"]
    assert web["label_file"] == "/dir/sub/l"
    assert web["volumes"][:4] == ["/dir/sub/d:/d", "n:/n", "/abs:/a", "~/h:/h"]
    assert web["volumes"][4:] == [
        {"type": "bind", "source": "/dir/e", "target": "/e"},
        {"type": "volume", "source": "v", "target": "/v"},
    ]
    assert web["image"] == "own"


def test_an_overriding_file_extends_a_service_of_the_first() -> None:
    whole, problems = _files(
        "services: {base: {image: x}}", "services: {web: {extends: {service: base}}}"
    )
    assert problems == []
    assert whole["services"]["web"] == {"image": "x"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("services: {a: {extends: b}, b: {extends: a}}", "in a circle"),
        ("services: {a: {extends: a}}", "in a circle"),
        ("services: {a: {extends: {file: o.yaml, service: a}}}", "in a circle"),
        ("services: {a: {extends: b}}", "there is no service 'b'"),
        ("services: {a: {extends: {file: none.yaml, service: b}}}", "none.yaml cannot be read"),
        ("services: {a: {extends: {file: o.yaml, service: z}}}", "there is no service 'z'"),
        ("services: {a: {extends: {sevice: b}}}", "did you mean service?"),
    ],
)
def test_what_cannot_be_extended_is_told(text: str, says: str) -> None:
    other = "services: {a: {extends: {file: f0.yaml, service: a}}}"
    _, problems = _files(text, **{"o.yaml": other, "f0.yaml": text})
    assert any(says in each for each in problems), problems


# include


def test_an_included_file_brings_its_services_paths_and_variables() -> None:
    whole, problems = _files(
        "include: [sub/db.yaml]\nservices: {web: {image: x, depends_on: [db]}}",
        **{
            "sub/db.yaml": "services: {db: {image: '$IMAGE', env_file: e}}\n"
            "configs: {c: {file: ./c}}\nvolumes: {v: {}}\n",
            "sub/.env": "IMAGE=postgres\n",
        },
    )
    assert problems == []
    assert "include" not in whole
    assert whole["services"]["db"] == {"image": "postgres", "env_file": "/dir/sub/e"}
    assert whole["configs"] == {"c": {"file": "/dir/sub/c"}}
    assert whole["volumes"] == {"v": {}}


def test_an_include_says_where_paths_begin_and_which_variables_there_are() -> None:
    whole, problems = _files(
        "include:\n"
        "  - {path: [sub/db.yaml, sub/more.yaml], project_directory: ., env_file: vars}\n"
        "services: {}\n",
        **{
            "sub/db.yaml": "services: {db: {image: '$IMAGE', env_file: e}}",
            "sub/more.yaml": "services: {db: {hostname: h}}",
            "vars": "IMAGE=postgres\n",
        },
    )
    assert problems == []
    db = {"image": "postgres", "env_file": "/dir/e", "hostname": "h"}
    assert whole["services"] == {"db": db}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("include: [none.yaml]", "1:11: /dir/none.yaml cannot be read"),
        ("include: [{}]", "path is missing"),
        ("include: [{path: a.yaml, other: b}]", "unknown key 'other'"),
        ("include: [me.yaml]", "include each other"),
        ("include: [a.yaml]\nservices: {a: {image: other}}", "services.a is in /dir/a.yaml too"),
        ("include: [{path: a.yaml, env_file: none}]", "none cannot be read"),
        ("include: [{path: a.yaml, env_file: bad}]", "bad: line 1"),
    ],
)
def test_what_cannot_be_included_is_told(text: str, says: str) -> None:
    others = {"me.yaml": "include: me.yaml", "a.yaml": "services: {a: {image: x}}", "bad": "- x\n"}
    _, problems = _files(text, **others)
    assert any(says in each for each in problems), problems


def test_files_that_include_very_many_are_refused() -> None:
    many = ", ".join(["a.yaml"] * 101)
    _, problems = _files(f"include: [{many}]", **{"a.yaml": "services: {}"})
    assert any("more than 100 files" in each for each in problems)


# keys


OF_THE_SPECIFICATION = [
    "annotations",
    "attach",
    "blkio_config",
    "build",
    "cap_add",
    "cap_drop",
    "cgroup",
    "cgroup_parent",
    "command",
    "configs",
    "container_name",
    "cpu_count",
    "cpu_percent",
    "cpu_period",
    "cpu_quota",
    "cpu_rt_period",
    "cpu_rt_runtime",
    "cpu_shares",
    "cpus",
    "cpuset",
    "credential_spec",
    "depends_on",
    "deploy",
    "develop",
    "device_cgroup_rules",
    "devices",
    "dns",
    "dns_opt",
    "dns_search",
    "domainname",
    "entrypoint",
    "env_file",
    "environment",
    "expose",
    "extends",
    "external_links",
    "extra_hosts",
    "gpus",
    "group_add",
    "healthcheck",
    "hostname",
    "image",
    "init",
    "ipc",
    "isolation",
    "label_file",
    "labels",
    "links",
    "logging",
    "mac_address",
    "mem_limit",
    "mem_reservation",
    "mem_swappiness",
    "memswap_limit",
    "models",
    "network_mode",
    "networks",
    "oom_kill_disable",
    "oom_score_adj",
    "pid",
    "pids_limit",
    "platform",
    "ports",
    "post_start",
    "pre_stop",
    "privileged",
    "profiles",
    "provider",
    "pull_policy",
    "pull_refresh_after",
    "read_only",
    "restart",
    "runtime",
    "scale",
    "secrets",
    "security_opt",
    "shm_size",
    "stdin_open",
    "stop_grace_period",
    "stop_signal",
    "storage_opt",
    "sysctls",
    "tmpfs",
    "tty",
    "ulimits",
    "use_api_socket",
    "user",
    "userns_mode",
    "uts",
    "volumes",
    "volumes_from",
    "working_dir",
]
"""Keys of a service in the specification's schema of 2026."""


def test_every_key_of_the_specification_has_somebody_who_takes_care() -> None:
    assert {*OF_THE_SPECIFICATION} == {*SERVICE, "build"} - {"x-pinnace"}
    assert {*DEPLOY} == {
        "endpoint_mode", "labels", "mode", "placement", "replicas", "resources", "restart_policy",
        "rollback_config", "update_config",
    }  # fmt: skip
    assert {*FILE} == {
        "configs", "include", "models", "name", "networks", "secrets", "services", "version",
        "volumes",
    }  # fmt: skip
