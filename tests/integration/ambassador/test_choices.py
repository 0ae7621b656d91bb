"""Options that say where commands go, and how many connections there are."""

import hashlib
from pathlib import Path

import pytest

from ambassador.redis.resp import packed
from tests.support.ambassador import Ambassador, Caller, follow, promote, replicas_of
from tests.support.pinnace import until
from tests.support.redis import Redis

pytestmark = pytest.mark.redis


def reads(proxy: Ambassador, server: Redis) -> int:
    count: int = proxy.node(server)["commands"]["read"]
    return count


def told(client: Caller, name: str) -> int:
    lines = client.do("INFO", "ambassador").decode().splitlines()
    return int(dict(line.split(":", 1) for line in lines if ":" in line)[name])


@pytest.mark.parametrize("names", ["", "time lastsave"])
def test_what_each_server_answers_for_itself_is_asked_where_it_is_wanted(
    servers: list[Redis], names: str
) -> None:
    primary, one, _ = servers
    words = [*replicas_of(primary, one), "--mode", "eventual"]
    env = {"AMBASSADOR_LISTENER__REPLICA_ANSWERS": names} if names else {}
    with Ambassador(*words, env=env) as proxy, proxy.call() as client:
        proxy.until_reads(one)
        for line, is_default in (
            ("TIME", False), ("LASTSAVE", False), ("DBSIZE", True), ("KEYS *", True),
            ("RANDOMKEY", True), ("time", False), ("dbsize", True),
        ):  # fmt: skip
            before = reads(proxy, one)
            client.line(line)
            by_replica = line.lower() in names if names else is_default
            assert reads(proxy, one) - before == by_replica, line


def test_single_clients_have_no_more_connections_than_they_may(server: Redis) -> None:
    env = {
        "AMBASSADOR_UPSTREAM__DEDICATED_MAX": "2",
        "AMBASSADOR_UPSTREAM__FAILOVER_QUEUE": "300ms",
    }
    with (
        Ambassador("--primary", f"127.0.0.1:{server.port}", env=env) as proxy,
        proxy.call() as one,
        proxy.call() as two,
        proxy.call() as three,
    ):
        assert one.do("MULTI") == b"OK"
        two.send("BLPOP", "list", "0")
        until(lambda: proxy.node(server)["dedicated"] == 2)
        assert three.do("MULTI") == b"ERR ambassador: dedicated_max connections are in use"
        assert three.do("SET", "k", "v") == b"OK"
        assert proxy.node(server)["state"] == "up"
        three.send("MULTI")
        assert one.do("EXEC") == []
        assert three.read() == b"OK"


def test_connections_for_single_clients_wait_ready(server: Redis) -> None:
    env = {"AMBASSADOR_UPSTREAM__DEDICATED_MIN": "3"}
    with Ambassador("--primary", f"127.0.0.1:{server.port}", env=env) as proxy:
        until(lambda: proxy.node(server)["spare"] == 3, 20)
        with proxy.call() as client:
            assert client.do("MULTI") == b"OK"
            node = proxy.node(server)
            assert (node["dedicated"], node["spare"]) == (1, 2)
            assert client.do("EXEC") == []
        # Those that the server ends are replaced.
        server.do("CLIENT", "KILL", "TYPE", "normal")
        until(lambda: proxy.node(server).get("spare") == 3, 20)
        with proxy.call() as client:
            assert client.do("MULTI") == b"OK"


@pytest.mark.parametrize("fallback", ["guarded", "primary"])
def test_a_replica_that_may_be_behind_is_asked_or_not(servers: list[Redis], fallback: str) -> None:
    primary, one, _ = servers
    env = {
        "AMBASSADOR_LISTENER__SESSION_FALLBACK": fallback,
        "AMBASSADOR_LISTENER__SESSION_YOUNG": "0",
    }
    with Ambassador(*replicas_of(primary, one), env=env) as proxy, proxy.call() as client:
        proxy.until_reads(one)

        def is_asked() -> bool:
            assert client.do("SET", "k", "v") == b"OK"
            assert client.do("GET", "k") == b"v"
            return told(client, "reads_guarded") > 0

        if fallback == "guarded":
            until(is_asked, 20)
        else:
            assert not any(is_asked() for _ in range(200))


def test_reads_keep_to_the_primary_for_a_while_after_a_write(servers: list[Redis]) -> None:
    primary, one, _ = servers
    words = replicas_of(primary, one)
    for server in (primary, one):
        server.do("ACL", "SETUSER", "default", "-role")
    env = {"AMBASSADOR_LISTENER__SESSION_WINDOW": "1m"}
    with Ambassador(*words, env=env) as proxy:
        proxy.until_reads(one)
        with proxy.call() as writer, proxy.call() as reader:
            assert writer.do("SET", "k", "v") == b"OK"
            before = reads(proxy, one)
            for _ in range(20):
                assert writer.do("GET", "k") == b"v"
            assert writer.do("MULTI") == b"OK"
            assert writer.do("EXEC") == []
            assert writer.do("GET", "k") == b"v"
            assert reads(proxy, one) == before
            for _ in range(20):
                reader.do("GET", "k")
            assert reads(proxy, one) == before + 20


def test_servers_that_do_not_tell_their_role_are_known_by_what_info_says(
    servers: list[Redis],
) -> None:
    primary, one, _ = servers
    words = replicas_of(primary, one)
    for server in (primary, one):
        server.do("ACL", "SETUSER", "default", "-role")
    with Ambassador(*words) as proxy, proxy.call() as client:
        proxy.until_primary(primary)
        proxy.until_reads(one)
        for number in range(50):
            assert client.do("SET", "k", str(number)) == b"OK"
            assert client.do("GET", "k") == str(number).encode()
        with proxy.call() as reader:
            reader.do("GET", "k")
        assert reads(proxy, one) > 0
        assert proxy.node(one)["state"] == "up"
        promote(one)
        follow(primary, one)
        proxy.until_primary(one)
        assert client.do("SET", "k", "after") == b"OK"
        assert client.do("GET", "k") == b"after"


@pytest.mark.parametrize("where", ["primary", "replica"])
def test_a_read_behind_an_unanswered_write_goes_where_it_is_wanted(
    servers: list[Redis], where: str
) -> None:
    primary, one, _ = servers
    env = {"AMBASSADOR_LISTENER__READ_AFTER_INFLIGHT_WRITE": where}
    words = [*replicas_of(primary, one), "--mode", "eventual"]
    with Ambassador(*words, env=env) as proxy, proxy.call() as client:
        proxy.until_reads(one)
        for _ in range(10):
            client.sock.sendall((packed(b"SET", b"k", b"v") + packed(b"GET", b"other")) * 20)
            assert [client.read() for _ in range(40)] == [b"OK", None] * 20
        if where == "replica":
            assert reads(proxy, one) == 200
        else:  # but for what comes in pieces
            assert reads(proxy, one) < 100


@pytest.mark.parametrize("drain", ["0", "1m"])
def test_connections_to_a_former_primary_end_when_it_is_drained(
    servers: list[Redis], drain: str
) -> None:
    primary, one, _ = servers
    env = {"AMBASSADOR_UPSTREAM__DRAIN": drain}
    with Ambassador(*replicas_of(primary, one), env=env) as proxy, proxy.call() as client:
        assert client.do("SUBSCRIBE", "channel") == [b"subscribe", b"channel", 1]
        promote(one)
        follow(primary, one)
        proxy.until_primary(one)
        heard = one if drain == "0" else primary
        until(lambda: heard.do("PUBLISH", "channel", "message").startswith(b"+OK\r\n:1"), 20)
        assert client.read() == [b"message", b"channel", b"message"]
        assert proxy.node(primary)["dedicated"] == (0 if drain == "0" else 1)


def test_ready_can_mean_that_a_replica_can_be_read(servers: list[Redis]) -> None:
    primary, one, _ = servers
    with Ambassador(*replicas_of(primary, one), env={"AMBASSADOR_READY": "replica"}) as proxy:
        proxy.until_reads(one)
        one.freeze()
        until(lambda: proxy.get("/health/ready")[0] == 503, 20)
        assert proxy.get("/health/ready")[1]["trouble"] == "no replica can be read"
        assert proxy.get("/health/live")[0] == 200
        with proxy.call() as client:
            assert client.do("SET", "k", "v") == b"OK"
            assert client.do("GET", "k") == b"v"
        one.thaw()
        until(lambda: proxy.get("/health/ready")[0] == 200, 20)


def test_a_replica_is_told_of_a_script_that_it_lacks(servers: list[Redis]) -> None:
    primary, one, _ = servers
    words = [*replicas_of(primary, one), "--mode", "eventual"]
    with Ambassador(*words) as proxy, proxy.call() as client:
        proxy.until_reads(one)
        text = "return redis.call('get', KEYS[1])"
        digest = client.do("SCRIPT", "LOAD", text).decode()
        assert client.do("EVALSHA_RO", digest, "1", "k") is None  # by the primary
        until(lambda: b":1" in one.do("SCRIPT", "EXISTS", digest), 20)
        before = reads(proxy, primary)
        assert client.do("EVALSHA_RO", digest.upper(), "1", "k") is None
        assert reads(proxy, primary) == before
        unknown = client.do("EVALSHA_RO", "0" * 40, "0")
        assert unknown.startswith(b"NOSCRIPT")


def test_states_of_servers_are_one_word(servers: list[Redis]) -> None:
    primary, one, _ = servers
    with Ambassador(*replicas_of(primary, one)) as proxy:
        proxy.until_reads(one)
        assert (proxy.node(primary)["state"], proxy.node(one)["state"]) == ("up", "up")
        label = f"127.0.0.1:{one.port}"
        assert proxy.get(f"/drain/{label}", "POST")[0] == 200
        assert proxy.node(one)["state"] == "draining"
        assert proxy.get(f"/undrain/{label}", "POST")[0] == 200
        one.do("REPLICAOF", "127.0.0.1", "1")  # where nobody is
        until(lambda: proxy.node(one)["state"] == "stale", 20)
        follow(one, primary)
        proxy.until_reads(one)
        assert proxy.node(one)["state"] == "up"


def test_a_replica_that_loads_is_not_read(servers: list[Redis]) -> None:
    primary, one, _ = servers
    words = [*replicas_of(primary, one), "--mode", "eventual"]
    with Ambassador(*words) as proxy, proxy.call() as client:
        proxy.until_reads(one)
        for number in range(80):
            client.send("SET", f"k{number}", "v" * 100)
        assert [client.read() for _ in range(80)] == [b"OK"] * 80
        until(lambda: b":80" in one.do("DBSIZE"), 20)
        one.do("CONFIG", "SET", "key-load-delay", "20000")  # microseconds for each key
        with Caller(one.port, timeout=60) as loading:
            loading.send("DEBUG", "RELOAD")
            until(lambda: proxy.node(one)["state"] in {"suspect", "down"}, 20, 0.02)
            for _ in range(50):
                assert client.do("GET", "k1") == b"v" * 100
            loading.read()
        proxy.until_reads(one)


def test_logins_are_checked_by_a_file_of_users(server: Redis, tmp_path: Path) -> None:
    users = tmp_path / "users.acl"
    digest = hashlib.sha256(b"hashed").hexdigest()
    users.write_text(f"user app on >secret #{digest} ~* +@all\nuser gone off >secret\n")
    env = {"AMBASSADOR_LISTENER__AUTH": "proxy", "AMBASSADOR_LISTENER__USERS_FILE": str(users)}
    words = ["--primary", f"127.0.0.1:{server.port}"]
    with Ambassador(*words, env=env) as proxy:
        with proxy.call() as client:
            assert client.do("GET", "k") == b"NOAUTH Authentication required."
            for user, password in (("app", "wrong"), ("gone", "secret"), ("app", f"#{digest}")):
                assert client.do("AUTH", user, password).startswith(b"WRONGPASS ")
            assert client.do("AUTH", "app", "secret") == b"OK"
            assert client.do("SET", "k", "v") == b"OK"
        with proxy.call() as client:
            assert client.do("AUTH", "app", "hashed") == b"OK"
        users.write_text("user app on >secret\nuser later on >more ~only\n")
        status, told = proxy.get("/reload", "POST")
        assert status == 500
        assert f"{users}:2: '~only' is not kept here" in told["error"]
        users.write_text("user later on >more\n")
        assert proxy.get("/reload", "POST")[0] == 200
        with proxy.call() as client:
            assert client.do("AUTH", "later", "more") == b"OK"
            assert client.do("AUTH", "app", "secret").startswith(b"WRONGPASS ")
