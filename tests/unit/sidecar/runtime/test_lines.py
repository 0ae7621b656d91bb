import pytest

from sidecar.errors import ProtocolError
from sidecar.runtime.lines import LineSplitter


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_every_split_of_the_bytes_gives_the_same_lines(size: int) -> None:
    data = b'{"a":1}\n\n  \n{"b":"\xff"}\r\nrest'
    splitter = LineSplitter()
    found = [
        line for at in range(0, len(data), size) for line in splitter.feed(data[at : at + size])
    ]
    assert found == [b'{"a":1}', b'{"b":"\xff"}\r']


def test_an_endless_line_is_refused() -> None:
    splitter = LineSplitter(limit=10)
    assert list(splitter.feed(b"0123456789")) == []
    with pytest.raises(ProtocolError, match="over 10 bytes"):
        list(splitter.feed(b"x"))


def test_a_long_line_is_fine_once_it_is_whole() -> None:
    assert list(LineSplitter(limit=3).feed(b"0123456789\nab")) == [b"0123456789"]
