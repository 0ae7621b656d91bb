"""A reader of Java's object serialization (its specification, chapter 6). Pure.

The stream is a tree written depth first. What was written once (strings, objects, classes) gets
the next number and is later named by it; so the reader must number exactly as the writer did,
also what it has no use for. A class comes with its fields' names and types, and so everything can
be read without knowing any class. Nothing is run: what a class would do with its data is not
known here (``records``). Depth, numbers and lengths are checked before memory is taken.
"""

import struct
from typing import TYPE_CHECKING, Final

from adapter.jmx import tags
from adapter.jmx.boxes import BOXES
from adapter.jmx.feed import Feed
from adapter.jmx.limits import LIMITS, Limits, WriteAborted
from adapter.jmx.records import ClassDesc, JavaArray, JavaEnum, JavaObject
from adapter.jmx.text import decoded
from adapter.jmx.values import Slot
from sidecar.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Reader"]

_MAGIC: Final = b"\xac\xed\x00\x05"
_FIRST_HANDLE: Final = 0x7E0000
_WRITE_METHOD, _SERIALIZABLE, _EXTERNALIZABLE, _BLOCK_MODE, _ENUM = 1, 2, 4, 8, 16

_H: Final = struct.Struct(">H")
_I: Final = struct.Struct(">i")
_Q: Final = struct.Struct(">q")
_ITEMS: Final = {"C": "H", "D": "d", "F": "f", "I": "i", "J": "q", "S": "h", "Z": "?"}
_END: Final = object()


class Reader:
    """Reads the values of one stream from a feed."""

    def __init__(
        self,
        feed: Feed,
        limits: Limits = LIMITS,
        slots: list[tuple[int, str]] | None = None,
    ) -> None:
        """Take where the bytes come from.

        With ``slots`` each boxed number is a ``Slot``, and where it stands goes into the list:
        its offset in the feed and ``struct``'s code (``layout``).
        """
        self._slots = slots
        self._feed = feed
        self._limits = limits
        self._handles: list[object] = []
        self._depth = 0
        self._readers: Mapping[int, Callable[[], object]] = {
            tags.CLASS_DESC: self._class_desc,
            tags.OBJECT: self._object,
            tags.ARRAY: self._array,
            tags.CLASS: self._class,
            tags.BLOCK: self._block,
            tags.END_BLOCK: lambda: _END,
            tags.RESET: self._reset,
            tags.BLOCK_LONG: self._block_long,
            tags.EXCEPTION: self._exception,
            tags.LONG_STRING: self._long_string,
            tags.PROXY: self._proxy,
            tags.ENUM: self._enum,
        }

    def header(self) -> None:
        """Read the magic number of a stream."""
        if (found := self._feed.take(4)) != _MAGIC:
            raise ProtocolError(f"not a stream of Java objects: it starts with {found.hex()}")

    def block(self) -> bytes:
        """Return one block of raw data, which must come now."""
        value = self.value()
        if not isinstance(value, bytes):
            raise ProtocolError("raw data was expected")
        return value

    def value(self) -> object:
        """Return the next value, or a block of raw bytes. Raises ProtocolError, WriteAborted."""
        value = self._content()
        if value is _END:
            raise ProtocolError("the end of a block was not expected")
        return value

    def _content(self) -> object:
        feed = self._feed
        tag = feed.byte()
        if tag == tags.STRING:
            return self._string()
        if tag == tags.REFERENCE:
            return self._reference()
        if tag == tags.NULL:
            return None
        read = self._readers.get(tag)
        if read is None:
            raise ProtocolError(f"0x{tag:02x} starts no value")
        if self._depth >= self._limits.depth:
            raise ProtocolError(f"values are nested deeper than {self._limits.depth}")
        self._depth += 1
        value = read()
        self._depth -= 1
        return value

    def _keep(self, value: object) -> int:
        number = len(self._handles)
        if number >= self._limits.handles:
            raise ProtocolError(f"more than {self._limits.handles} values in one answer")
        self._handles.append(value)
        return number

    def _utf(self) -> str:
        feed = self._feed
        (size,) = feed.unpack(_H)
        return decoded(feed.take(size))

    def _string(self) -> str:
        text = self._utf()
        self._keep(text)
        return text

    def _long_string(self) -> str:
        feed = self._feed
        (size,) = feed.unpack(_Q)
        text = decoded(feed.take(self._counted(size)))
        self._keep(text)
        return text

    def _counted(self, size: int) -> int:
        if size < 0:
            raise ProtocolError(f"a length of {size}")
        return size

    def _reference(self) -> object:
        feed = self._feed
        (handle,) = feed.unpack(_I)
        number = handle - _FIRST_HANDLE
        if not 0 <= number < len(self._handles):
            raise ProtocolError(f"value {handle:#x} is named before it came")
        return self._handles[number]

    def _block(self) -> bytes:
        feed = self._feed
        return feed.take(feed.byte())

    def _block_long(self) -> bytes:
        feed = self._feed
        (size,) = feed.unpack(_I)
        return feed.take(self._counted(size))

    def _reset(self) -> object:
        self._handles.clear()
        return self._content()

    def _exception(self) -> object:
        self._handles.clear()
        raise WriteAborted(self.value())

    def _described(self) -> ClassDesc:
        """Return a class, which must come now."""
        found = self._content()
        if not isinstance(found, ClassDesc):
            raise ProtocolError("a class was expected")
        return found

    def _class(self) -> ClassDesc:
        desc = self._described()
        self._keep(desc)
        return desc

    def _class_desc(self) -> ClassDesc:
        feed = self._feed
        name = self._utf()
        feed.need(8)  # the serial version: every version is read
        number = self._keep(None)
        flags = feed.byte()
        (count,) = feed.unpack(_H)
        desc = ClassDesc(name, flags, tuple(self._field() for _ in range(count)))
        return self._finished(desc, number)

    def _field(self) -> tuple[str, str]:
        feed = self._feed
        code = chr(feed.byte())
        name = self._utf()
        if code in "[L":
            if not isinstance(self._content(), str):
                raise ProtocolError(f"the type of field {name!r} is no text")
        elif code not in "BCDFIJSZ":
            raise ProtocolError(f"{code!r} is no type of a field")
        return code, name

    def _proxy(self) -> ClassDesc:
        feed = self._feed
        number = self._keep(None)
        (count,) = feed.unpack(_I)
        if not 0 <= count <= 0xFFFF:
            raise ProtocolError(f"a proxy of {count} interfaces")
        names = tuple(self._utf() for _ in range(count))
        return self._finished(ClassDesc("(proxy)", _SERIALIZABLE, (), names), number)

    def _finished(self, desc: ClassDesc, number: int) -> ClassDesc:
        self._handles[number] = desc
        while self._content() is not _END:
            pass  # where the class could be loaded from; nobody does
        parent = self._content()
        if parent is not None:
            if not isinstance(parent, ClassDesc) or self._loops(parent, desc):
                raise ProtocolError(f"what is above class {desc.name!r} is no class")
            desc.parent = parent
        return desc

    def _loops(self, at: ClassDesc | None, desc: ClassDesc) -> bool:
        for _ in range(self._limits.depth):
            if at is None:
                return False
            if at is desc:
                return True
            at = at.parent
        return True

    def _object(self) -> object:
        desc = self._described()
        made = JavaObject(desc)
        number = self._keep(made)
        for part in desc.chain:
            self._part(made, part)
        unbox = BOXES.get(desc.name)
        if unbox is not None and len(made.fields) == 1 and not made.data:
            (inner,) = made.fields.values()
            if isinstance(inner, int | float):
                value = self._handles[number] = self._unboxed(desc, unbox(inner))
                return value
        return made

    def _unboxed(self, desc: ClassDesc, value: object) -> object:
        if self._slots is None or desc.flags != _SERIALIZABLE or len(desc.runs) != 1:
            return value
        ((packed, _),) = desc.runs
        if packed is None or any(above.fields for above in desc.chain[:-1]):
            return value
        self._slots.append((self._feed.at - packed.size, packed.format[1:]))
        return Slot(len(self._slots) - 1)

    def _part(self, made: JavaObject, desc: ClassDesc) -> None:
        feed, fields = self._feed, made.fields
        if desc.flags & _EXTERNALIZABLE:
            if not desc.flags & _BLOCK_MODE:
                raise ProtocolError(f"class {desc.name!r} writes in a form nobody else can read")
            self._free_data(made)
            return
        for packed, names in desc.runs:
            if packed is None:
                fields.setdefault(names[0], self.value())
            else:
                found = feed.unpack(packed)
                for name, value in zip(names, found, strict=True):
                    fields.setdefault(name, value)
        if desc.flags & _WRITE_METHOD:
            self._free_data(made)

    def _free_data(self, made: JavaObject) -> None:
        data, blocks = made.data, list[bytes]()
        while (item := self._content()) is not _END:
            if isinstance(item, bytes):
                blocks.append(item)  # how raw data is cut into blocks means nothing
                continue
            if blocks:
                data.append(b"".join(blocks))
                blocks.clear()
            data.append(item)
        if blocks:
            data.append(b"".join(blocks))

    def _array(self) -> JavaArray:
        feed = self._feed
        desc = self._described()
        made = JavaArray(desc.name)
        self._keep(made)
        (count,) = feed.unpack(_I)
        code = desc.name[1:2]
        if code == "B":
            made.items = feed.take(self._counted(count))
        elif code in _ITEMS:
            one = struct.Struct(">" + _ITEMS[code])
            raw = feed.take(self._counted(count) * one.size)
            made.items = [value for (value,) in one.iter_unpack(raw)]
        else:
            made.items = [self.value() for _ in range(self._counted(count))]
        return made

    def _enum(self) -> JavaEnum:
        desc = self._described()
        number = self._keep(None)
        name = self._content()
        if not isinstance(name, str):
            raise ProtocolError("the name of a constant is no text")
        made = self._handles[number] = JavaEnum(desc.name, name)
        return made
