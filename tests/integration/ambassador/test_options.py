"""What listeners can be told to do otherwise, on real servers."""

import os
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from ambassador.redis.resp import Failure
from tests.support.ambassador import Ambassador, Caller, replicas_of
from tests.support.pinnace import until
from tests.support.ports import free_port
from tests.support.redis import Redis

pytestmark = pytest.mark.redis


def reads(proxy: Ambassador, server: Redis) -> int:
    count: int = proxy.node(server)["commands"]["read"]
    return count


def test_commands_that_store_nothing_are_read_from_a_replica(servers: list[Redis]) -> None:
    primary, one, _ = servers
    words = [*replicas_of(primary, one), "--mode", "eventual"]
    for is_on in (False, True):
        env = {
            "AMBASSADOR_LISTENER__REWRITE_RO": str(is_on),
            "AMBASSADOR_LISTENER__SCRIPT_FLAGS": str(is_on),
        }
        with Ambassador(*words, env=env) as proxy, proxy.call() as client:
            proxy.until_reads(one)
            client.line("DEL l g stored")
            client.line("RPUSH l 3 1 2")
            client.line("GEOADD g 1 1 a")
            assert client.do("WAIT", "1", "5000") == 1
            assert client.line("SORT l") == [b"1", b"2", b"3"]
            assert client.line("SORT l DESC LIMIT 0 1") == [b"3"]
            assert client.line("GEORADIUS g 1 1 1 km") == [b"a"]
            assert client.line("GEORADIUSBYMEMBER g a 1 km") == [b"a"]
            assert client.do("EVAL", "#!lua flags=no-writes\nreturn 7", "0") == 7
            assert reads(proxy, one) == (5 if is_on else 0)
            assert client.line("SORT l STORE stored") == 3
            assert client.do("EVAL", "#!lua\nreturn redis.call('set','k',1)", "0") == b"OK"
            assert client.do("EVAL", "return 8", "0") == 8
            assert client.line("MULTI") == b"OK"
            assert client.line("SORT l") == b"QUEUED"
            assert client.line("EXEC") == [[b"1", b"2", b"3"]]
            assert reads(proxy, one) == (5 if is_on else 0)


@pytest.mark.parametrize("view", ["proxy", "upstream"])
def test_clients_can_be_told_as_the_server_knows_them(server: Redis, view: str) -> None:
    env = {"AMBASSADOR_LISTENER__CLIENT_VIEW": view}
    words = ["--primary", f"127.0.0.1:{server.port}"]
    with (
        Caller(server.port) as direct,
        Ambassador(*words, env=env) as proxy,
        proxy.call() as client,
    ):
        direct.do("CLIENT", "SETNAME", "elsewhere")
        number = str(direct.do("CLIENT", "ID"))
        place = "{}:{}".format(*direct.sock.getsockname())
        told = client.do("CLIENT", "LIST")
        assert (b"name=elsewhere" in told) == (view == "upstream")
        assert (b"name=ambassador:watch" in told) == (view == "upstream")
        killed = client.do("CLIENT", "KILL", "ID", number, "ADDR", place)
        assert killed == (view == "upstream")


def test_ping_can_be_answered_here(server: Redis) -> None:
    env = {"AMBASSADOR_LISTENER__PING": "local", "AMBASSADOR_UPSTREAM__FAILOVER_QUEUE": "200ms"}
    words = ["--primary", f"127.0.0.1:{server.port}"]
    with Ambassador(*words, env=env) as proxy, proxy.call() as client:
        server.kill()
        assert client.do("PING") == b"PONG"
        assert client.do("ping", "a b") == b"a b"
        assert isinstance(client.do("PING", "a", "b"), Failure)  # the server's to say
        assert isinstance(client.do("GET", "k"), Failure)


def test_the_primary_can_take_a_share_of_the_reads(servers: list[Redis]) -> None:
    primary, one, _ = servers
    words = [*replicas_of(primary, one), "--mode", "eventual"]
    env = {
        "AMBASSADOR_LISTENER__PRIMARY_READ_WEIGHT": "1",
        "AMBASSADOR_LISTENER__BALANCE": "round_robin",
    }
    with Ambassador(*words, env=env) as proxy, proxy.call() as client:
        proxy.until_reads(one)
        for _ in range(100):
            assert client.do("GET", "k") is None
        assert reads(proxy, one) > 0
        assert reads(proxy, primary) > 0
        assert reads(proxy, one) + reads(proxy, primary) == 100


def test_clients_can_be_told_of_each_other(server: Redis) -> None:
    words = ["--primary", f"127.0.0.1:{server.port}"]
    with (
        Ambassador(*words) as proxy,
        proxy.call() as client,
        proxy.call() as other,
        proxy.call() as third,
    ):
        own, others = client.do("CLIENT", "ID"), other.do("CLIENT", "ID")
        assert other.do("CLIENT", "SETNAME", "bob") == b"OK"
        assert third.do("SUBSCRIBE", "c") == [b"subscribe", b"c", 1]
        info = client.do("CLIENT", "INFO").decode()
        assert info.startswith(f"id={own} addr=127.0.0.1:")
        assert "user=default" in info
        assert "resp=2" in info
        listed = client.do("CLIENT", "LIST").decode().splitlines()
        assert len(listed) == 3
        assert any(f"id={others} " in line and "name=bob" in line for line in listed)
        assert client.do("CLIENT", "LIST", "TYPE", "pubsub").count(b"\n") == 1
        assert client.do("CLIENT", "LIST", "ID", str(others), "999").count(b"name=bob") == 1
        assert client.do("CLIENT", "LIST", "ID", "x") == b"ERR Invalid client ID"
        assert isinstance(client.do("CLIENT", "LIST", "TYPE", "odd"), Failure)

        other.send("BLPOP", "l", "0")
        until(lambda: b"flags=b" in client.do("CLIENT", "LIST"), 20, 0.02)
        assert client.do("CLIENT", "UNBLOCK", str(others), "ERROR") == 1
        assert other.read().startswith(b"UNBLOCKED")
        assert client.do("CLIENT", "UNBLOCK", str(others)) == 0
        assert client.do("CLIENT", "UNBLOCK", "x").startswith(b"ERR value is not an integer")
        assert isinstance(client.do("CLIENT", "UNBLOCK", "1", "odd"), Failure)

        assert client.do("CLIENT", "KILL", "192.0.2.1:1") == b"ERR No such client"
        assert client.do("CLIENT", "KILL", "ID", str(own)) == 0  # it spares itself
        assert client.do("CLIENT", "KILL", "TYPE", "pubsub", "USER", "default") == 1
        assert third.is_ended()
        host, port = other.sock.getsockname()
        assert client.do("CLIENT", "KILL", f"{host}:{port}") == b"OK"
        assert other.is_ended()
        assert isinstance(client.do("CLIENT", "KILL", "ODD", "1"), Failure)
        assert client.do("CLIENT", "KILL", "LADDR", f"127.0.0.1:{proxy.port}") == 0
        assert client.do("CLIENT", "KILL", "ADDR", "192.0.2.1:1", "SKIPME", "no") == 0
        assert client.do("CLIENT", "KILL", "ID", str(own), "SKIPME", "no") == 1
        assert client.is_ended()


def test_every_worker_has_an_admin_address_and_all_reload(server: Redis, tmp_path: Path) -> None:
    config, listen, other = tmp_path / "amb.yaml", free_port(), free_port()
    upstream = f"upstream:\n  servers: ['127.0.0.1:{server.port}']\nworkers: 2\n"
    config.write_text(f"listeners:\n- bind: 127.0.0.1:{listen}\n{upstream}")
    with Ambassador("--config", str(config), listen=False) as proxy:
        first, second = proxy.admin, proxy.admin + 1
        proxy.admin = second
        until(lambda: proxy.get("/health/ready")[0] == 200, 20, 0.02)
        config.write_text(f"listeners:\n- bind: 127.0.0.1:{other}\n{upstream}")
        assert proxy.get("/reload", "POST") == (200, {"reloaded": True})
        until(lambda: proxy.log_text().count("reloaded") == 2, 20, 0.02)
        with ExitStack() as stack:
            for _ in range(20):
                assert stack.enter_context(Caller(other)).do("PING") == b"PONG"
            seen = []
            for admin in (first, second):
                proxy.admin = admin
                seen.append(len(proxy.get("/clients")[1]))
            assert sum(seen) == 20
        config.write_text("nonsense: 1\n")
        assert proxy.get("/reload", "POST")[0] == 500


def test_a_worker_that_ends_is_started_again(server: Redis) -> None:
    words = ["--primary", f"127.0.0.1:{server.port}", "--workers", "2"]
    with Ambassador(*words) as proxy:
        children = Path(f"/proc/{proxy.pid}/task/{proxy.pid}/children")
        pids = [int(pid) for pid in children.read_text().split()]
        assert len(pids) == 2
        os.kill(pids[1], signal.SIGKILL)
        until(lambda: "worker ended" in proxy.log_text(), 20, 0.02)
        until(lambda: len(children.read_text().split()) == 2, 20, 0.02)
        proxy.admin += 1
        until(lambda: proxy.get("/health/ready")[0] == 200, 20, 0.02)
