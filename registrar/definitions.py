"""The attributes of one check -> its definition, in Consul's own field names. Pure.

Of the kinds in ``_KINDS`` the first that is given counts, any text meaning yes; this, the fields
and their order are Registrator's. Ours, and not in compat: ``check_args`` (a list in JSON),
``check_docker_script`` (run inside the container), ``check_method``, ``check_header``,
``check_body``, ``check_tls_skip_verify`` for HTTPS, ``check_failures_before_critical``,
``check_success_before_passing``, a shell for ``check_script``, brackets around IPv6, and that a
value which the store would refuse is left out with a Problem instead of costing the whole service.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from registrar.labels import truth
from registrar.names import cleaned
from registrar.ports import Place
from registrar.problems import Complaints, quoted
from sidecar.catalog.model import InstanceId, Status
from sidecar.config.units import Endpoint, go_duration
from sidecar.engine.facts import Container, Port

__all__ = ["Definition", "Given", "Target", "definition_of"]

Definition = dict[str, object]

_INTERVAL: Final = "10s"
_METHOD: Final = re.compile(r"[A-Za-z]{1,32}", re.ASCII)
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}", re.ASCII)


class Target(NamedTuple):
    """What is checked: one instance of a container."""

    container: Container
    inner: Port
    service: str
    id: InstanceId
    address: str
    port: int


class Given(NamedTuple):
    """The attributes of one check, without ``check_``."""

    target: Target
    values: Mapping[str, str]
    label: Callable[[str], str]
    place: Place
    complain: Complaints

    def get(self, key: str) -> str:
        """Return an attribute, or the empty text."""
        return self.values.get(key, "")

    @property
    def compat(self) -> bool:
        """Whether all is as Registrator does it."""
        return self.place.compat

    @property
    def at(self) -> str:
        """Address and port; bracketed for IPv6, except in compat."""
        target = self.target
        if self.compat:
            return f"{target.address}:{target.port}"
        return str(Endpoint(target.address, target.port))

    def refuse(self, key: str, why: str) -> None:
        """Tell what is wrong with an attribute."""
        self.complain(self.label(key), why)


def definition_of(given: Given) -> Definition | None:
    """Return the definition of a check, or None when there is none."""
    kinds = _KINDS if not given.compat else _KINDS[:_ORIGINALS]
    for key, build in kinds:
        if given.get(key):
            definition = build(given)
            return None if definition is None else definition | _common(given, definition)
    return None


def _common(given: Given, definition: Definition) -> Definition:
    found: Definition = {}
    if "TTL" not in definition:
        found["Interval"] = _duration(given, "interval") or _INTERVAL
    status = given.get("initial_status")
    if status and (given.compat or status in {*Status}):
        found["Status"] = status
    elif status:
        given.refuse("initial_status", f"ignored: {quoted(status)} is no status")
    if after := _duration(given, "deregister_after"):
        found["DeregisterCriticalServiceAfter"] = after
    if not given.compat:
        for key, field in _COUNTS.items():
            if (text := given.get(key)) and text.isascii() and text.isdigit() and len(text) < 5:
                found[field] = int(text)
            elif text:
                given.refuse(key, f"ignored: {quoted(text)} is no number from 0 to 9999")
    return found


def _duration(given: Given, key: str) -> str:
    text = given.get(key)
    if not text or given.compat:
        return text
    try:
        if go_duration(text) > 0:
            return text
    except ValueError:
        pass
    given.refuse(key, f"ignored: {quoted(text)} is no duration such as 10s")
    return ""


def _timeout(given: Given) -> Definition:
    timeout = _duration(given, "timeout")
    return {"Timeout": timeout} if timeout else {}


def _web(scheme: str) -> Callable[[Given], Definition | None]:
    def build(given: Given) -> Definition | None:
        path = given.get(scheme)
        if not given.compat:
            path = cleaned(path)
            if not path.startswith(("/", "?", "#")):  # else it could change the host asked
                path = f"/{path}"
        found: Definition = {"HTTP": f"{scheme}://{given.at}{path}"} | _timeout(given)
        method = given.get(f"{scheme}_method") or ("" if given.compat else given.get("method"))
        if method and not given.compat and not _METHOD.fullmatch(method):
            given.refuse(f"{scheme}_method", f"ignored: {quoted(method)} is no method")
        elif method:
            found["Method"] = method
        return found if given.compat else found | _web_extras(given, scheme)

    return build


def _web_extras(given: Given, scheme: str) -> Definition:
    found: Definition = {}
    if text := given.get("header"):
        header = _header(text)
        if header is None:
            given.refuse("header", "ignored: neither 'Name: value' nor a JSON object of texts")
        else:
            found["Header"] = header
    if body := given.get("body"):
        found["Body"] = body
    if scheme == "https" and _switch(given, "tls_skip_verify"):
        found["TLSSkipVerify"] = True
    return found


def _header(text: str) -> Mapping[str, list[str]] | None:
    if text.startswith("{"):
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):
            return None
    else:
        name, colon, value = text.partition(":")
        fields = {name.strip(): value.strip()} if colon else {"": ""}
    lists = {name: each if isinstance(each, list) else [each] for name, each in fields.items()}
    values = [value for each in lists.values() for value in each]
    if not all(isinstance(value, str) and value.isprintable() for value in values):
        return None
    return lists if all(map(_HEADER.fullmatch, lists)) else None


def _switch(given: Given, key: str) -> bool:
    """Any text means yes, as in Registrator; but "false" not, where that would hurt."""
    text = given.get(key)
    return bool(text) and (given.compat or truth(text) is not False)


def _tcp(given: Given) -> Definition:
    return {"TCP": given.at} | _timeout(given)


def _grpc(given: Given) -> Definition:
    found: Definition = {"GRPC": given.at} | _timeout(given)
    if given.get("grpc_use_tls"):
        found["GRPCUseTLS"] = True
        if _switch(given, "tls_skip_verify"):
            found["TLSSkipVerify"] = True
    return found


def _ttl(given: Given) -> Definition | None:
    ttl = _duration(given, "ttl")
    return {"TTL": ttl} if ttl else None


def _command(key: str) -> Callable[[Given], Definition | None]:
    """Build a check that runs something: only where the store, and its operator, decide that."""

    def build(given: Given) -> Definition | None:
        if given.place.is_ours:
            given.refuse(key, "refused: commands that come from labels are never run")
            return None
        argv = _ARGV[key](given)
        if argv is None:
            given.refuse(key, "refused: not a JSON list of texts")
            return None
        found: Definition = {"ScriptArgs": argv}
        if key == "docker_script":
            found |= {"DockerContainerID": given.target.container.id, "Shell": "/bin/sh"}
        return found if given.compat else found | _timeout(given)

    return build


def _helper(given: Given) -> list[str] | None:
    target = given.target
    return ["check-cmd", target.container.id[:12], str(target.inner.number), given.get("cmd")]


def _script(given: Given) -> list[str] | None:
    text = _filled(given, given.get("script"))
    return [text] if given.compat else ["/bin/sh", "-c", text]


def _args(given: Given) -> list[str] | None:
    try:
        argv = json.loads(given.get("args"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(argv, list) or not argv or not all(isinstance(a, str) for a in argv):
        return None
    return [_filled(given, argument) for argument in argv]


def _docker_script(given: Given) -> list[str] | None:
    return ["/bin/sh", "-c", _filled(given, given.get("docker_script"))]


def _filled(given: Given, text: str) -> str:
    target = given.target
    return text.replace("$SERVICE_IP", target.address).replace("$SERVICE_PORT", str(target.port))


_ARGV: Final[Mapping[str, Callable[[Given], list[str] | None]]] = {
    "cmd": _helper,
    "script": _script,
    "args": _args,
    "docker_script": _docker_script,
}
_KINDS: Final[tuple[tuple[str, Callable[[Given], Definition | None]], ...]] = (
    ("http", _web("http")),
    ("https", _web("https")),
    ("cmd", _command("cmd")),
    ("script", _command("script")),
    ("ttl", _ttl),
    ("tcp", _tcp),
    ("grpc", _grpc),
    ("args", _command("args")),
    ("docker_script", _command("docker_script")),
)
_ORIGINALS: Final = 7
_COUNTS: Final = {
    "failures_before_critical": "FailuresBeforeCritical",
    "success_before_passing": "SuccessBeforePassing",
}
