"""The backend that settings name. What a kind needs is imported when it is asked for."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Final
from urllib.parse import quote

from sidecar.errors import ConfigError
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import ROOT, get_logger
from sidecar.stores.base import KeyValue
from templater.backends.adapted import Adapted, leaves_below, path_below, text_below
from templater.backends.base import Backend
from templater.confd.settings import Settings

__all__ = ["PLUGINS", "Plugin", "nodes_by_srv", "open_backend", "plugin_of"]

_log = get_logger("confd")
PLUGINS: Final = "pinnace.confd_backends"
"""The group of entry points by which packages add backends, such as those of clouds."""
Plugin = Callable[[Settings, Clock], Backend]
_QUIET: Final = ("consul", "etcd", "zookeeper")
"""Clients that tell each lost watch by themselves; here that is one line for all."""


def open_backend(  # noqa: PLR0911  (one for each kind)
    settings: Settings, clock: Clock, environ: Mapping[str, str]
) -> Backend:
    """Return the backend. Raises ConfigError."""
    if settings["mock-data"]:
        return _files([settings["mock-data"]], "*", clock)
    match settings.backend:
        case "env":
            from templater.backends.environment import EnvironmentBackend  # noqa: PLC0415

            return EnvironmentBackend(environ, escape=settings.is_on("env-escape"))
        case "file":
            return _files(settings.files, settings["filter"], clock)
        case "redis":
            return _redis(settings)
        case "vault":
            return _vault(settings, clock)
        case "rancher":
            return _rancher(settings, clock)
        case "consul" | "etcd" | "etcdv2" | "etcdv3" | "pinnace" | "zookeeper":
            return _adapted(settings, clock)
    return plugin_of(settings.backend)(settings, clock)


def plugin_of(name: str) -> Plugin:
    """Return what opens a backend that an installed package adds. Raises ConfigError."""
    found = next(iter(entry_points(group=PLUGINS, name=name)), None)
    if found is None:
        raise ConfigError([f"Invalid backend {name}: no package adds it (entry points {PLUGINS})"])
    try:
        plugin: Plugin = found.load()
    except Exception as error:
        raise ConfigError([f"backend {name}: {found.value} cannot be loaded: {error}"]) from error
    return plugin


def _files(paths: Sequence[str], pattern: str, clock: Clock) -> Backend:
    from templater.backends.files import FileBackend  # noqa: PLC0415

    if not paths:
        _log.warning("backend file has no -file, so there are no values")
    return FileBackend(paths, pattern, clock=clock)


def _rancher(settings: Settings, clock: Clock) -> Backend:
    from sidecar.stores.json_client import JsonClient  # noqa: PLC0415
    from templater.backends.rancher import RancherBackend  # noqa: PLC0415

    return RancherBackend(JsonClient(_with_scheme(settings.nodes[0], "http")), clock=clock)


def nodes_by_srv(settings: Settings) -> Sequence[str]:
    """Return the nodes that the SRV record names; none when none is asked for. Blocks.

    Raises StoreUnavailable.
    """
    record, domain = settings["srv-record"], settings["srv-domain"]
    if settings.backend == "env" or not (record or domain):
        return ()
    from templater.confd.srv import lookup  # noqa: PLC0415

    kind = "etcd" if settings.backend.startswith("etcd") else settings.backend
    found = lookup(record or f"_{kind}._tcp.{domain}.")
    scheme = f"{settings['scheme']}://" if settings.backend.startswith("etcd") else ""
    return [f"{scheme}{one.Target.rstrip('.')}:{one.Port}" for one in found]


def _redis(settings: Settings) -> Backend:
    from templater.backends.redis import RedisBackend, RedisPlace  # noqa: PLC0415

    try:
        place = RedisPlace.parse(settings.nodes[0], settings["client-key"])
    except ValueError as error:
        raise ConfigError([f"node {settings.nodes[0]}: {error}"]) from error
    return RedisBackend(
        place,
        separator=settings["separator"],
        dial=settings.seconds("dial-timeout"),
        reply=settings.seconds("read-timeout"),
    )


def _vault(settings: Settings, clock: Clock) -> Backend:
    from sidecar.stores.json_client import JsonClient, TlsFiles  # noqa: PLC0415
    from templater.backends.secrets import Login, login_of  # noqa: PLC0415
    from templater.backends.vault import VaultBackend, service_account  # noqa: PLC0415

    kind = settings["auth-type"]

    def login() -> Login:
        jwt = service_account() if kind == "kubernetes" else ""
        return login_of(kind, {**settings.texts, "jwt": jwt})

    if kind != "kubernetes":
        login()  # what is missing is told at the start
    tls = TlsFiles(
        settings["client-ca-keys"], settings["client-cert"], settings["client-key"],
        is_unverified=settings.is_on("client-insecure"),
    )  # fmt: skip
    client = JsonClient(_with_scheme(settings.nodes[0], settings["scheme"]), tls)
    return VaultBackend(client, login, clock=clock)


def _adapted(settings: Settings, clock: Clock) -> Backend:
    from sidecar.stores.opening import open_keyvalue, open_mirror  # noqa: PLC0415
    from templater.backends.pinnace import PinnaceBackend  # noqa: PLC0415

    for name in _QUIET:
        logging.getLogger(f"{ROOT}.{name}").setLevel(logging.ERROR)
    nodes = [_without_scheme(node) for node in settings.nodes]
    shown = ",".join(nodes)
    match settings.backend:
        case "consul" | "pinnace":
            url = f"{'consul-tls' if settings['scheme'] == 'https' else 'consul'}://{nodes[0]}"
            environ = _consul_environ(settings)
            store = open_keyvalue(url, clock=clock, environ=environ)
            keys = Adapted(store, nodes[0], select=text_below)
            if settings.backend == "consul":
                return keys
            return PinnaceBackend(
                keys, lambda catalog: open_mirror(url, catalog, clock=clock, environ=environ)
            )
        case "zookeeper":
            store = open_keyvalue(f"zookeeper://{shown}/", clock=clock, environ=os.environ)
            return Adapted(store, shown, select=leaves_below, needs_keys=True)
    return Adapted(_etcd(settings, shown, clock), shown, select=path_below, slash="/")


def _etcd(settings: Settings, hosts: str, clock: Clock) -> KeyValue:
    from sidecar.stores.opening import open_keyvalue  # noqa: PLC0415

    is_secure = settings.nodes[0].startswith("https://") or bool(settings["client-ca-keys"])
    kind = "etcd2" if settings.backend == "etcdv2" else "etcd"
    environ = {
        "ETCDCTL_CACERT": settings["client-ca-keys"],
        "ETCDCTL_CERT": settings["client-cert"],
        "ETCDCTL_KEY": settings["client-key"],
    }
    login = ""
    if settings["username"]:
        login = f"{quote(settings['username'], '')}:{quote(settings['password'], '')}@"
    url = f"{kind}://{login}{hosts}{'?tls=true' if is_secure else ''}"
    return open_keyvalue(url, clock=clock, environ=environ)


def _consul_environ(settings: Settings) -> dict[str, str]:
    environ = {
        "CONSUL_HTTP_TOKEN": settings["auth-token"] or os.environ.get("CONSUL_HTTP_TOKEN", ""),
        "CONSUL_CACERT": settings["client-ca-keys"],
        "CONSUL_CLIENT_CERT": settings["client-cert"],
        "CONSUL_CLIENT_KEY": settings["client-key"],
        "CONSUL_HTTP_SSL_VERIFY": "false" if settings.is_on("client-insecure") else "",
    }
    if settings.is_on("basic-auth"):
        environ["CONSUL_HTTP_AUTH"] = f"{settings['username']}:{settings['password']}"
    return environ


def _with_scheme(node: str, scheme: str) -> str:
    return node if "://" in node else f"{scheme}://{node}"


def _without_scheme(node: str) -> str:
    return node.partition("://")[2].rstrip("/") if "://" in node else node
