import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.checks.grpc import huffman
from sidecar.errors import ProtocolError


def written(text: bytes) -> bytes:
    """Return a text in the code, padded with ones, by the table turned round."""
    codes = {symbol: key for key, symbol in huffman._OF_CODE.items()}
    bits = "".join(f"{codes[byte][1]:0{codes[byte][0]}b}" for byte in text)
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big") if bits else b""


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("f1e3c2e5f23a6ba0ab90f4ff", b"www.example.com"),  # RFC 7541 C.4.1
        ("a8eb10649cbf", b"no-cache"),
        ("25a849e95ba97d7f", b"custom-key"),
        ("d07abe941054d444a8200595040b8166e082a62d1bff", b"Mon, 21 Oct 2013 20:13:21 GMT"),
        ("", b""),
    ],
)
def test_the_examples_of_the_standard_are_read(code: str, text: bytes) -> None:
    assert huffman.decoded(bytes.fromhex(code)) == text
    assert written(text) == bytes.fromhex(code)


@given(st.binary(max_size=64))
def test_every_text_comes_back(text: bytes) -> None:
    assert huffman.decoded(written(text)) == text


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("fffffffc", id="the end of a string in the middle"),
        pytest.param("1f" + "ff", id="a whole byte of padding"),
        pytest.param("18", id="padding that is not of ones"),
    ],
)
def test_what_the_code_forbids_is_refused(code: str) -> None:
    with pytest.raises(ProtocolError):
        huffman.decoded(bytes.fromhex(code))


@given(st.binary(max_size=64))
def test_garbage_is_read_or_refused(code: bytes) -> None:
    try:
        text = huffman.decoded(code)
    except ProtocolError:
        return
    assert written(text) == code
