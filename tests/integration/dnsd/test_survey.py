"""What those who survey the world's DNS servers would say of ours."""

import json
import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.dnsd import Fixed
from tests.support.oracle import insist_on

SERVICES = {"web": [f"10.0.0.{n}:8080" for n in range(1, 31)]}


@pytest.fixture(scope="module")
def dnsd() -> Iterator[Fixed]:
    with Fixed(SERVICES) as server:
        yield server


def dig(server: Fixed, *words: str) -> str:
    command = ["dig", "@127.0.0.1", "-p", str(server.port), "+time=5", "+tries=1", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


# The questions of ISC's survey of EDNS compliance, the zone's SOA unless something else is named.
PLAIN = ["+norec", "+noad"]
FINE = ["status: NOERROR", "\tSOA\t"]
LATER = ["status: BADVERS", "ANSWER: 0", "version: 0"]


@pytest.mark.parametrize(
    ("words", "there", "absent"),
    [
        (["+noedns"], FINE, ["EDNS"]),
        (["+edns=0", "+nocookie"], [*FINE, "version: 0"], []),
        (["+edns=100", "+noednsneg", "+nocookie"], LATER, ["\tSOA\t"]),
        (["+ednsopt=100", "+nocookie"], [*FINE, "version: 0"], ["OPT=100"]),
        (["+edns=100", "+noednsneg", "+ednsopt=100", "+nocookie"], LATER, ["OPT=100"]),
        (["+ednsflags=0x80", "+nocookie"], [*FINE, "version: 0, flags:;"], ["MBZ"]),
        (["+edns=100", "+noednsneg", "+ednsflags=0x80", "+nocookie"], LATER, ["MBZ"]),
        (["+dnssec", "+nocookie"], [*FINE, "flags: do;"], ["RRSIG"]),
        (["+edns=100", "+noednsneg", "+dnssec", "+nocookie"], LATER, []),
        (["+nsid", "+nocookie"], [*FINE, "NSID"], []),
        (["+expire", "+nocookie"], FINE, ["EXPIRE"]),
        (["+subnet=0.0.0.0/0", "+nocookie"], [*FINE, "CLIENT-SUBNET: 0.0.0.0/0/0"], []),
        (["+cookie"], [*FINE, "COOKIE:", "(good)"], []),
        (["+edns=0", "+tcp", "+nocookie"], [*FINE, "version: 0"], []),
        (
            ["+nsid", "+expire", "+cookie", "+subnet=0.0.0.0/0", "+ednsopt=100", "+dnssec"],
            [*FINE, "COOKIE:", "NSID", "flags: do;"],
            ["OPT=100"],
        ),
    ],
    ids=lambda words: " ".join(words)[:40],
)
def test_the_zone_is_answered_as_edns_says(
    dnsd: Fixed, words: list[str], there: list[str], absent: list[str]
) -> None:
    out = dig(dnsd, *PLAIN, *words, "consul", "SOA")
    reply = out.partition("Got answer")[2]
    assert [text for text in there if text not in reply] == []
    assert [text for text in absent if text in reply] == []


def test_a_buffer_of_512_octets_is_not_exceeded_and_the_rest_comes_over_tcp(dnsd: Fixed) -> None:
    words = ("+norec", "+bufsize=512", "+dnssec", "+nocookie", "web.service.consul")
    cut = dig(dnsd, "+ignore", *words)
    assert re.search(r"flags: qr aa tc;", cut)
    size = re.search(r"MSG SIZE\s+rcvd: (\d+)", cut)
    assert size
    assert int(size[1]) <= 512
    assert "ANSWER: 30," in dig(dnsd, *words)


@pytest.mark.parametrize("name", ["consul", "service.consul", "web.service.consul"])
def test_dnsviz_finds_nothing_to_complain_of(dnsd: Fixed, name: str) -> None:
    """No delegation leads here, so dnsviz is told whom to ask; it tries EDNS, sizes, TCP, 0x20."""
    program = insist_on("dnsviz", "dnsviz")
    at = f"consul+:ns.consul=127.0.0.1:{dnsd.port}"
    words = ["probe", "-4", "-A", "-E", "-x", at, "-d", "1", name]
    probed = subprocess.run([program, *words], capture_output=True, text=True, check=True).stdout

    def judged(level: str) -> str:
        command = [program, "grok", "-P", "-l", level]
        done = subprocess.run(command, input=probed, capture_output=True, text=True, check=True)
        return done.stdout

    assert json.loads(judged("info"))[f"{name}."]["status"] == "NOERROR"
    assert judged("warning") == ""
