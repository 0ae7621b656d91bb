"""Every key of a service that the engine honours, and what the engine is told."""

from typing import Any

import pytest

from sidecar.scheduler.compose.document import Problems
from sidecar.scheduler.compose.stack import stack_of
from sidecar.scheduler.recipe import Recipe, spec_of

FILES = {
    "/srv/a.env": b"# none\nA=1\nB='x # y'\nC=\"a\\nb\" # said\nexport D=d # said\nHOME\nE=\n",
    "/srv/raw.env": b'A="1" # raw\n',
    "/srv/labels": b"from=file\n",
    "/srv/secret": b"hush",
    "/srv/latin": b"\xff",
    "/srv/odd": b'A=\'open # no\nB="a\\"b" x\n',
    "/srv/wrong": b"A=1\n=2\n",
}
ENVIRON = {"HOME": "/home/me", "TOKEN": "t0ken", "SET": "is set"}


def read(text: str, tail: str = "") -> tuple[Recipe, list[str]]:
    """Return the recipe of a service with these keys, and what is said of it."""
    lines = "\n".join(f"    {line}" for line in text.strip().splitlines())
    problems = Problems()
    stack = stack_of(
        f"services:\n  web:\n    image: web\n{lines}\n{tail}", "compose.yaml", problems,
        name="shop", base="/srv", environ=ENVIRON, read=FILES.get,
    )  # fmt: skip
    (web,) = [each for each in stack.services if each.name == "web"]
    return web.recipe, [str(each) for each in problems]


CONFIG: list[tuple[str, dict[str, Any]]] = [
    ("command: sh -c 'a b'", {"Cmd": ["sh", "-c", "a b"]}),
    ("command: [sh, a b]", {"Cmd": ["sh", "a b"]}),
    ("entrypoint: /bin/x y", {"Entrypoint": ["/bin/x", "y"]}),
    ("environment: {A: 1, SET: , UNSET: }", {"Env": ["A=1", "SET=is set"]}),
    ("environment: [A=1, SET]", {"Env": ["A=1", "SET=is set"]}),
    (
        "env_file: a.env",
        {"Env": ["A=1", "B=x # y", "C=a\nb", "D=d", "E=", "HOME=/home/me"]},
    ),
    ("env_file: [{path: raw.env, format: raw}]", {"Env": ['A="1" # raw']}),
    ("env_file: odd", {"Env": ["A='open", 'B=a"b']}),
    ("env_file: [{path: none.env, required: false}]\nenvironment: [A=2]", {"Env": ["A=2"]}),
    ("env_file: a.env\nenvironment: {A: over}", {"Env": [
        "A=over", "B=x # y", "C=a\nb", "D=d", "E=", "HOME=/home/me"]}),
    ("working_dir: /w", {"WorkingDir": "/w"}),
    ("user: '1:2'", {"User": "1:2"}),
    ("hostname: h\ndomainname: d", {"Hostname": "h", "Domainname": "d"}),
    ("labels: {a: b, n: 1}", {"Labels": {"a": "b", "n": "1"}}),
    ("label_file: labels\nlabels: [x=y]", {"Labels": {"from": "file", "x": "y"}}),
    ("x-pinnace: {fencing: self}", {"Labels": {"pinnace.fencing": "self"}}),
    ("deploy: {labels: {d: e}}", {"Labels": {"d": "e"}}),
    (
        "environment: ['constraint:disk==ssd', 'affinity:image==~web', 'whitelist:node==a|b', A=1]",
        {
            "Env": ["A=1"],
            "Labels": {
                "com.docker.swarm.constraints": '["disk==ssd"]',
                "com.docker.swarm.affinities": '["image==~web"]',
                "com.docker.swarm.whitelists": '["node==a|b"]',
            },
        },
    ),
    ("expose: ['80', '53/udp']", {"ExposedPorts": {"80/tcp": {}, "53/udp": {}}}),
    ("stop_signal: SIGINT\nstop_grace_period: 1m30s", {"StopSignal": "SIGINT", "StopTimeout": 90}),
    ("tty: true\nstdin_open: true", {"Tty": True, "OpenStdin": True}),
    ("tty: false", {}),
    ("volumes: [/data]", {"Volumes": {"/data": {}}}),
    (
        """
healthcheck: {test: curl x, interval: 5s, timeout: 1s, retries: 2, start_period: 1m,
  start_interval: 500ms}""",
        {"Healthcheck": {
            "Test": ["CMD-SHELL", "curl x"], "Interval": 5 * 10**9, "Timeout": 10**9,
            "Retries": 2, "StartPeriod": 60 * 10**9, "StartInterval": 5 * 10**8,
        }},
    ),
    ("healthcheck: {test: [CMD, a]}", {"Healthcheck": {"Test": ["CMD", "a"]}}),
    ("healthcheck: {test: NONE}", {"Healthcheck": {"Test": ["NONE"]}}),
    ("healthcheck: {disable: true}", {"Healthcheck": {"Test": ["NONE"]}}),
]  # fmt: skip

HOST: list[tuple[str, dict[str, Any]]] = [
    ("group_add: [mail, '7']", {"GroupAdd": ["mail", "7"]}),
    ("init: true", {"Init": True}),
    ("annotations: {a: b}", {"Annotations": {"a": "b"}}),
    (
        "ports: ['80', '8080:81', '127.0.0.1:53:53/udp', {target: 90, published: 9, mode: host}]",
        {"PortBindings": {
            "80/tcp": [{"HostIp": "", "HostPort": ""}],
            "81/tcp": [{"HostIp": "", "HostPort": "8080"}],
            "53/udp": [{"HostIp": "127.0.0.1", "HostPort": "53"}],
            "90/tcp": [{"HostIp": "", "HostPort": "9"}],
        }},
    ),
    ("volumes: ['./a:/a:ro', '~/b:/b', /c:/c]",
     {"Binds": ["/srv/a:/a:ro", "/home/me/b:/b", "/c:/c"]}),
    (
        """
volumes: [{type: bind, source: x, target: /x, read_only: true,
  bind: {propagation: shared, create_host_path: true}}]""",
        {"Mounts": [{
            "Type": "bind", "Source": "/srv/x", "Target": "/x", "ReadOnly": True,
            "BindOptions": {"Propagation": "shared", "CreateMountpoint": True},
        }]},
    ),
    (
        "volumes: [{type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 755}}]",
        {"Mounts": [{"Type": "tmpfs", "Target": "/t",
                     "TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 0o755}}]},
    ),
    ("tmpfs: [/run, '/tmp:size=1m']", {"Tmpfs": {"/run": "", "/tmp": "size=1m"}}),
    ("read_only: true", {"ReadonlyRootfs": True}),
    ("volumes_from: [db:ro, 'container:x']", {"VolumesFrom": ["db:ro", "container:x"]}),
    ("extra_hosts: ['a:192.0.2.1', 'b=192.0.2.2', 'c=[2001:db8::1]']",
     {"ExtraHosts": ["a:192.0.2.1", "b:192.0.2.2", "c:2001:db8::1"]}),
    ("extra_hosts: {a: 192.0.2.1, b: [192.0.2.2, 192.0.2.3]}",
     {"ExtraHosts": ["a:192.0.2.1", "b:192.0.2.2", "b:192.0.2.3"]}),
    ("dns: 192.0.2.53\ndns_search: [a, b]\ndns_opt: ['ndots:2']",
     {"Dns": ["192.0.2.53"], "DnsSearch": ["a", "b"], "DnsOptions": ["ndots:2"]}),
    ("ulimits: {nproc: 10, nofile: {soft: 1, hard: 2}}",
     {"Ulimits": [{"Name": "nproc", "Soft": 10, "Hard": 10},
                  {"Name": "nofile", "Soft": 1, "Hard": 2}]}),
    ("sysctls: {net.core.somaxconn: 9}", {"Sysctls": {"net.core.somaxconn": "9"}}),
    ("cap_add: [A]\ncap_drop: [ALL]\nsecurity_opt: [no-new-privileges]",
     {"CapAdd": ["A"], "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"]}),
    ("privileged: true", {"Privileged": True}),
    ("devices: ['/dev/a:/dev/b:r', /dev/c, {source: /dev/d, target: /dev/e, permissions: rw}]",
     {"Devices": [
         {"PathOnHost": "/dev/a", "PathInContainer": "/dev/b", "CgroupPermissions": "r"},
         {"PathOnHost": "/dev/c", "PathInContainer": "/dev/c", "CgroupPermissions": "rwm"},
         {"PathOnHost": "/dev/d", "PathInContainer": "/dev/e", "CgroupPermissions": "rw"}]}),
    ("device_cgroup_rules: ['c 1:3 mr']", {"DeviceCgroupRules": ["c 1:3 mr"]}),
    ("shm_size: 64m\nipc: host\npid: host\nuts: host\nuserns_mode: host",
     {"ShmSize": 64 << 20, "IpcMode": "host", "PidMode": "host", "UTSMode": "host",
      "UsernsMode": "host"}),
    ("cgroup: private\ncgroup_parent: /p", {"CgroupnsMode": "private", "CgroupParent": "/p"}),
    ("logging: {driver: syslog, options: {tag: x}}",
     {"LogConfig": {"Type": "syslog", "Config": {"tag": "x"}}}),
    ("logging: {options: {max-size: 1m}}",
     {"LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}}}),
    ("runtime: runsc", {"Runtime": "runsc"}),
    ("storage_opt: {size: 1G}", {"StorageOpt": {"size": "1G"}}),
    ("mem_limit: 1g\nmem_reservation: 512m\nmemswap_limit: -1\nmem_swappiness: 5",
     {"Memory": 1 << 30, "MemoryReservation": 1 << 29, "MemorySwap": -1, "MemorySwappiness": 5}),
    ("cpus: 0.5\ncpu_shares: 2\ncpuset: 0-1", {"NanoCpus": 5 * 10**8, "CpuShares": 2,
                                               "CpusetCpus": "0-1"}),
    ("cpu_quota: 1000\ncpu_period: 2000\ncpu_rt_runtime: 3\ncpu_rt_period: 4",
     {"CpuQuota": 1000, "CpuPeriod": 2000, "CpuRealtimeRuntime": 3, "CpuRealtimePeriod": 4}),
    ("cpu_count: 1\ncpu_percent: 50", {"CpuCount": 1, "CpuPercent": 50}),
    ("pids_limit: -1\noom_kill_disable: true\noom_score_adj: -500",
     {"PidsLimit": -1, "OomKillDisable": True, "OomScoreAdj": -500}),
    ("deploy: {resources: {limits: {cpus: '2', memory: 2g, pids: 9}, reservations: {memory: 1g}}}",
     {"NanoCpus": 2 * 10**9, "Memory": 2 << 30, "PidsLimit": 9, "MemoryReservation": 1 << 30}),
    ("network_mode: host", {"NetworkMode": "host"}),
    ("x-pinnace: {restart_by: engine}", {"RestartPolicy": {"Name": "unless-stopped"}}),
    ("x-pinnace: {restart_by: engine}\nrestart: on-failure",
     {"RestartPolicy": {"Name": "on-failure"}}),
    ("x-pinnace: {restart_by: pinnace}", {}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "found"), CONFIG, ids=[text[:40] for text, _ in CONFIG])
def test_what_a_key_says_of_the_container(text: str, found: dict[str, Any]) -> None:
    recipe, problems = read(text)
    assert (dict(recipe.build.config), problems) == (found, [])


@pytest.mark.parametrize(("text", "found"), HOST, ids=[text[:40] for text, _ in HOST])
def test_what_a_key_says_of_its_host(text: str, found: dict[str, Any]) -> None:
    recipe, problems = read(text)
    assert (dict(recipe.build.host), problems) == (found, [])


def test_a_service_is_in_its_stacks_network_under_its_name() -> None:
    recipe, _ = read("command: x")
    (joined,) = recipe.build.networks
    assert (joined.name, joined.aliases) == ("shop_default", ("web",))
    (made,) = recipe.care.networks
    assert made.settings["Labels"] == {"pinnace.stack": "shop"}


def test_networks_are_joined_by_priority_with_all_they_say() -> None:
    tail = """
networks:
  a: {driver: macvlan, driver_opts: {parent: eth0}, internal: true, attachable: true,
      enable_ipv6: true, enable_ipv4: false, labels: {x: y},
      ipam: {driver: default, options: {o: p}, config: [{subnet: 192.0.2.0/24, ip_range:
      192.0.2.0/25, gateway: 192.0.2.1, aux_addresses: {r: 192.0.2.9}}]}}
  b: {external: true, name: theirs}
  c: {name: ours}
"""
    text = """
networks:
  a: {aliases: [w], ipv4_address: 192.0.2.7, ipv6_address: '2001:db8::7',
      link_local_ips: [169.254.1.1], driver_opts: {k: v}}
  b: {priority: 5}
  c:
"""
    recipe, problems = read(text, tail)
    assert problems == []
    first, second, third = recipe.build.networks
    assert [first.name, second.name, third.name] == ["theirs", "shop_a", "ours"]
    assert (second.aliases, second.address, second.address6) == (
        ("web", "w"), "192.0.2.7", "2001:db8::7",
    )  # fmt: skip
    assert (second.link_local, second.options) == (("169.254.1.1",), {"k": "v"})
    made = {each.name: each for each in recipe.care.networks}
    assert made["theirs"].is_external
    assert made["shop_a"].settings == {
        "Driver": "macvlan", "Options": {"parent": "eth0"}, "Attachable": True, "Internal": True,
        "EnableIPv6": True, "EnableIPv4": False, "Labels": {"x": "y", "pinnace.stack": "shop"},
        "IPAM": {"Driver": "default", "Options": {"o": "p"}, "Config": [{
            "Subnet": "192.0.2.0/24", "IPRange": "192.0.2.0/25", "Gateway": "192.0.2.1",
            "AuxiliaryAddresses": {"r": "192.0.2.9"}}]},
    }  # fmt: skip


def test_named_volumes_are_the_stacks_own() -> None:
    tail = """
volumes:
  data: {driver: local, driver_opts: {type: nfs}, labels: [a=b]}
  theirs: {external: {name: old}}
"""
    text = """
volumes:
  - data:/data
  - {type: volume, source: theirs, target: /t, volume: {nocopy: true, subpath: s}}
"""
    recipe, problems = read(text, tail)
    assert problems == []
    assert recipe.build.host["Binds"] == ["shop_data:/data"]
    assert recipe.build.host["Mounts"] == [{
        "Type": "volume", "Source": "old", "Target": "/t",
        "VolumeOptions": {"NoCopy": True, "Subpath": "s"},
    }]  # fmt: skip
    data, theirs = recipe.care.volumes
    assert data.settings == {
        "Driver": "local", "DriverOpts": {"type": "nfs"},
        "Labels": {"a": "b", "pinnace.stack": "shop"},
    }  # fmt: skip
    assert (theirs.name, theirs.is_external) == ("old", True)


def test_configs_and_secrets_become_files_and_a_secret_stands_in_no_label() -> None:
    tail = """
configs: {greeting: {content: hello}, other: {environment: TOKEN}}
secrets: {key: {file: secret}}
"""
    text = """
configs: [greeting, {source: other, target: /etc/other, mode: 440, uid: '5', gid: '6'}]
secrets: [key, {source: key, target: renamed}]
"""
    recipe, problems = read(text, tail)
    assert problems == []
    assert [file.path for file in recipe.build.files] == [
        "/greeting", "/etc/other", "/run/secrets/key", "/run/secrets/renamed",
    ]  # fmt: skip
    other = recipe.build.files[1]
    assert (other.mode, other.uid, other.gid) == (0o440, 5, 6)
    assert {*recipe.care.contents.values()} == {b"hello", b"t0ken"}
    assert {*recipe.care.secrets.values()} == {b"hush"}


def test_hooks_links_and_the_rest_is_care_and_not_part_of_the_spec() -> None:
    text = """
links: ['db:database']
external_links: [other]
pull_policy: always
container_name: me
post_start: [{command: touch /x, user: root, privileged: true, working_dir: /,
              environment: [A=1]}]
pre_stop: [{command: [/bin/a, b]}]
x-pinnace: {drain: 20s}
"""
    recipe, problems = read(text, "  db: {image: x}")
    assert problems == []
    assert recipe.build.links == ("db:database", "other")
    care = recipe.care
    assert (care.pull, care.name, care.drain) == ("always", "me", 20.0)
    (begin,), (end,) = care.post_start, care.pre_stop
    assert begin.command == ("/bin/sh", "-c", "touch /x")
    assert (begin.user, begin.is_privileged, begin.folder) == ("root", True, "/")
    assert (begin.environment, end.command) == (("A=1",), ("/bin/a", "b"))
    other, _ = read("links: ['db:database']\nexternal_links: [other]", "  db: {image: x}")
    assert spec_of(other) == spec_of(recipe)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('command: "sh \'a"', "4:14: services.web.command: No closing quotation"),
        ("env_file: none.env", "4:15: /srv/none.env cannot be read"),
        ("env_file: latin", "4:15: latin is no UTF-8 at byte 0"),
        ("env_file: wrong", "4:15: wrong: line 2 is not NAME=VALUE: '=2'"),
        ("env_file: secret2", "4:15: /srv/secret2 cannot be read"),
        ("volumes: [nope:/x]", "4:15: services.web: there is no volume 'nope' at the top level"),
        ("volumes: ['./a:b']", "4:15: services.web.volumes: './a:b' has no absolute path"),
        ("volumes: [{type: tmpfs}]", "services.web.volumes: target is missing"),
        ("volumes: [{type: tmpfs, target: /t, tmpfs: {mode: x}}]", "'x' is no octal mode"),
        ("networks: [nope]", "services.web: there is no network 'nope' at the top level"),
        ("configs: [nope]", "4:15: services.web.configs: 'nope' is not at the top level"),
        ("pull_policy: now", "'now' is none of always, never"),
        ("post_start: [{user: x}]", "services.web.post_start: command is missing"),
        ("healthcheck: {test: [a]}", "must begin with CMD, CMD-SHELL or NONE"),
        ("pids_limit: many", "'many' is no whole number"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, said: str) -> None:
    _, problems = read(text)
    assert any(said in each for each in problems), problems


@pytest.mark.parametrize(
    ("tail", "said"),
    [
        ("configs: {a: {file: nope}}", "/srv/nope cannot be read"),
        ("configs: {a: {environment: NOPE}}", "the variable NOPE is not set"),
        ("configs: {a: {external: true}}", "external configs are kept by nobody here"),
        ("secrets: {a: {content: x}}", "secrets.a needs file or environment"),
    ],
)
def test_what_is_wrong_at_the_top_level_is_told(tail: str, said: str) -> None:
    _, problems = read("command: x", tail)
    assert any(said in each for each in problems), problems


def test_a_spec_changes_with_what_needs_another_container_only() -> None:
    base, _ = read("command: x")
    assert spec_of(read("command: x\nstop_grace_period: 5s")[0]) != spec_of(base)
    assert spec_of(read("command: x\ndeploy: {replicas: 7}")[0]) == spec_of(base)
    assert spec_of(read("command: x\nrestart: always")[0]) == spec_of(base)


@pytest.mark.parametrize(
    ("text", "pull"),
    [
        ("pull_policy: missing", "missing"), ("pull_policy: if_not_present", "missing"),
        ("pull_policy: never", "never"), ("pull_policy: always", "always"),
        ("pull_policy: daily", "every:86400"), ("pull_policy: weekly", "every:604800"),
        ("pull_policy: every_12h", "every:43200"), ("pull_policy: every_1w2d", "every:777600"),
        ("pull_policy: refresh\npull_refresh_after: 3d", "every:259200"),
    ],
)  # fmt: skip
def test_when_images_are_pulled_is_as_compose_says(text: str, pull: str) -> None:
    recipe, problems = read(text)
    assert (recipe.care.pull, problems) == (pull, [])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pull_policy: hourly", "'hourly' is none of always, never"),
        ("pull_policy: every_", "'' is no duration above 0; write for example 12h"),
        ("pull_policy: every_0s", "no duration above 0"),
        ("pull_policy: every_5", "'5' has no unit"),
        (
            "pull_policy: refresh",
            "4:18: services.web.pull_policy: refresh needs pull_ref",
        ),
        ("pull_policy: build", "warning: services.web.pull_policy: nothing is built here"),
        ("pull_refresh_after: 3d", "warning: services.web.pull_refresh_after is ignored"),
        ("ports: ['8000-8005:80']", "4:13: warning: services.web.ports: of 8000-8005 always 8000"),
        ("ports: [{target: 80, published: 1-2}]", "warning: services.web.ports: of 1-2 always 1 "),
        ("ports: [{target: 80, mode: ingress}]", "warning: services.web.ports.mode: only hosts"),
        ("ports: [{target: 80, mode: odd}]", "'odd' is none of host, ingress"),
        ("ports: [{target: 80, name: web}]", "warning: services.web.ports.name is ignored"),
        ("ports: [{target: 80, app_protocol: http}]", "ports.app_protocol is ignored"),
        ("post_start: [{command: x, per_replica: false}]", "it runs in each replica"),
        (
            "volumes: [{type: bind, source: /a, target: /b, bind: {selinux: z}}]",
            "selinux is ignored",
        ),
        ("volumes: [{type: bind, source: /a, target: /b, bind: {recursive: x}}]", "'x' is none of"),
        ("volumes: [{type: image, source: a, target: /b, image: {sub: x}}]", "unknown key 'sub'"),
        ("networks: {default: {gw_priority: 2}}", "networks.default.gw_priority is ignored"),
        ("networks: {default: {mac_address: 'a:b'}}", "networks.default.mac_address is ignored"),
        ("deploy: {mode: global, replicas: 2}", "warning: services.web.deploy.replicas is ignored"),
    ],
)
def test_what_is_not_done_as_written_is_told(text: str, says: str) -> None:
    _, problems = read(text)
    (told,) = problems
    assert says in told


def test_what_a_config_cannot_be_is_told() -> None:
    tail = "configs: {c: {content: hi, labels: {a: b}, template_driver: golang}}"
    _, problems = read("configs: [c]", tail)
    assert [each.partition("warning: ")[2] for each in problems] == [
        "the file.configs.c.labels is ignored", "the file.configs.c.template_driver is ignored",
    ]  # fmt: skip


def test_long_forms_of_volumes_reach_the_engine_whole() -> None:
    recipe, problems = read(
        """
volumes:
  - {type: volume, source: d, target: /d, volume: {subpath: s, labels: {a: b}}}
  - {type: image, source: tools, target: /t, image: {subpath: bin}}
  - {type: bind, source: /e, target: /e, bind: {recursive: disabled}}
  - {type: bind, source: /f, target: /f, bind: {recursive: readonly}, read_only: true}
stop_grace_period: 500ms
""",
        "volumes: {d: }",
    )
    assert problems == []
    volume, image, plain, deep = recipe.build.host["Mounts"]
    assert volume["VolumeOptions"] == {"Subpath": "s", "Labels": {"a": "b"}}
    assert image["ImageOptions"] == {"Subpath": "bin"}
    assert plain["BindOptions"]["NonRecursive"] is True
    assert deep["BindOptions"]["ReadOnlyForceRecursive"] is True
    assert recipe.build.config["StopTimeout"] == 1, "0 would be no grace at all"


def test_labels_that_only_we_read_are_no_part_of_the_spec() -> None:
    one, _ = read("labels: {pinnace.http.host: a, team: blue}")
    two, _ = read("labels: {pinnace.http.host: b, pinnace.weight: '3', team: blue}")
    other, _ = read("labels: {pinnace.http.host: a, team: red}")
    assert spec_of(one) == spec_of(two) != spec_of(other)
    assert two.care.labels == {"pinnace.http.host": "b", "pinnace.weight": "3"}
    assert one.build.config["Labels"] == {"team": "blue"}


def test_what_keeps_copies_apart_on_a_lost_node_is_a_part_of_the_spec() -> None:
    """The agent of a host reads that label from the engine."""
    plain, _ = read("")
    fenced, _ = read("x-pinnace: {fencing: self}")
    assert spec_of(plain) != spec_of(fenced)
    assert fenced.build.config["Labels"] == {"pinnace.fencing": "self"}


def test_rules_of_classic_swarm_become_the_labels_that_it_kept_them_in() -> None:
    recipe, problems = read(
        "environment: ['constraint:zone==a', 'affinity:image!=~redis', 'whitelist:node==a|b',"
        " 'reschedule:on-node-failure']"
    )
    assert problems == []
    prefix = "com.docker.swarm."
    assert recipe.build.config["Labels"] == {
        f"{prefix}constraints": '["zone==a"]', f"{prefix}affinities": '["image!=~redis"]',
        f"{prefix}whitelists": '["node==a|b"]',
    }  # fmt: skip
    assert recipe.care.labels == {f"{prefix}reschedule-policies": '["on-node-failure"]'}
    again, _ = read("labels: {com.docker.swarm.reschedule-policies: '[\"off\"]'}")
    assert again.care.labels == {f"{prefix}reschedule-policies": '["off"]'}


def test_what_it_depends_on_stands_in_composes_own_label() -> None:
    tail = "  db: {image: x}\n  log: {image: y}"
    recipe, _ = read("depends_on: {db: {condition: service_started, restart: true}, log: }", tail)
    told = recipe.care.labels["com.docker.compose.depends_on"]
    assert told == "db:service_started:true,log:service_started:false"


def test_a_service_that_restarts_with_another_changes_with_it() -> None:
    def spec(image: str, restart: str) -> str:
        text = f"depends_on: {{db: {{condition: service_started, restart: {restart}}}}}"
        return spec_of(read(text, f"  db: {{image: {image}}}")[0])

    assert spec("a", "true") != spec("b", "true")
    assert spec("a", "false") == spec("b", "false")
