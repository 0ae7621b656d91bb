"""The registrar's command line -> ``Options``. Pure.

It is Registrator's: its flags mean what they mean there, and so do those that are not given. The
others are ours. Under the name ``registrator`` the rest is its too: where the engine is, that a
store is asked once, how log lines look.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from registrar.options import Options
from sidecar.config.goflags import Flag, Parsed, usage
from sidecar.config.keys import KEYS
from sidecar.config.model import LogSettings, RegistrarSettings, Settings
from sidecar.config.rules import RULES, STORES, contradictions, redacted
from sidecar.errors import PermanentError

__all__ = ["DROP_IN", "FLAGS", "Fatal", "options_of", "refusal_of", "usage_of"]

DROP_IN: Final = "registrator"
"""The name under which all is as with the program of that name."""
_DROP_IN_DOCKER: Final = "unix:///tmp/docker.sock"

Reader = Callable[[Parsed, str], Any]

FLAGS: Final = (
    Flag("ip", "string", "Address of published ports; twice: one of each family", ""),
    Flag("internal", "bool", "Register the container's own address and exposed ports", False),
    Flag("explicit", "bool", "Register only what has a name by label or variable", False),
    Flag("useIpFromLabel", "string", "Container label that holds the address", ""),
    Flag("tags", "string", "Tags for every service, commas between; may be a Go template", ""),
    Flag("ttl", "int", "Seconds after which an entry expires in the store; 0: never", 0),
    Flag("ttl-refresh", "int", "Seconds between refreshes; less than -ttl", 0),
    Flag("resync", "int", "Seconds between comparisons of all; 0: only after a reconnect", 30),
    Flag("deregister", "string", "When an ended container goes: always, on-success, never",
         "always"),
    Flag("cleanup", "bool", "Also remove unmarked entries under this host's name", False),
    Flag("retry-attempts", "int", "Further attempts to reach the store at the start; -1: for ever",
         0),
    Flag("retry-interval", "int", "Milliseconds between them", 2000),
    Flag("store", "string", "URI of a further store; may be repeated", ""),
    Flag("hostname", "string", "Name of this host in ids", ""),
    Flag("hostname-from", "string", "Where that name comes from: auto, host, engine", "auto"),
    Flag("interface", "string", "Whence the host's address: interfaces, ranges, inet6; commas", ""),
    Flag("network", "string", "On which networks own addresses are taken; commas between", ""),
    Flag("name-suffix", "string", "The port after a name: auto, always, never", "auto"),
    Flag("service-prefix", "string", "Text before every service's name", ""),
    Flag("merge-tags", "bool", "Add a port's tags to the plain ones", False),
    Flag("allow-address-override", "bool", "Let labels name any address and port", False),
    Flag("on-exit", "string", "What to do with entries at the end: keep, deregister, maintenance",
         "keep"),
    Flag("compat", "bool", "Do all as Registrator does, its bugs included", False),
    Flag("http", "string", "ADDR:PORT for /healthz and /metrics", ""),
    Flag("dry-run", "bool", "Write nothing, print what would be written, and end", False),
    Flag("json", "bool", "Print that as JSON", False),
    Flag("config", "string", "TOML file with the tables [registrar], [docker], [log]", ""),
    Flag("log-format", "string", "registrator, text or json", ""),
    Flag("log-level", "string", "debug, info, warning or error", "info"),
)  # fmt: skip


class Fatal(PermanentError):
    """What is asked makes no sense; the text is one line of the log."""


def usage_of(program: str) -> str:
    """Return the usage."""
    return f"Usage of {program}:\n  {program} [options] <registry URI>\n\n{usage(FLAGS)}"


def refusal_of(parsed: Parsed, *, needs_store: bool) -> str | None:
    """Return why the words that are no flags are wrong, or None."""
    if len(parsed.rest) > 1:
        extra = " ".join(parsed.rest[1:])
        return (
            f"Extra unparsed arguments:\n  {extra}\n"
            "Options should come before the registry URI argument.\n"
        )
    if not parsed.rest and needs_store:
        return "Missing required argument for registry URI.\n"
    return None


def options_of(parsed: Parsed, base: Settings, given: frozenset[str], *, drop_in: bool) -> Options:
    """Return what is asked for. Raises Fatal.

    ``base`` are the settings of file and variables, and ``given`` the keys they give.
    """
    style = _choice(parsed, "log-format", ("registrator", "text", "json"))
    changes = _changes(parsed, base.registrar, given, drop_in=drop_in) | _addresses(parsed)
    registrar = replace(base.registrar, **changes)
    _refuse_contradictions(replace(base, registrar=registrar))
    stores = (*map(_store, (*parsed.rest, *parsed.all("store"))), *registrar.stores)
    for url in stores:
        _refuse_unknown(url)
    if http := parsed.text("http"):
        _checked("http", "http.listen", http)
    docker = base.docker
    if drop_in and "docker.url" not in given:
        docker = replace(docker, url=_DROP_IN_DOCKER)
    return Options(
        stores=stores,
        settings=replace(registrar, stores=()),
        docker=docker,
        log=_log(parsed, base.log, style),
        address_from="name" if drop_in and not registrar.interfaces else "route",
        http=http,
        preview=("json" if parsed.is_on("json") else "text") if parsed.is_on("dry-run") else "",
        style="registrator" if style == "registrator" or (drop_in and not style) else "ours",
        v2_first=drop_in or registrar.compat,
    )


def _changes(
    parsed: Parsed, base: RegistrarSettings, given: frozenset[str], *, drop_in: bool
) -> dict[str, Any]:
    """Return what the flags change, after what Registrator has by default."""
    flags = {key: read(parsed, flag) for flag, (key, read) in _READ.items() if flag in parsed.given}
    changes: dict[str, Any] = {"internal": "never", "ttl": 0.0, "ttl_refresh": 0.0}
    if drop_in:
        changes["retry_attempts"] = 0
    if flags.get("compat", base.compat):
        changes["resync"] = 0.0
    return {k: v for k, v in changes.items() if f"registrar.{k}" not in given} | flags


def _text(parsed: Parsed, flag: str) -> str:
    return parsed.text(flag)


def _switch(parsed: Parsed, flag: str) -> bool:
    return parsed.is_on(flag)


def _seconds(parsed: Parsed, flag: str) -> float:
    return float(max(0, parsed.number(flag, 0)))


def _internal(parsed: Parsed, flag: str) -> str:
    return "always" if parsed.is_on(flag) else "never"


def _attempts(parsed: Parsed, flag: str) -> int:
    return max(-1, parsed.number(flag, 0))


def _pause(parsed: Parsed, flag: str) -> float:
    milliseconds = parsed.number(flag, 0)
    if milliseconds <= 0:
        raise Fatal(f"-{flag} must be greater than 0")
    return milliseconds / 1000


def _one_of(*choices: str) -> Reader:
    def read(parsed: Parsed, flag: str) -> str:
        return _choice(parsed, flag, choices)

    return read


def _ruled(key: str) -> Reader:
    """Read a text, or several with commas between, as the rule of a setting wants it."""

    def read(parsed: Parsed, flag: str) -> Any:
        if not KEYS[key].is_list:
            return _checked(flag, key, parsed.text(flag))
        items = (item for text in parsed.all(flag) for item in text.split(","))
        return _checked(flag, key, tuple(filter(None, items)))

    return read


def _addresses(parsed: Parsed) -> dict[str, str]:
    """Return the addresses given, the first of each family; of one family the last counts."""
    found = {":" in text: text for text in parsed.all("ip")}
    return dict(zip(("ip", "second_ip"), found.values(), strict=False))


def _choice(parsed: Parsed, flag: str, choices: tuple[str, ...]) -> str:
    text = parsed.text(flag)
    if flag in parsed.given and text not in choices:
        named = [f'"{choice}"' for choice in choices]
        raise Fatal(f"-{flag} must be {', '.join(named[:-1])} or {named[-1]}")
    return text


def _checked(flag: str, key: str, value: Any) -> Any:
    try:
        return RULES[key](value) if key in RULES else value
    except ValueError as error:
        raise Fatal(f"-{flag}: {error}") from None


def _refuse_contradictions(settings: Settings) -> None:
    ttl, refresh = settings.registrar.ttl, settings.registrar.ttl_refresh
    if (ttl > 0) != (refresh > 0):
        raise Fatal("-ttl and -ttl-refresh must be specified together or not at all")
    if 0 < ttl <= refresh:
        raise Fatal("-ttl must be greater than -ttl-refresh")
    for wrong in contradictions(settings):
        raise Fatal(wrong)


def _store(uri: str) -> str:
    """Return the URL that Registrator reads: no host needs no slashes, Consul has no path."""
    scheme, colon, rest = uri.partition(":")
    if not colon or scheme not in STORES:
        return uri
    if not rest.startswith("//"):
        rest = f"//{rest}" if rest.startswith("/") else "//"
    if scheme in ("consul", "consul-tls"):
        rest = "//" + rest[2:].partition("/")[0]
    return f"{scheme}:{rest}"


def _refuse_unknown(url: str) -> None:
    if any(char <= " " or char == "\x7f" for char in url):
        raise Fatal(f"bad adapter uri: {redacted(url)!r}")
    scheme, colon, _ = url.partition(":")
    if not colon or scheme not in STORES or scheme == "embedded":
        raise Fatal(f"unrecognized adapter: {redacted(url)}")


def _log(parsed: Parsed, base: LogSettings, style: str) -> LogSettings:
    if "log-level" in parsed.given:
        level = _choice(parsed, "log-level", ("debug", "info", "warning", "error"))
        base = replace(base, level=level)
    return replace(base, format=style) if style in ("text", "json") else base


_READ: Final[Mapping[str, tuple[str, Reader]]] = {
    "internal": ("internal", _internal),
    "explicit": ("explicit", _switch),
    "useIpFromLabel": ("use_ip_from_label", _text),
    "tags": ("tags", _text),
    "ttl": ("ttl", _seconds),
    "ttl-refresh": ("ttl_refresh", _seconds),
    "resync": ("resync", _seconds),
    "deregister": ("deregister", _one_of("always", "on-success", "never")),
    "cleanup": ("cleanup", _switch),
    "retry-attempts": ("retry_attempts", _attempts),
    "retry-interval": ("retry_interval", _pause),
    "hostname": ("node", _ruled("registrar.node")),
    "hostname-from": ("node_from", _one_of("auto", "host", "engine")),
    "interface": ("interfaces", _ruled("registrar.interfaces")),
    "network": ("networks", _ruled("registrar.networks")),
    "name-suffix": ("name_suffix", _one_of("auto", "always", "never")),
    "service-prefix": ("service_prefix", _ruled("registrar.service_prefix")),
    "merge-tags": ("merge_tags", _switch),
    "allow-address-override": ("allow_address_override", _switch),
    "on-exit": ("on_exit", _one_of("keep", "deregister", "maintenance")),
    "compat": ("compat", _switch),
}
"""Flag to the setting it changes, and how."""
