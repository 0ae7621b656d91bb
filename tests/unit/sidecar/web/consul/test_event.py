import asyncio

from tests.support.api import served


async def test_an_event_is_fired_and_listed() -> None:
    async with served() as api:
        empty = await api.get("/v1/event/list")
        assert (empty.json, empty.index) == ([], 1)
        fired = (await api.put("/v1/event/fire/deploy?node=n", b"hi")).json
        id_ = fired.pop("ID")
        assert fired == {
            "Name": "deploy",
            "Payload": "aGk=",
            "NodeFilter": "n",
            "ServiceFilter": "",
            "TagFilter": "",
            "Version": 1,
            "LTime": 0,
        }
        await api.put("/v1/event/fire/other")
        (event,) = (await api.get("/v1/event/list?name=deploy")).json
        assert (event["ID"], event["LTime"]) == (id_, 2)
        number = int(id_.replace("-", ""), 16)
        expected = (number >> 64) ^ (number % 2**64)
        assert (await api.get("/v1/event/list?name=deploy")).index == expected
        assert "X-Consul-Knownleader" not in empty.headers


async def test_bad_events_are_refused() -> None:
    async with served() as api:
        missing = await api.put("/v1/event/fire/")
        assert (missing.status, missing.text) == (400, "Missing name")
        tag = await api.put("/v1/event/fire/x?tag=t")
        assert tag.status == 500
        assert tag.text == "Cannot provide tag filter without service filter"
        node = await api.put("/v1/event/fire/x?node=(")
        assert (node.status, node.text[:20]) == (500, "Invalid node filter:")


async def test_an_event_for_others_is_not_listed() -> None:
    async with served() as api:
        for filters in ("node=elsewhere", "service=never"):
            assert (await api.put(f"/v1/event/fire/deploy?{filters}")).status == 200
        assert (await api.get("/v1/event/list")).json == []


async def test_a_reader_waits_until_the_index_differs() -> None:
    async with served() as api, asyncio.TaskGroup() as group:
        at_once = await asyncio.wait_for(api.get("/v1/event/list?index=99&wait=30s"), 5)
        assert at_once.index == 1
        reader = group.create_task(api.get("/v1/event/list?index=1&wait=30s"))
        await asyncio.sleep(0.05)
        assert not reader.done()
        await api.put("/v1/event/fire/x")
        answer = await asyncio.wait_for(reader, 5)
        assert len(answer.json) == 1
    async with served() as api:
        assert (await api.get("/v1/event/list?index=1&wait=10ms")).json == []


async def test_there_is_always_a_leader() -> None:
    async with served() as api:
        leader = await api.get("/v1/status/leader")
        assert leader.json == "192.0.2.1:8300"
        assert "X-Consul-Index" not in leader.headers
        assert (await api.get("/v1/status/peers")).json == ["192.0.2.1:8300"]
