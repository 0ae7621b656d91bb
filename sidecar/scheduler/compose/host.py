"""What the create call says of the container's host, by the engine's names (HostConfig). Pure."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from sidecar.scheduler.compose.container import given
from sidecar.scheduler.compose.document import Item
from sidecar.scheduler.compose.reader import Reader
from sidecar.scheduler.compose.setting import Setting
from sidecar.scheduler.compose.values import Published, cpus, size, truth, whole
from sidecar.scheduler.compose.volumes import mounts_of

__all__ = ["host_of"]

_NUMBER_OR_LESS: Final = 20


def integer(text: str) -> int:
    """Return a whole number, which may be below zero."""
    plain = text.strip()
    digits = plain.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > _NUMBER_OR_LESS:
        raise ValueError(f"{text!r} is no whole number")
    return int(plain)


def _size(text: str) -> int:
    return -1 if text.strip() == "-1" else size(text)


_WORDS: Final = {
    "CgroupParent": "cgroup_parent",
    "CgroupnsMode": "cgroup",
    "CpusetCpus": "cpuset",
    "IpcMode": "ipc",
    "PidMode": "pid",
    "Runtime": "runtime",
    "UTSMode": "uts",
    "UsernsMode": "userns_mode",
}
_LISTS: Final = {
    "CapAdd": "cap_add",
    "CapDrop": "cap_drop",
    "DeviceCgroupRules": "device_cgroup_rules",
    "Dns": "dns",
    "DnsOptions": "dns_opt",
    "DnsSearch": "dns_search",
    "GroupAdd": "group_add",
    "SecurityOpt": "security_opt",
    "VolumesFrom": "volumes_from",
}
_VALUES: Final[dict[str, tuple[str, Callable[[str], object]]]] = {
    "CpuCount": ("cpu_count", whole),
    "CpuPercent": ("cpu_percent", whole),
    "CpuPeriod": ("cpu_period", whole),
    "CpuQuota": ("cpu_quota", integer),
    "CpuRealtimePeriod": ("cpu_rt_period", whole),
    "CpuRealtimeRuntime": ("cpu_rt_runtime", whole),
    "CpuShares": ("cpu_shares", whole),
    "Init": ("init", truth),
    "Memory": ("mem_limit", size),
    "MemoryReservation": ("mem_reservation", size),
    "MemorySwap": ("memswap_limit", _size),
    "MemorySwappiness": ("mem_swappiness", whole),
    "NanoCpus": ("cpus", cpus),
    "OomKillDisable": ("oom_kill_disable", truth),
    "OomScoreAdj": ("oom_score_adj", integer),
    "PidsLimit": ("pids_limit", integer),
    "Privileged": ("privileged", truth),
    "ReadonlyRootfs": ("read_only", truth),
    "ShmSize": ("shm_size", size),
}


def host_of(service: Reader, ports: Iterable[Published], setting: Setting) -> dict[str, Any]:
    """Return HostConfig; ``service:NAME`` in it is put in when the container is made."""
    words = {theirs: service.text(ours) for theirs, ours in _WORDS.items()}
    lists = {theirs: [each.text for each in service.texts(ours)] for theirs, ours in _LISTS.items()}
    values = {theirs: service.value(ours, parse, None) for theirs, (ours, parse) in _VALUES.items()}
    host = {
        **words,
        **lists,
        **values,
        **_limits(service),
        **mounts_of(service, setting),
        "Annotations": _texts(service, "annotations"),
        "Devices": [_device(each, service) for each in service.items("devices")],
        "ExtraHosts": _hosts(service),
        "LogConfig": _logging(service.below("logging")),
        "NetworkMode": service.text("network_mode"),
        "PortBindings": _bindings(ports),
        "StorageOpt": _texts(service, "storage_opt"),
        "Sysctls": _texts(service, "sysctls"),
        "Tmpfs": _tmpfs(service),
        "Ulimits": _ulimits(service),
    }
    return {key: value for key, value in given(host).items() if value is not False}


def _limits(service: Reader) -> dict[str, Any]:
    """Return what ``deploy.resources`` limits, which is stronger than the service's own keys."""
    resources = service.below("deploy").below("resources")
    limits, reserved = resources.below("limits"), resources.below("reservations")
    return given(
        {
            "NanoCpus": limits.value("cpus", cpus, 0) or None,
            "Memory": limits.value("memory", size, 0) or None,
            "PidsLimit": limits.value("pids", integer, None),
            "MemoryReservation": reserved.value("memory", size, 0) or None,
        }
    )


def _texts(service: Reader, key: str) -> dict[str, str]:
    return {name: value or "" for name, value in service.pairs(key).items()}


def _device(item: Item, service: Reader) -> dict[str, str]:
    if isinstance(item.value, str):
        source, _, rest = item.text.partition(":")
        target, _, rights = rest.partition(":")
    else:
        reader = Reader(item, f"{service.where}.devices", service.problems)
        reader.only(("source", "target", "permissions"))
        source, target = reader.text("source"), reader.text("target")
        rights = reader.text("permissions")
    return {
        "PathOnHost": source,
        "PathInContainer": target or source,
        "CgroupPermissions": rights or "rwm",
    }


def _hosts(service: Reader) -> list[str]:
    item = service.get("extra_hosts")
    if item is None:
        return []
    if isinstance(item.value, dict):
        texts = [
            f"{name}={one.text}"
            for name, each in item.map.items()
            for one in (each.items or [each])
        ]
    else:
        texts = [each.text for each in service.texts("extra_hosts")]
    return [_host(text) for text in texts]


def _host(text: str) -> str:
    name, equals, address = text.partition("=")
    if not equals:
        name, _, address = text.partition(":")
    return f"{name}:{address.removeprefix('[').removesuffix(']')}"


def _logging(reader: Reader) -> dict[str, Any]:
    reader.only(("driver", "options"))
    options = {name: value or "" for name, value in reader.pairs("options").items()}
    driver = reader.text("driver") or ("json-file" if options else "")
    return given({"Type": driver, "Config": options})


def _bindings(ports: Iterable[Published]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in ports:
        binding = {"HostIp": each.host.address, "HostPort": str(each.host.number or "")}
        found.setdefault(f"{each.container}/{each.host.protocol}", []).append(binding)
    return found


def _tmpfs(service: Reader) -> dict[str, str]:
    parts = [each.text.partition(":") for each in service.texts("tmpfs")]
    return {path: options for path, _, options in parts}


def _ulimits(service: Reader) -> list[dict[str, Any]]:
    table = service.below("ulimits")
    found = []
    for name, item in table.item.map.items():
        if isinstance(item.value, str):
            soft = hard = table.value(name, integer, 0)
        else:
            reader = table.below(name)
            reader.only(("soft", "hard"))
            hard = reader.value("hard", integer, 0)
            soft = reader.value("soft", integer, hard)
        found.append({"Name": name, "Soft": soft, "Hard": hard})
    return found
