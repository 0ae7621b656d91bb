import re

from dnsd.telemetry import Telemetry
from sidecar.metrics import exposition
from tests.support.asker import Asker, instance, opt, query


def figures(server: str) -> dict[str, float]:
    lines = exposition().decode().splitlines()
    found = (line.rpartition(" ") for line in lines if server in line)
    return {name: float(value) for name, _, value in found}


def test_hits_and_misses_are_counted_by_kind() -> None:
    asker = Asker(*(instance(number=n) for n in range(1, 99)))
    telemetry = Telemetry(asker.responder)
    asker.udp = telemetry.channel("dns://192.0.2.53:53", "udp", "1")
    assert telemetry.channel("dns://192.0.2.53:53", "udp", "1") is asker.udp
    for _ in range(3):
        asker.ask("web.service.consul", extra=opt(do=True))
    asker.ask("nope.service.consul")
    asker.send(b"")
    asker.send(b"\0" * 12)
    found = figures("192.0.2.53")
    server = 'server="dns://192.0.2.53:53"'
    requests = f'dnsd_dns_requests_total{{family="1",proto="udp",{server},type="A",zone="consul."}}'
    assert found[requests] == 4
    assert found[f'dnsd_dns_responses_total{{rcode="NXDOMAIN",{server},zone="consul."}}'] == 1
    size = f'proto="udp",{server},zone="consul."'
    assert found[f"dnsd_dns_request_size_bytes_count{{{size}}}"] == 4
    octets = 3 * len(query("web.service.consul", extra=opt())) + len(query("nope.service.consul"))
    assert found[f"dnsd_dns_request_size_bytes_sum{{{size}}}"] == octets
    text = exposition().decode()
    for name in ("dropped_total", "formerr_total", "do_requests_total", "truncated_total"):
        assert re.search(rf"^dnsd_dns_{name}(\{{.*\}})? [1-9]", text, re.MULTILINE)


def test_no_label_comes_from_the_client() -> None:
    asker = Asker()
    telemetry = Telemetry(asker.responder)
    asker.udp = telemetry.channel("dns://192.0.2.54:53", "udp", "1")
    for number in range(2000, 2100):
        asker.ask(f"n{number}.example.org", number)
    assert len(figures("192.0.2.54")) < 50


def test_names_follow_the_pattern() -> None:
    names = re.findall(r"^# TYPE (dnsd_\S+) (\w+)$", exposition().decode(), re.MULTILINE)
    assert len(names) > 8
    for name, kind in names:
        assert re.fullmatch(r"dnsd_[a-z]+(_[a-z]+)+", name)
        assert (kind == "counter") == name.endswith("_total")
