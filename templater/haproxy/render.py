"""The text of HAProxy's files, from a model.

The environment is sandboxed and every output passes ``_finalized``, which admits only values of
checked types: plain text that came from outside is an error, whatever it holds (reliability T1).
"""

from dataclasses import dataclass
from typing import Final

from jinja2 import PackageLoader, StrictUndefined
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from sidecar.errors import RenderError
from templater.haproxy.model import Backend, BackendName, Model, slot_name
from templater.names import Address, Port, SocketAddress, Weight
from templater.routes import Endpoint, Protocol, State

__all__ = ["Files", "Renderer", "Token"]

_UNSAFE: Final = frozenset("\x7f\x85\u2028\u2029 \"'#\\")


class Token(str):
    """A word of our own making (never made from outside text)."""

    __slots__ = ()


_TYPES: Final = (int, Address, BackendName, Port, Protocol, SocketAddress, Token, Weight)


@dataclass(frozen=True, slots=True)
class Files:
    """What is written for a model."""

    config: str
    hosts: str
    wildcards: str


@dataclass(frozen=True, slots=True)
class _Slot:
    name: Token
    endpoint: Endpoint | None
    socket: SocketAddress | None
    weight: Weight | None
    is_maint: bool


@dataclass(frozen=True, slots=True)
class _Listener:
    name: Token
    bind: SocketAddress
    backend: BackendName


class Renderer:
    """Renders models; keeps the text of backends that stay the same."""

    def __init__(self, listen: SocketAddress, host: Address, *, threads: int, maxconn: int) -> None:
        """Listen for HTTP on ``listen`` and for TCP services on ``host``."""
        environment = ImmutableSandboxedEnvironment(
            loader=PackageLoader("templater"),
            undefined=StrictUndefined,
            finalize=_finalized,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._main = environment.get_template("haproxy.cfg.j2")
        self._backend = environment.get_template("backend.cfg.j2")
        self._host = host
        self._values = {"listen": listen, "threads": threads, "maxconn": maxconn}
        self._known: dict[BackendName, tuple[Backend, str]] = {}

    def files(self, model: Model) -> Files:
        """Return the text of every file of a model; raises RenderError."""
        try:
            config = self._config(model)
        except TemplateError as error:
            raise RenderError(f"haproxy.cfg.j2: {error}") from error
        return Files(
            config,
            "".join(f"{host} {name}\n" for host, name in model.hosts.items()),
            "".join(f"{wildcard} {name}\n" for wildcard, name in model.wildcards),
        )

    def _config(self, model: Model) -> str:
        listeners = [
            _Listener(Token(f"tcp_{port}"), SocketAddress(self._host, port), name)
            for port, name in sorted(model.listeners.items())
        ]
        head = self._main.render(self._values, listeners=listeners)
        parts = [self._section(backend) for backend in model.backends.values()]
        for gone in self._known.keys() - model.backends.keys():
            del self._known[gone]
        return head + "".join(parts)

    def _section(self, backend: Backend) -> str:
        known = self._known.get(backend.name)
        if known is not None and known[0] is backend:
            return known[1]
        slots = [_slot(index, endpoint) for index, endpoint in enumerate(backend.slots)]
        text = self._backend.render(name=backend.name, protocol=backend.protocol, slots=slots)
        self._known[backend.name] = backend, text
        return text


def _slot(index: int, endpoint: Endpoint | None) -> _Slot:
    name = Token(slot_name(index))
    if endpoint is None:
        return _Slot(name, None, None, None, is_maint=True)
    # There is no word for drain in a server line: weight 0 has the same effect.
    weight = Weight(0) if endpoint.state is State.DRAIN else endpoint.weight
    socket = SocketAddress(endpoint.address, endpoint.port)
    return _Slot(name, endpoint, socket, weight, is_maint=endpoint.state is State.MAINT)


def _finalized(value: object) -> object:
    text = str(value)
    if type(value) not in _TYPES or any(char < " " or char in _UNSAFE for char in text):
        raise RenderError(
            f"a {type(value).__name__} may not stand in a configuration: {text!a:.80}"
        )
    return text
