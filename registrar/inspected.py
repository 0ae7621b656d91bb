"""An inspect document as a Go template sees it: the names of go-dockerclient's Container. Pure.

What Docker calls ``Id`` is the field ``ID``, and so on; a struct knows its fields, so that a wrong
name is an error and not an empty tag. Fields that Docker left out are their zero value.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from sidecar.gotemplate.kinds import ANY, STRING, GoType, map_of, slice_of
from sidecar.gotemplate.values import Map, Pointer, Record, Slice

__all__ = ["Inspected", "inspected"]

_STRINGS: Final = slice_of(STRING)
_NAMES: Final[Mapping[str, str]] = {
    "Id": "ID",
    "HostIp": "HostIP",
    "Dns": "DNS",
    "DnsOptions": "DNSOptions",
    "DnsSearch": "DNSSearch",
    "OomKillDisable": "OOMKillDisable",
    "CpuCount": "CPUCount",
    "CpuPercent": "CPUPercent",
    "CpuPeriod": "CPUPeriod",
    "CpuQuota": "CPUQuota",
    "CpuRealtimePeriod": "CPURealtimePeriod",
    "CpuRealtimeRuntime": "CPURealtimeRuntime",
    "CpuShares": "CPUShares",
    "Cpuset": "CPUSet",
    "CpusetCpus": "CPUSetCPUs",
    "CpusetMems": "CPUSetMEMs",
}
_LOGS: Final = "LogConfig"  # its Config is a map, unlike the container's
_MAPS: Final = frozenset(
    {
        "Labels",
        "Networks",
        "Ports",
        "PortBindings",
        "PortMapping",
        "ExposedPorts",
        "Volumes",
        "VolumesRW",
        "StorageOpt",
        "Sysctls",
        "Tmpfs",
        "Data",
    }
)
# Fields by their zero values, of what templates ask for and Docker may leave out.
_TEXTS: Final = {
    "": "ID Path Image SysInitPath ResolvConfPath HostnamePath HostsPath LogPath Name Driver "
    "AppArmorProfile",
    "Config": "Hostname Domainname User PublishService StopSignal Image VolumeDriver WorkingDir "
    "MacAddress VolumesFrom",
    "State": "Status Error StartedAt FinishedAt",
    "Health": "Status",
    "NetworkSettings": "IPAddress MacAddress Gateway Bridge NetworkID EndpointID SandboxKey "
    "GlobalIPv6Address IPv6Gateway LinkLocalIPv6Address",
    "Networks": "MacAddress GlobalIPv6Address IPv6Gateway IPAddress Gateway EndpointID NetworkID",
    "HostConfig": "ContainerIDFile UsernsMode NetworkMode IpcMode PidMode UTSMode Cgroup "
    "CgroupParent VolumeDriver",
}
_LISTS: Final = {
    "": "Args ExecIDs",
    "Config": "PortSpecs Env Cmd DNS Entrypoint SecurityOpts OnBuild",
    "Networks": "Aliases",
    "HostConfig": "Binds CapAdd CapDrop GroupAdd Links DNS DNSOptions DNSSearch ExtraHosts "
    "VolumesFrom SecurityOpt",
}
_TABLES: Final = {
    "": "Volumes VolumesRW",
    "Config": "Labels Volumes ExposedPorts",
    "NetworkSettings": "Networks Ports PortMapping",
    "HostConfig": "PortBindings StorageOpt Sysctls Tmpfs",
}
_STRUCTS: Final = {"": "State", "State": "Health", "HostConfig": "RestartPolicy LogConfig"}
_NILS: Final = {"": "Node GraphDriver", "Config": "Healthcheck"}


class Inspected(Record):
    """A struct of the document."""

    def __init__(self, kind: str, fields: Mapping[str, object]) -> None:
        """Take the name of the field it stands in, and its fields."""
        self.go_type = GoType(f"docker.{kind or 'Container'}", "struct")
        self._fields = tuple(fields.items())

    def go_fields(self) -> Sequence[tuple[str, object]]:
        """Return all fields in order."""
        return self._fields


def inspected(document: object, kind: str = "") -> Inspected:
    """Return the struct that a document is; ``kind`` is the field it stands in."""
    fields = _zeros(kind)
    if isinstance(document, Mapping):
        for key, value in document.items():
            name = _NAMES.get(str(key), str(key))
            if value is not None or name not in fields:
                fields[name] = _value("Data" if kind == _LOGS else name, value)
    return Inspected(kind, fields)


def _zeros(kind: str) -> dict[str, object]:
    zeros: dict[str, object] = dict.fromkeys(_TEXTS.get(kind, "").split(), "")
    zeros |= {name: Slice((), _STRINGS) for name in _LISTS.get(kind, "").split()}
    zeros |= {name: _map(name, {}) for name in _TABLES.get(kind, "").split()}
    zeros |= {name: inspected({}, name) for name in _STRUCTS.get(kind, "").split()}
    nils = _NILS.get(kind, "").split()
    return zeros | {name: Pointer(None, GoType(f"*docker.{name}", "ptr")) for name in nils}


def _value(name: str, value: object) -> object:
    if isinstance(value, Mapping):
        return _map(name, value) if name in _MAPS else inspected(value, name)
    if isinstance(value, list):
        if all(isinstance(item, str) for item in value):
            return Slice(value, _STRINGS)
        return Slice([_value(name, item) if isinstance(item, dict) else item for item in value])
    return "" if value is None else value


def _map(name: str, values: Mapping[object, object]) -> Map:
    if name in ("Labels", "Data", "StorageOpt", "Sysctls", "Tmpfs"):
        return Map(values, map_of(STRING, STRING))
    items = {key: _member(name, value) for key, value in values.items()}
    return Map(items, map_of(STRING, ANY))


def _member(name: str, value: object) -> object:
    if isinstance(value, Mapping):
        return inspected(value, name)
    return Slice([inspected(item, name) for item in value] if isinstance(value, list) else ())
