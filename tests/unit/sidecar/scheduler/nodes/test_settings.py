"""Which nodes there are, from a file."""

import pytest

from sidecar.errors import ConfigError
from sidecar.scheduler.model import NANO, Resources
from sidecar.scheduler.nodes.node import Files, NodeSettings, host_of
from sidecar.scheduler.nodes.settings import merged, settings_of

WHOLE = """
[[node]]
name = "n1"
endpoint = "tcp://192.0.2.1:2376"
advertise = "198.51.100.1"
labels = { zone = "a" }
reserve = { cpus = 1, memory = "1g" }
overcommit = { cpus = 2.0 }
ca = "/ca.pem"
cert = "/cert.pem"
key = "/key.pem"
verify = false
manager = false
"""


def test_a_node_says_all_there_is_to_say() -> None:
    (node,) = settings_of(WHOLE, "nodes.toml")
    assert node == NodeSettings(
        name="n1",
        endpoint="tcp://192.0.2.1:2376",
        advertise="198.51.100.1",
        labels={"zone": "a"},
        reserve=Resources(NANO, 1 << 30),
        overcommit=(2.0, 1.05),
        files=Files("/ca.pem", "/cert.pem", "/key.pem", is_verified=False),
        is_leader_capable=False,
    )
    assert node.labels == {"zone": "a"}


@pytest.mark.parametrize(
    "text",
    [
        '[{"name": "n1", "endpoint": "unix:///s"}]',
        '{"nodes": [{"name": "n1", "endpoint": "unix:///s"}]}',
        '[[node]]\nname = "n1"\nendpoint = "unix:///s"\n',
    ],
    ids=["list", "object", "toml"],
)
def test_forms_of_a_list(text: str) -> None:
    assert settings_of(text, "f") == [NodeSettings(name="n1", endpoint="unix:///s")]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('{"name": "a b", "endpoint": "unix:///s"}', "the name 'a b' must be letters"),
        ('{"name": 1, "endpoint": "unix:///s"}', "name must be a text"),
        ('{"name": "n", "endpoint": "n:2375"}', "'n:2375' must start with one of unix:// tcp://"),
        ('{"name": "n", "endpoint": "ssh://-oProxy"}', "is not ssh://[USER@]HOST[:PORT]"),
        ('{"name": "n", "endpoint": "ssh://a b"}', "is not ssh://[USER@]HOST[:PORT]"),
        ('{"name": "n", "endpont": "unix:///s"}', "unknown key 'endpont'; did you mean endpoint?"),
        ('{"name": "n", "labels": ["a"]}', "labels must be a table of texts"),
        ('{"name": "n", "reserve": {"disk": 1}}', "reserve must be a table of cpus and memory"),
        ('{"name": "n", "reserve": {"memory": "x"}}', "reserve.memory: 'x' is no size"),
        ('{"name": "n", "overcommit": {"cpus": -1}}', "cpus: -1 is no number from 0 on"),
        ('{"name": "n", "cert": "/c"}', "cert and key go together"),
        ('{"name": "n", "verify": "no"}', "verify must be true or false"),
    ],
)
def test_what_is_wrong_is_told(table: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_of(f"[{table}]", "nodes.json")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "nodes.json: the file: there are no nodes"),
        ("{", "nodes.json: Invalid"),
        ('{"nodes": 1}', "must be a list of nodes"),
        (
            '[{"name": "n", "endpoint": "unix:///s"}, {"name": "n", "endpoint": "unix:///t"}]',
            "node 1: two nodes are called 'n'",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_told(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_of(text, "nodes.json")
    assert said in str(caught.value)


def test_the_host_of_an_endpoint() -> None:
    assert host_of("unix:///var/run/docker.sock") == ""
    assert host_of("ssh://me@example.org:22") == "example.org"


def test_two_files_may_not_name_one_node() -> None:
    node = NodeSettings(name="n", endpoint="unix:///s")
    assert merged([[node], []]) == [node]
    with pytest.raises(ConfigError, match="two nodes are called 'n'"):
        merged([[node], [node]])
