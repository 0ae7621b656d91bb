from dataclasses import replace

import pytest

from registrar.mapping import instances_of
from registrar.telling import ignored_of
from tests.support.docker import PLACE, container


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, ("no published ports",)),
        ({"published": {"80/tcp": ":8080"}}, ()),
        (
            {"published": {"80/tcp": ":8080"}, "exposed": ("81/tcp",)},
            ("port 81 not published on host",),
        ),
        (
            {"published": {"80/tcp": ":8080"}, "env": ("SERVICE_IGNORE=1",)},
            ("service on port 80",),
        ),
    ],
    ids=["none", "published", "exposed only", "ignored"],
)
def test_what_has_no_entry_is_told_in_registrators_words(
    fields: dict[str, object], told: tuple[str, ...]
) -> None:
    place = replace(PLACE, internal="never")
    found = container(**fields)  # type: ignore[arg-type]
    assert ignored_of(found, place, instances_of(found, place).instances) == told
