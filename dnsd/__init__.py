"""The DNS server: names and SRV records from the catalogue."""

from sidecar.runtime.hiding import without

# msgspec takes two functions of typing_extensions where it is there, and 4.6 MB with them, though
# those of the standard library are the same from Python 3.11 on.
with without("typing_extensions"):
    import msgspec  # noqa: F401
