"""printf: cuts a format into verbs and hands each its argument. Pure.

A fault never fails: it prints as Go's complaint, such as ``%!d(string=x)`` or ``%!s(MISSING)``.
"""

from collections.abc import Sequence
from typing import Final

from sidecar.gotemplate.failures import LimitExceeded
from sidecar.gotemplate.numerals import Flags
from sidecar.gotemplate.printing import formatted
from sidecar.gotemplate.values import type_of

__all__ = ["sprintf"]

_MOST: Final = 1_000_000  # the widest field Go prints
_DIGITS: Final = "0123456789"
_LEEWAY: Final = 1 << 16  # what is printed counts once at each level it is nested in


def sprintf(form: str, args: Sequence[object], limit: int = 1 << 26) -> str:
    """Return what a format makes of its arguments; LimitExceeded beyond ``limit`` characters."""
    if "%" not in form and not args:
        return form
    printer = _Printer(form, args, limit)
    printer.run()
    return "".join(printer.out)


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
