import errno
import socket

import pytest

from sidecar.runtime.reason import reason_of


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ECONNREFUSED, "Connect call failed ('::1', 1)"), "Connection refused"),
        (FileNotFoundError(errno.ENOENT, "what the loop says"), "No such file or directory"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (OSError("Multiple exceptions: a, b"), "Multiple exceptions: a, b"),
        (OSError(), "OSError"),
    ],
)
def test_the_systems_words_are_preferred(error: OSError, reason: str) -> None:
    assert reason_of(error) == reason
