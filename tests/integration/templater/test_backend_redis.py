"""The Redis backend against a real server: kinds of values, watching, being away."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.errors import StoreDenied, StoreUnavailable
from templater.backends.redis import RedisBackend, RedisPlace
from tests.support.confd import Confd
from tests.support.pace import allowed
from tests.support.pinnace import until
from tests.support.redis import Redis

pytestmark = pytest.mark.redis


@pytest.fixture
def redis() -> Iterator[Redis]:
    with Redis("--notify-keyspace-events", "KEA") as server:
        yield server


def backend(redis: Redis, password: str = "", separator: str = "") -> RedisBackend:
    return RedisBackend(RedisPlace.parse(f"127.0.0.1:{redis.port}", password), separator=separator)


async def test_a_text_a_hash_and_all_below_a_key(redis: Redis) -> None:
    def fill() -> None:
        redis.do("SET", "/app/a", "1")
        redis.do("SET", "/app/deep/b", "2")
        redis.do("SET", "/apple", "no")
        redis.do("HSET", "/app/h", "f", "v")
        redis.do("SADD", "/app/set", "x")
        for number in range(1200):
            redis.do("SET", f"/many/{number}", str(number))

    await asyncio.to_thread(fill)
    source = backend(redis)
    assert await source.read(["/app"]) == {"/app/a": "1", "/app/deep/b": "2"}
    assert await source.read(["/app/a", "/app/h"]) == {"/app/a": "1", "/app/h/f": "v"}
    assert len(await source.read(["/many"])) == 1200
    assert await source.read(["/none"]) == {}


async def test_below_the_root_is_everything(redis: Redis) -> None:
    await asyncio.to_thread(redis.do, "SET", "noslash", "n")
    await asyncio.to_thread(redis.do, "SET", "a:b", "c")
    assert await backend(redis).read(["/"]) == {"/noslash": "n", "/a:b": "c"}
    assert await backend(redis, separator=":").read(["/"]) == {"/noslash": "n", "/a/b": "c"}
    states = backend(redis).watch("/")
    await anext(states)
    await asyncio.to_thread(redis.do, "SET", "noslash", "m")
    assert (await anext(states))["/noslash"] == "m"
    await states.aclose()


async def test_a_separator_stands_for_the_slash(redis: Redis) -> None:
    await asyncio.to_thread(redis.do, "SET", "app:x:y", "1")
    assert await backend(redis, separator=":").read(["/app/x"]) == {"/app/x/y": "1"}


async def test_a_socket_and_a_numbered_database(redis: Redis) -> None:
    by_socket = RedisBackend(RedisPlace.parse(str(redis.path)))
    assert await by_socket.read(["/app"]) == {}
    second = RedisBackend(RedisPlace.parse(f"127.0.0.1:{redis.port}/2"))

    await asyncio.to_thread(redis.do, "SET", "/app/a", "two", database=2)
    assert await second.read(["/app"]) == {"/app/a": "two"}
    assert await backend(redis).read(["/app"]) == {}


async def test_changes_are_told_at_once(redis: Redis) -> None:
    stream = backend(redis).watch("/app")
    async with asyncio.timeout(allowed(5)):
        assert await anext(stream) == {}
        await asyncio.to_thread(redis.do, "SET", "/app/a", "1")
        assert await anext(stream) == {"/app/a": "1"}
        await asyncio.to_thread(redis.do, "DEL", "/app/a")
        assert await anext(stream) == {}
    await stream.aclose()


async def test_a_wrong_password_is_denied() -> None:
    with Redis("--requirepass", "s3cret") as guarded:
        with pytest.raises(StoreDenied, match="NOAUTH"):
            await backend(guarded).read(["/a"])
        with pytest.raises(StoreDenied) as raised:
            await backend(guarded, "wrong").read(["/a"])
        assert "s3cret" not in str(raised.value)
        assert await backend(guarded, "s3cret").read(["/a"]) == {}


async def test_a_server_that_is_away_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable, match=r"redis at 127\.0\.0\.1:1"):
        await RedisBackend(RedisPlace.parse("127.0.0.1:1")).read(["/a"])


@pytest.mark.parametrize(
    ("node", "place"),
    [
        ("h:1", RedisPlace("h", 1, 0)),
        ("h:1/3", RedisPlace("h", 1, 3)),
        ("h", RedisPlace("h", 6379, 0)),
        ("/s.sock", RedisPlace("/s.sock", 0, 0)),
    ],
)
def test_a_node_names_a_place(node: str, place: RedisPlace) -> None:
    assert RedisPlace.parse(node) == place


def test_the_drop_in_follows_redis_and_lives_through_its_end(redis: Redis, tmp_path: Path) -> None:
    redis.do("SET", "/app/a", "1")
    with Confd(tmp_path / "confd") as confd:
        confd.backend = ("-backend", "redis", "-node", f"127.0.0.1:{redis.port}")
        dest = confd.resource("web", '{{getv "/a"}}', keys='["/a"]', prefix="/app")
        confd.start("-watch")
        until(lambda: dest.exists() and dest.read_text() == "1")
        redis.do("SET", "/app/a", "2")
        until(lambda: dest.read_text() == "2")
        redis.stop()
        until(lambda: confd.count("cannot be read") == 1)
        assert dest.read_text() == "2"
        redis.start()
        until(lambda: confd.count("is read again") == 1)
        redis.do("SET", "/app/a", "3")
        until(lambda: dest.read_text() == "3")
        os.kill(confd.pid, signal.SIGTERM)
        until(lambda: not confd.is_running())
