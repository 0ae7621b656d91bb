"""AES in CBC mode, decryption only (FIPS 197), for key stores. Pure.

Python's library has no cipher. This one is slow and its time depends on the key: both are nothing
to a file that is read at a login, on the machine that holds it.
"""

from typing import Final

__all__ = ["decrypted"]


def _tables() -> tuple[bytes, bytes]:
    """Return the substitution and its inverse, made from the field's logarithms."""
    power, log, value = [0] * 255, [0] * 256, 1
    for index in range(255):
        power[index], log[value] = value, index
        value ^= (value << 1) ^ (0x11B if value & 0x80 else 0)
        value &= 0xFF
    box = bytearray(256)
    for number in range(256):
        inverse = power[-log[number] % 255] if number else 0
        spread = inverse | inverse << 8
        mixed = 0x63
        for shift in (8, 7, 6, 5, 4):
            mixed ^= spread >> shift & 0xFF
        box[number] = mixed
    back = bytearray(256)
    for number, found in enumerate(box):
        back[found] = number
    return bytes(box), bytes(back)


_BOX, _BACK = _tables()
_ROWS: Final = [(column - row) % 4 * 4 + row for column in range(4) for row in range(4)]


def _doubled(value: int) -> int:
    return (value << 1 ^ 0x11B) & 0xFF if value & 0x80 else value << 1


_TIMES: Final = {
    factor: bytes(
        (value if factor & 1 else 0)
        ^ (_doubled(value) if factor & 2 else 0)
        ^ (_doubled(_doubled(value)) if factor & 4 else 0)
        ^ (_doubled(_doubled(_doubled(value))) if factor & 8 else 0)
        for value in range(256)
    )
    for factor in (9, 11, 13, 14)
}


def _round_keys(key: bytes) -> list[bytes]:
    words = [key[at : at + 4] for at in range(0, len(key), 4)]
    count, constant = len(words), 1
    while len(words) < 4 * (count + 7):
        last = words[-1]
        if len(words) % count == 0:
            last = (last[1:] + last[:1]).translate(_BOX)
            last = bytes([last[0] ^ constant]) + last[1:]
            constant = _doubled(constant)
        elif count > 6 and len(words) % count == 4:
            last = last.translate(_BOX)
        words.append(bytes(a ^ b for a, b in zip(words[-count], last, strict=True)))
    return [b"".join(words[at : at + 4]) for at in range(0, len(words), 4)]


def _mixed(state: bytes) -> bytes:
    by9, by11, by13, by14 = (_TIMES[factor] for factor in (9, 11, 13, 14))
    out = bytearray()
    for at in range(0, 16, 4):
        a, b, c, d = state[at : at + 4]
        out += bytes((
            by14[a] ^ by11[b] ^ by13[c] ^ by9[d], by9[a] ^ by14[b] ^ by11[c] ^ by13[d],
            by13[a] ^ by9[b] ^ by14[c] ^ by11[d], by11[a] ^ by13[b] ^ by9[c] ^ by14[d],
        ))  # fmt: skip
    return bytes(out)


def _added(state: bytes, key: bytes) -> bytes:
    return (int.from_bytes(state, "big") ^ int.from_bytes(key, "big")).to_bytes(16, "big")


def _block(block: bytes, keys: list[bytes]) -> bytes:
    state = _added(block, keys[-1])
    for key in keys[-2:0:-1]:
        state = bytes(state[at] for at in _ROWS).translate(_BACK)
        state = _mixed(_added(state, key))
    return _added(bytes(state[at] for at in _ROWS).translate(_BACK), keys[0])


def decrypted(key: bytes, start: bytes, data: bytes) -> bytes:
    """Return the plain text of a key of 16, 24 or 32 bytes, without its padding.

    Raises ValueError when the padding is not as it must be: another key was used.
    """
    if len(key) not in {16, 24, 32} or len(start) != 16 or not data or len(data) % 16:
        raise ValueError("this cannot be something that AES-CBC encrypted")
    keys, out, before = _round_keys(key), bytearray(), start
    for at in range(0, len(data), 16):
        block = data[at : at + 16]
        out += _added(_block(block, keys), before)
        before = block
    padding = out[-1]
    if not 1 <= padding <= 16 or out[-padding:] != bytes([padding]) * padding:
        raise ValueError("the password is wrong")
    return bytes(out[:-padding])
