"""Numbers as Redis reads them. Pure."""

__all__ = ["number_of"]


def number_of(text: bytes | bytearray) -> int | None:
    """Return a number as Redis' string2ll takes it: no blanks, no plus, no leading zero."""
    if len(text) > 20 or not text.isascii():
        return None
    digits = text[1:] if text[:1] == b"-" else text
    if not digits.isdigit() or (digits[:1] == b"0" and len(text) > 1):
        return None
    return int(text)
