"""/v1/agent, /v1/catalog and /v1/health as a client sees them; answers recorded from Consul 1.8.7."""

# ruff: noqa: E501 - recorded texts stay in one piece

import asyncio
import gzip
import socket
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.catalog import Put, Status
from sidecar.catalog.changes import Change
from sidecar.errors import StoreUnavailable
from sidecar.web.consul.http_sd import targets
from sidecar.web.consul.view import View
from tests.support.catalog import instance, snapshot
from tests.support.served import LOCAL, Client, World, served

REGISTER = "/v1/agent/service/register"


async def register(client: Client, **fields: Any) -> None:
    answer = await client.put(REGISTER, {"Name": "web"} | fields)
    assert (answer.status, answer.body) == (200, b"")
    assert "Content-Type" not in answer.headers


async def test_a_registered_service_shows_everywhere() -> None:
    world = World()
    async with served(world) as client:
        await register(
            client, ID="w", Port=80, Address="192.0.2.1", Tags=["a"], Check={"TTL": "1h"}
        )
        tagged = {"Address": "192.0.2.1", "Port": 80}
        service = {
            "ID": "w", "Service": "web", "Tags": ["a"], "Meta": {}, "Port": 80, "Address": "192.0.2.1",
            "TaggedAddresses": {"lan_ipv4": tagged, "wan_ipv4": tagged},
            "Weights": {"Passing": 1, "Warning": 1}, "EnableTagOverride": False,
        }  # fmt: skip
        assert (await client.get("/v1/agent/services")).json == {"w": service}
        one = await client.get("/v1/agent/service/w")
        assert one.json == service | {"ContentHash": one.headers["X-Consul-Contenthash"]}
        (entry,) = (await client.get("/v1/health/service/web")).json
        assert (entry["Node"]["Node"], entry["Service"]["Meta"]) == ("node-1", None)
        assert [c["CheckID"] for c in entry["Checks"]] == ["serfHealth", "service:w"]
        (flat,) = (await client.get("/v1/catalog/service/WEB")).json
        assert (flat["ServiceID"], flat["ServiceMeta"], flat["ServicePort"]) == ("w", {}, 80)
        node = (await client.get("/v1/catalog/node/node-1")).json
        assert sorted(node["Services"]) == ["consul", "w"]
        assert world.checks.told == [("start", "service:w")]


async def test_ttl_checks_are_heard_and_their_output_alone_moves_no_index() -> None:
    world = World()
    async with served(world) as client:
        await register(client, ID="w", Check={"TTL": "1h"})
        assert (await client.put("/v1/agent/check/pass/service:w?note=fine")).status == 200
        before = await client.get("/v1/health/service/web?passing")
        assert len(before.json) == 1
        await client.put("/v1/agent/check/pass/service:w?note=other")
        after = await client.get("/v1/health/service/web")
        assert (after.index, after.json[0]["Checks"][1]["Output"]) == (before.index, "fine")
        checks = (await client.get("/v1/agent/checks")).json
        assert checks["service:w"]["Output"] == "other"
        await world.clock.advance(300)
        await client.put("/v1/agent/check/pass/service:w?note=last")
        late = await client.get("/v1/health/service/web")
        assert late.json[0]["Checks"][1]["Output"] == "last"
        await client.put(
            "/v1/agent/check/update/service:w", {"Status": "critical", "Output": "x" * 5000}
        )
        health = await client.get("/v1/agent/health/service/id/w")
        assert (health.status, health.headers["X-Consul-Reason"]) == (503, "critical")
        assert health.json["Checks"][0]["Output"].endswith(" ... (captured 4096 of 5000 bytes)")
        assert ("renew", "service:w") in world.checks.told


async def test_an_identical_registration_moves_no_index_and_another_service_no_other() -> None:
    async with served(World()) as client:
        await register(client, ID="w")
        first = await client.get("/v1/health/service/web")
        await register(client, ID="w")
        await register(client, Name="api")
        assert (await client.get("/v1/health/service/web")).index == first.index
        services = await client.get("/v1/catalog/services")
        assert services.json == {"api": [], "consul": [], "web": []}
        await client.put("/v1/agent/service/deregister/w")
        gone = await client.get("/v1/health/service/web")
        assert (gone.json, gone.index > first.index) == ([], True)


ANSWERS = [
    ("PUT", "/v1/agent/service/deregister/", 500, "ServiceID missing"),
    ("PUT", "/v1/agent/service/deregister/nope", 200, ""),
    ("PUT", "/v1/agent/service/maintenance/", 400, "Missing service ID"),
    ("PUT", "/v1/agent/service/maintenance/w", 400, "Missing value for enable"),
    ("PUT", "/v1/agent/service/maintenance/w?enable=", 400, 'Invalid value for enable: ""'),
    ("PUT", "/v1/agent/service/maintenance/x?enable=true", 404, 'No service registered with ID "x"'),
    ("PUT", "/v1/agent/maintenance", 400, "Missing value for enable"),
    ("PUT", "/v1/agent/check/deregister/", 500, "CheckID missing"),
    ("PUT", "/v1/agent/check/deregister/nope", 200, ""),
    ("PUT", "/v1/agent/check/pass/nope", 500, 'CheckID "nope" does not have associated TTL'),
    ("PUT", "/v1/agent/reload", 200, ""),
    ("PUT", "/v1/agent/join/192.0.2.1", 501, "not served by the embedded catalog; set catalog=consul://…"),
    ("GET", "/v1/connect/ca/roots", 501, "not served by the embedded catalog; set catalog=consul://…"),
    ("GET", "/v1/acl/list", 401, "ACL support disabled"),
    ("GET", "/v1/agent/service/nope", 404, "unknown service ID: nope"),
    ("GET", "/v1/agent/health/service/name/none", 404, "[]"),
    ("GET", "/v1/agent/health/service/name/none?format=text", 404, "ServiceName none Not Found"),
    ("GET", "/v1/agent/health/service/name/", 400, "Bad request: Missing service Name"),
    ("GET", "/v1/agent/health/service/id/", 400, "Bad request: Missing serviceID"),
    ("GET", "/v1/agent/health/service/id/none", 404, '{"AggregatedStatus":"critical","Service":null,"Checks":null}'),
    ("GET", "/v1/agent/services?filter=Bogus==1", 500, 'Failed to create boolean expression evaluator: Selector "Bogus" is not valid'),
    ("GET", "/v1/catalog/nodes?filter=Bogus==1", 500, 'Failed to create boolean expression evaluator: Selector "Bogus" is not valid'),
    ("GET", "/v1/catalog/service/", 400, "Missing service name"),
    ("GET", "/v1/catalog/node/", 400, "Missing node name"),
    ("GET", "/v1/catalog/node/none", 200, "null"),
    ("GET", "/v1/catalog/node-services/none", 200, '{"Node":null,"Services":null}'),
    ("GET", "/v1/catalog/datacenters", 200, '["dc1"]'),
    ("GET", "/v1/health/state/", 400, "Missing check state"),
    ("GET", "/v1/health/state/strange", 200, "[]"),
    ("GET", "/v1/health/node/none", 200, "[]"),
    ("GET", "/v1/health/checks/none", 200, "[]"),
    ("GET", "/v1/health/connect/web", 200, "[]"),
    ("GET", "/v1/health/ingress/web", 200, "[]"),
    ("GET", "/v1/catalog/connect/web", 200, "[]"),
    ("GET", "/v1/catalog/services?node-meta=a:b", 200, "{}"),
    ("GET", "/v1/catalog/nodes?stale&consistent", 400, "Cannot specify ?stale with ?consistent, conflicting semantics."),
    ("GET", "/v1/catalog/services?dc=nowhere", 500, "No path to datacenter"),
    ("GET", "/v1/agent/services?ns=x", 400, 'Bad request: Invalid query parameter: "ns" - Namespaces are a Consul Enterprise feature'),
    ("GET", "/v1/query", 200, "[]"),
    ("PUT", "/v1/catalog/nodes", 405, "method PUT not allowed"),
    ("GET", REGISTER, 405, "method GET not allowed"),
]  # fmt: skip


async def test_answers_to_what_is_missing_wrong_or_refused() -> None:
    async with served(World()) as client:
        for method, path, status, text in ANSWERS:
            answer = await client.ask(method, path)
            assert (path, answer.status, answer.text) == (path, status, text)


async def test_headers_of_reads() -> None:
    async with served(World()) as client:
        answer = await client.get("/v1/catalog/nodes?stale&cached")
        names = {k: v for k, v in answer.headers.items() if k.startswith("X-C")}
        assert names == {
            "X-Cache": "MISS",
            "X-Consul-Effective-Consistency": "stale",
            "X-Consul-Index": "1",
            "X-Consul-Knownleader": "true",
            "X-Consul-Lastcontact": "0",
        }
        again = await client.get("/v1/catalog/nodes?stale&cached")
        assert (again.headers["X-Cache"], again.headers["Age"]) == ("HIT", "0")
        refused = await client.get("/v1/catalog/nodes?dc=x")
        assert (refused.index, refused.headers["X-Consul-Knownleader"]) == (1, "false")
        pretty = await client.get("/v1/catalog/datacenters?pretty")
        assert pretty.text == '[\n    "dc1"\n]\n'
        assert (await client.get("/v1/catalog/nodes?pretty")).text.startswith("[\n    {")
        options = await client.ask("OPTIONS", "/v1/catalog/nodes")
        assert (options.status, options.headers["Allow"]) == (200, "OPTIONS,GET")
        assert (await client.get("/v1/catalog/nodes")).headers["Vary"] == "Accept-Encoding"


async def test_answers_are_packed_for_who_takes_them() -> None:
    async with served(World()) as client:
        for number in range(4):
            await register(client, ID=f"w{number}")
        packed = await client.get("/v1/health/service/web", {"Accept-Encoding": "gzip"})
        plain = await client.get("/v1/health/service/web", {"Accept-Encoding": "identity"})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body
        for path in ("/v1/status/leader", "/v1/kv-none", "/v1/health/service/none?index=x"):
            short = await client.get(path, {"Accept-Encoding": "gzip"})
            assert ("Content-Encoding" in short.headers) is (len(short.body) > 0), path
        refused = await client.get("/v1/health/service/web", {"Accept-Encoding": "gzip;q=0"})
        assert "Content-Encoding" not in refused.headers


async def test_choosing_by_tag_near_node_meta_and_filter() -> None:
    async with served(World()) as client:
        await register(client, ID="here", Tags=["Prod", "v1"], Port=80)
        for name, rack in (("ext", "r1"), ("aaa", "r2")):
            body = {"Node": name, "Address": "192.0.2.9", "NodeMeta": {"rack": rack},
                    "Service": {"Service": "web", "ID": name, "Tags": ["v1"]}}  # fmt: skip
            assert (await client.put("/v1/catalog/register", body)).text == "true"

        async def ids(query: str) -> list[str]:
            found = (await client.get("/v1/health/service/web?" + query)).json
            return [entry["Service"]["ID"] for entry in found]

        assert await ids("") == ["aaa", "ext", "here"]
        assert await ids("near=_agent") == ["here", "aaa", "ext"]
        assert await ids("near=ext") == ["aaa", "ext", "here"]
        assert await ids("tag=prod&tag=v1") == ["here"]
        assert await ids("node-meta=rack:r1") == ["ext"]
        assert await ids("filter=Service.Port==80") == ["here"]
        for _ in range(2):  # a filter is compiled anew each time, what was parsed is not kept
            assert await ids("filter=Node.Meta.rack==r2") == ["aaa"]
        assert (await client.get("/v1/agent/services?filter=Port==80")).json.keys() == {"here"}
        assert (await client.put("/v1/catalog/deregister", {"Node": "ext"})).text == "true"
        assert await ids("") == ["aaa", "here"]
        refused = await client.put("/v1/catalog/register", {"Node": "n", "Datacenter": "x"})
        assert (refused.status, refused.text) == (500, "No path to datacenter")
        nameless = await client.put("/v1/catalog/deregister", {})
        assert (nameless.status, nameless.text) == (500, "Must provide node")


async def test_maintenance_shows_in_health_and_ends() -> None:
    async with served(World()) as client:
        await register(client, ID="w")
        await client.put("/v1/agent/service/maintenance/w?enable=true&reason=moving%20house")
        health = await client.get("/v1/agent/health/service/name/web?format=text")
        assert (health.status, health.text) == (503, "maintenance")
        assert (await client.get("/v1/health/service/web?passing")).json == []
        await client.put("/v1/agent/service/maintenance/w?enable=false")
        await client.put("/v1/agent/maintenance?enable=true")
        (entry,) = (await client.get("/v1/health/service/web")).json
        assert [c["CheckID"] for c in entry["Checks"]] == ["_node_maintenance", "serfHealth"]
        state = (await client.get("/v1/health/state/critical")).json
        assert [c["CheckID"] for c in state] == ["_node_maintenance"]
        await client.put("/v1/agent/maintenance?enable=false")
        health = await client.get("/v1/agent/health/service/name/web")
        assert (health.status, health.json[0]["AggregatedStatus"]) == (200, "passing")


async def test_checks_of_the_node_and_of_services_come_and_go() -> None:
    world = World()
    async with served(world) as client:
        await register(client, ID="w")
        body = {"Name": "alive", "TTL": "1h", "Status": "warning"}
        assert (await client.put("/v1/agent/check/register", body)).status == 200
        assert (await client.get("/v1/agent/health/service/id/w")).status == 429
        assert [c["CheckID"] for c in (await client.get("/v1/health/node/node-1")).json] == [
            "alive",
            "serfHealth",
        ]
        await client.put("/v1/agent/check/deregister/alive")
        assert (await client.get("/v1/agent/checks")).json == {}
        missing = await client.put("/v1/agent/check/register", body | {"ServiceID": "nope"})
        assert (missing.status, missing.text) == (500, 'ServiceID "nope" does not exist')
        weird = await client.put("/v1/agent/check/update/alive", {"Status": "weird"})
        assert (weird.status, weird.text) == (400, "Invalid check status: 'weird'")
        assert world.checks.told == [("start", "alive"), ("stop", "alive")]


async def test_the_agent_tells_who_it_is() -> None:
    async with served(World()) as client:
        about = (await client.get("/v1/agent/self")).json
        assert about["Config"]["Datacenter"] == "dc1"
        assert about["Config"]["NodeName"] == about["Member"]["Name"] == "node-1"
        assert [m["Status"] for m in (await client.get("/v1/agent/members")).json] == [1]
        metrics = (await client.get("/v1/agent/metrics")).json
        assert metrics["Timestamp"].endswith("+0000 UTC")
        prometheus = await client.get("/v1/agent/metrics?format=prometheus")
        assert prometheus.status == 415
        assert (await client.get("/v1/agent/host")).json["Host"]["hostname"] == "node-1"
        assert sorted(about) == [
            "Config", "Coord", "DebugConfig", "Member", "Meta", "Stats", "xDS",
        ]  # fmt: skip
        (own,) = (await client.get("/v1/health/service/consul")).json
        assert own["Service"]["ID"] == "consul"


async def test_a_member_seen_from_other_datacentres_names_its_own() -> None:
    async with served(World()) as client:
        (near,) = (await client.get("/v1/agent/members?wan")).json
        (wide,) = (await client.get("/v1/agent/members?wan=1")).json
        assert (near["Name"], wide["Name"]) == ("node-1", "node-1.dc1")
        assert set(near["Tags"]) - set(wide["Tags"]) == {"wan_join_port"}
        segment = await client.get("/v1/agent/members?segment=x")
        text = "Network segments are not supported in this version of Consul"
        assert (segment.status, segment.text) == (500, text)


async def test_what_is_not_served_is_501_after_its_parameters_were_read() -> None:
    async with served(World()) as client:
        wrong = await client.get("/v1/agent/monitor?loglevel=loud")
        assert (wrong.status, wrong.text) == (400, "Bad request: Unknown log level: loud")
        for method, path in (("GET", "agent/monitor?loglevel=warn"), ("POST", "query")):
            refused = await client.ask(method, f"/v1/{path}")
            assert (refused.status, refused.text[:10]) == (501, "not served")
        assert (await client.get("/v1/query")).json == []


async def test_a_reader_by_hash_waits_for_its_service() -> None:
    async with served(World()) as client, asyncio.TaskGroup() as group:
        await register(client, ID="w")
        hash_ = (await client.get("/v1/agent/service/w")).json["ContentHash"]
        path = f"/v1/agent/service/w?hash={hash_}&wait="
        assert (await client.get(path + "10ms")).json["ContentHash"] == hash_
        reader = group.create_task(client.get(path + "30s"))
        await asyncio.sleep(0.05)
        await register(client, ID="w", Port=1)
        assert (await asyncio.wait_for(reader, 5)).json["Port"] == 1


async def test_readers_of_one_service_share_one_encoding_and_sleep_through_others() -> None:
    world = World()
    async with served(world) as client, asyncio.TaskGroup() as group:
        await register(client, ID="w")
        path = f"/v1/health/service/web?index={(await client.get('/v1/health/service/web')).index}"
        readers = [group.create_task(client.get(path + "&wait=30s")) for _ in range(20)]
        await asyncio.sleep(0.1)
        await register(client, Name="api")
        await asyncio.sleep(0.05)
        assert not any(reader.done() for reader in readers)
        await register(client, ID="w", Port=9)
        answers = await asyncio.wait_for(asyncio.gather(*readers), 5)
        assert {answer.json[0]["Service"]["Port"] for answer in answers} == {9}
        held = world.api.reading._answers
        assert len([key for key in held if key[0] == "health/service/"]) == 1


async def test_a_reader_that_does_not_read_is_cut_off_while_others_are_served() -> None:
    world = World()
    # A long answer does not fit in the buffers of a socket that nobody reads.
    meta = {f"k{number}": "v" * 500 for number in range(60)}
    world.catalog.commit([Put(instance(id_=f"w{n}", meta=meta)) for n in range(400)])
    async with served(world, write_timeout=1.0) as client:
        assert world.server is not None
        assert world.server.address is not None
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.setblocking(False)
            await asyncio.get_running_loop().sock_connect(slow, world.server.address)
            slow.send(b"GET /v1/health/service/web HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await asyncio.sleep(0.2)
            assert (await client.get("/v1/catalog/nodes")).status == 200
            # The kernel forgets the connection without a word; the next thing sent is refused.
            async with asyncio.timeout(20):
                while _takes(slow):
                    await asyncio.sleep(0.1)


def _takes(sock: socket.socket) -> bool:
    try:
        sock.send(b"x")
    except ConnectionError:
        return False
    return True


async def test_a_store_that_cannot_write_is_500() -> None:
    world = World()

    async def full(changes: Sequence[Change]) -> None:
        raise StoreUnavailable("cannot write: disk full")

    world.store.commit = full  # type: ignore[method-assign]
    async with served(world) as client:
        answer = await client.put(REGISTER, {"Name": "web"})
    assert (answer.status, answer.text) == (500, "cannot write: disk full")


async def test_http_sd_lists_targets() -> None:
    async with served(World()) as client:
        await register(client, ID="w", Port=80, Tags=["a", "b"], Meta={"team-x": "1"})
        (group,) = (await client.get("/v1/pinnace/http_sd?service=web&tag=a")).json
        assert group["targets"] == ["192.0.2.7:80"]
        assert group["labels"]["__meta_pinnace_tags"] == ",a,b,"
        assert group["labels"]["__meta_pinnace_meta_team_x"] == "1"
        assert (await client.get("/v1/pinnace/http_sd?tag=zzz")).json == []
        assert (await client.get("/v1/pinnace/http_sd?service=none")).json == []


def test_targets_tell_of_a_drain_and_bracket_ipv6() -> None:
    one = instance(address="2001:db8::1", port=1, draining=True, status=Status.WARNING)
    (group,) = targets(View(snapshot(one), LOCAL), (), ())
    assert group["targets"] == ["[2001:db8::1]:1"]
    assert group["labels"]["__meta_pinnace_health"] == "draining"


async def test_filters_of_checks_are_looked_at_as_consul_does() -> None:  # recorded on 1.8.7
    prefix = "Failed to create boolean expression evaluator: "
    async with served(World()) as client:
        path = "/v1/agent/checks?filter="
        broken = await client.get(path + "a%20b")
        assert (broken.status, broken.text.startswith(prefix + "1:3 (2): ")) == (500, True)
        assert (await client.get(path + "Bogus==x")).json == {}
        await register(client, ID="w", Check={"TTL": "1h"})
        unknown = await client.get(path + "Bogus==x")
        assert (unknown.status, unknown.text) == (500, 'Selector "Bogus" is not valid')
        assert list((await client.get(path + "Status==critical")).json) == ["service:w"]
        assert (await client.get(path + "Status==passing")).json == {}


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "::ffff:a9fe:a9fe", "2852039166", "0xa9fea9fe", "224.0.0.1"]
)
async def test_an_address_behind_which_credentials_are_is_refused(address: str) -> None:
    async with served(World()) as client:
        body = {"Name": "w", "Address": address}
        answer = await client.put(REGISTER, body)
        assert (answer.status, "Address" in answer.text) == (400, True)
        node = {"Node": "n", "Address": address}
        assert (await client.put("/v1/catalog/register", node)).status == 400


_paths = st.sampled_from(sorted({path.partition("?")[0] for _, path, _, _ in ANSWERS} | {
    REGISTER, "/v1/agent/check/register", "/v1/agent/check/update/w", "/v1/catalog/register",
    "/v1/catalog/deregister", "/v1/health/service/web", "/v1/catalog/services", "/v1/pinnace/http_sd"}))  # fmt: skip
_text = st.text(max_size=8)
_fields = st.sampled_from([
    "Name", "ID", "Port", "Tags", "Meta", "Check", "Checks", "Weights", "TTL", "Interval", "HTTP",
    "Node", "Address", "Service", "ServiceID", "CheckID", "Status", "Output", "NodeMeta", "Definition",
    "TaggedAddresses", "Notes", "AliasService", "SkipNodeUpdate"])  # fmt: skip
_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text | _fields, inner, max_size=4),
    max_leaves=8,
)
_queries = st.dictionaries(
    st.sampled_from(["tag", "passing", "near", "node-meta", "filter", "dc", "stale", "pretty",
                     "cached", "service", "enable", "reason", "format", "note", "hash"]),
    _text, max_size=3)  # fmt: skip


async def test_whatever_is_sent_no_answer_is_a_500_without_cause() -> None:
    world = World()
    loop = asyncio.get_running_loop()
    asked: list[tuple[str, str, Any, dict[str, str]]] = []

    @settings(max_examples=250, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(["GET", "PUT"]), _paths, _values | st.binary(max_size=40), _queries)
    def collect(method: str, path: str, body: Any, query: dict[str, str]) -> None:
        asked.append((method, path, body, query))

    await loop.run_in_executor(None, collect)
    async with served(world) as client:
        for method, path, body, query in asked:
            given_ = "&".join(f"{k}={v.encode().hex()}" for k, v in query.items())
            answer = await client.ask(method, f"{path}?{given_}", body)
            assert answer.status < 500 or answer.text, (method, path, body, query)
            assert "Internal Server Error" not in answer.text
        assert (await client.get("/v1/catalog/services")).status == 200


@pytest.mark.parametrize("size", [512 * 1024 + 1])
async def test_too_large_a_body_is_413(size: int) -> None:
    async with served(World()) as client:
        answer = await client.put(REGISTER, b" " * size)
        assert answer.status == 413


async def test_a_ttl_check_that_becomes_another_kind_still_listens() -> None:
    async with served(World()) as client:
        ttl = {"Name": "c", "TTL": "9h", "OutputMaxSize": 3}
        await client.put("/v1/agent/check/register", ttl)
        await client.put("/v1/agent/check/pass/c?note=longer")
        output = (await client.get("/v1/agent/checks")).json["c"]["Output"]
        assert output == "lon ... (captured 3 of 6 bytes)"
        polled = {"Name": "c", "TCP": "127.0.0.1:1", "Interval": "9h"}
        await client.put("/v1/agent/check/register", polled)
        assert (await client.put("/v1/agent/check/warn/c")).status == 200
        found = (await client.get("/v1/agent/checks")).json["c"]
        assert (found["Status"], found["Type"]) == ("warning", "tcp")
        await client.put("/v1/agent/check/deregister/c")
        await client.put("/v1/agent/check/register", polled)
        assert (await client.put("/v1/agent/check/pass/c")).status == 500


async def test_replaced_checks_go_one_by_one() -> None:
    async with served(World()) as client:
        await register(client, Checks=[{"TTL": "9h"}, {"TTL": "9h"}])
        before = (await client.get("/v1/health/service/web")).index
        body = {"Name": "web", "Port": 81}
        await client.put("/v1/agent/service/register?replace-existing-checks", body)
        after = await client.get("/v1/health/service/web")
        assert (after.index - before, len(after.json[0]["Checks"])) == (3, 1)
