import hashlib

import pytest

from adapter.jmx.config import settings_of
from adapter.jmx.config_places import parse_place, service_url
from adapter.jmx.objectname import parse
from adapter.jmx.passwords import credentials_in, is_right
from adapter.jmx.settings import Password, Place, Settings, Store
from sidecar.errors import ConfigError


def _settings(text: str, **environ: str) -> Settings:
    return settings_of(text, "jmx.yml", environ)


WHOLE = """
hostPort: jvm.example.org:9010
username: monitor
password: ${WORD}
ssl:
  enabled: true
  keyStore: {filename: k.p12, type: pkcs12, password: one}
  trustStore: {filename: t.jks, type: JKS}
  protocols: TLSv1.2, TLSv1.3
  ciphers: [A, B]
startDelaySeconds: 3
scrapeTimeoutSeconds: 7
lowercaseOutputName: true
includeObjectNames: ["a:*", "b:type=C,*"]
excludeObjectNames: ["a:type=D,*"]
excludeJvmMetrics: true
includeObjectNameAttributes: {"a:type=B": [One, Two]}
excludeObjectNameAttributes: {"a:type=B": [Two]}
autoExcludeObjectNameAttributes: false
metricCustomizers:
- mbeanFilter: {domain: a, properties: {type: B}}
  attributesAsLabels: [Version]
  extraMetrics: [{name: isActive, value: true, description: d}]
rules:
- {pattern: x, name: y}
httpServer:
  metrics: {path: /custom}
  threads: {minimum: 1, maximum: 4, keepAliveTime: 60}
  maximumRequestSeconds: 5
  authentication: {basic: {username: u, password: p}}
  ssl: {keyStore: {filename: w.p12}, trustStore: {filename: c.pem}, mutualTLS: true,
        certificate: {alias: web}}
openTelemetry: {endpoint: http://192.0.2.1}
rmiHost: target
propertyOrder: typeFirst
jvmMetrics: false
refreshScrapes: 5
maxReplyBytes: 100000
"""


def test_every_key_of_the_file_is_read() -> None:
    settings = _settings(WHOLE, WORD=" secret ")
    (target,) = settings.targets
    assert (target.name, target.place) == (
        "jvm.example.org:9010",
        Place("jvm.example.org", 9010),
    )
    assert (target.username, target.password) == ("monitor", "secret")
    assert target.tls.enabled
    assert target.tls.registry
    assert target.tls.keys == Store("k.p12", "PKCS12", "one")
    assert target.tls.trust == Store("t.jks", "JKS")
    assert (target.tls.protocols, target.tls.ciphers) == (("TLSv1.2", "TLSv1.3"), ("A", "B"))
    assert (target.start_delay, target.timeout) == (3.0, 7.0)
    assert target.naming.lower_names
    assert [text for text, _ in target.selection.include] == ["a:*", "b:type=C,*"]
    assert len(target.selection.exclude) == 1
    assert target.selection.without_jvm
    assert not target.selection.auto_exclude
    key = parse("a:type=B").key
    assert target.selection.attributes == {key: frozenset({"One", "Two"})}
    assert target.selection.not_attributes == {key: frozenset({"Two"})}
    (customizer,) = target.customizers
    assert customizer.fits(parse("a:x=1,type=B"))
    assert not customizer.fits(parse("a:type=C"))
    assert not customizer.fits(parse("b:type=B"))
    assert customizer.labels == ("Version",)
    assert customizer.extras == (("isActive", True, "d"),)
    assert (target.follows_host, target.type_first, target.jvm_metrics) == (False, True, False)
    assert (target.refresh, target.most_bytes) == (5, 100_000)
    assert not target.wants_texts
    http = settings.http
    assert (http.path, http.mutual, http.keys) == ("/custom", True, Store("w.p12"))
    assert http.basic is not None
    assert http.basic.algorithm == "plaintext"
    assert "openTelemetry is not supported" in settings.warnings[0]
    assert "secret" not in repr(settings)


def test_targets_have_what_stands_at_the_top_unless_they_say_otherwise() -> None:
    settings = _settings(
        """
username: u
password: p
rules: [{pattern: x, name: y}]
scrapeTimeoutSeconds: 4
includeObjectNames: ["a:*"]
ssl: true
targets:
- hostPort: one:1
- {hostPort: "two:2", name: second, rules: [], ssl: false, scrapeTimeoutSeconds: 9, username: ""}
- jmxUrl: http://192.0.2.7:8778/jolokia
discovery: {store: "consul://127.0.0.1:8500", tag: java}
"""
    )
    one, two, three = settings.targets
    assert (one.name, one.username, one.timeout, len(one.rules)) == ("one:1", "u", 4.0, 1)
    assert one.tls.enabled
    assert (two.name, two.username, two.timeout, two.rules) == ("second", "", 9.0, ())
    assert not two.tls.enabled
    assert (three.mode, three.place.port) == ("jolokia", 8778)
    assert str(three.place) == "http://192.0.2.7:8778/jolokia"
    assert settings.discovery == ("consul://127.0.0.1:8500", "java")
    assert settings.template is not None
    assert settings.template.username == "u"


def test_a_pattern_that_may_take_for_ever_is_taken_if_there_is_another_way() -> None:
    assert _settings("hostPort: h:1\nrules: [{pattern: '(a+)+b'}]\n").warnings == ()
    with pytest.raises(ConfigError, match="that could take for ever"):
        _settings("hostPort: h:1\nrules: [{pattern: '(?!x)(a+)+b'}]\n")


def test_older_names_of_keys_are_known() -> None:
    (target,) = _settings(
        "hostPort: h:1\nwhitelistObjectNames: ['a:*']\nblacklistObjectNames: ['b:*']\nssl: true\n",
        RMI_REGISTRY_SSL_DISABLED="TRUE",
    ).targets
    assert [text for text, _ in target.selection.include] == ["a:*"]
    assert len(target.selection.exclude) == 1
    assert not target.tls.registry


def test_an_unknown_key_at_the_top_is_a_warning_with_its_place() -> None:
    settings = _settings("hostPort: h:1\nhostPrt: x\nx-ours: {a: 1}\n")
    assert [each.split(":", 1)[1] for each in settings.warnings] == [
        "2:1: unknown key 'hostPrt'; did you mean hostPort?",
        "3:1: unknown key 'x-ours'",
    ]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("hostPort: h:1\nstartDelaySeconds: 1\nstartDelaySeconds: 2\n", "3:1", "given twice"),
        ("hostPort: h:1\njmxUrl: x\n", "2:9", "only one of hostPort and jmxUrl"),
        ("jmxUrl: rmi://h\n", "1:9", "is not service:jmx:rmi"),
        ("jmxUrl: http://u:p@h/jolokia\n", "1:9", "no password in it"),
        ("hostPort: h:99999\n", "1:11", "is not a port"),
        ("hostPort: h:0\n", "1:11", "port 0"),
        ("rules: []\n", "1:1", "one of hostPort"),
        ("", "", "one of hostPort"),
        ("hostPort: h:1\nmode: jolokia\n", "1:1", "mode jolokia goes with"),
        ("hostPort: h:1\nscrapeTimeoutSeconds: 0\n", "2:23", "at least 1"),
        ("hostPort: h:1\nstartDelaySeconds: -1\n", "2:20", "at least 0"),
        ("hostPort: h:1\npassword: ${NOPE}\n", "2:11", "NOPE is not set"),
        ("hostPort: h:1\npassword: ${BLANK}\n", "2:11", "BLANK is empty"),
        ("hostPort: h:1\npassword: ${ }\n", "2:11", "has no name"),
        ("hostPort: h:1\nrules:\n- {name: x}\n", "3:10", "needs a pattern"),
        ("hostPort: h:1\nrules:\n- {pattern: x, help: y}\n", "3:3", "need a name"),
        ("hostPort: h:1\nrules:\n- {pattern: x, name: $1}\n", "3:22", "no group 1"),
        ("hostPort: h:1\nrules:\n- {pattern: '('}\n", "3:13", "is not closed"),
        ("hostPort: h:1\nrules:\n- {valueFactor: ten}\n", "3:17", "has to be a number"),
        ("hostPort: h:1\nincludeObjectNames: [a]\n", "2:22", "no colon"),
        ("hostPort: h:1\nincludeObjectNameAttributes: {a: [b]}\n", "2:31", "no colon"),
        ("hostPort: h:1\nmetricCustomizers: [{extraMetrics: []}]\n", "2:21", "mbeanFilter"),
        ("hostPort: h:1\nmetricCustomizers: [{mbeanFilter: {x: y}}]\n", "2:36", "unknown key"),
        ("hostPort: h:1\nmetricCustomizers: [{mbeanFilter: {domain: a}}]\n", "2:21", "is needed"),
        (("hostPort: h:1\nmetricCustomizers:\n- mbeanFilter: {domain: a}\n"
         "  extraMetrics: [{description: d}]\n"), "4:18", "name is needed"),
        ("hostPort: h:1\nssl: {keyStore: {type: X}}\n", "2:17", "filename is needed"),
        ("hostPort: h:1\nssl: {keyStore: {filename: f, type: X}}\n", "2:37", "can be PEM"),
        ("hostPort: h:1\nhttpServer: {metrics: {path: x}}\n", "2:30", "begin with a /"),
        ("hostPort: h:1\nhttpServer: {authentication: {}}\n", "2:30", "basic is needed"),
        ("hostPort: h:1\nhttpServer: {authentication: {basic: {algorithm: SHA-256}}}\n",
         "2:38", "passwordHash is needed"),
        ("hostPort: h:1\nhttpServer: {ssl: {mutualTLS: true}}\n", "2:19", "keyStore is needed"),
        ("targets: [{name: x}]\n", "1:11", "hostPort or jmxUrl is needed"),
        ("targets: [{hostPort: 'h:1'}, {hostPort: 'h:1'}]\n", "1:1", "two targets are called"),
        ("discovery: {tag: x}\n", "1:12", "store is needed"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(text: str, place: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _settings(text, BLANK=" ")
    assert any(
        problem.startswith(f"jmx.yml:{place}") and words in problem
        for problem in caught.value.problems
    ), caught.value.problems


def test_places_are_read() -> None:
    url = "service:jmx:rmi:///jndi/rmi://[2001:db8::1]:9010/karaf-root"
    assert service_url(url) == Place("2001:db8::1", 9010, "karaf-root")
    assert str(service_url(url)) == "[2001:db8::1]:9010"
    assert service_url("service:jmx:rmi://x:1/jndi/rmi://h/jmxrmi") == Place("h", 1099)
    assert service_url("https://h/jolokia").port == 443
    assert parse_place("host") == Place("host", 1099)
    assert parse_place(":9010") == Place("127.0.0.1", 9010)


def test_a_variable_is_only_one_if_it_is_everything() -> None:
    text = "hostPort: h:1\nusername: {}\npassword: x\n"
    assert _settings(text.format("a${WORD}"), WORD="w").targets[0].username == "a${WORD}"
    assert _settings(text.format("'${}'"), WORD="w").targets[0].username == "${}"


def _hashed(algorithm: str, text: str, iterations: int = 1) -> Password:
    return Password(
        username="u", algorithm=algorithm, hash=text, salt="salt", iterations=iterations
    )


def test_passwords_are_compared_in_the_form_the_file_has() -> None:
    plain = Password(username="u", password="pw")
    assert is_right(plain, "u", "pw")
    assert not is_right(plain, "u", "PW")
    assert not is_right(plain, "x", "pw")
    assert not is_right(_hashed("SHA-256", "00" * 32), "u", "pw")
    right = hashlib.sha256(b"salt:pw").hexdigest().upper()
    assert is_right(_hashed("SHA-256", right), "u", "pw")
    derived = hashlib.pbkdf2_hmac("sha1", b"pw", b"salt", 2, 16).hex()
    colons = ":".join(derived[at : at + 2] for at in range(0, 32, 2))
    assert is_right(_hashed("PBKDF2WithHmacSHA1", colons, 2), "u", "pw")


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("Basic dTpwOnE=", ("u", "p:q")),
        ("basic dTpw", ("u", "p")),
        ("Bearer dTpw", None),
        ("Basic ???", None),
        ("Basic dXA=", None),
        ("", None),
    ],
)
def test_credentials_are_read_from_the_header(header: str, found: tuple[str, str] | None) -> None:
    assert credentials_in(header) == found


def test_a_type_that_nobody_knows_is_none_and_told() -> None:
    text = "hostPort: a:1\nrules: [{pattern: a, name: x, type: gauge}]\n"
    known = "COUNTER, GAUGE, UNKNOWN, UNTYPED"
    settings = settings_of(text, "f.yml", {})
    assert settings.targets[0].rules[0].type == "UNKNOWN"
    assert settings.warnings == (
        f"f.yml:2:37: rules[0].type: 'gauge' is none of {known}: the metric has no type",
    )
