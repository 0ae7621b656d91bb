"""vmagent's Consul discovery: the same targets and labels from every side."""

from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.compat.consul.replay import Side
from tests.compat.consul.steps import put
from tests.support.pinnace import until
from tests.support.vmagent import targets, vmagent

META = "__meta_consul_"


def job_of(base_url: str, service: str) -> dict[str, Any]:
    """Return a job that looks for one service."""
    # a target is made anew only when a label that stays has changed
    relabel = {"source_labels": [f"{META}health"], "target_label": "health"}
    discovery = {"server": urlsplit(base_url).netloc, "services": [service]}
    return {"consul_sd_configs": [discovery], "relabel_configs": [relabel]}


def service(name: str, number: int, **fields: Any) -> dict[str, Any]:
    return {"Name": name, "ID": f"{name}-{number}", "Port": 8000 + number, **fields}


def test_targets_carry_what_was_registered_and_follow_every_change(
    base_url: str, unique: str, tmp_path: Path
) -> None:
    first = service(unique, 1, Address="192.0.2.7", Tags=["v1", "prod"], Meta={"zone": "eu-1"})
    check = {"TTL": "60m", "Status": "passing"}
    second = service(unique, 2, Check=check)
    with closing(Side(base_url)) as side, vmagent(tmp_path, job_of(base_url, unique)) as port:
        side.exchange(put("/v1/agent/service/register", first))
        side.exchange(put("/v1/agent/service/register", second))
        until(lambda: len(targets(port)) == 2, 30, 0.1)
        found = targets(port)
        assert set(found) == {"192.0.2.7:8001", "127.0.0.1:8002"}
        labels = {
            name.removeprefix(META): value
            for name, value in found["192.0.2.7:8001"].items()
            if name.startswith(META)
        }
        assert labels | {"tags": ""} == {
            "address": "127.0.0.1",
            "dc": "dc1",
            "health": "passing",
            "metadata_consul_network_segment": "",
            "namespace": "",
            "node": side.node,
            "service": unique,
            "service_address": "192.0.2.7",
            "service_id": f"{unique}-1",
            "service_metadata_zone": "eu-1",
            "service_port": "8001",
            "tagged_address_lan": "127.0.0.1",
            "tagged_address_lan_ipv4": "127.0.0.1",
            "tagged_address_wan": "127.0.0.1",
            "tagged_address_wan_ipv4": "127.0.0.1",
            "tags": "",
        }
        assert labels["tags"] == ",v1,prod,"
        side.exchange(put(f"/v1/agent/check/fail/service:{unique}-2"))
        until(lambda: targets(port)["127.0.0.1:8002"][f"{META}health"] == "critical", 30, 0.1)
        side.exchange(put(f"/v1/agent/service/deregister/{unique}-2"))
        until(lambda: set(targets(port)) == {"192.0.2.7:8001"}, 30, 0.1)
