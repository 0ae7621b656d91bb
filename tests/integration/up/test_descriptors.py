"""No descriptors left (F37): what is new is refused, what is old goes on, and nothing spins."""

import os
import socket
import time

from tests.support.pinnace import Pinnace, until

LIMIT = 64
TICKS = os.sysconf("SC_CLK_TCK")


def _cpu(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def test_a_crowd_beyond_the_descriptors_is_refused_and_nothing_spins() -> None:
    pinnace = Pinnace("unix:///nowhere", lb=False, wait=False)
    pinnace.command = ["prlimit", f"--nofile={LIMIT}:{LIMIT}", *pinnace.command]
    with pinnace:
        until(lambda: pinnace.get("/healthz")[0] == 200)
        old = socket.create_connection(("127.0.0.1", pinnace.http_port), 10)
        old.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in old.recv(4096)
        crowd = []
        for _ in range(150):
            one = socket.create_connection(("127.0.0.1", pinnace.http_port), 10)
            one.settimeout(10)
            crowd.append(one)
        refused = 0
        for one in crowd[100:]:  # all behind those that took the room
            try:
                refused += b" 503 " in one.recv(4096)
            except ConnectionResetError:
                refused += 1
        assert refused == 50
        begun = _cpu(pinnace.pid)
        time.sleep(1.0)
        assert _cpu(pinnace.pid) - begun < 0.2
        old.sendall(b"GET /v1/health/service/web HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in old.recv(4096)
        until(lambda: bool(pinnace.log("load is shed")), 5)
        for one in crowd:
            one.close()
        until(lambda: pinnace.get("/healthz")[0] == 200)
        until(lambda: bool(pinnace.log("load is shed no more")), 5)
        old.close()
