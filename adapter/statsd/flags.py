"""The command line of statsd_exporter, read as its library reads it. Pure.

Two dashes, ``--a=b`` or ``--a b``; a switch is ``--x`` or ``--no-x``. What is ours alone says so.
"""

import difflib
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

__all__ = ["FLAGS", "Flag", "FlagError", "Wanted", "parse", "usage"]


class Flag(NamedTuple):
    """A flag, its kind, and its default as text."""

    name: str
    kind: Literal["text", "whole", "duration", "switch"]
    default: str
    meaning: str
    choices: tuple[str, ...] = ()


class FlagError(Exception):
    """The command line is wrong."""


class Wanted(NamedTuple):
    """What was asked for at once, if anything, and all flags."""

    at_once: Literal["", "help", "version"]
    values: Mapping[str, str]

    def is_on(self, name: str) -> bool:
        """Say whether a switch is on."""
        return self.values[name] == "true"


_QUEUES: Final = "Accepted; there is no such queue here."
FLAGS: Final = (
    Flag("web.listen-address", "text", ":9102", "Address of the web server with the metrics."),
    Flag("web.enable-lifecycle", "switch", "false", "Allow reload and quit by HTTP."),
    Flag("web.telemetry-path", "text", "/metrics", "Path of the metrics."),
    Flag("statsd.listen-udp", "text", ":9125", 'UDP address for lines; "" for none.'),
    Flag("statsd.listen-tcp", "text", ":9125", 'TCP address for lines; "" for none.'),
    Flag("statsd.listen-unixgram", "text", "", 'Unix datagram socket for lines; "" for none.'),
    Flag("statsd.unixsocket-mode", "text", "755", "Mode of that socket's file, octal."),
    Flag("statsd.mapping-config", "text", "", "File with mappings."),
    Flag("statsd.read-buffer", "whole", "0", "Receive buffer in octets; 0: as much as allowed."),
    Flag("statsd.cache-size", "whole", "1000", "Results of mapping that are kept; 0 for none."),
    Flag("statsd.cache-type", "text", "lru", "Which result goes first.", ("lru", "random")),
    Flag("statsd.event-queue-size", "whole", "10000", _QUEUES),
    Flag("statsd.event-flush-threshold", "whole", "1000", _QUEUES),
    Flag("statsd.event-flush-interval", "duration", "200ms", _QUEUES),
    Flag("statsd.udp-packet-queue-size", "whole", "10000", _QUEUES),
    Flag("statsd.parse-dogstatsd-tags", "switch", "true", "Read tags of DogStatsD."),
    Flag("statsd.parse-influxdb-tags", "switch", "true", "Read tags of InfluxDB."),
    Flag("statsd.parse-librato-tags", "switch", "true", "Read tags of Librato."),
    Flag("statsd.parse-signalfx-tags", "switch", "true", "Read tags of SignalFX."),
    Flag("statsd.relay.address", "text", "", "UDP address, host:port, that gets all lines too."),
    Flag("statsd.relay.packet-length", "whole", "1400", "Longest datagram sent there."),
    Flag("statsd.max-series", "whole", "200000", "Ours: most series, 0 for no bound."),
    Flag("statsd.max-weight", "whole", "10000", "Ours: how often a sampled value counts at most."),
    Flag("statsd.sets", "switch", "false", "Ours: count distinct members of sets."),
    Flag("statsd.sets-window", "duration", "60s", "Ours: over so long."),
    Flag("check-config", "switch", "false", "Check the mappings and end."),
    Flag("debug.dump-fsm", "text", "", "Write the tree of glob patterns there, for Graphviz."),
    Flag("explain", "text", "", "Ours: say what a line would do, and end."),
    Flag("log.level", "text", "info", "Least level.", ("debug", "info", "warn", "error")),
    Flag("log.format", "text", "logfmt", "Form of the log.", ("logfmt", "json")),
)
"""Every flag."""

_HELP: Final = frozenset({"-h", "--help", "--help-long", "--help-man"})
_BY_NAME: Final = {flag.name: flag for flag in FLAGS}


def parse(words: Sequence[str]) -> Wanted:
    """Return what the words say. Raises FlagError."""
    values = {flag.name: flag.default for flag in FLAGS}
    left = list(words)
    while left:
        word = left.pop(0)
        if word in _HELP:
            return Wanted("help", values)
        if word == "--version":
            return Wanted("version", values)
        if not word.startswith("--") or word == "--":
            what = "unknown short flag" if word.startswith("-") and word != "--" else "unexpected"
            raise FlagError(f"{what} '{word}'")
        name, equals, text = word[2:].partition("=")
        flag = _BY_NAME.get(name.removeprefix("no-") if not equals else name)
        if flag is None or (name != flag.name and flag.kind != "switch"):
            raise FlagError(f"unknown long flag '--{name}'{_hint(name)}")
        if flag.kind == "switch":
            if equals:
                raise FlagError(f"flag '--{name}' takes no value; --no-{name} is its opposite")
            values[flag.name] = "true" if name == flag.name else "false"
            continue
        if not equals:
            if not left:
                raise FlagError(f"expected argument for flag '--{name}'")
            text = left.pop(0)
        values[name] = _checked(flag, text)
    return Wanted("", values)


def _checked(flag: Flag, text: str) -> str:
    if flag.choices and text not in flag.choices:
        choices = ",".join(flag.choices)
        raise FlagError(f"enum value must be one of {choices}, got '{text}' (--{flag.name})")
    if flag.kind == "whole" and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise FlagError(f"--{flag.name} wants a whole number, got '{text}'")
    return text


def _hint(name: str) -> str:
    near = difflib.get_close_matches(name, _BY_NAME, n=1)
    return f", did you mean --{near[0]}?" if near else ""


def usage(program: str) -> str:
    """Return the help."""
    lines = [f"usage: {program} [<flags>]", "", "Flags:"]
    for flag in FLAGS:
        switch = "[no-]" if flag.kind == "switch" else ""
        value = "" if flag.kind == "switch" else f'="{flag.default}"'
        lines += [f"  --{switch}{flag.name}{value}", f"      {flag.meaning}"]
    lines += ["  -h, --help", "      This text.", "  --version", "      The version."]
    return "\n".join(lines)
