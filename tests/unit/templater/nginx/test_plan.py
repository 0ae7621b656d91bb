"""When changes are applied."""

import pytest

from templater.nginx.plan import due

LONG_AGO = float("-inf")


@pytest.mark.parametrize(
    ("first", "latest", "reloaded", "old", "at"),
    [
        pytest.param(10.0, 10.0, LONG_AGO, 0, 10.05, id="rest"),
        pytest.param(10.0, 10.4, LONG_AGO, 0, 10.45, id="each-change-starts-the-rest-anew"),
        pytest.param(10.0, 10.99, LONG_AGO, 0, 11.0, id="never-past-a-second"),
        pytest.param(10.0, 10.0, 9.9, 0, 10.9, id="a-second-after-the-last-reload"),
        pytest.param(10.0, 10.0, 9.9, 16, 10.9, id="few-old-workers"),
        pytest.param(10.0, 10.0, 9.9, 48, 12.9, id="many-old-workers"),
    ],
)
def test_changes_rest_but_not_for_ever_and_reloads_keep_their_distance(
    first: float, latest: float, reloaded: float, old: int, at: float
) -> None:
    found = due(first=first, latest=latest, reloaded=reloaded, old_workers=old)
    assert found == pytest.approx(at)
