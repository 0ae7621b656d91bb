import pytest

from registrar.endings import Deregister, Endings


@pytest.mark.parametrize(
    ("deregister", "exit_code", "removes"),
    [
        ("always", 0, True),
        ("always", 1, True),
        ("never", 0, False),
        ("never", 137, False),
        ("on-success", 0, True),
        ("on-success", 1, False),
        ("on-success", 3, False),
        ("on-success", 127, False),
        ("on-success", 130, True),
        ("on-success", 137, True),
        ("on-success", 143, True),
        ("on-success", 200, True),
        ("on-success", 255, True),
    ],
)
def test_the_exit_status_decides_as_registrators_table_says(
    deregister: Deregister, exit_code: int, removes: bool
) -> None:
    assert Endings(deregister).removes(exit_code) is removes


def test_ended_containers_that_keep_their_entries_are_spared() -> None:
    stopped = [("failed", 1), ("done", 0), ("stopped", 143)]
    assert Endings("on-success").spared(stopped) == {"failed"}
