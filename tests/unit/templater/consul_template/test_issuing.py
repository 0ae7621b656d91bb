"""When Vault is asked for a certificate, and when again; time stands still but for the test."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sidecar.errors import StoreUnavailable
from sidecar.runtime.clock import FakeClock
from sidecar.stores.json_client import JsonClient
from templater.consul_template.issuing import PkiSource
from templater.consul_template.pki import Pems, PkiQuery
from templater.consul_template.queries import secrets
from templater.consul_template.sources import Fetched
from templater.consul_template.vault import Vault
from tests.support.forged import forged

NOW = 1_700_000_000


class Fixed(Vault):
    """Gives one answer after another, the last one for ever; notes what is asked."""

    def __init__(self, *answers: Any) -> None:
        """Open nothing."""
        super().__init__(JsonClient("http://127.0.0.1:1"))
        self.answers = list(answers)
        self.asked: list[tuple[str, str, object]] = []

    async def ask(self, method: str, path: str, **more: Any) -> Any:
        """Answer at once."""
        self.asked.append((method, path, more["body"]))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def _answer(begin: float, end: float) -> dict[str, Any]:
    return {"data": {"certificate": forged(NOW + begin, NOW + end)}}


def _source(clock: FakeClock, vault: Vault, share: float = 0.9) -> PkiSource:
    return PkiSource(vault, clock, share)


def _cert(source: PkiSource, query: PkiQuery, fetched: Fetched) -> str:
    value = source.read(query, fetched.body)
    assert isinstance(value, Pems)
    return value.Cert


@pytest.mark.parametrize(
    ("begin", "end", "share", "pause"),
    [
        (0, 1000, 0.9, 900),
        (-100, 1900, 0.5, 900),
        (-30, 2, 0.9, 1),  # Vault dates back: 90 % are over at once
        (-300, 20, 0.9, 10),
        (0, 100_000, 0.9, 90_000),
    ],
)
async def test_certificate_is_due_at_its_share(
    begin: float, end: float, share: float, pause: float
) -> None:
    clock = FakeClock(NOW)
    vault = Fixed(_answer(begin, end), _answer(pause, pause + 1000))
    source = _source(clock, vault, share)
    query = PkiQuery("pki/issue/a b", (("ttl", "1h"),))
    first = await source.fetch(query, 0)
    assert _cert(source, query, first) == forged(NOW + begin, NOW + end)
    assert vault.asked == [("PUT", "/v1/pki/issue/a%20b", {"ttl": "1h"})]
    async with asyncio.TaskGroup() as group:
        again = group.create_task(source.fetch(query, first.index))
        await clock.advance(pause - 0.5)
        assert len(vault.asked) == 1
        await clock.advance(0.5)
        second = await again
    assert _cert(source, query, second) == forged(NOW + pause, NOW + pause + 1000)
    assert second.index > first.index


async def test_good_certificate_of_the_destination_is_taken_again_until_it_is_due(
    tmp_path: Path,
) -> None:
    place = tmp_path / "web.pem"
    held = forged(NOW - 500, NOW + 500)
    place.write_text(f"# mine\n{held}")
    clock, vault = FakeClock(NOW), Fixed(_answer(400, 2000))
    source, query = _source(clock, vault), PkiQuery("pki/issue/a", (), str(place))
    first = await source.fetch(query, 0)
    assert (_cert(source, query, first), vault.asked) == (held, [])
    async with asyncio.TaskGroup() as group:
        again = group.create_task(source.fetch(query, first.index))
        await clock.advance(401)
        assert _cert(source, query, await again) == forged(NOW + 400, NOW + 2000)
    assert len(vault.asked) == 1


@pytest.mark.parametrize("content", ["", "no PEM", forged(NOW - 900, NOW + 50), forged(1, 2)])
async def test_destination_without_a_good_certificate_is_no_reason_to_fail(
    tmp_path: Path, content: str
) -> None:
    place = tmp_path / "web.pem"
    place.write_text(content)
    vault = Fixed(_answer(0, 1000))
    source, query = _source(FakeClock(NOW), vault), PkiQuery("pki/issue/a", (), str(place))
    fetched = await source.fetch(query, 0)
    assert _cert(source, query, fetched) == forged(NOW, NOW + 1000)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "no secret exists at pki/x"),
        ({"data": None}, "no secret exists at pki/x"),
        ({"data": {"certificate": 5}}, "has no certificate"),
        (_answer(-100, 0), "has ended by this machine's clock"),
    ],
)
async def test_answer_without_a_certificate_that_counts_is_told(answer: Any, words: str) -> None:
    with pytest.raises(StoreUnavailable, match=words):
        await _source(FakeClock(NOW), Fixed(answer)).fetch(PkiQuery("pki/x"), 0)


async def test_other_questions_are_not_answered() -> None:
    with pytest.raises(TypeError, match=r"vault\.list\(x\) asks for no certificate"):
        await _source(FakeClock(NOW), Fixed(None)).fetch(secrets("x"), 0)
