"""Another program's command line as our configuration: what it prints can be loaded."""

import pytest

from registrar.importing import toml_of
from sidecar.config.load import settle
from sidecar.config.model import DockerSettings, RegistrarSettings
from sidecar.errors import PermanentError

URI = "consul://127.0.0.1:8500"


@pytest.mark.parametrize(
    "words",
    [
        [f"/bin/registrator -internal -tags 'a,\"b\" {{{{.Name}}}}' -ttl 30 -ttl-refresh 9 {URI}"],
        ["-internal", "-tags", 'a,"b" {{.Name}}', "-ttl", "30", "-ttl-refresh", "9", URI],
    ],
    ids=["one-text", "words"],
)
def test_what_is_printed_loads_as_what_was_meant(words: list[str]) -> None:
    settings = settle({}, {}, toml_of(words, {}), "r.toml").settings
    assert settings.registrar == RegistrarSettings(
        stores=(URI,),
        internal="always",
        tags='a,"b" {{.Name}}',
        ttl=30.0,
        ttl_refresh=9.0,
        retry_attempts=0,
    )
    assert settings.docker == DockerSettings(url="unix:///tmp/docker.sock")


@pytest.mark.parametrize(
    "before",
    [
        "docker run -d --name=registrator --net=host -v /a:/tmp/docker.sock gliderlabs/registrator",
        "sudo docker run --name registrator gliderlabs/registrator:latest",
        "docker container run -e SOMETHING=else reg.example:5000/x/registrator@sha256:0a",
        "podman run my/registrator-fork:1",
    ],
)
def test_a_container_may_be_what_runs_it(before: str) -> None:
    text = toml_of([f"{before} -internal {URI}"], {})
    registrar = settle({}, {}, text).settings.registrar
    assert (registrar.stores, registrar.internal) == ((URI,), "always")


def test_the_variables_of_a_container_count_and_its_socket_does_not() -> None:
    given = "-e DOCKER_HOST=tcp://h:1 --env CONSUL_CACERT=/c --env=DOCKER_TLS_VERIFY=1"
    text = toml_of([f"docker run {given} a/registrator {URI}"], {})
    assert settle({}, {}, text).settings.docker.url == "tcp://h:1"
    assert "# CONSUL_CACERT, DOCKER_TLS_VERIFY: read from the environment, as before." in text


def test_lists_are_printed_as_such() -> None:
    words = ["-network", "a,b", "-store", "etcd://e/x", URI]
    registrar = settle({}, {}, toml_of(words, {})).settings.registrar
    assert (registrar.networks, registrar.stores) == (("a", "b"), (URI, "etcd2://e/x"))


def test_etcd_stays_with_the_api_that_the_original_speaks() -> None:
    text = toml_of(["-store", "skydns2://e/a.b", "etcd://e/x"], {})
    registrar = settle({}, {}, text).settings.registrar
    assert registrar.stores == ("etcd2://e/x", "skydns2://e/a.b")
    assert "# etcd2://: the API of the original; etcd:// asks by v3." in text
    assert "# etcd2" not in toml_of([URI], {})


def test_the_variables_before_a_command_count() -> None:
    text = toml_of([f"DOCKER_HOST=tcp://h:1 CONSUL_HTTP_TOKEN=secret registrator {URI}"], {})
    assert settle({}, {}, text).settings.docker.url == "tcp://h:1"
    assert "# CONSUL_HTTP_TOKEN: read from the environment, as before." in text
    assert "secret" not in text


def test_what_has_no_equal_is_a_comment() -> None:
    text = toml_of(["-http", ":9", "-dry-run", URI], {"DOCKER_HOST": "tcp://h:2"})
    assert "# -http: pinnace up serves health" in text
    assert "# -dry-run: see: pinnace registrar -dry-run." in text
    assert "# ip: the original takes what its host name resolves to" in text
    assert "# ip:" not in toml_of(["-ip", "10.0.0.1", URI], {})
    assert settle({}, {}, text).settings.docker.url == "tcp://h:2"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "Missing required argument"),
        (["A=1"], "Missing required argument"),
        (["-x"], "flag provided but not defined: -x"),
        (["-h"], "asks for help"),
        (["-tags 'a"], "cannot be split"),
        (["docker run alpine"], "no image of registrator"),
        (["-ttl", "5", URI], "must be specified together"),
    ],
)
def test_a_wrong_command_line_is_told(words: list[str], why: str) -> None:
    with pytest.raises(PermanentError, match=why):
        toml_of(words, {})
