"""Which slot a key is in, and what a node says of the cluster. Pure.

A key's slot is CRC16 (XMODEM) of it, or of what stands between its first brace and the next, if
that is not empty, modulo 16384 (Redis Cluster specification).
"""

from binascii import crc_hqx
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from ambassador.frame.address import Address
from ambassador.redis.resp import Failure
from sidecar.errors import ProtocolError

__all__ = ["SLOTS", "ShardView", "View", "newest", "slot_of", "view_of"]

SLOTS: Final = 16384


def slot_of(key: bytes) -> int:
    """Return the slot of a key."""
    begin = key.find(b"{")
    if begin >= 0:
        end = key.find(b"}", begin + 1)
        if end > begin + 1:
            key = key[begin + 1 : end]
    return crc_hqx(key, 0) % SLOTS


class ShardView(NamedTuple):
    """Some slots, who has them, and who follows it."""

    primary: Address
    replicas: tuple[Address, ...] = ()
    ranges: tuple[tuple[int, int], ...] = ()


class View(NamedTuple):
    """What one node says of the cluster."""

    epoch: int
    is_ok: bool
    shards: tuple[ShardView, ...]


def newest(views: Sequence[View]) -> View:
    """Return the view to believe: of a node that can serve, and of the highest epoch.

    A node that was cut off keeps an old epoch, and says that it cannot serve.
    """
    return max(views, key=lambda view: (view.is_ok, view.epoch, len(view.shards)))


def view_of(info: object, told: object, asked: Address, *, with_tls: bool = False) -> View:
    """Return what CLUSTER INFO and CLUSTER SHARDS or SLOTS say. Raises ProtocolError.

    A node that does not know its own address means the one that it was asked at.
    """
    if isinstance(info, Failure) or not isinstance(info, bytes) or not isinstance(told, list):
        wrong = next((one for one in (info, told) if isinstance(one, Failure)), b"nonsense")
        raise ProtocolError(f"CLUSTER answers: {bytes(wrong).decode(errors='replace')}")
    lines = (line.partition(b":") for line in info.splitlines())
    facts = {name: value for name, _, value in lines}
    epoch = facts.get(b"cluster_current_epoch", b"0")
    is_slots = bool(told) and isinstance(told[0], list) and told[0] and isinstance(told[0][0], int)
    shards = _of_slots(told, asked) if is_slots else _of_shards(told, asked, with_tls=with_tls)
    return View(
        int(epoch) if epoch.isdigit() else 0,
        facts.get(b"cluster_state") == b"ok",
        tuple(sorted(shards)),
    )


def _of_slots(told: Iterable[object], asked: Address) -> list[ShardView]:
    ranges: dict[Address, list[tuple[int, int]]] = {}
    replicas: dict[Address, set[Address]] = {}
    for entry in told:
        match entry:
            case [int(begin), int(end), [host, int(port), *_], *others]:
                primary = _address(host, port, asked)
                ranges.setdefault(primary, []).append((begin, end))
                followers = replicas.setdefault(primary, set())
                for other in others:
                    if isinstance(other, list) and len(other) > 1:
                        followers.add(_address(other[0], other[1], asked))
            case _:
                raise ProtocolError("CLUSTER SLOTS is answered by something else")
    return [
        ShardView(primary, tuple(sorted(replicas[primary])), tuple(sorted(found)))
        for primary, found in ranges.items()
    ]


def _of_shards(told: Iterable[object], asked: Address, *, with_tls: bool) -> list[ShardView]:
    found = []
    for entry in told:
        facts = _facts(entry)
        nodes = [_facts(node) for node in _listed(facts.get(b"nodes"))]
        where = [
            (node.get(b"role"), node.get(b"health"), _endpoint(node, asked, with_tls=with_tls))
            for node in nodes
        ]
        # Of a shard in failover the one that failed is told too; the one that lives has the slots.
        masters = sorted(
            (one for one in where if one[0] == b"master"), key=lambda one: one[1] == b"fail"
        )
        numbers = [number for number in _listed(facts.get(b"slots")) if isinstance(number, int)]
        if not masters:
            continue
        replicas = {at for role, health, at in where if role != b"master" and health != b"fail"}
        pairs = tuple(sorted(zip(numbers[::2], numbers[1::2], strict=False)))
        if pairs or masters[0][1] != b"fail":
            found.append(ShardView(masters[0][2], tuple(sorted(replicas)), pairs))
    return found


def _endpoint(node: Mapping[bytes, object], asked: Address, *, with_tls: bool) -> Address:
    first, second = (b"tls-port", b"port") if with_tls else (b"port", b"tls-port")
    host = node.get(b"endpoint")
    # A node configured to tell no endpoint is reached where it was asked.
    host = host if host not in {None, b"", b"?"} else node.get(b"ip")
    return _address(host, node.get(first) or node.get(second), asked)


def _address(host: object, port: object, asked: Address) -> Address:
    if not isinstance(port, int):
        raise ProtocolError("CLUSTER names no port")
    name = host.decode(errors="replace") if isinstance(host, bytes) else ""
    return Address(asked.host if name in {"", "?"} else name, port)


def _facts(flat: object) -> dict[bytes, object]:
    if isinstance(flat, dict):
        return flat
    words = _listed(flat)
    return {key: value for key, value in zip(words[::2], words[1::2], strict=False)
            if isinstance(key, bytes)}  # fmt: skip


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []
