import pytest

from registrar.loglines import line_of


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"action": "listening"}, "Listening for Docker events ..."),
        ({"action": "removed", "container": "0" * 64, "id": "x"}, "removed: 000000000000 x"),
        ({"action": "refreshed", "container": "ab", "id": "x"}, "refreshed: ab x"),
        (
            {"action": "ignored", "container": "ab", "what": "no published ports"},
            "ignored: ab no published ports",
        ),
        ({"action": "dangling", "id": "{x}"}, "dangling: {x}"),
        ({"action": "kept", "id": "x"}, None),
        ({"action": "fatal", "reason": "no {such} store"}, "no {such} store"),
        ({}, None),
    ],
)  # fmt: skip
def test_an_action_has_its_line(fields: dict[str, object], line: str | None) -> None:
    assert line_of(fields) == line
