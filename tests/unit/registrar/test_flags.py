"""Registrator's command line means what it means there."""

from typing import Any

import pytest

from registrar.flags import FLAGS, Fatal, options_of, refusal_of, usage_of
from registrar.options import Options
from sidecar.config.goflags import parse
from sidecar.config.model import DockerSettings, RegistrarSettings, Settings

URI = "consul://127.0.0.1:8500"
EXTRA = """Extra unparsed arguments:
  -ip 1
Options should come before the registry URI argument.
"""


def asked(
    *words: str, drop_in: bool = True, base: Settings | None = None, given: tuple[str, ...] = ()
) -> Options:
    return options_of(
        parse(FLAGS, [*words, URI]), base or Settings(), frozenset(given), drop_in=drop_in
    )


def test_without_flags_all_is_as_registrator_has_it() -> None:
    assert asked() == Options(
        stores=(URI,),
        settings=RegistrarSettings(internal="never", retry_attempts=0, ttl=0.0, ttl_refresh=0.0),
        docker=DockerSettings(url="unix:///tmp/docker.sock"),
        log=Settings().log,
        address_from="name",
        style="registrator",
        v2_first=True,
    )


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("consul:", "consul://"),
        ("consul:what:ever", "consul://"),
        ("consulkv:/services", "consulkv:///services"),
        ("zookeeper:/", "zookeeper:///"),
        ("consul://h:1/path", "consul://h:1"),
        ("consul-tls://[::1]:1/", "consul-tls://[::1]:1"),
        ("consulkv://h:1/path", "consulkv://h:1/path"),
        ("consul-unix:///a/b.sock", "consul-unix:///a/b.sock"),
    ],
)
def test_a_registry_uri_is_read_as_registrator_reads_it(given: str, meant: str) -> None:
    parsed = parse(FLAGS, [given])
    assert options_of(parsed, Settings(), frozenset(), drop_in=True).stores == (meant,)


def test_etcd_is_asked_by_v2_in_registrators_place_only() -> None:
    assert asked(drop_in=False).v2_first is False
    assert asked("-compat", drop_in=False).v2_first is True


def test_under_our_own_name_the_start_waits_and_the_engine_is_where_it_usually_is() -> None:
    ours = asked(drop_in=False)
    assert ours.settings == RegistrarSettings(internal="never", ttl=0.0, ttl_refresh=0.0)
    assert (ours.docker, ours.address_from, ours.style) == (DockerSettings(), "route", "ours")


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        (["-ip", "10.0.0.1"], {"ip": "10.0.0.1"}),
        (["-ip", "10.0.0.1", "-ip", "10.0.0.2"], {"ip": "10.0.0.2"}),
        (["-ip", "10.0.0.1", "-ip", "fd00::1"], {"ip": "10.0.0.1", "second_ip": "fd00::1"}),
        (["-ip", "fd00::1", "-ip", "10.0.0.1"], {"ip": "fd00::1", "second_ip": "10.0.0.1"}),
        (["-ip", "web.example"], {"ip": "web.example"}),
        (["-internal"], {"internal": "always"}),
        (["-internal=false"], {"internal": "never"}),
        (["-explicit", "-cleanup"], {"explicit": True, "cleanup": True}),
        (["-useIpFromLabel", "x.Y"], {"use_ip_from_label": "x.Y"}),
        (["-tags", "a,{{.ID}}"], {"tags": "a,{{.ID}}"}),
        (["-ttl", "30", "-ttl-refresh", "10"], {"ttl": 30.0, "ttl_refresh": 10.0}),
        (["-resync", "600"], {"resync": 600.0}),
        (["-resync", "0"], {"resync": 0.0}),
        (["-resync", "-1"], {"resync": 0.0}),
        (["-compat"], {"compat": True, "resync": 0.0}),
        (["-compat", "-resync", "5"], {"compat": True, "resync": 5.0}),
        (["-deregister", "on-success"], {"deregister": "on-success"}),
        (["-deregister=never", "-on-exit", "maintenance"],
         {"deregister": "never", "on_exit": "maintenance"}),
        (["-retry-attempts", "-1", "-retry-interval", "500"],
         {"retry_attempts": -1, "retry_interval": 0.5}),
        (["-retry-attempts", "-7"], {"retry_attempts": -1}),
        (["-hostname", "h1", "-hostname-from", "engine"], {"node": "h1", "node_from": "engine"}),
        (["-network", "a,b", "-network", "c"], {"networks": ("a", "b", "c")}),
        (["-name-suffix", "never", "-service-prefix", "p-"],
         {"name_suffix": "never", "service_prefix": "p-"}),
        (["-merge-tags", "-allow-address-override"],
         {"merge_tags": True, "allow_address_override": True}),
    ],
)  # fmt: skip
def test_each_flag_is_a_setting(words: list[str], changed: dict[str, Any]) -> None:
    usual: dict[str, Any] = {"internal": "never", "retry_attempts": 0}
    usual |= {"ttl": 0.0, "ttl_refresh": 0.0}
    assert asked(*words).settings == RegistrarSettings(**(usual | changed))


def test_what_is_no_setting_of_the_registrar_stands_beside_them() -> None:
    options = asked(
        "-store", "etcd://a,b/x", "-store", "consul:", "-http", ":9100", "-interface", "eth1",
        "-log-format", "json", "-log-level", "debug", "-dry-run", "-json",
    )  # fmt: skip
    assert options.stores == (URI, "etcd://a,b/x", "consul://")
    assert (options.http, options.preview, options.style) == (":9100", "json", "ours")
    assert (options.log.format, options.log.level) == ("json", "debug")
    assert options.address_from == "route"
    assert asked("-dry-run").preview == "text"
    assert asked("-json").preview == ""
    assert asked("-log-format", "registrator", drop_in=False).style == "registrator"


def test_a_file_or_a_variable_is_weaker_than_a_flag_and_stronger_than_the_default() -> None:
    base = Settings(
        registrar=RegistrarSettings(
            internal="auto", resync=5.0, stores=("etcd://e",), ttl=9.0, ttl_refresh=3.0
        ),
        docker=DockerSettings(url="tcp://h:1"),
    )
    given = ("registrar.internal", "registrar.resync", "registrar.ttl_refresh", "docker.url")
    options = asked("-compat", "-ttl", "12", base=base, given=given)
    assert (options.settings.internal, options.settings.resync) == ("auto", 5.0)
    assert (options.settings.ttl, options.settings.stores) == (12.0, ())
    assert (options.docker.url, options.stores) == ("tcp://h:1", (URI, "etcd://e"))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["-ttl", "5"], "-ttl and -ttl-refresh must be specified together or not at all"),
        (["-ttl-refresh", "5"], "-ttl and -ttl-refresh must be specified together or not at all"),
        (["-ttl", "5", "-ttl-refresh", "5"], "-ttl must be greater than -ttl-refresh"),
        (["-retry-interval", "0"], "-retry-interval must be greater than 0"),
        (["-deregister", "x"], '-deregister must be "always", "on-success" or "never"'),
        (["-hostname", "a b"], "-hostname: 'a b' is not a domain name"),
        (["-interface", "1/x"], "-interface: '1/x' is neither an interface nor a network"),
        (["-http", "9100"], "-http: '9100' has no port; write ADDR:PORT, for example"),
        (["-log-level", ""], '-log-level must be "debug", "info", "warning" or "error"'),
        (["-store", "foo://x"], "unrecognized adapter: foo://x"),
        (["-store", "embedded:"], "unrecognized adapter: embedded:"),
        (["-store", ""], "unrecognized adapter: "),
        (["-store", "foo://u:secret@h/?token=t"], "unrecognized adapter: foo://***@h/?token=***"),
        (["-store", "consul://a b"], "bad adapter uri: 'consul://a b'"),
    ],
)
def test_what_makes_no_sense_is_one_line(words: list[str], text: str) -> None:
    with pytest.raises(Fatal) as caught:
        asked(*words)
    assert str(caught.value).startswith(text)


def test_settings_of_a_file_that_contradict_the_flags_are_told() -> None:
    base = Settings(registrar=RegistrarSettings(second_ip="10.0.0.1"))
    with pytest.raises(Fatal, match="second_ip needs ip"):
        asked(base=base)


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ([], "Missing required argument for registry URI.\n"),
        ([URI], None),
        (
            [URI, "-ip", "1"],
            EXTRA,
        ),
    ],
)
def test_exactly_one_store_stands_after_the_flags(words: list[str], refusal: str | None) -> None:
    assert refusal_of(parse(FLAGS, words), needs_store=True) == refusal


def test_the_usage_names_every_flag() -> None:
    text = usage_of("registrator")
    assert text.startswith("Usage of registrator:\n  registrator [options] <registry URI>\n\n")
    assert all(f"  -{flag.name}" in text for flag in FLAGS)
