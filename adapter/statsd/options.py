"""What the command line asks for, typed. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from adapter.places import listen_of
from adapter.statsd.flags import FlagError, Wanted
from adapter.statsd.lines import Limits
from adapter.statsd.tags import Styles
from sidecar.config.units import Endpoint, endpoint, go_duration

__all__ = ["Options", "options_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything the adapter needs."""

    web: Endpoint
    metrics_path: str
    has_lifecycle: bool
    udp: Endpoint | None
    tcp: Endpoint | None
    unixgram: str
    unix_mode: str
    mapping: str
    read_buffer: int
    cache_size: int
    styles: Styles
    limits: Limits
    relay: Endpoint | None
    relay_length: int
    most_series: int
    set_window: float


def options_of(wanted: Wanted) -> Options:
    """Return the options. Raises FlagError."""
    values = wanted.values
    mode = values["statsd.unixsocket-mode"]
    if not mode or set(mode) - set("01234567") or len(mode) > 5:
        raise FlagError(f"--statsd.unixsocket-mode wants an octal number, got '{mode}'")
    web = _endpoint(values, "web.listen-address", listen_of)
    path = values["web.telemetry-path"]
    if web is None or not path.startswith("/"):
        raise FlagError("--web.listen-address and --web.telemetry-path need a value")
    if values["statsd.max-weight"].strip("0") == "":
        raise FlagError("--statsd.max-weight must be at least 1")
    _duration(values, "statsd.event-flush-interval")
    return Options(
        web=web,
        metrics_path=path,
        has_lifecycle=wanted.is_on("web.enable-lifecycle"),
        udp=_endpoint(values, "statsd.listen-udp"),
        tcp=_endpoint(values, "statsd.listen-tcp"),
        unixgram=values["statsd.listen-unixgram"],
        unix_mode=mode,
        mapping=values["statsd.mapping-config"],
        read_buffer=int(values["statsd.read-buffer"]),
        cache_size=int(values["statsd.cache-size"]),
        styles=Styles(
            dogstatsd=wanted.is_on("statsd.parse-dogstatsd-tags"),
            influxdb=wanted.is_on("statsd.parse-influxdb-tags"),
            librato=wanted.is_on("statsd.parse-librato-tags"),
            signalfx=wanted.is_on("statsd.parse-signalfx-tags"),
        ),
        limits=Limits(int(values["statsd.max-weight"]), wanted.is_on("statsd.sets")),
        relay=_endpoint(values, "statsd.relay.address"),
        relay_length=int(values["statsd.relay.packet-length"]),
        most_series=int(values["statsd.max-series"]),
        set_window=_duration(values, "statsd.sets-window"),
    )


def _endpoint(
    values: Mapping[str, str], name: str, read: Callable[[str], Endpoint] = endpoint
) -> Endpoint | None:
    text = values[name]
    if not text:
        return None
    try:
        return read(text)
    except ValueError as error:
        raise FlagError(f"--{name}: {error}") from None


def _duration(values: Mapping[str, str], name: str) -> float:
    text = values[name]
    try:
        seconds = go_duration(text)
    except ValueError as error:
        raise FlagError(f"--{name}: {error}") from None
    if seconds <= 0:
        raise FlagError(f"--{name} must be more than nothing")
    return seconds
