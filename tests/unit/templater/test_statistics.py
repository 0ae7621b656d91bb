"""What HAProxy counts, by the endpoints of a model."""

from templater.haproxy import slots
from templater.haproxy.model import NOTHING
from templater.haproxy.statistics import counters_of
from templater.routes import Key, Protocol, Upstream
from templater.work import Work
from tests.unit.templater.haproxy_models import WEB, endpoint, routes_to

INFO = "Name: HAProxy\nVersion: 2.6.12-1+deb12u4\nPid: 7\n"
HEAD = (
    "# pxname,svname,qcur,scur,stot,econ,eresp,wretr,wredis,status,rate,hrsp_5xx,ctime,rtime,addr,"
)
FRONT = "http,FRONTEND,,5,900,,,,,OPEN,30,0,,,,"
S1 = "http.web,s1,2,3,400,1,2,5,6,no check,12,4,7,80,192.0.2.1:80,"
S2 = "http.web,s2,0,0,0,0,0,0,0,MAINT,0,0,0,0,192.0.2.1:81,"
OTHERS = "pinnace_stats,FRONTEND,,99,99,,,,,OPEN,99,0,,,,"
MODEL = slots.grown(NOTHING, routes_to(endpoint("a", 80), endpoint("b", 81)))


def reply(*lines: str) -> str:
    return "\n".join((HEAD, *lines, "", ""))


def test_each_endpoint_has_what_its_slot_counts() -> None:
    found = counters_of(MODEL, INFO, [reply(FRONT, S1, S2, OTHERS)])
    assert found.program == "haproxy 2.6.12"
    assert (found.connections, found.requests, found.rate) == (5, 400, 12)
    assert found.endpoints[WEB, Key("n1", "a")] == Work(
        sessions=3, queued=2, requests=400, rate=12, latency=0.08, failures=7, retries=11,
        health="no check",
    )  # fmt: skip
    assert found.endpoints[WEB, Key("n1", "b")] == Work(
        sessions=0, queued=0, requests=0, rate=0, latency=None, failures=0, retries=0,
        health="maint",
    )  # fmt: skip


def test_sessions_of_old_workers_count_by_address_as_slots_move() -> None:
    old = reply("http.web,s4,0,2,9,0,0,0,0,no check,0,0,0,0,192.0.2.1:80,")
    found = counters_of(MODEL, INFO, [reply(S1, S2), old])
    assert found.endpoints[WEB, Key("n1", "a")].sessions == 5
    assert found.endpoints[WEB, Key("n1", "a")].requests == 400


def test_of_tcp_the_time_is_that_to_the_connection() -> None:
    tcp = Upstream(Protocol.TCP, "web")
    model = slots.grown(NOTHING, routes_to(endpoint("a", 80), upstream=tcp))
    line = S1.replace("http.web", "tcp.web")
    found = counters_of(model, "", [reply(line, "tcp_5432,FRONTEND,,4,9,,,,,OPEN,1,,,,,")])
    assert found.endpoints[tcp, Key("n1", "a")].latency == 0.007
    assert (found.program, found.connections) == ("haproxy", 4)


def test_a_slot_that_does_not_run_yet_has_no_work() -> None:
    assert counters_of(MODEL, INFO, [reply(FRONT, S1)]).endpoints.keys() == {(WEB, Key("n1", "a"))}
