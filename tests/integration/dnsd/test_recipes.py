"""The recipes of docs/dns.md, each with the program it is for."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.dnsd import Fixed
from tests.support.namespaces import namespace
from tests.support.oracle import insist_on, resolved_program
from tests.support.pinnace import until
from tests.support.ports import free_port

SERVICES = {"web": ["10.0.0.1:8080", "10.0.0.2:8080"]}
BOTH = ["10.0.0.1", "10.0.0.2"]
NAME = "web.service.consul"


def recipe(title: str) -> str:
    """Return the last block of code of a section."""
    text = Path("docs/dns.md").read_text()
    section = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert section, title
    return str(re.findall(r"```\w*\n(.*?)```", section[1], re.DOTALL)[-1])


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def asked(
    port: int,
    name: str = NAME,
    kind: str = "A",
    *,
    at: str = "127.0.0.1",
    prefix: Sequence[str] = (),
) -> list[str]:
    command = [
        *prefix,
        "dig",
        f"@{at}",
        "-p",
        str(port),
        "+short",
        "+time=1",
        "+tries=1",
        name,
        kind,
    ]
    out = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return sorted(line for line in out.splitlines() if not line.startswith(";"))


@pytest.fixture(scope="module")
def dnsd() -> Iterator[Fixed]:
    with Fixed(SERVICES) as server:
        yield server


def placed(text: str, dnsd: Fixed) -> str:
    return text.replace("8600", str(dnsd.port))


def test_dnsmasq_asks_us_for_our_domain(dnsd: Fixed, tmp_path: Path) -> None:
    program = insist_on("dnsmasq", "dnsmasq-base")
    port = free_port()
    config = tmp_path / "dnsmasq.conf"
    config.write_text(placed(recipe("dnsmasq"), dnsd) + "stop-dns-rebind\n")
    words = (f"--port={port}", "--listen-address=127.0.0.1", "--bind-interfaces", "--no-resolv")
    alone = (
        "--keep-in-foreground",
        "--no-hosts",
        "--user=root",
        f"--conf-file={config}",
        "--pid-file",
    )
    with running(program, *words, *alone):
        until(lambda: asked(port) == BOTH, 20)
        assert len(asked(port, "_web._tcp.service.consul", "SRV")) == 2


def test_unbound_asks_us_for_our_domain(dnsd: Fixed, tmp_path: Path) -> None:
    program = insist_on("unbound", "unbound")
    port = free_port()
    own = f"""server:
    interface: 127.0.0.1
    port: {port}
    chroot: ""
    username: ""
    directory: "{tmp_path}"
    pidfile: ""
    use-syslog: no
    qname-minimisation: yes
    private-address: 10.0.0.0/8
    module-config: "iterator"
remote-control:
    control-enable: no
"""
    config = tmp_path / "unbound.conf"
    config.write_text(own + placed(recipe("Unbound"), dnsd))
    with running(program, "-d", "-p", "-c", str(config)):
        until(lambda: asked(port) == BOTH, 20)
        assert len(asked(port, "_web._tcp.service.consul", "SRV")) == 2
        assert asked(port, "absent.service.consul") == []
        assert asked(port) == BOTH


def without(path: str) -> str:
    """Return a file of users without the one that an installed package may have made."""
    lines = Path(path).read_text().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("systemd-resolve:"))


@pytest.mark.mounts
def test_systemd_resolved_asks_us_for_our_domain(tmp_path: Path) -> None:
    program = str(resolved_program())
    config = tmp_path / "resolved.conf"
    config.write_text(recipe("systemd-resolved"))
    users = tmp_path / "passwd"
    users.write_text(without("/etc/passwd") + "systemd-resolve:x:64053:64053::/:/bin/false\n")
    groups = tmp_path / "group"
    groups.write_text(without("/etc/group") + "systemd-resolve:x:64053:\n")
    script = (
        "mkdir -p /run/systemd /etc/systemd && mount -t tmpfs none /run/systemd"
        " && mkdir /run/systemd/resolve && mount -t tmpfs none /etc/systemd"
        f" && cp {config} /etc/systemd/resolved.conf"
        f" && mount --bind {users} /etc/passwd && mount --bind {groups} /etc/group"
        " && chown systemd-resolve:systemd-resolve /run/systemd/resolve"
    )
    with (
        namespace(script) as inside,
        Fixed(SERVICES, "127.0.0.1:8600", prefix=inside),
        running(*inside, program),
    ):
        until(lambda: asked(53, at="127.0.0.53", prefix=inside) == BOTH, 30)


RESOLV = "options timeout:5 attempts:2\n"


@pytest.mark.mounts
def test_glibc_python_and_busybox_find_names(tmp_path: Path) -> None:
    config = tmp_path / "resolv.conf"
    config.write_text(recipe("glibc and musl") + RESOLV)
    switch = tmp_path / "nsswitch.conf"
    switch.write_text("hosts: dns\n")
    script = f"mount --bind {config} /etc/resolv.conf && mount --bind {switch} /etc/nsswitch.conf"
    services = SERVICES | {"many": [f"10.1.{n >> 8}.{n & 255}" for n in range(1, 301)]}
    with namespace(script) as inside, Fixed(services, "127.0.0.54:53", prefix=inside):

        def run(*words: str) -> str:
            return subprocess.run(
                [*inside, *words], capture_output=True, text=True, check=True, timeout=60
            ).stdout

        found = {line.split()[0] for line in run("getent", "ahosts", NAME).splitlines()}
        assert found == set(BOTH)
        short = {line.split()[0] for line in run("getent", "ahostsv4", "web").splitlines()}
        assert short == set(BOTH)
        # Too many for UDP: the resolver comes back over TCP and finds all.
        many = {line.split()[0] for line in run("getent", "ahostsv4", "many").splitlines()}
        assert len(many) == 300
        assert run("/usr/bin/python3", "-c", FIND, NAME).split() == BOTH
        out = run("busybox", "nslookup", NAME, "127.0.0.54")
        assert sorted(re.findall(r"10\.0\.0\.\d", out)) == BOTH


@pytest.mark.haproxy
def test_haproxy_makes_servers_of_srv_records(dnsd: Fixed, tmp_path: Path) -> None:
    socket = tmp_path / "admin.sock"
    config = tmp_path / "haproxy.cfg"
    own = f"""global
    stats socket {socket} mode 600 level admin
defaults
    mode tcp
    timeout connect 1s
    timeout client 1s
    timeout server 1s
"""
    config.write_text(own + placed(recipe("HAProxy"), dnsd))
    with running("haproxy", "-db", "-f", str(config)):

        def servers() -> list[str]:
            done = subprocess.run(
                ["/usr/bin/python3", "-c", SHOW, str(socket)],
                capture_output=True,
                text=True,
                check=False,
            )
            rows = [line.split() for line in done.stdout.splitlines() if " web" in line]
            return sorted(f"{row[4]}:{row[18]}" for row in rows if row[4] not in {"-", "0.0.0.0"})

        until(lambda: servers() == ["10.0.0.1:8080", "10.0.0.2:8080"], 30)


FIND = """
import socket, sys
print(*sorted(found[4][0] for found in socket.getaddrinfo(sys.argv[1], 1, type=1)))
"""
SHOW = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"show servers state\\n")
while data := s.recv(65536):
    sys.stdout.write(data.decode())
"""


@pytest.mark.parametrize("program", ["kdig", "drill"])
def test_other_tools_read_what_we_say(dnsd: Fixed, program: str) -> None:
    path = insist_on(program, "knot-dnsutils" if program == "kdig" else "ldnsutils")
    questions: list[tuple[str, str]] = [(NAME, "A"), (f"_web._tcp.{NAME[4:]}", "SRV")]
    for words in (*questions, ("consul", "SOA")):
        command = [path, "-p", str(dnsd.port), "@127.0.0.1", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert re.search(r"status: NOERROR|rcode: NOERROR", done.stdout)
        assert "10.0.0.1" in done.stdout or words[1] == "SOA"
        assert "WARNING" not in done.stdout
