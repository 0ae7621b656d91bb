"""``/v1/agent`` on itself: who it is, its members, its figures."""

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from sidecar import __version__
from sidecar.errors import ApiError
from sidecar.runtime.clock import Clock
from sidecar.web.consul import answers, refused
from sidecar.web.consul.coordinate import COORDINATE
from sidecar.web.consul.query import checked
from sidecar.web.consul.reading import Reading
from sidecar.web.consul.route import Handler, route
from sidecar.web.consul.view import Local

__all__ = ["member", "routes", "self_of"]

_SERF_PORT: Final = 8301
_WIDE_PORT: Final = 8302
_LEVELS: Final = frozenset({"TRACE", "DEBUG", "INFO", "WARN", "ERR"})
_NO_PROMETHEUS: Final = "Prometheus is not enabled since its retention time is not positive"
_META: Final = {"consul-network-segment": ""}


def member(local: Local) -> dict[str, Any]:
    """Return this process as a member of a cluster of one."""
    return {
        "Name": local.node.name,
        "Addr": local.node.address,
        "Port": _SERF_PORT,
        "Tags": {
            "acls": "0",
            "bootstrap": "1",
            "build": f"{local.version}:",
            "dc": local.datacenter,
            "ft_fs": "1",
            "id": local.node.id,
            "port": str(local.server_port),
            "raft_vsn": "3",
            "role": "consul",
            "segment": "",
            "vsn": "2",
            "vsn_max": "3",
            "vsn_min": "2",
            "wan_join_port": str(_WIDE_PORT),
        },
        "Status": 1,
        "ProtocolMin": 1,
        "ProtocolMax": 5,
        "ProtocolCur": 2,
        "DelegateMin": 2,
        "DelegateMax": 5,
        "DelegateCur": 4,
    }


def wide_member(local: Local) -> dict[str, Any]:
    """Return this process as a member of the cluster of all datacentres: its name says which."""
    near = member(local)
    tags = {name: each for name, each in near["Tags"].items() if name != "wan_join_port"}
    name = f"{local.node.name}.{local.datacenter}"
    return near | {"Name": name, "Port": _WIDE_PORT, "Tags": tags}


def self_of(local: Local, services: int, checks: int, index: int) -> dict[str, Any]:
    """Return agent/self: what clients read of it, and no more."""
    address = f"{local.node.address}:{local.server_port}"
    return {
        "Config": {
            "Datacenter": local.datacenter,
            "NodeName": local.node.name,
            "NodeID": local.node.id,
            "Revision": f"pinnace-{__version__}",
            "Server": True,
            "Version": local.version,
        },
        "DebugConfig": {
            "Datacenter": local.datacenter,
            "NodeName": local.node.name,
            "NodeID": local.node.id,
            "AdvertiseAddrLAN": local.node.address,
            "CheckDeregisterIntervalMin": "1m0s",
            "CheckOutputMaxSize": 4096,
            "CheckUpdateInterval": "5m0s",
            "DefaultQueryTime": "5m0s",
            "DevMode": False,
            "EnableRemoteScriptChecks": False,
            "KVMaxValueSize": answers.MAX_BODY,
            "MaxQueryTime": "10m0s",
            "ServerMode": True,
            "Version": local.version,
        },
        "Coord": COORDINATE,
        "Member": member(local),
        "Stats": {
            "agent": {"checks": str(checks), "services": str(services)},
            "build": {"prerelease": "", "revision": __version__, "version": local.version},
            "consul": {"acl": "disabled", "leader": "true", "leader_addr": address,
                       "known_datacenters": "1", "server": "true"},
            "raft": {"last_log_index": str(index), "num_peers": "0", "state": "Leader"},
            "runtime": {"os": "linux", "version": f"python{platform.python_version()}"},
        },
        "Meta": _META,
        "xDS": None,
    }  # fmt: skip


def routes(reading: Reading, local: Local, clock: Clock) -> list[web.RouteDef]:
    """Return the routes."""

    async def about(request: web.Request) -> web.Response:
        _checked(request)
        view = reading.view
        mine = view.on_node(local.node.name)
        checks = sum(len(instance.checks) for instance in mine)
        return answers.json(
            request, self_of(local, len(mine) - 1, checks, max(1, view.snapshot.index))
        )

    async def figures(request: web.Request) -> web.Response:
        if request.query.get("format") == "prometheus":
            raise ApiError(415, _NO_PROMETHEUS)  # as an agent not told otherwise: see /metrics
        view = reading.view
        gauges = {
            "consul.catalog.services": len(view.snapshot.services),
            "consul.catalog.nodes": len(view.nodes),
            "consul.raft.last_index": view.snapshot.index,
        }
        return answers.json(request, _figures(gauges, clock.wall()))

    return [
        route("/v1/agent/self", store=False, GET=about),
        route("/v1/agent/members", store=False, GET=_members(local)),
        route("/v1/agent/monitor", store=False, GET=_monitor),
        route("/v1/agent/host", store=False, GET=_constant(_host(local.node.name))),
        route("/v1/agent/metrics", store=False, GET=figures),
        route("/v1/agent/reload", store=False, PUT=_reload),
    ]


def _members(local: Local) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        _checked(request)
        if request.query.get("segment"):
            raise ApiError(500, "Network segments are not supported in this version of Consul")
        wide = bool(request.query.get("wan"))
        return answers.json(request, [wide_member(local) if wide else member(local)])

    return handler


async def _monitor(request: web.Request) -> web.StreamResponse:
    level = request.query.get("loglevel", "")
    if level and level.upper() not in _LEVELS:
        raise ApiError(400, f"Bad request: Unknown log level: {level}")
    return await refused.not_served(request)


def _figures(gauges: Mapping[str, float], now: float) -> dict[str, Any]:
    moment = _moment(now)
    shown = [{"Name": name, "Value": value, "Labels": {}} for name, value in gauges.items()]
    return {"Timestamp": moment, "Gauges": shown, "Points": [], "Counters": [], "Samples": []}


def _moment(now: float) -> str:
    return datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%d %H:%M:%S +0000 UTC")


def _host(name: str) -> dict[str, Any]:
    system = {"hostname": name, "os": "linux", "kernelVersion": platform.release()}
    return {
        "Memory": None,
        "CPU": [],
        "Host": system,
        "Disk": None,
        "CollectionTime": 0,
        "Errors": None,
    }


async def _reload(request: web.Request) -> web.Response:
    _checked(request)
    return answers.empty(200)


def _constant(body: Any) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        _checked(request)
        return answers.json(request, body)

    return handler


def _checked(request: web.Request) -> None:
    if "ns" in request.query:
        checked(request.query, request.query.get("dc", ""))
