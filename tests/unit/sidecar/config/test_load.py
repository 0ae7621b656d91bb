"""Flag over environment over file over default, and every mistake at once."""

from pathlib import Path

import pytest

from sidecar.config.keys import SECTIONS
from sidecar.config.load import Loaded, load, settle
from sidecar.config.model import Settings
from sidecar.errors import ConfigError


def problems(
    text: str = "",
    environ: dict[str, str] | None = None,
    flags: dict[str, str] | None = None,
    name: str = "p.toml",
) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        settle(flags or {}, environ or {}, text, name)
    return list(caught.value.problems)


def origins(loaded: Loaded) -> dict[str, str]:
    return {key: str(o) for key, o in loaded.origins.items() if o.kind != "default"}


# --- what wins --------------------------------------------------------------------------------


def test_without_any_source_every_setting_is_its_default() -> None:
    loaded = load({}, {}, None)
    assert loaded.settings == Settings()
    assert origins(loaded) == {}
    assert str(loaded.origins["dns.listen"]) == "default"


def test_flag_wins_over_environment_over_file_over_default() -> None:
    text = "[dns]\nlisten = ':1'\ndomain = 'file'\nttl = 1\n"
    environ = {"PINNACE_DNS__LISTEN": ":2", "PINNACE_DNS__DOMAIN": "env"}
    loaded = settle({"--dns": ":3"}, environ, text, "dir/p.toml")
    dns = loaded.settings.dns
    assert (dns.listen, dns.domain, dns.ttl, dns.alt_domain) == (":3", "env", 1.0, "pinnace")
    assert origins(loaded) == {
        "dns.listen": "flag --dns",
        "dns.domain": "environment PINNACE_DNS__DOMAIN",
        "dns.ttl": "file dir/p.toml:4:1",
    }


@pytest.mark.parametrize(
    ("flags", "environ", "text", "url", "origin"),
    [
        ({}, {}, "", "tcp://h:1", "environment DOCKER_HOST"),
        ({"--docker": "tcp://f:1"}, {}, "", "tcp://f:1", "flag --docker"),
        ({}, {}, "docker.url = 'tcp://t:1'", "tcp://t:1", "file p.toml:1:8"),
        (
            {},
            {"PINNACE_DOCKER__URL": "tcp://v:1"},
            "",
            "tcp://v:1",
            "environment PINNACE_DOCKER__URL",
        ),
    ],
)
def test_docker_host_is_the_default_of_docker_url(
    flags: dict[str, str], environ: dict[str, str], text: str, url: str, origin: str
) -> None:
    loaded = settle(flags, {"DOCKER_HOST": "tcp://h:1", **environ}, text, "p.toml")
    assert (loaded.settings.docker.url, str(loaded.origins["docker.url"])) == (url, origin)


def test_an_empty_docker_host_is_none() -> None:
    assert settle({}, {"DOCKER_HOST": ""}).settings == Settings()


def test_a_docker_host_we_cannot_use_does_not_matter_when_another_is_given() -> None:
    assert problems(environ={"DOCKER_HOST": "ssh://h"}) == [
        "environment DOCKER_HOST: ssh:// is not supported; use unix://, tcp://, http:// or https://"
    ]
    settle({"--docker": "tcp://h:1"}, {"DOCKER_HOST": "ssh://h"})


# --- types ------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["'30s'", "30", "30.0", "'30'", "'0.5m'"])
def test_a_duration_may_be_a_number_or_have_a_unit(written: str) -> None:
    assert settle({}, {}, f"lb.drain = {written}", "p").settings.lb.drain == 30.0


def test_variables_are_read_as_the_type_asks() -> None:
    environ = {
        "PINNACE_DNS__MAX_UDP_PAYLOAD": "1400",
        "PINNACE_DNS__ONLY_PASSING": "true",
        "PINNACE_LB__DRAIN": "1m",
        "PINNACE_LOG__FORMAT": "json",
    }
    settings = settle({}, environ).settings
    assert (settings.dns.max_udp_payload, settings.dns.only_passing) == (1400, True)
    assert (settings.lb.drain, settings.log.format) == (60.0, "json")


def test_a_list_is_an_array_in_the_file_and_has_blanks_between_elsewhere() -> None:
    urls = ("consul://a", "etcd://b,c/x")
    in_file = settle({}, {}, f"registrar.stores = {[*urls]}", "p.toml")
    in_variable = settle({}, {"PINNACE_REGISTRAR__STORES": " ".join(urls)})
    for loaded in (in_file, in_variable):
        assert loaded.settings.registrar.stores == urls


def test_settings_that_contradict_each_other_are_refused() -> None:
    assert problems("registrar.ttl = 3") == ["registrar: ttl must be more than ttl_refresh"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("dns.listen = 53", "dns.listen: must be text in quotes, not a whole number"),
        ("dns.listen = true", "dns.listen: must be text in quotes, not true or false"),
        ("dns.listen = 1.5", "dns.listen: must be text in quotes, not a number"),
        ("dns.listen = []", "dns.listen: must be text in quotes, not an array"),
        ("dns.listen.x = 1", "dns.listen: must be text in quotes, not a table"),
        ("dns.listen = 07:32:00", "dns.listen: must be text in quotes, not a date or time"),
        ("dns.listen = 1979-05-27", "dns.listen: must be text in quotes, not a date or time"),
        ("dns.max_udp_payload = '1'", "dns.max_udp_payload: must be a whole number, not '1'"),
        ("dns.only_passing = 1", "dns.only_passing: must be true or false, not a whole number"),
        (
            "dns.ttl = true",
            'dns.ttl: must be a duration such as "30s" or a number of seconds, not true or false',
        ),
        (
            "registrar.networks = 'a'",
            """registrar.networks: must be an array of texts such as ["a", "b"], not 'a'""",
        ),
        (
            "registrar.networks = [1]",
            'registrar.networks: must be an array of texts such as ["a", "b"], not an array',
        ),
        ("dns.ttl = inf", "dns.ttl: a duration cannot be 'inf'"),
        ("dns.ttl = -1", "dns.ttl: a duration cannot be '-1'"),
        (
            "dns.ttl = '3 parsecs'",
            "dns.ttl: '3 parsecs' is not a duration; write for example 30s, 1m30s or 250ms",
        ),
        (
            "lb.kind = 'haprox'",
            "lb.kind: must be one of haproxy, nginx, none, not 'haprox'; did you mean haproxy?",
        ),
        ("lb.kind = 1", "lb.kind: must be one of haproxy, nginx, none, not a whole number"),
        ('lb.dir = "a\\nb"', "lb.dir: must not contain the character '\\n'"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(line: str, message: str) -> None:
    column = line.index(".") + 2
    assert problems(line) == [f"p.toml:1:{column}: {message}"]


# --- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[dnss]", "1:2: unknown section [dnss]; did you mean [dns]?"),
        (
            "[banana]\nx = 1",
            "1:2: unknown section [banana]; there are "
            + ", ".join(f"[{section}]" for section in SECTIONS),
        ),
        ("[dns]\nlistn = ':53'", "2:1: unknown key 'listn' in [dns]; did you mean listen?"),
        (
            "[dns]\nstate-dir = ''",
            "2:1: unknown key 'state-dir' in [dns]; did you mean store.state_dir?",
        ),
        ("[docker]\nxyz = 1", "2:1: unknown key 'xyz' in [docker]; there are url, ping"),
        ("[dns.listne]", "1:6: unknown key 'listne' in [dns]; did you mean listen?"),
        ("dns = 1", "1:1: 'dns' must be a table: [dns]"),
        ("[[dns]]", "1:3: 'dns' must be a table: [dns]"),
        ("domain = 'x'", "1:1: 'domain' stands outside of a section; is it dns.domain?"),
        (
            "url = ':1'",
            "1:1: 'url' stands outside of a section; is it docker.url or store.url?",
        ),
        (
            "'dns.listn' = 1",
            "1:1: unknown key 'dns.listn' outside of a section; did you mean dns.listen?",
        ),
        ('"a\\nb" = 1', "1:1: unknown key 'a\\nb' outside of a section"),
    ],
)
def test_an_unknown_name_is_an_error_with_the_nearest(text: str, message: str) -> None:
    assert problems(text) == [f"p.toml:{message}"]


def test_keys_below_a_misspelt_section_are_checked_as_those_of_the_nearest() -> None:
    assert problems("[dnss]\nlistn = 1\nttl = 1") == [
        "p.toml:1:2: unknown section [dnss]; did you mean [dns]?",
        "p.toml:2:1: unknown key 'listn' in [dns]; did you mean listen?",
    ]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("PINNACE_DNS__LISTN", "did you mean PINNACE_DNS__LISTEN?"),
        ("PINNACE_dns__listen", "did you mean PINNACE_DNS__LISTEN?"),
        ("PINNACE_STORE__STATEDIR", "did you mean PINNACE_STORE__STATE_DIR?"),
        ("PINNACE__", "`pinnace explain` lists all keys"),
    ],
)
def test_an_unknown_variable_is_an_error_with_the_nearest(name: str, hint: str) -> None:
    assert problems(environ={name: "1"}) == [f"environment {name}: no such setting; {hint}"]


def test_variables_that_are_not_settings_are_left_alone() -> None:
    environ = {
        "PINNACE_TESTING": "1",
        "PINNACE_FAILPOINT": "x=y",
        "PINNACE_PORT_8500_TCP": "tcp://10.0.0.1:8500",  # Kubernetes, for a service "pinnace"
        "pinnace_dns__listen": "x",
        "OTHER__THING": "x",
    }
    assert settle({}, environ).settings == Settings()


# --- all at once ------------------------------------------------------------------------------


def test_every_mistake_of_every_source_is_reported_at_once_in_order() -> None:
    text = "[http]\nlisten = 8500\n[lb]\nkindd = 'none'\nkind = none\n"
    environ = {"PINNACE_DNS__LISTEN": "0:x", "PINNACE_LOG__LEVEL": "loud"}
    assert problems(text, environ, {"--ip": "x", "--log-format": "xml"}) == [
        "p.toml:2:1: http.listen: must be text in quotes, not a whole number",
        "p.toml:4:1: unknown key 'kindd' in [lb]; did you mean kind?",
        "p.toml:5:8: invalid value; text must be in quotes",
        "environment PINNACE_DNS__LISTEN: 'x' in '0:x' is not a port from 0 to 65535",
        "environment PINNACE_LOG__LEVEL: must be one of debug, info, warning, error, not 'loud'",
        "--ip: 'x' is not an IP address",
        "--log-format: must be one of text, json, not 'xml'",
    ]


def test_a_wrong_value_is_reported_even_when_a_stronger_source_overrides_it() -> None:
    assert len(problems("dns.listen = 'x'", {}, {"--dns": ":53"})) == 1


# --- the file ---------------------------------------------------------------------------------


def test_the_file_is_named_as_the_user_wrote_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "p.toml").write_text("[dns]\nttl = 'x'\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"^\./p\.toml:2:1: dns\.ttl: 'x' is not a duration"):
        load({}, {}, "./p.toml")


def test_pinnace_config_names_the_file_unless_the_flag_does(tmp_path: Path) -> None:
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text("dns.domain = 'one'")
    two.write_text("\ufeffdns.domain = 'two'")
    environ = {"PINNACE_CONFIG": str(one)}
    assert load({}, environ, None).settings.dns.domain == "one"
    assert load({}, environ, str(two)).settings.dns.domain == "two"
    assert load({}, {"PINNACE_CONFIG": ""}, None).settings.dns.domain == "consul"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a = 1\n# \xc3\xa9\xff", ":2:4: is not UTF-8 text"),
        (b"#" * (1 << 20) + b"#", ": is larger than 1 MiB"),
    ],
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "p.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        load({}, {}, str(path))
    assert caught.value.problems == (f"{path}{message}",)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.toml", "No such file or directory"),
        (".", "Is a directory"),
        ("a\0b", "embedded null byte"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_mistake_among_others(name: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load({"--ip": "x"}, {}, name)
    assert caught.value.problems == (
        f"{name}: cannot be read: {reason}",
        "--ip: 'x' is not an IP address",
    )


def test_nothing_is_known_about_the_place_of_endless_nesting() -> None:
    assert problems("a = " + "[" * 100_000) == ["p.toml: arrays or tables are nested too deeply"]
