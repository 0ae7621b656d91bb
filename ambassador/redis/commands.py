"""Which command goes where: the server's own COMMAND, and what it does not tell. Pure.

Flags alone would miss some: ``may_replicate`` is hidden from COMMAND on purpose (server.c), a
cursor belongs to one node, some answers belong to one connection. The overlay below says so for
commands that Redis 7.0 has. What nobody knows goes to the primary on a connection of its own, so
that a command of tomorrow works today.
"""

import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from ambassador.redis.keys import KeySpec, keys_at, specs_of
from ambassador.redis.shipped import POLICIES, SHIPPED

__all__ = ["ADMIN", "MAY_BE_SLOW", "UNKNOWN", "Command", "Route", "Table", "names_of"]


class Route(enum.IntEnum):
    """What is done with a command; the first three need no look at its arguments."""

    READ = 1  # a replica that may be read
    WRITE = 2  # the primary; never sent twice
    LOOK = 3  # the primary; may be asked again
    SLOW = 4  # from here on: look closer
    SCRIPT = 5  # a write that may take long
    SCRIPT_READ = 6  # a replica; the primary when the script is not known there
    CURSOR = 7
    XREAD = 8  # a read, unless it blocks
    ONCE = 9  # the primary, on a connection of its own for this one command
    TRANSACTION = 10
    SUBSCRIBE = 11  # ... and monitor: what follows is no sequence of replies
    SESSION = 12  # the proxy keeps it
    WAIT = 13
    KILL = 14  # on another connection than the script that it ends
    FORBIDDEN = 15
    TRACKING = 16


class Command(NamedTuple):
    """What is known of a command: its whole name (``config|get``), route, and where keys are."""

    name: str
    route: Route
    flags: frozenset[str] = frozenset()
    first: int = 0
    last: int = 0
    step: int = 0
    is_admin: bool = False
    specs: tuple[KeySpec, ...] | None = ()
    request: str = ""  # where else than to one node of a cluster it goes, and
    response: str = ""  # how its replies become one (tips of Redis 7)

    @property
    def leaves_no_trace(self) -> bool:
        """Whether a connection is after it as it was before."""
        if self.name in _TRACES:
            return False
        return self.route in _TRACELESS or self.name in _BY_NAME or "blocking" in self.flags

    @property
    def is_container(self) -> bool:
        """Whether a subcommand decides what it is."""
        return self.name in _CONTAINERS

    def keys(self, words: Sequence[bytes]) -> list[int] | None:
        """Return where keys are among the words; None: only the server knows."""
        plain = (self.first, self.last, self.step)
        are_movable = "movablekeys" in self.flags
        return keys_at(self.name, words, self.specs, plain, are_movable=are_movable)


UNKNOWN: Final = Command("", Route.ONCE)

_OVERLAY: Final[Mapping[Route, str]] = {
    # May replicate, though not flagged so (src/commands/*.json of 7.0.15), and scripts.
    Route.SCRIPT: "eval evalsha fcall",
    Route.WRITE: "publish spublish script function script|load script|flush"
    " function|load function|delete function|flush function|restore migrate",
    Route.LOOK: "touch object|freq object|idletime role time lastsave slowlog latency acl"
    " command config|get memory|doctor memory|stats memory|malloc-stats memory|purge memory|help"
    " pubsub pubsub|channels pubsub|numpat pubsub|numsub pubsub|shardchannels pubsub|shardnumsub"
    " script|exists function|list function|dump function|stats acl|list acl|users acl|getuser"
    " acl|cat acl|whoami acl|genpass acl|dryrun acl|log acl|help object|help config|help echo ping"
    " command|count command|docs command|getkeys command|getkeysandflags command|info"
    " command|list latency|doctor latency|graph latency|histogram latency|history"
    " latency|latest latency|help latency|reset slowlog|get slowlog|len slowlog|help slowlog|reset"
    # What consumers have read and when is not the same on a replica.
    " xinfo|stream xinfo|groups xinfo|consumers xinfo|help xgroup|help pubsub|help"
    " function|help script|help module|list module|help command|help config object memory pubsub"
    " module xgroup xinfo client|help readonly readwrite asking",
    Route.SCRIPT_READ: "eval_ro evalsha_ro fcall_ro",
    Route.CURSOR: "scan sscan hscan zscan",
    Route.XREAD: "xread",
    Route.TRANSACTION: "multi exec discard watch unwatch",
    Route.SUBSCRIBE: "subscribe psubscribe ssubscribe unsubscribe punsubscribe sunsubscribe"
    " monitor sync psync replconf",
    Route.TRACKING: "client|tracking client|caching client|trackinginfo client|getredir",
    Route.SESSION: "hello auth select reset quit client client|id client|getname client|setname"
    " client|setinfo client|reply ambassador info",
    Route.WAIT: "wait",
    Route.KILL: "script|kill function|kill",
    Route.ONCE: "config|set config|resetstat config|rewrite save bgsave bgrewriteaof debug flushall"
    " flushdb swapdb client|kill client|pause client|unpause client|unblock client|list client|info"
    " client|no-evict client|no-touch acl|setuser acl|deluser acl|load acl|save module|load"
    " module|loadex module|unload script|debug waitaof pfdebug pfselftest",
    Route.FORBIDDEN: "shutdown replicaof slaveof failover restore-asking cluster",
}
_BY_NAME: Final = {name: route for route, names in _OVERLAY.items() for name in names.split()}
_TRACELESS: Final = frozenset(
    {
        Route.READ,
        Route.WRITE,
        Route.LOOK,
        Route.SCRIPT,
        Route.SCRIPT_READ,
        Route.CURSOR,
        Route.XREAD,
        Route.TRANSACTION,
        Route.KILL,
        Route.WAIT,
    }
)
_TRACE_NAMES: Final = (
    "client|no-evict client|no-touch client|tracking client|caching script|debug readonly"
    " readwrite asking select auth hello client|setname client|setinfo client|reply failover"
    " restore-asking cluster"
)
_TRACES: Final = frozenset(_TRACE_NAMES.split())
_CONTAINER_NAMES: Final = (
    "acl client config function latency memory module object pubsub script slowlog xgroup xinfo"
    " command"
)
_CONTAINERS: Final = frozenset(_CONTAINER_NAMES.split())
_ADMIN_NAMES: Final = (
    "shutdown replicaof slaveof failover sync psync replconf restore-asking cluster debug"
    " config|set config|resetstat config|rewrite module|load module|loadex module|unload"
    " acl|setuser acl|deluser acl|load acl|save script|debug pfdebug pfselftest"
)
_LONG_NAMES: Final = (
    "keys sort sort_ro smembers sinter sunion sdiff sinterstore sunionstore sdiffstore sintercard"
    " zunion zinter zdiff zunionstore zinterstore zdiffstore zintercard zrange zrangestore hgetall"
    " hkeys hvals lrange lcs bitcount bitop bitpos xrange xrevrange georadius georadiusbymember"
    " geosearch geosearchstore pfcount pfmerge dump restore migrate del mget mset randomkey"
)
MAY_BE_SLOW: Final = frozenset(_LONG_NAMES.split())
"""What may take as long as there is data; a cheap command only waits for others."""
ADMIN: Final = frozenset(_ADMIN_NAMES.split())
"""What is refused unless it is allowed (reliability T16)."""


class Table:
    """All commands of one server; finds the one that a client means."""

    def __init__(self, told: Iterable[Command] = ()) -> None:
        """Take what COMMAND told; the shipped table knows the rest."""
        self._commands = {command.name: command for command in _shipped()}
        self._commands.update((command.name, command) for command in told)

    def command(self, name: bytes, sub: bytes = b"") -> Command:
        """Return the command of this name, in any case, and subcommand, if it has such."""
        text = name.decode("latin-1").lower()
        if text in _CONTAINERS and sub:
            whole = f"{text}|{sub.decode('latin-1').lower()}"
            found = self._commands.get(whole) or _overlaid(whole)
            return found or Command(whole, Route.LOOK if text != "client" else Route.ONCE)
        return self._commands.get(text) or _overlaid(text) or UNKNOWN._replace(name=text)

    def names(self) -> frozenset[str]:
        """Return the names of all commands and subcommands."""
        return frozenset(self._commands)


def _overlaid(name: str) -> Command | None:
    route = _BY_NAME.get(name)
    return None if route is None else Command(name, route, is_admin=name in ADMIN)


def _route(name: str, flags: frozenset[str]) -> Route:
    if (route := _BY_NAME.get(name)) is not None:
        return route
    if "blocking" in flags:
        return Route.ONCE
    if "write" in flags:
        return Route.WRITE
    if "readonly" in flags:
        return Route.READ
    return Route.ONCE


def _command(name: str, flags: frozenset[str], first: int, last: int, step: int) -> Command:
    request, response = _TOLD.get(name, ("", ""))
    return Command(
        name, _route(name, flags), flags, first, last, step, name in ADMIN,
        request=request, response=response,
    )  # fmt: skip


_TOLD: Final = {
    name: (request, response)
    for line in POLICIES.splitlines()
    for request, response, names in [line.split(":")]
    for name in names.split()
}


def _shipped() -> Iterable[Command]:
    for line in SHIPPED.replace("\n ", " ").splitlines():
        flags, places, names = line.split(":")
        first, last, step = map(int, places.split())
        for name in names.split():
            yield _command(name, frozenset(flags.split()), first, last, step)


def names_of(reply: object) -> list[Command]:
    """Return the commands in a decoded reply to COMMAND; those that cannot be read are left out."""
    found: list[Command] = []
    for entry in reply if isinstance(reply, list) else ():
        match entry:
            case [bytes(name), int(), list(flags), int(first), int(last), int(step), *more]:
                words = frozenset(flag.decode("latin-1") for flag in flags)
                text = name.decode("latin-1").lower()
                command = _command(text, words, first, last, step)
                # Redis 7 tells tips, key specifications and subcommands besides.
                if len(more) >= 4:
                    request, response = _policies(more[1])
                    command = command._replace(
                        specs=specs_of(more[2]), request=request, response=response
                    )
                found.append(command)
                if len(more) >= 4:
                    found += names_of(more[3])
    return found


def _policies(tips: object) -> tuple[str, str]:
    """Return the request and the response policy among the tips."""
    words = [tip.decode("latin-1").partition(":") for tip in tips] if isinstance(tips, list) else []
    facts = {name: value for name, _, value in words}
    return facts.get("request_policy", ""), facts.get("response_policy", "")
