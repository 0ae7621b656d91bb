"""What HAProxy answered (recorded on 2.6.12), read."""

import pytest

from sidecar.errors import ProtocolError
from templater.haproxy import answers
from templater.haproxy.answers import Processes, Server

STATE = """1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_port
4 http.web 1 s1 127.0.0.1 2 8 1 19001
4 http.web 2 s2 ::1 0 5 3 1
4 http.web 3 s3 - 0 5 3 1

"""
PROC = """#<PID>          <type>          <reloads>       <uptime>        <version>
12387           master          2 [failed: 1]   0d00h00m05s     2.6.12-1+deb12u4
# workers
12664           worker          1               0d00h00m01s     2.6.12-1+deb12u4
# old workers
12390           worker          2               0d00h00m04s     2.6.12-1+deb12u4
# programs

"""


def test_certificates_are_told_apart_by_their_fingerprints() -> None:
    reply = (
        "Filename: a.pem\nSHA1 FingerPrint: AB01\nSubject: /CN=SHA1 FingerPrint: X\n\n"
        "Filename: b.pem\nSHA1 FingerPrint: CD02\n\nCan't display the certificate: Not found\n"
    )
    assert answers.fingerprints(reply) == {"a.pem": "ab01", "b.pem": "cd02"}


def test_servers_are_read_by_heading() -> None:
    found = answers.servers(STATE)
    assert found["http.web", "s1"] == Server("127.0.0.1", 19001, 1, 8)
    assert found["http.web", "s2"] == Server("::1", 1, 3, 5)
    assert found["http.web", "s3"].address == "-"
    assert found["http.web", "s1"].is_draining
    assert not found["http.web", "s1"].in_maintenance
    assert found["http.web", "s2"].in_maintenance


def test_processes_are_read() -> None:
    assert answers.processes(PROC) == Processes(2, 1, (12664,), (12390,))


def test_map_is_read_in_order() -> None:
    assert answers.map_of("0x55 .b.org http.web\n0x56 .org http.x\n\n") == [
        (".b.org", "http.web"),
        (".org", "http.x"),
    ]


def test_sessions_are_running_and_queued() -> None:
    reply = "# pxname,svname,qcur,scur,addr,\nw,s1,1,2,[::1]:80,\nw,s2,,,127.0.0.1:1,\n\n"
    assert list(answers.sessions(reply)) == [("[::1]:80", 3), ("127.0.0.1:1", 0)]


def test_a_worker_older_than_the_backend_has_no_sessions_with_it() -> None:
    assert list(answers.sessions("No such proxy.\n\n")) == []


def test_pid_is_read() -> None:
    assert answers.pid_of("Name: HAProxy\nPid: 12\n") == 12


@pytest.mark.parametrize(
    "read", [answers.servers, answers.processes, answers.map_of, answers.pid_of]
)
def test_nonsense_is_a_protocol_error(read: object) -> None:
    with pytest.raises(ProtocolError):
        read("nonsense\n")  # type: ignore[operator]


def test_nonsense_instead_of_statistics_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError):
        list(answers.sessions("Unknown command\n"))


@pytest.mark.parametrize(
    "reply",
    [
        "", "\n\n",
        "no need to change the addr, port changed from '1' to '19001' by 'stats socket command'\n",
        "nothing changed\n", "New version created: 1\n",
        "IP changed from '127.0.0.1' to '127.0.0.2' by 'stats socket command'\n",
    ],
)  # fmt: skip
def test_success_may_come_with_text(reply: str) -> None:
    assert answers.complaints(reply) == []


def test_refusals_are_found_between_successes() -> None:
    reply = "\n\nNo such backend.\n\nKey not found.\n"
    assert answers.complaints(reply) == ["No such backend.", "Key not found."]
