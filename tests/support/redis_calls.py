"""Random calls of all commands that a Redis documents, by what it says of their arguments.

What differs between two servers by nature (ids, times, the order of a set) is left out of the
comparison by ``seen``, not of the calls; a call that would make two servers differ from then on is
put so that it does not.
"""

import random
from collections.abc import Callable
from typing import Any, Final

from ambassador.redis.resp import Failure

__all__ = ["Calls", "seen"]

_LEFT_OUT: Final = frozenset(
    # End the server, change who it is, or what it is told with is not a sequence of replies.
    b"shutdown replicaof slaveof failover sync psync replconf restore-asking cluster migrate debug"
    b" monitor subscribe psubscribe ssubscribe unsubscribe punsubscribe sunsubscribe quit"
    b" client|kill client|reply client|tracking client|caching client|unblock client|pause"
    b" client|unpause module|load module|loadex module|unload save bgsave bgrewriteaof"
    b" config|set config|rewrite config|resetstat script|kill function|kill script|debug"
    b" acl|load acl|save acl|deluser acl|setuser acl|genpass pfselftest pfdebug latency|reset"
    b" slowlog|reset swapdb waitaof function|restore restore".split()
)
_WORDS: Final = (
    [b"a", b"b", b"c", b"", b"1", b"2", b"3.5", b"-7", b"10", b"foo", b"\r\n", b"\x00\xff", b"1-1"]
    + [b"x" * size for size in (20, 99, 100, 999, 1000, 5000)]
)  # fmt: skip
_NUMBERS: Final = [b"0", b"1", b"2", b"3", b"10", b"100", b"-1", b"-2"]
_SCRIPTS: Final = [
    b"return 1", b"return redis.call('get', KEYS[1])", b"return {1,'a',{2}}", b"return nil",
    b"return redis.call('incr', KEYS[1])", b"return redis.error_reply('MY error')", b"syntax(",
    b"return redis.call('set', KEYS[1], ARGV[1])", b"return redis.pcall('nosuch')",
    b"#!lua flags=no-writes\nreturn redis.call('get', KEYS[1])", b"return true", b"return 3.7",
    b"redis.setresp(3) return redis.call('hgetall', KEYS[1])",
]  # fmt: skip
_SHAS: Final = [
    b"e0e1f9fabfc9d4800c877a703b823ac0578ff8db", b"0" * 40,
    b"d3c21d0c2b9ca22f82737626a27bcaf5d288f99f",
]  # fmt: skip
_LIBRARY: Final = b"\n".join(
    [
        b"#!lua name=one",
        b"redis.register_function('put', function(keys, args)",
        b"  return redis.call('set', keys[1], args[1])",
        b"end)",
        b"redis.register_function{function_name='look', callback=function(keys, args)",
        b"  return redis.call('get', keys[1])",
        b"end, flags={'no-writes'}}",
    ]
)
_FAR: Final = b"4102444800"  # 2100
_GROUPS: Final = (
    b"string list set sorted-set hash stream bitmap hyperloglog geo generic".split()
)  # fmt: skip

_BY_NATURE: Final = frozenset(
    b"time lastsave info lolwut randomkey srandmember hrandfield zrandmember scan sscan hscan zscan"
    b" dump object|idletime object|freq memory|usage memory|stats memory|doctor memory|malloc-stats"
    b" slowlog|get slowlog|len latency|doctor latency|graph latency|histogram latency|history"
    b" latency|latest acl|log client|id client|list client|info client|getredir"
    b" command command|docs command|info role wait config|get function|dump function|stats"
    b" ttl pttl xpending xautoclaim xclaim expiretime pexpiretime acl|list acl|getuser acl|users"
    b" function|list command|list command|count pubsub|channels pubsub|shardchannels dbsize".split()
)  # fmt: skip
_WITHOUT_ORDER: Final = frozenset(
    b"smembers spop sunion sinter sdiff keys sort sort_ro hgetall hkeys hvals".split()
)


class Calls:
    """Draws calls."""

    def __init__(self, docs: dict[bytes, Any], seed: int) -> None:
        """Take what COMMAND DOCS says."""
        self._draw = random.Random(seed)
        self._docs: dict[bytes, Any] = {}
        for name, facts in docs.items():
            subs = facts.get(b"subcommands", {})
            for one, about in subs.items() if subs else [(name, facts)]:
                if one not in _LEFT_OUT and name not in _LEFT_OUT:
                    self._docs[one] = about
        self._names = sorted(self._docs)
        self._group = b""

    def call(self, name: bytes | None = None) -> tuple[bytes, list[bytes]]:
        """Return a command's name and a call of it."""
        draw = self._draw
        name = name or draw.choice(self._names)
        if draw.random() < 0.004:
            return b"", [b"NoSuchCommand", b"a", b"b c"]
        words = name.split(b"|")
        if draw.random() < 0.2:
            words = [word.upper() for word in words]
        given = _GIVEN.get(name)
        facts = self._docs[name]
        if given is not None:
            words += given(draw)
        else:
            group = facts.get(b"group", b"generic")
            self._group = group if group in _GROUPS else b"generic"
            for argument in facts.get(b"arguments", ()):
                words += self._argument(name, argument, words)
        if draw.random() < 0.03 and len(words) > len(name.split(b"|")):
            words.pop()
        elif draw.random() < 0.02:
            words.append(draw.choice(_WORDS))
        return name, words

    def _argument(self, name: bytes, facts: dict[bytes, Any], before: list[bytes]) -> list[bytes]:
        draw, flags = self._draw, facts.get(b"flags", ())
        if b"optional" in flags and draw.random() < 0.6:
            return []
        times = draw.choice((1, 1, 2, 3)) if b"multiple" in flags else 1
        token = [facts[b"token"]] if facts.get(b"token") else []
        if token == [b'""']:
            token = [b""]
        found: list[bytes] = []
        for turn in range(times):
            if token and (turn == 0 or b"multiple_token" in flags):
                found += token
            found += self._value(name, facts, [*before, *found])
        if facts[b"type"] == b"key" and b"multiple" in flags:
            self._settle(before, times)
        return found

    def _settle(self, before: list[bytes], count: int) -> None:
        """Say how many keys there are where that is asked before."""
        if before and before[-1] == b"numkeys":
            before[-1] = b"%d" % count

    def _value(self, name: bytes, facts: dict[bytes, Any], before: list[bytes]) -> list[bytes]:
        draw, kind, called = self._draw, facts[b"type"], facts[b"name"]
        if kind == b"pure-token":
            return []
        if kind == b"oneof":
            return self._argument(name, draw.choice(facts[b"arguments"]), before)
        if kind == b"block":
            found: list[bytes] = []
            for one in facts[b"arguments"]:
                found += self._argument(name, one, [*before, *found])
            return found
        if kind == b"key":
            group = self._group if draw.random() < 0.9 else draw.choice(_GROUPS)
            return [b"%s:%d" % (group, draw.randrange(4))]
        return [self._scalar(name, kind, called)]

    def _scalar(self, name: bytes, kind: bytes, called: bytes) -> bytes:
        draw = self._draw
        if called == b"numkeys":
            return b"numkeys"
        if called in {b"timeout", b"milliseconds"} and name in _BLOCKING:
            return b"0.01" if kind == b"double" else b"1"
        if called in {b"seconds", b"milliseconds"}:
            return b"100000000"
        if kind == b"unix-time":
            return _FAR if b"milli" not in called else _FAR + b"000"
        if called in {b"id", b"start", b"end", b"last-id", b"min-idle-time"} and name[:1] == b"x":
            return draw.choice((b"0", b"1-1", b"2-1", b"5-5", b"-", b"+"))
        if called in {b"longitude", b"latitude"}:
            return draw.choice((b"13.36", b"38.1", b"15.08", b"37.5"))
        if kind == b"integer":
            return draw.choice(_NUMBERS) if draw.random() < 0.97 else b"99999999999999999999"
        if kind == b"double":
            return draw.choice((*_NUMBERS, b"1.5", b"3.25", b"inf", b"-inf", b"x"))
        if kind == b"pattern":
            return draw.choice((b"*", b"str*", b"*:1", b"a[bc]", b"list:*->x"))
        return draw.choice(_WORDS)


def _keys(draw: random.Random) -> list[bytes]:
    return [b"1", b"string:%d" % draw.randrange(4), draw.choice(_WORDS)]


def _of(*choices: list[bytes]) -> Callable[[random.Random], list[bytes]]:
    return lambda draw: list(draw.choice(choices))


_BLOCKING: Final = frozenset(
    b"blpop brpop blmove brpoplpush bzpopmin bzpopmax blmpop bzmpop xread xreadgroup".split()
)
_IDS: Final = [b"1-1", b"2-1", b"3-0", b"5-5", b"9-9", b"0", b"*x"]
_GIVEN: Final[dict[bytes, Callable[[random.Random], list[bytes]]]] = {
    **dict.fromkeys((b"eval", b"eval_ro"), lambda draw: [draw.choice(_SCRIPTS), *_keys(draw)]),
    **dict.fromkeys((b"evalsha", b"evalsha_ro"), lambda draw: [draw.choice(_SHAS), *_keys(draw)]),
    **dict.fromkeys(
        (b"fcall", b"fcall_ro"), lambda draw: [draw.choice([b"put", b"look", b"no"]), *_keys(draw)]
    ),
    b"script|load": lambda draw: [draw.choice(_SCRIPTS)],
    b"script|exists": lambda draw: draw.choices(_SHAS, k=2),
    b"function|load": _of([b"REPLACE", _LIBRARY], [_LIBRARY], [b"REPLACE", b"nonsense"]),
    b"function|delete": _of([b"one"], [b"two"]),
    b"spop": lambda draw: [b"set:%d" % draw.randrange(4), b"1000"],
    b"select": _of([b"0"], [b"0"], [b"1"], [b"2"], [b"99"], [b"x"], [b"-1"]),
    b"move": lambda draw: [b"string:%d" % draw.randrange(4), draw.choice((b"0", b"1", b"77"))],
    b"hello": _of(
        [], [b"2"], [b"3"], [b"4"], [b"x"], [b"3", b"SETNAME", b"me"], [b"2", b"SETNAME", b"a b"],
        [b"3", b"AUTH", b"default", b""], [b"2", b"AUTH", b"no", b"no"], [b"3", b"FOO"], [b"2"],
        [b"2", b"AUTH", b"default"], [b"3", b"auth", b"ann", b"secret", b"setname", b"x"],
    ),
    b"auth": _of([b"x"], [b"default", b"x"], [b"ann", b"secret"], [b"ann", b"no"],
                 [b"bob", b"secret"], [b"a", b"b", b"c"]),
    b"wait": _of([b"0", b"1"], [b"1", b"10"], [b"x", b"1"], [b"1", b"-1"], [b"-1", b"1"]),
    b"config|get": _of([b"maxmemory"], [b"*max-*-entries*"], [b"nosuch"]),
    b"xadd": lambda draw: [b"stream:%d" % draw.randrange(4), draw.choice(_IDS), b"f", b"v"],
    b"xclaim": lambda draw: [b"stream:0", b"g", b"c", b"0", draw.choice(_IDS)],
    b"xautoclaim": lambda draw: [b"stream:0", b"g", b"c", b"0", draw.choice(_IDS)],
    b"xread": _of([b"COUNT", b"2", b"STREAMS", b"stream:0", b"stream:1", b"0", b"1-1"],
                  [b"block", b"1", b"streams", b"stream:3", b"$"], [b"STREAMS", b"stream:0", b"0"],
                  [b"STREAMS", b"stream:0"], [b"BLOCK", b"-1", b"STREAMS", b"stream:0", b"0"]),
    b"xreadgroup": _of([b"GROUP", b"g", b"c", b"STREAMS", b"stream:0", b">"],
                       [b"GROUP", b"g", b"c", b"BLOCK", b"1", b"STREAMS", b"stream:0", b">"],
                       [b"GROUP", b"g", b"c", b"STREAMS", b"stream:0", b"0"],
                       [b"STREAMS", b"stream:0", b">"]),
    b"xgroup|create": _of([b"stream:0", b"g", b"0", b"MKSTREAM"], [b"stream:1", b"g", b"$"]),
    b"client|setname": _of([b"me"], [b""], [b"a b"], [b"\xff"]),
    b"client|no-evict": _of([b"on"], [b"off"], [b"x"]),
    b"ping": _of([], [], [b"hi"], [b"a", b"b"]),
    b"acl|dryrun": _of([b"bob", b"get", b"x"], [b"bob", b"set", b"x", b"y"], [b"no", b"get"]),
    b"command|getkeys": _of([b"mset", b"a", b"b"], [b"get"], [b"nosuch"], [b"ping"]),
    b"bitfield": lambda draw: [b"bitmap:%d" % draw.randrange(4), b"INCRBY", b"u4", b"#1", b"3",
                               b"OVERFLOW", b"SAT", b"GET", b"i8", b"0"],
    b"object|encoding": lambda draw: [draw.choice(_GROUPS) + b":1"],
    b"function|flush": _of([b"async"], [b"x"]),
    b"command|info": _of([b"get"], [b"nosuch", b"set"]),
    b"command|docs": _of([b"get"], [b"nosuch"]),
    b"flushall": _of([], [b"sync"], [b"ASYNC"], [b"x"]),
    b"flushdb": _of([], [b"sync"], [b"x"]),
}  # fmt: skip


def seen(name: bytes, value: object) -> object:
    """Return what is to be equal of a decoded reply."""
    if isinstance(value, Failure):
        return value
    if name in _BY_NATURE:
        return type(value).__name__
    if name == b"hello":
        return _without(value, b"id")
    if name in _WITHOUT_ORDER:
        return _sorted(value)
    if name.startswith(b"xinfo"):
        return type(value).__name__
    return value


def _without(value: object, key: bytes) -> object:
    pairs = value if isinstance(value, dict) else {}
    if isinstance(value, list):
        pairs = dict(zip(map(repr, value[::2]), value[1::2], strict=False))
        key = repr(key).encode()
    return {name: one for name, one in pairs.items() if str(name) != key.decode() and name != key}


def _sorted(value: object) -> object:
    if isinstance(value, list):
        return sorted(map(repr, value))
    if isinstance(value, dict):
        return sorted((repr(key), repr(one)) for key, one in value.items())
    return value
