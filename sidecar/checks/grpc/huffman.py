"""The Huffman code of HPACK (RFC 7541 appendix B). Pure.

The code is canonical: within a length, codes count up in the order of the symbols, and a longer
code goes on where the shorter ones ended. So the symbols of each length are the whole table.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from sidecar.errors import ProtocolError

__all__ = ["decoded"]

_END: Final = 256
_SYMBOLS: Final[dict[int, Iterable[int]]] = {
    5: b"012aceiost",
    6: b" %-./3456789=A_bdfghlmnpru",
    7: b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
    8: b"&*,;XZ",
    10: b'!"()?',
    11: b"'+|",
    12: b"#>",
    13: b"\0$@[]~",
    14: b"^}",
    15: b"<`{",
    19: bytes.fromhex("5c c3 d0"),
    20: bytes.fromhex("80 82 83 a2 b8 c2 e0 e2"),
    21: bytes.fromhex("99 a1 a7 ac b0 b1 b3 d1 d8 d9 e3 e5 e6"),
    22: bytes.fromhex(
        "81 84 85 86 88 92 9a 9c a0 a3 a4 a9 aa ad b2 b5 b9 ba bb bd be c4 c6 e4 e8 e9"
    ),
    23: bytes.fromhex(
        "01 87 89 8a 8b 8c 8d 8f 93 95 96 97 98 9b 9d 9e a5 a6 a8 ae af b4 b6 b7 bc bf c5 e7 ef"
    ),
    24: bytes.fromhex("09 8e 90 91 94 9f ab ce d7 e1 ec ed"),
    25: bytes.fromhex("c7 cf ea eb"),
    26: bytes.fromhex("c0 c1 c8 c9 ca cd d2 d5 da db ee f0 f2 f3 ff"),
    27: bytes.fromhex("cb cc d3 d4 d6 dd de df f1 f4 f5 f6 f7 f8 fa fb fc fd fe"),
    28: bytes.fromhex(
        "02 03 04 05 06 07 08 0b 0c 0e 0f 10 11 12 13 14 15 17 18 19 1a 1b 1c 1d 1e 1f 7f dc f9"
    ),
    30: (*bytes.fromhex("0a 0d 16"), _END),
}


def _codes() -> Iterator[tuple[tuple[int, int], int]]:
    """Yield length, code and symbol."""
    code = before = 0
    for length, symbols in _SYMBOLS.items():
        code <<= length - before
        before = length
        for symbol in symbols:
            yield (length, code), symbol
            code += 1


_OF_CODE: Final = dict(_codes())
_LONGEST: Final = 30


def decoded(data: bytes) -> bytes:
    """Return the text of a Huffman-coded string. Raises ProtocolError."""
    found = bytearray()
    code = length = 0
    for byte in data:
        for shift in range(7, -1, -1):
            code = code << 1 | byte >> shift & 1
            length += 1
            symbol = _OF_CODE.get((length, code))
            if symbol is None:
                if length == _LONGEST:  # pragma: no cover - every code of 30 bits is taken
                    raise ProtocolError("no such Huffman code")
                continue
            if symbol == _END:
                raise ProtocolError("end of string inside a Huffman string")
            found.append(symbol)
            code = length = 0
    # What is left over must be the beginning of the code of the end: ones, fewer than eight.
    if length > 7 or code != (1 << length) - 1:
        raise ProtocolError("bad padding of a Huffman string")
    return bytes(found)
