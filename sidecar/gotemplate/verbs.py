"""printf: cuts a format into verbs and hands each its argument. Pure.

A fault never fails: it prints as Go's complaint, such as ``%!d(string=x)`` or ``%!s(MISSING)``.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from sidecar.gotemplate.failures import LimitExceeded
from sidecar.gotemplate.numerals import Flags
from sidecar.gotemplate.printing import formatted
from sidecar.gotemplate.values import type_of

__all__ = ["sprintf"]

_MOST: Final = 1_000_000  # the widest field Go prints
_DIGITS: Final = "0123456789"
_VERBS: Final = frozenset("sdvqtTxXfeg")
_LONGEST: Final = 1000
_LEEWAY: Final = 1 << 16  # what is printed counts once at each level it is nested in


def sprintf(form: str, args: Sequence[object], limit: int = 1 << 26) -> str:
    """Return what a format makes of its arguments; LimitExceeded beyond ``limit`` characters."""
    plain = _plain(form)
    if plain is not None and len(plain[1]) == len(args):
        return _quickly(plain[0], plain[1], args, limit)
    printer = _Printer(form, args, limit)
    printer.run()
    return "".join(printer.out)


@lru_cache(maxsize=256)
def _plain(form: str) -> tuple[Sequence[str], Sequence[str]] | None:
    """Return the texts and verbs of a format that has no flags; None for any other."""
    if len(form) > _LONGEST:
        return None
    parts = form.split("%")
    if not all(part and part[0] in _VERBS for part in parts[1:]):
        return None
    return [parts[0], *(part[1:] for part in parts[1:])], [part[0] for part in parts[1:]]


def _quickly(texts: Sequence[str], verbs: Sequence[str], args: Sequence[object], limit: int) -> str:
    """Return the same as the printer, for the formats that nearly all templates have."""
    out = [texts[0]]
    for verb, value, text in zip(verbs, args, texts[1:], strict=True):
        kind = type(value)
        if (kind is str and verb in "sv") or (kind is int and verb in "dv"):
            out.append(str(value))
        else:
            out.append(formatted(value, verb, Flags(room=limit + _LEEWAY)))
        out.append(text)
    whole = "".join(out)
    if len(whole) > limit:
        raise LimitExceeded("output limit exceeded")
    return whole


class _Printer:
    def __init__(self, form: str, args: Sequence[object], limit: int) -> None:
        self.form = form
        self.args = args
        self.room = limit
        self.out: list[str] = []
        self.at = 0
        self.arg = 0
        self.reordered = False
        self.good = True
        self.after_index = False

    def run(self) -> None:
        form = self.form
        while self.at < len(form):
            found = form.find("%", self.at)
            end = len(form) if found < 0 else found
            if end > self.at:
                self._write(form[self.at : end])
            self.at = end + 1
            if found >= 0:
                self._verb()
        if not self.reordered and self.arg < len(self.args):
            extra = ", ".join(_described(value) for value in self.args[self.arg :])
            self._write(f"%!(EXTRA {extra})")

    def _write(self, text: str) -> None:
        self.room -= len(text)
        if self.room < 0:
            raise LimitExceeded("output limit exceeded")
        self.out.append(text)

    def _verb(self) -> None:
        flags = Flags(room=self.room + _LEEWAY)
        self.good = True
        self.after_index = False
        self._flags(flags)
        self._index()
        self._width(flags)
        self._precision(flags)
        if not self.after_index:
            self._index()
        if self.at >= len(self.form):
            self._write("%!(NOVERB)")
            return
        verb = self.form[self.at]
        self.at += 1
        self._print(verb, flags)

    def _print(self, verb: str, flags: Flags) -> None:
        if verb == "%":
            self._write("%")
        elif not self.good:
            self._write(f"%!{verb}(BADINDEX)")
        elif self.arg >= len(self.args):
            self._write(f"%!{verb}(MISSING)")
        else:
            if verb == "v":
                flags.sharp_v, flags.sharp = flags.sharp, False
                flags.plus_v, flags.plus = flags.plus, False
            value = self.args[self.arg]
            self.arg += 1
            self._write(formatted(value, verb, flags))

    def _flags(self, flags: Flags) -> None:
        while self.at < len(self.form):
            match self.form[self.at]:
                case "#":
                    flags.sharp = True
                case "0":
                    flags.zero = not flags.minus
                case "+":
                    flags.plus = True
                case "-":
                    flags.minus = True
                    flags.zero = False
                case " ":
                    flags.space = True
                case _:
                    return
            self.at += 1

    def _index(self) -> None:
        """Read ``[n]``, which says which argument comes next."""
        if not self.form.startswith("[", self.at):
            return
        self.reordered = True
        end = self.form.find("]", self.at)
        if end < 0 or len(self.form) - self.at < 3:
            self.good = False
            self.at += 1
            return
        inside = self.form[self.at + 1 : end]
        self.at = end + 1
        self.after_index = inside.isascii() and inside.isdigit()
        if self.after_index and 1 <= int(inside[:9]) <= len(self.args):
            self.arg = int(inside[:9]) - 1
        else:
            self.good = False

    def _width(self, flags: Flags) -> None:
        if self.form.startswith("*", self.at):
            self.at += 1
            flags.width = self._number_argument()
            if flags.width is None:
                self._write("%!(BADWIDTH)")
            elif flags.width < 0:
                flags.width = -flags.width
                flags.minus = True
                flags.zero = False
            self.after_index = False
            return
        flags.width = self._number()
        if self.after_index and flags.width is not None:
            self.good = False

    def _precision(self, flags: Flags) -> None:
        if not self.form.startswith(".", self.at) or self.at + 1 == len(self.form):
            return
        self.at += 1
        if self.after_index:
            self.good = False
        self._index()
        if self.form.startswith("*", self.at):
            self.at += 1
            flags.precision = self._number_argument()
            if flags.precision is not None and flags.precision < 0:
                flags.precision = None
            if flags.precision is None:
                self._write("%!(BADPREC)")
            self.after_index = False
            return
        number = self._number()
        flags.precision = 0 if number is None else number

    def _number(self) -> int | None:
        start = self.at
        while self.at < len(self.form) and self.form[self.at] in _DIGITS:
            self.at += 1
        if start == self.at:
            return None
        if self.at - start > 7 or int(self.form[start : self.at]) > _MOST:
            self.at = len(self.form)
            return None
        return int(self.form[start : self.at])

    def _number_argument(self) -> int | None:
        if self.arg >= len(self.args):
            return None
        value = self.args[self.arg]
        self.arg += 1
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _MOST:
            return None
        return int(value)


def _described(value: object) -> str:
    if value is None:
        return "<nil>"
    return f"{type_of(value)}={formatted(value, 'v', Flags())}"
