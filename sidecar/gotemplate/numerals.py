"""Numbers and strings as Go's fmt prints them, with width, precision and flags. Pure."""

import math
from dataclasses import dataclass
from typing import Final

from sidecar.golang.quoting import encoded, quoted, quoted_char

__all__ = ["Flags", "complex_text", "float_text", "integer_text", "pad", "string_text"]

_BASES: Final = {"b": 2, "o": 8, "O": 8, "d": 10, "v": 10, "x": 16, "X": 16}
_LAST: Final = 0x10FFFF


@dataclass(slots=True)
class Flags:
    """What stands between % and the verb."""

    plus: bool = False
    minus: bool = False
    sharp: bool = False
    space: bool = False
    zero: bool = False
    width: int | None = None
    precision: int | None = None
    plus_v: bool = False
    sharp_v: bool = False
    room: int = 1 << 26  # characters that may yet be printed by this verb


def pad(text: str, flags: Flags, *, zero: bool = True) -> str:
    """Fill text up to the width."""
    if flags.width is None:
        return text
    if flags.minus:
        return text.ljust(flags.width)
    return text.rjust(flags.width, "0" if flags.zero and zero else " ")


# --- integers ------------------------------------------------------------------------------------


def integer_text(value: int, verb: str, flags: Flags, *, signed: bool) -> str | None:
    """Return an integer by a verb, or None when the verb is not for integers."""
    if verb in _BASES:
        if verb == "v" and flags.sharp_v and not signed:
            return _digits(value, "x", flags, sharp=True)
        return _digits(value, verb, flags, sharp=flags.sharp)
    if verb == "c":
        code = value if 0 <= value <= _LAST and not 0xD800 <= value <= 0xDFFF else 0xFFFD
        return pad(chr(code), flags)
    if verb == "q":
        return pad(quoted_char(value, ascii_only=flags.plus), flags)
    return _unicode(value, flags) if verb == "U" else None


def _digits(value: int, verb: str, flags: Flags, *, sharp: bool) -> str:
    base = _BASES[verb]
    sign = "-" if value < 0 else "+" if flags.plus else " " if flags.space else ""
    precision = 0
    if flags.precision is not None:
        precision = flags.precision
        if precision == 0 and value == 0:
            return pad("", flags, zero=False)
    elif flags.zero and flags.width is not None:
        precision = flags.width - len(sign)
    digits = format(abs(value), {2: "b", 8: "o", 10: "d", 16: "x"}[base]).rjust(precision, "0")
    if verb == "X":
        digits = digits.upper()
    if sharp:
        prefix = {2: "0b", 8: "" if digits[0] == "0" else "0", 16: "0" + verb.lower(), 10: ""}[base]
        digits = (prefix.replace("x", "X") if verb == "X" else prefix) + digits
    if verb == "O":
        digits = "0o" + digits
    return pad(sign + digits, flags, zero=False)


def _unicode(value: int, flags: Flags) -> str:
    digits = format(value & 0xFFFFFFFFFFFFFFFF, "X").rjust(max(flags.precision or 4, 4), "0")
    shown = f"U+{digits}"
    if flags.sharp and 0 <= value <= _LAST and chr(value).isprintable():
        shown += f" '{chr(value)}'"
    return pad(shown, flags, zero=False)


# --- floats --------------------------------------------------------------------------------------


def float_text(value: float, verb: str, flags: Flags) -> str | None:
    """Return a float by a verb, or None when the verb is not for floats."""
    if verb not in "vbgGxXfFeE":
        return None
    text = _float(value, "g" if verb == "v" else "f" if verb == "F" else verb, flags)
    if not text.startswith("-"):
        text = "+" + text
    if flags.space and not flags.plus and text[0] == "+":
        text = " " + text[1:]
    if not math.isfinite(value):
        if math.isnan(value) and not flags.space and not flags.plus:
            text = text[1:]
        return pad(text, flags, zero=False)
    if flags.sharp and verb != "b":
        text = _sharp(text, verb, flags)
    if not flags.plus and text[0] == "+":
        return pad(text[1:], flags)
    if flags.zero and flags.width is not None and flags.width > len(text):
        return text[0] + text[1:].rjust(flags.width - 1, "0")
    return pad(text, flags)


def _float(value: float, verb: str, flags: Flags) -> str:
    precision = flags.precision
    if math.isinf(value):
        return "-Inf" if value < 0 else "Inf"
    if math.isnan(value):
        return "NaN"
    if verb in "gG":
        text = _shortest(value) if precision is None else f"{value:.{max(precision, 1)}g}"
        return text.upper() if verb == "G" else text
    if verb in "feE":
        return f"{value:.{6 if precision is None else precision}{verb}}"
    if verb == "b":
        mantissa, exponent = math.frexp(value)
        return f"{int(mantissa * 2**53)}p{exponent - 53:+d}"
    return _hex_float(value, verb, precision)


def _shortest(value: float) -> str:
    """Return the fewest digits that read back the same; exponent form below 1e-4 and from 1e6."""
    text = repr(value)
    mantissa, _, power = text.partition("e")
    sign = "-" if mantissa[0] == "-" else ""
    whole, _, part = mantissa.lstrip("-").partition(".")
    digits = (whole + part).lstrip("0")
    if not digits:
        return sign + "0"
    exponent = int(power or 0) + len(digits) - 1 - len(part)
    digits = digits.rstrip("0")
    if exponent < -4 or exponent >= 6:
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{tail}e{exponent:+03d}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    digits = digits.ljust(exponent + 1, "0")
    fraction = digits[exponent + 1 :]
    return sign + digits[: exponent + 1] + (f".{fraction}" if fraction else "")


def _hex_float(value: float, verb: str, precision: int | None) -> str:
    if value == 0:
        shown = "0x0p+00" if not precision else f"0x0.{'0' * precision}p+00"
        shown = ("-" if math.copysign(1, value) < 0 else "") + shown
        return shown.upper() if verb == "X" else shown
    mantissa, exponent = math.frexp(abs(value))
    bits = int(mantissa * 2**53)  # 53 bits, the first of them 1
    exponent -= 1
    if precision is not None and precision < 13:
        drop = 52 - 4 * precision
        half, bits = bits & ((1 << drop) - 1), bits >> drop
        if half > 1 << (drop - 1) or (half == 1 << (drop - 1) and bits & 1):
            bits += 1
        if bits >> (4 * precision + 1):
            bits >>= 1
            exponent += 1
        bits <<= drop
    digits = format(bits & ((1 << 52) - 1), "013x")
    digits = digits.rstrip("0") if precision is None else digits[:precision].ljust(precision, "0")
    sign = "-" if value < 0 else ""
    text = f"{sign}0x1{'.' + digits if digits else ''}p{exponent:+03d}"
    return text.upper() if verb == "X" else text


def _sharp(text: str, verb: str, flags: Flags) -> str:
    """Return a number with its point, and for some verbs with trailing zeros.

    Go counts what follows the first character that is no 0, and so the x of 0x too.
    """
    marks = "pP" if verb in "xX" else "eE"
    at = next((at for at, character in enumerate(text) if character in marks), len(text))
    mantissa, power = text[:at], text[at:]
    zeros = 0
    if verb in "vgGx":
        shown = mantissa[1:].replace(".", "").lstrip("0")
        wanted = 6 if flags.precision is None else flags.precision
        if verb in "gGv" and wanted == 0:
            wanted = 1
        zeros = wanted - (len(shown) if shown else 1 if mantissa[1:] == "0" else 0)
    if "." not in mantissa:
        mantissa += "."
    return mantissa + "0" * max(0, zeros) + power


def complex_text(value: complex, verb: str, flags: Flags) -> str | None:
    """Return a complex number by a verb, or None when the verb is not for those."""
    real = float_text(value.real, verb, flags)
    kept, flags.plus = flags.plus, True
    imaginary = float_text(value.imag, verb, flags)
    flags.plus = kept
    return None if real is None or imaginary is None else f"({real}{imaginary}i)"


# --- strings -------------------------------------------------------------------------------------


def string_text(value: str, verb: str, flags: Flags) -> str | None:
    """Return a string by a verb, or None when the verb is not for strings."""
    cut = value if flags.precision is None else value[: flags.precision]
    if verb == "q" or (verb == "v" and flags.sharp_v):
        return pad(_quoted(cut, flags), flags)
    if verb in "vs":
        return pad(cut, flags)
    return hex_text(encoded(value), verb, flags) if verb in "xX" else None


def _quoted(text: str, flags: Flags) -> str:
    if flags.sharp and _raw(text):
        return f"`{text}`"
    return quoted(text, ascii_only=flags.plus)


def _raw(text: str) -> bool:
    return not any(
        character in "`\x7f\ufeff"
        or (character < " " and character != "\t")
        or "\udc80" <= character <= "\udcff"
        for character in text
    )


def hex_text(data: bytes, verb: str, flags: Flags) -> str:
    """Return bytes as %x prints them."""
    if flags.precision is not None:
        data = data[: flags.precision]
    digits = [f"{byte:02{verb}}" for byte in data]
    prefix = ("0" + verb) if flags.sharp else ""
    if not digits:
        return pad("", flags)
    if flags.space:
        return pad(" ".join(prefix + pair for pair in digits), flags)
    return pad(prefix + "".join(digits), flags)
