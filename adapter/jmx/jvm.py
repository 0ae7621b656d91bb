"""``jvm_*`` and ``process_*`` from a JVM's beans, named as by Prometheus' Java client. Pure.

The client reads them inside the JVM; here they come over the same connection as everything else.
What only an operation tells is in ``operations``. Absent: what the client hears of by
notification (``jvm_memory_pool_allocated_bytes_total``) or reads from the system itself
(``process_resident_memory_bytes``).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from adapter.exposition import Family, Kind
from adapter.jmx.objectname import ObjectName
from adapter.jmx.values import Composite, meant

__all__ = ["JVM_DOMAINS", "Read", "families", "wanted"]

JVM_DOMAINS: Final = ("java.lang", "java.nio")

Read = Iterable[tuple[ObjectName, Mapping[str, object]]]

_USAGE: Final = ("used", "committed", "max", "init")

WANTED: Final[Mapping[str, tuple[str, ...]]] = {
    "Memory": ("HeapMemoryUsage", "NonHeapMemoryUsage", "ObjectPendingFinalizationCount"),
    "MemoryPool": ("Usage", "CollectionUsage"),
    "GarbageCollector": ("CollectionCount", "CollectionTime"),
    "Threading": (
        "ThreadCount", "DaemonThreadCount", "PeakThreadCount", "TotalStartedThreadCount",
        "AllThreadIds",
    ),
    "ClassLoading": ("LoadedClassCount", "TotalLoadedClassCount", "UnloadedClassCount"),
    "BufferPool": ("MemoryUsed", "TotalCapacity", "Count"),
    "Runtime": ("VmName", "VmVendor", "StartTime", "SpecVersion", "VmVersion"),
    "OperatingSystem": (
        "ProcessCpuTime", "OpenFileDescriptorCount", "MaxFileDescriptorCount",
        "CommittedVirtualMemorySize",
    ),
    "Compilation": ("TotalCompilationTime",),
}  # fmt: skip
"""The property ``type`` of a bean to the attributes that are read."""

_PLAIN: Final[tuple[tuple[str, str, str, Kind, float, str], ...]] = (
    ("Memory", "ObjectPendingFinalizationCount", "jvm_memory_objects_pending_finalization",
     "gauge", 1, "The number of objects waiting in the finalizer queue."),
    ("Threading", "ThreadCount", "jvm_threads_current", "gauge", 1,
     "Current thread count of a JVM"),
    ("Threading", "DaemonThreadCount", "jvm_threads_daemon", "gauge", 1,
     "Daemon thread count of a JVM"),
    ("Threading", "PeakThreadCount", "jvm_threads_peak", "gauge", 1, "Peak thread count of a JVM"),
    ("Threading", "TotalStartedThreadCount", "jvm_threads_started_total", "counter", 1,
     "Started thread count of a JVM"),
    ("ClassLoading", "LoadedClassCount", "jvm_classes_currently_loaded", "gauge", 1,
     "The number of classes that are currently loaded in the JVM"),
    ("ClassLoading", "TotalLoadedClassCount", "jvm_classes_loaded_total", "counter", 1,
     "The total number of classes that have been loaded since the JVM has started execution"),
    ("ClassLoading", "UnloadedClassCount", "jvm_classes_unloaded_total", "counter", 1,
     "The total number of classes that have been unloaded since the JVM has started execution"),
    ("Compilation", "TotalCompilationTime", "jvm_compilation_time_seconds_total", "counter", 1e-3,
     "The total time in seconds taken for HotSpot class compilation"),
    ("OperatingSystem", "ProcessCpuTime", "process_cpu_seconds_total", "counter", 1e-9,
     "Total user and system CPU time spent in seconds."),
    ("OperatingSystem", "OpenFileDescriptorCount", "process_open_fds", "gauge", 1,
     "Number of open file descriptors."),
    ("OperatingSystem", "MaxFileDescriptorCount", "process_max_fds", "gauge", 1,
     "Maximum number of open file descriptors."),
    ("OperatingSystem", "CommittedVirtualMemorySize", "process_virtual_memory_bytes", "gauge", 1,
     "Virtual memory size in bytes."),
    ("Runtime", "StartTime", "process_start_time_seconds", "gauge", 1e-3,
     "Start time of the process since unix epoch in seconds."),
)  # fmt: skip


def wanted(name: ObjectName) -> tuple[str, ...]:
    """Return the attributes of a bean that are needed here."""
    if name.domain not in JVM_DOMAINS:
        return ()
    return WANTED.get(name.properties.get("type", ""), ())


class _Made:
    """The families so far."""

    def __init__(self) -> None:
        self.found: dict[str, Family] = {}

    def __call__(
        self, name: str, kind: Kind, text: str, labels: Mapping[str, str], value: object
    ) -> None:
        if isinstance(value, int | float):
            self._family(name, kind, text).add(labels, float(value))

    def summary(
        self, name: str, text: str, labels: Mapping[str, str], count: int, total: float
    ) -> None:
        self._family(name, "summary", text).spread(labels, {}, total=total, count=count)

    def _family(self, name: str, kind: Kind, text: str) -> Family:
        return self.found.setdefault(name, Family(name, kind, text))


def families(read: Read) -> list[Family]:
    """Return the families for what was read of the beans that ``wanted`` names."""
    add = _Made()
    for bean, attributes in read:
        kind = bean.properties.get("type", "")
        for of, attribute, name, what, factor, text in _PLAIN:
            value = attributes.get(attribute)
            if of == kind and isinstance(value, int | float):
                add(name, what, text, {}, value * factor)
        if (special := _SPECIAL.get(kind)) is not None:
            special(bean.properties.get("name", ""), attributes, add)
    return [add.found[name] for name in sorted(add.found)]


def _usage(prefix: str, what: str, labels: Mapping[str, str], value: object, add: _Made) -> None:
    found = meant(value)
    if isinstance(found, Composite):
        for part in _USAGE:
            text = f"{part.capitalize()} bytes of a given JVM {what}."
            add(f"{prefix}_{part}_bytes", "gauge", text, labels, found.items.get(part))


def _memory(_: str, attributes: Mapping[str, object], add: _Made) -> None:
    for attribute, area in (("HeapMemoryUsage", "heap"), ("NonHeapMemoryUsage", "nonheap")):
        _usage("jvm_memory", "memory area", {"area": area}, attributes.get(attribute), add)


def _pool(name: str, attributes: Mapping[str, object], add: _Made) -> None:
    pool = {"pool": name}
    _usage("jvm_memory_pool", "memory pool", pool, attributes.get("Usage"), add)
    after = attributes.get("CollectionUsage")
    _usage("jvm_memory_pool_collection", "memory pool after a collection", pool, after, add)


def _collector(name: str, attributes: Mapping[str, object], add: _Made) -> None:
    count, time = attributes.get("CollectionCount"), attributes.get("CollectionTime")
    if isinstance(count, int) and isinstance(time, int):
        text = "Time spent in a given JVM garbage collector in seconds."
        labels = {"gc": name}
        add.summary("jvm_gc_collection_seconds", text, labels, count, time / 1000)


def _buffers(name: str, attributes: Mapping[str, object], add: _Made) -> None:
    pool = {"pool": name}
    for attribute, part, text in (
        ("MemoryUsed", "used_bytes", "Used bytes of a given JVM buffer pool."),
        ("TotalCapacity", "capacity_bytes", "Bytes capacity of a given JVM buffer pool."),
        ("Count", "used_buffers", "Used buffers of a given JVM buffer pool."),
    ):
        add(f"jvm_buffer_pool_{part}", "gauge", text, pool, attributes.get(attribute))


def _runtime(_: str, attributes: Mapping[str, object], add: _Made) -> None:
    found = {key: str(attributes.get(key) or "unknown") for key in WANTED["Runtime"]}
    labels = {
        "runtime": found["VmName"],
        "vendor": found["VmVendor"],
        "version": found["VmVersion"],
    }
    add("jvm_runtime_info", "gauge", "JVM runtime info", labels, 1)


_SPECIAL: Final[Mapping[str, Callable[[str, Mapping[str, object], _Made], None]]] = {
    "Memory": _memory,
    "MemoryPool": _pool,
    "GarbageCollector": _collector,
    "BufferPool": _buffers,
    "Runtime": _runtime,
}
