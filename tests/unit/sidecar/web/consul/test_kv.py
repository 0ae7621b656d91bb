import asyncio
import gzip

import pytest

from sidecar.errors import StoreUnavailable
from tests.support.api import served
from tests.support.keys import NOBODY


async def test_an_entry_is_shown_as_consul_does() -> None:
    async with served() as api:
        assert (await api.put("/v1/kv/a/b?flags=42", b"test")).text == "true"
        await api.put("/v1/kv/empty")
        answer = await api.get("/v1/kv/a/b")
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.json == [
            {
                "LockIndex": 0,
                "Key": "a/b",
                "Flags": 42,
                "Value": "dGVzdA==",
                "CreateIndex": 1,
                "ModifyIndex": 1,
            }
        ]
        assert answer.headers["X-Consul-Index"] == "1"
        assert answer.headers["X-Consul-Knownleader"] == "true"
        assert answer.headers["X-Consul-Lastcontact"] == "0"
        assert "X-Consul-Effective-Consistency" not in answer.headers
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert (await api.get("/v1/kv/empty")).json[0]["Value"] is None


async def test_an_absent_key_is_404_with_an_empty_body_and_the_tables_index() -> None:
    async with served() as api:
        empty = await api.get("/v1/kv/x")
        assert (empty.status, empty.body, empty.index) == (404, b"", 1)
        await api.put("/v1/kv/a", b"1")
        await api.put("/v1/kv/b", b"1")
        for path in ("x", "x?raw", "x?recurse", "x?keys"):
            answer = await api.get(f"/v1/kv/{path}")
            assert (answer.status, answer.body, answer.index) == (404, b"", 2)


async def test_raw_is_the_value_as_it_is_and_harmless_in_a_browser() -> None:
    async with served() as api:
        await api.put("/v1/kv/a", b"<b>\0")
        answer = await api.get("/v1/kv/a?raw")
        assert answer.body == b"<b>\0"
        assert answer.headers["Content-Type"] == "text/plain"
        assert answer.headers["Content-Security-Policy"] == "sandbox"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert (await api.get("/v1/kv/a?recurse&raw")).json[0]["Key"] == "a"


async def test_prefixes_list_sorted_and_cut_keys() -> None:
    async with served() as api:
        for key in ("d/h", "d/e/g", "d/", "dx", "d/e/f"):
            await api.put(f"/v1/kv/{key}", b"1")
        found = (await api.get("/v1/kv/d/?recurse")).json
        assert [entry["Key"] for entry in found] == ["d/", "d/e/f", "d/e/g", "d/h"]
        assert (await api.get("/v1/kv/d/?keys&separator=/")).json == ["d/", "d/e/", "d/h"]
        assert (await api.get("/v1/kv/d/?keys&seperator=/")).json == ["d/", "d/e/", "d/h"]
        assert len((await api.get("/v1/kv/?keys")).json) == 5
        assert len((await api.get("/v1/kv/?recurse")).json) == 5


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "", 400, "Missing key name"),
        ("PUT", "", 400, "Missing key name"),
        ("DELETE", "", 400, "Missing key name"),
        ("PUT", "k?flags=bogus", 500, 'strconv.ParseUint: parsing "bogus": invalid syntax'),
        ("PUT", "k?cas=-1", 500, 'strconv.ParseUint: parsing "-1": invalid syntax'),
        ("DELETE", "k?cas=x", 500, 'strconv.ParseUint: parsing "x": invalid syntax'),
        ("PUT", "k?cas=0&acquire=x", 400, "Conflicting flags: acquire=x&cas=0"),
        ("PUT", "k?release=y&acquire=x", 400, "Conflicting flags: acquire=x&release=y"),
        ("DELETE", "k?recurse&cas=1", 400, "Conflicting flags: cas=1&recurse="),
        ("PUT", f"k?acquire={NOBODY}", 500, f'invalid session "{NOBODY}"'),
        (
            "PUT",
            "k?acquire=x",
            500,
            "failed session lookup: index error: UUID must be 36 characters",
        ),
        ("GET", "k?index=abc", 400, "Invalid index"),
        ("GET", "k?wait=10", 400, "Invalid wait time"),
        ("GET", "k?dc=dc2", 500, "No path to datacenter"),
        ("PUT", "k?dc=dc2", 500, "No path to datacenter"),
        (
            "GET",
            "k?stale&consistent",
            400,
            "Cannot specify ?stale with ?consistent, conflicting semantics.",
        ),
        ("POST", "k", 405, "method POST not allowed"),
        ("HEAD", "k", 405, ""),
    ],
)
async def test_refusals_have_consuls_words(method: str, path: str, status: int, text: str) -> None:
    async with served() as api:
        answer = await api.ask(method, f"/v1/kv/{path}")
        assert (answer.status, answer.text) == (status, text)
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert api.store.kv.keys() == []


async def test_an_error_on_a_read_of_keys_carries_no_index() -> None:
    async with served() as api:
        await api.put("/v1/kv/a")
        await api.put("/v1/kv/b")
        assert "X-Consul-Index" not in (await api.get("/v1/kv/a?dc=dc2")).headers
        assert "X-Consul-Index" not in (await api.put("/v1/kv/a?dc=dc2")).headers


async def test_the_methods_of_a_path_are_told() -> None:
    async with served() as api:
        options = await api.ask("OPTIONS", "/v1/kv/k")
        assert (options.status, options.body) == (200, b"")
        wrong = await api.ask("PATCH", "/v1/kv/k")
        assert options.headers["Allow"] == wrong.headers["Allow"] == "OPTIONS,GET,PUT,DELETE"
        status = await api.ask("PUT", "/v1/status/leader")
        assert (status.status, status.headers["Allow"]) == (405, "OPTIONS,GET")
        session = await api.ask("POST", "/v1/session/create")
        assert (session.status, session.headers["Allow"]) == (405, "OPTIONS,PUT")


async def test_compare_and_set_answers_false_when_lost() -> None:
    async with served() as api:
        assert (await api.put("/v1/kv/k?cas=0", b"1")).text == "true"
        assert (await api.put("/v1/kv/k?cas=0", b"2")).text == "false"
        assert (await api.put("/v1/kv/k?cas=99", b"2")).text == "false"
        index = (await api.get("/v1/kv/k")).json[0]["ModifyIndex"]
        assert (await api.delete("/v1/kv/k?cas=0")).text == "false"
        assert (await api.put(f"/v1/kv/k?cas={index}", b"3")).text == "true"
        assert (await api.get("/v1/kv/k?raw")).body == b"3"


async def test_delete_answers_true_also_for_what_is_absent() -> None:
    async with served() as api:
        for key in ("p/a", "p/b", "q"):
            await api.put(f"/v1/kv/{key}")
        assert (await api.delete("/v1/kv/none")).text == "true"
        assert (await api.delete("/v1/kv/q")).text == "true"
        assert (await api.delete("/v1/kv/p/?recurse")).text == "true"
        assert (await api.get("/v1/kv/?recurse")).status == 404


async def test_locks_are_taken_kept_and_given_back() -> None:
    async with served() as api:
        one, two = await api.session(), await api.session()
        assert (await api.put(f"/v1/kv/k?acquire={one}", b"1")).text == "true"
        assert (await api.put(f"/v1/kv/k?acquire={two}", b"2")).text == "false"
        (entry,) = (await api.get("/v1/kv/k")).json
        assert (entry["LockIndex"], entry["Session"]) == (1, one)
        await api.put("/v1/kv/k", b"3")
        (entry,) = (await api.get("/v1/kv/k")).json
        assert (entry["LockIndex"], entry["Session"]) == (0, one)
        assert (await api.put(f"/v1/kv/k?release={two}")).text == "false"
        assert (await api.put(f"/v1/kv/k?release={NOBODY}")).text == "false"
        assert (await api.put(f"/v1/kv/k?release={one}", b"4")).text == "true"
        assert "Session" not in (await api.get("/v1/kv/k")).json[0]


@pytest.mark.parametrize("size", [524288, 524289])
async def test_a_value_is_at_most_512_kib(size: int) -> None:
    async with served() as api:
        answer = await api.put("/v1/kv/k", b"x" * size)
        if size == 524288:
            assert answer.text == "true"
            return
        assert answer.status == 413
        assert answer.text.startswith(
            "Request body(524289 bytes) too large, max size: 524288 bytes."
        )
        assert answer.headers["Connection"] == "close"
        assert (await api.get("/v1/kv/k")).status == 404, "on a new connection"


async def test_a_body_without_a_length_is_bounded_too() -> None:
    async with served() as api:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(api._base.split(":")[-1]))
        writer.write(b"PUT /v1/kv/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(9):
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 413")
        writer.close()
        assert api.store.kv.keys() == []


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/v1/kv//lead", "/v1/kv/lead"),
        ("/v1/kv/a/../b?raw&x=%0d", "/v1/kv/b?raw&x=%0d"),
        ("/v1/kv/%2e%2e/%20b", "/v1/%20b"),
        ("/v1/kv/a%2F%2Fb", "/v1/kv/a/b"),
    ],
)
async def test_unclean_paths_are_redirected(path: str, location: str) -> None:
    async with served() as api:
        answer = await api.put(path)
        assert (answer.status, answer.headers["Location"]) == (301, location)


@pytest.mark.parametrize("key", ["a%2Fb", "a%20b+c", "%C3%A9%00", "a%3Fb", "a%252Fb", "%ff"])
async def test_any_text_can_be_a_key(key: str) -> None:
    async with served() as api:
        await api.put(f"/v1/kv/{key}", key.encode())
        assert (await api.get(f"/v1/kv/{key}?raw")).text == key


async def test_pretty_is_indented_and_large_is_packed_if_asked_for() -> None:
    async with served() as api:
        await api.put("/v1/kv/k", b"x" * 5000)
        pretty = (await api.get("/v1/kv/k?pretty")).body
        assert b"\n    " in pretty
        assert pretty.endswith(b"]\n")
        plain = await api.get("/v1/kv/k")
        packed = await api.ask("GET", "/v1/kv/k", Accept_Encoding="gzip")
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body


async def test_a_blocking_reader_wakes_on_its_key_only() -> None:
    async with served() as api, asyncio.TaskGroup() as group:
        await api.put("/v1/kv/k", b"1")
        reader = group.create_task(api.get("/v1/kv/k?index=1&wait=30s"))
        await asyncio.sleep(0.05)
        await api.put("/v1/kv/other", b"1")
        await api.put("/v1/kv/k", b"1")
        await asyncio.sleep(0.05)
        assert not reader.done()
        await api.put("/v1/kv/k", b"2")
        answer = await asyncio.wait_for(reader, 5)
    assert answer.index == answer.json[0]["ModifyIndex"] > 1


async def test_a_blocking_reader_of_a_prefix_wakes_on_a_delete_with_a_higher_index() -> None:
    async with served() as api, asyncio.TaskGroup() as group:
        await api.put("/v1/kv/p/a", b"1")
        await api.put("/v1/kv/p/b", b"1")
        index = (await api.get("/v1/kv/p/?keys")).index
        reader = group.create_task(api.get(f"/v1/kv/p/?keys&index={index}&wait=30s"))
        await asyncio.sleep(0.05)
        await api.put("/v1/kv/q", b"1")
        await asyncio.sleep(0.05)
        assert not reader.done()
        await api.delete("/v1/kv/p/b")
        answer = await asyncio.wait_for(reader, 5)
    assert answer.json == ["p/a"]
    assert answer.index > index


async def test_a_blocking_reader_of_what_is_absent_wakes_on_any_write() -> None:
    async with served() as api, asyncio.TaskGroup() as group:
        reader = group.create_task(api.get("/v1/kv/none?index=1&wait=30s"))
        await asyncio.sleep(0.05)
        await api.put("/v1/kv/a", b"1")
        await api.put("/v1/kv/b", b"1")
        answer = await asyncio.wait_for(reader, 5)
    assert answer.status == 404
    assert answer.index == 2


async def test_a_reader_from_another_life_gets_the_lower_index() -> None:
    async with served() as api:
        await api.put("/v1/kv/k", b"1")
        assert (await api.get("/v1/kv/k?index=999&wait=10ms")).index == 1


class _Broken:
    def write_keys(self, *_: object) -> None:
        raise StoreUnavailable("cannot write: disk full")


async def test_a_full_disk_is_a_500_and_reads_go_on() -> None:
    async with served(journal=_Broken()) as api:
        answer = await api.put("/v1/kv/k", b"1")
        assert (answer.status, answer.text) == (500, "cannot write: disk full")
        assert (await api.get("/v1/kv/k")).status == 404
