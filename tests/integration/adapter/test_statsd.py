"""``adapter statsd`` as a process: every way in, every way out."""

import gzip
import http.client
import os
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest
import statsd
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.support.pinnace import until
from tests.support.ports import free_port
from tests.support.statsd import OURS, Exporter

OPEN = {"Accept": "application/openmetrics-text; version=1.0.0", "Accept-Encoding": "gzip"}
PREFIX = "statsd_exporter_"
NAMES = int(os.environ.get("PINNACE_TESTS_NAMES", "20000"))  # of a flood


@pytest.fixture(scope="module")
def exporter() -> Iterator[Exporter]:
    """One process for tests that use names of their own."""
    with Exporter() as running:
        yield running


def by_tcp(port: int, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), 30) as sock:
        sock.sendall(data)


def test_lines_come_by_udp_many_in_a_datagram(exporter: Exporter) -> None:
    before = exporter.scrape()
    exporter.send(b"udp.a:1|c\nudp.b:2|g\n", b"udp.a:1|c|#t:v")
    found = exporter.scrape()
    assert found["udp_a"] == 1
    assert found['udp_a{t="v"}'] == 1
    assert found["udp_b"] == 2
    assert found[f"{PREFIX}lines_total"] - before[f"{PREFIX}lines_total"] == 4


def test_lines_come_by_tcp_with_either_end_and_with_none(exporter: Exporter) -> None:
    by_tcp(exporter.lines, b"tcp.a:1|c\r\ntcp.a:1|c\n\ntcp.a:1|c")
    until(lambda: exporter.scrape().get("tcp_a") == 3, 30)


def test_a_tcp_line_may_come_in_pieces(exporter: Exporter) -> None:
    with socket.create_connection(("127.0.0.1", exporter.lines), 30) as sock:
        for piece in (b"tcp.pie", b"ces:1|", b"c\ntcp.pieces:", b"2|c\n"):
            sock.sendall(piece)
        until(lambda: exporter.scrape().get("tcp_pieces") == 3, 30)


def test_a_tcp_line_that_is_too_long_ends_its_connection_after_those_before(
    exporter: Exporter,
) -> None:
    before = exporter.scrape()[f"{PREFIX}tcp_too_long_lines_total"]
    with socket.create_connection(("127.0.0.1", exporter.lines), 30) as sock:
        sock.sendall(b"tcp.before:1|c\n" + b"x" * 5000 + b"\ntcp.after:1|c\n")
        with suppress(ConnectionResetError):
            assert sock.recv(1) == b""
    found = exporter.scrape()
    assert found["tcp_before"] == 1
    assert "tcp_after" not in found
    assert found[f"{PREFIX}tcp_too_long_lines_total"] == before + 1


def test_a_connection_that_breaks_is_counted(exporter: Exporter) -> None:
    before = exporter.scrape()[f"{PREFIX}tcp_connection_errors_total"]
    sock = socket.create_connection(("127.0.0.1", exporter.lines), 30)
    sock.sendall(b"tcp.broken:1|c\n")
    until(lambda: exporter.scrape().get("tcp_broken"), 30)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()
    until(lambda: exporter.scrape()[f"{PREFIX}tcp_connection_errors_total"] > before, 30)


def test_the_python_client_is_understood(exporter: Exporter) -> None:
    client = statsd.StatsClient("127.0.0.1", exporter.lines, prefix="py")
    client.incr("hits")
    client.incr("hits", 4)
    client.decr("lives")
    client.gauge("level", 7)
    client.gauge("level", -2, delta=True)
    client.timing("took", 320)
    client.set("users", "joe")
    with client.pipeline() as pipe:
        pipe.incr("hits", 5)
        pipe.gauge("negative", -3)
    client.close()
    streamed = statsd.TCPStatsClient("127.0.0.1", exporter.lines, prefix="py")
    streamed.incr("streamed")
    streamed.close()
    until(lambda: {"py_negative", "py_streamed"} <= exporter.scrape().keys(), 30)
    found = exporter.scrape()
    assert (found["py_hits"], found["py_level"], found["py_negative"]) == (10, 5, -3)
    assert found["py_took_sum"] == 0.32
    assert "py_lives" not in found  # a counter cannot fall
    assert "py_users" not in found


def test_an_exposition_is_given_as_asked_for(exporter: Exporter) -> None:
    exporter.send(b"format.c_total:1|c\nformat.c:1|c\nformat.h:5|h")
    status, body = exporter.get("/metrics", headers=OPEN)
    assert status == 200
    text = gzip.decompress(body).decode()
    read = cast("Any", text_string_to_metric_families)
    names = {sample.name for family in read(text) for sample in family.samples}
    assert {"format_c_total", "format_c", "format_h_sum"} <= names


def test_pages_for_people_and_machines(exporter: Exporter) -> None:
    assert exporter.get("/-/healthy") == (200, b"Statsd Exporter is Healthy.\n")
    assert exporter.get("/-/ready") == (200, b"Statsd Exporter is Ready.\n")
    assert b'href="/metrics"' in exporter.get("/")[1]
    assert exporter.get("/-/quit", "POST")[0] == 404
    assert exporter.get("/nothing")[0] == 404


# Each of these ended or wedged the original, or made its memory grow without bound.
KILLERS = [
    b"k1:1|ms|#quantile:0.5",
    b"k]a[b:1|c",
    b"k3:1|c|#__name__:evil",
    b"k4:1|ms|@0.0000005",
    b"[a=b]:1|c",
    b"k5:1|h|@1e-300",
    b"\xff\xfe:1|c",
    b"\x00:\x00|\x00",
    b":" * 65_000,
    b"|" * 65_000,
    b"\n" * 65_000,
    b"k6:" + b"1:" * 30_000 + b"1|ms",
    b"k7:1|c|#" + b"a:b," * 15_000,
    b"k8:" + b"9" * 60_000 + b"|c",
    b"a" * 65_000,
    b"k9." + b"." * 60_000 + b":1|c",
    b"",
]


def test_no_datagram_ends_it_or_breaks_a_scrape() -> None:
    rules = (
        "defaults: {observer_type: histogram}\n"
        "mappings:\n"
        "- {match: '(a+)+$', match_type: regex, name: x}\n"
        "- {match: '*.*.*', name: y}\n"
    )
    with Exporter(mapping=rules) as exporter:
        exporter.send(*KILLERS, b"k1:1|ms|#le:1", *KILLERS, b"alive:1|c")
        found = exporter.scrape()
        assert found["alive"] == 1
        assert found[f"{PREFIX}defects_total"] == 0
        assert found[f"{PREFIX}sample_weights_capped_total"] == 4
        assert exporter.get("/metrics", headers=OPEN)[0] == 200
        assert exporter.stop() == 0


def test_a_flood_of_names_leaves_it_alive_and_what_was_there() -> None:
    with Exporter("--statsd.max-series=1000") as exporter:
        exporter.send(b"known:1|c")
        for begin in range(0, NAMES, 1000):
            lines = [f"flood.{begin + n}:1|c" for n in range(1000)]
            exporter.send("\n".join(lines).encode())
        exporter.send(b"known:1|c")
        found = exporter.scrape()
        assert found["known"] == 2
        assert found[f"{PREFIX}series"] == 1000
        overflow = sum(
            value for name, value in found.items() if name.startswith(f"{PREFIX}series_overflow")
        )
        assert overflow == NAMES - 999
        assert len([name for name in found if "series_overflow_total{" in name]) <= 101


def test_a_unix_socket_has_its_mode_and_goes_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with Exporter(
        f"--statsd.listen-unixgram={path}", "--statsd.unixsocket-mode=622",
        "--statsd.listen-udp=", "--statsd.listen-tcp=", "--statsd.read-buffer=65536",
    ) as exporter:  # fmt: skip
        assert stat.S_IMODE(path.stat().st_mode) == 0o622
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"unix.a:1|c\nunix.a:2|c", str(path))
        until(lambda: exporter.scrape().get("unix_a") == 3, 30)
        assert exporter.scrape()[f"{PREFIX}unixgram_packets_total"] == 1
        assert exporter.stop() == 0
        assert not path.exists()


def test_an_abstract_socket_needs_no_file() -> None:
    name = f"pinnace-test-{os.getpid()}"
    with Exporter(f"--statsd.listen-unixgram=@{name}") as exporter:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"abstract:1|c", f"\0{name}")
        until(lambda: exporter.scrape().get("abstract") == 1, 30)


def refused(*flags: str, program: tuple[str, ...] = OURS) -> tuple[int, str]:
    done = subprocess.run(
        [*program, "--web.listen-address=127.0.0.1:0", *flags],
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_what_cannot_be_listened_on_ends_it_with_a_reason(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.touch()
    none = ("--statsd.listen-udp=", "--statsd.listen-tcp=")
    status, said = refused(*none, f"--statsd.listen-unixgram={there}")
    assert (status, there.exists()) == (1, True)
    assert "exists already" in said
    status, said = refused(*none, f"--statsd.listen-unixgram={tmp_path}/no/dir")
    assert status == 1
    assert "cannot listen on" in said
    status, said = refused(*none)
    assert status == 1
    assert "needs an address to receive on" in said
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        status, said = refused("--statsd.listen-tcp=", f"--statsd.listen-udp=127.0.0.1:{port}")
    assert status == 1
    assert f"UDP port {port} on 127.0.0.1 is taken" in said


def test_rules_are_read_again_by_signal_and_by_http_and_a_wrong_file_changes_nothing() -> None:
    with Exporter("--web.enable-lifecycle", mapping="mappings: []") as exporter:
        exporter.mapping.write_text("mappings: [{match: r.*, name: by_signal}]")
        os.kill(exporter.pid, signal.SIGHUP)
        until(lambda: exporter.scrape()[f"{PREFIX}loaded_mappings"] == 1, 30)
        exporter.mapping.write_text("mappings: [{match: r.*, nmae: x}]")
        assert exporter.get("/-/reload", "POST")[0] == 200
        exporter.send(b"r.a:1|c")
        found = exporter.scrape()
        assert found["by_signal"] == 1
        assert found[f'{PREFIX}config_reloads_total{{outcome="success"}}'] == 1
        assert found[f'{PREFIX}config_reloads_total{{outcome="failure"}}'] == 1
        assert f"{exporter.mapping}:1:25: mappings[0]: unknown key 'nmae'" in exporter.log()
        exporter.mapping.write_text("mappings: [{match: r.*, name: by_http}]")
        assert exporter.get("/-/reload", "PUT")[0] == 200
        exporter.send(b"r.a:1|c")
        assert exporter.scrape()["by_http"] == 1


def test_it_ends_by_http_but_not_for_a_page_of_another_site() -> None:
    with Exporter("--web.enable-lifecycle") as exporter:
        foreign = {"Origin": "http://example.org"}
        assert exporter.get("/-/quit", "POST", foreign)[0] == 403
        assert exporter.get("/-/reload", "POST", foreign)[0] == 403
        assert exporter.get("/-/quit")[0] == 405
        assert exporter.get("/-/reload", "POST") == (200, b"Requesting reload")
        assert "there is no file of mappings" in exporter.log()
        assert exporter.get("/-/quit", "POST")[0] == 200
        assert exporter.ended() == 0


def test_lines_are_relayed_as_they_came() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as target:
        target.bind(("127.0.0.1", 0))
        target.settimeout(30)
        flags = (
            f"--statsd.relay.address=127.0.0.1:{target.getsockname()[1]}",
            "--statsd.relay.packet-length=30",
        )
        with Exporter(*flags) as exporter:
            exporter.send(b"relay.a:1|c\nwhatever\n\nrelay.b:22|c|#t:v\n" + b"x" * 30)
            assert target.recv(100) == b"relay.a:1|c\nwhatever\n"
            assert target.recv(100) == b"relay.b:22|c|#t:v\n"
            by_tcp(exporter.lines, b"\r\nrelay.c:1|c\r\n")
            assert target.recv(100) == b"relay.c:1|c\n"
            found = exporter.scrape()
            label = f'{{target="127.0.0.1:{target.getsockname()[1]}"}}'
            assert found[f"{PREFIX}relay_long_lines_total{label}"] == 1
            assert found[f"{PREFIX}relay_lines_relayed_total{label}"] == 4
            assert found[f"{PREFIX}relay_packets_total{label}"] == 3


def test_a_relay_that_nobody_takes_from_harms_nothing() -> None:
    with Exporter(f"--statsd.relay.address=127.0.0.1:{free_port()}") as exporter:
        for _ in range(3):
            exporter.send(b"relay.gone:1|c\n" * 200)
        assert exporter.scrape()["relay_gone"] == 600


def test_a_relay_whose_name_nobody_knows_ends_the_start() -> None:
    status, said = refused("--statsd.relay.address=nowhere.invalid:1", "--statsd.listen-tcp=",
                           f"--statsd.listen-udp=127.0.0.1:{free_port()}")  # fmt: skip
    assert status == 1
    assert "cannot find nowhere.invalid:1" in said


def test_series_go_when_their_time_is_over() -> None:
    with Exporter(mapping="defaults: {ttl: 1s}") as exporter:
        exporter.send(b"mortal:1|c")
        until(lambda: "mortal" not in exporter.scrape(), 30)
        exporter.send(b"mortal:1|g")
        assert exporter.scrape().get("mortal", 1) == 1


def test_drops_of_the_kernel_are_counted() -> None:
    with Exporter("--statsd.read-buffer=2048") as exporter:
        os.kill(exporter.pid, signal.SIGSTOP)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for _ in range(500):
                sock.sendto(b"dropped:1|c", ("127.0.0.1", exporter.lines))
        os.kill(exporter.pid, signal.SIGCONT)
        until(lambda: exporter.scrape()[f"{PREFIX}udp_packets_total"] > 0, 30)
        found = exporter.scrape()
        dropped, taken = found[f"{PREFIX}udp_packet_drops_total"], found["dropped"]
        assert dropped > 0
        assert dropped + taken == 500


def test_descriptors_at_their_limit_refuse_the_new_and_keep_the_old() -> None:
    with Exporter(program=("prlimit", "--nofile=80", *OURS)) as exporter:
        first = socket.create_connection(("127.0.0.1", exporter.lines), 30)
        scraper = http.client.HTTPConnection("127.0.0.1", exporter.web, timeout=20)
        assert scraped(scraper)
        others = [
            socket.create_connection(("127.0.0.1", port), 30)
            for port in (exporter.lines, exporter.web) * 60
        ]
        first.sendall(b"old.connection:1|c\n")
        until(lambda: "old_connection 1.0" in scraped(scraper), 30)
        scraper.close()
        for sock in (first, *others):
            sock.close()
        until(lambda: exporter.get("/metrics")[0] == 200, 30)


def scraped(connection: http.client.HTTPConnection) -> str:
    connection.request("GET", "/metrics")
    return connection.getresponse().read().decode()


def test_a_link_of_the_originals_name_is_enough(tmp_path: Path) -> None:
    link = tmp_path / "statsd_exporter"
    link.symlink_to(OURS[0])
    with Exporter(program=(str(link),)) as exporter:
        exporter.send(b"by.name:1|c")
        assert exporter.scrape()["by_name"] == 1
