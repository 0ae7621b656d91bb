import pytest

from adapter.statsd.flags import FLAGS, FlagError, parse, usage
from adapter.statsd.options import options_of

# The names and defaults of statsd_exporter 0.28.
PEER = {
    "web.listen-address": ":9102", "web.enable-lifecycle": "false",
    "web.telemetry-path": "/metrics", "statsd.listen-udp": ":9125", "statsd.listen-tcp": ":9125",
    "statsd.listen-unixgram": "", "statsd.unixsocket-mode": "755", "statsd.mapping-config": "",
    "statsd.read-buffer": "0", "statsd.cache-size": "1000", "statsd.cache-type": "lru",
    "statsd.event-queue-size": "10000", "statsd.event-flush-threshold": "1000",
    "statsd.event-flush-interval": "200ms", "statsd.udp-packet-queue-size": "10000",
    "statsd.parse-dogstatsd-tags": "true", "statsd.parse-influxdb-tags": "true",
    "statsd.parse-librato-tags": "true", "statsd.parse-signalfx-tags": "true",
    "statsd.relay.address": "", "statsd.relay.packet-length": "1400", "check-config": "false",
    "debug.dump-fsm": "", "log.level": "info", "log.format": "logfmt",
}  # fmt: skip


def test_every_flag_of_the_peer_is_there_with_its_default() -> None:
    ours = {flag.name: flag.default for flag in FLAGS}
    assert PEER.items() <= ours.items()
    added = {flag.name for flag in FLAGS if flag.meaning.startswith("Ours")}
    assert ours.keys() - PEER.keys() == added


def test_values_come_with_or_without_an_equals_sign() -> None:
    wanted = parse(["--statsd.listen-udp=:1", "--statsd.listen-tcp", "", "--web.enable-lifecycle"])
    assert wanted.values["statsd.listen-udp"] == ":1"
    assert wanted.values["statsd.listen-tcp"] == ""
    assert wanted.is_on("web.enable-lifecycle")


def test_a_switch_has_an_opposite() -> None:
    assert not parse(["--no-statsd.parse-librato-tags"]).is_on("statsd.parse-librato-tags")


@pytest.mark.parametrize(
    ("words", "at_once"),
    [(["-h"], "help"), (["--help"], "help"), (["--version"], "version"), ([], "")],
)
def test_help_and_version(words: list[str], at_once: str) -> None:
    assert parse(words).at_once == at_once


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--statsd.listen-upd=:1"], "unknown long flag '--statsd.listen-upd', did you mean"),
        (["--zzz"], "unknown long flag '--zzz'"),
        (["--no-statsd.listen-udp"], "unknown long flag '--no-statsd.listen-udp'"),
        (["-x"], "unknown short flag '-x'"),
        (["x"], "unexpected 'x'"),
        (["--"], "unexpected '--'"),
        (["--statsd.listen-udp"], "expected argument for flag '--statsd.listen-udp'"),
        (["--check-config=true"], "takes no value; --no-check-config"),
        (["--statsd.cache-size=x"], "wants a whole number, got 'x'"),
        (["--statsd.cache-type=x"], "enum value must be one of lru,random, got 'x'"),
    ],
)
def test_what_is_wrong_is_told(words: list[str], message: str) -> None:
    with pytest.raises(FlagError) as caught:
        parse(words)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("--web.listen-address=9102", "--web.listen-address: '9102' has no port"),
        ("--web.listen-address=", "need a value"),
        ("--web.telemetry-path=x", "need a value"),
        ("--statsd.unixsocket-mode=99", "wants an octal number"),
        ("--statsd.event-flush-interval=1", "missing unit"),
        ("--statsd.max-weight=0", "must be at least 1"),
        ("--statsd.sets-window=0s", "must be more than nothing"),
        ("--statsd.listen-udp=h:x", "not a port"),
    ],
)
def test_values_that_cannot_be_are_told(word: str, message: str) -> None:
    with pytest.raises(FlagError) as caught:
        options_of(parse([word]))
    assert message in str(caught.value)


def test_defaults_become_options() -> None:
    options = options_of(parse([]))
    assert (options.web.port, options.udp, options.tcp) == (9102, options.tcp, options.udp)
    assert options.relay is None
    assert options.most_series == 200_000


def test_the_help_names_every_flag() -> None:
    text = usage("statsd_exporter")
    assert all(f"{flag.name}" in text for flag in FLAGS)
    assert "--[no-]web.enable-lifecycle\n" in text
