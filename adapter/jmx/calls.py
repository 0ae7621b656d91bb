"""RMI's wire protocol (JRMP) as far as JMX needs it: what to send, what an answer means. Pure.

A connection begins with a greeting; then one call goes out and one answer comes back, again and
again. A call names an object of the server by its ObjID and a method by a number, which is cut
from a hash of its signature (RMI specification 8.3). Calls may be sent before answers have come.
"""

import hashlib
import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from adapter.jmx.feed import Feed
from adapter.jmx.limits import LIMITS, Limits
from adapter.jmx.records import JavaObject, is_a
from adapter.jmx.stream import Reader
from adapter.jmx.text import decoded, utf
from sidecar.errors import ProtocolError

__all__ = [
    "GET_ATTRIBUTE",
    "GET_ATTRIBUTES",
    "GET_MBEAN_INFO",
    "GREETING",
    "INVOKE",
    "NEW_CLIENT",
    "QUERY_MBEANS",
    "Stub",
    "Thrown",
    "answer",
    "call",
    "close_call",
    "credentials",
    "greeting_reply",
    "lookup",
    "method_hash",
    "name_argument",
    "names_argument",
    "stub_of",
    "text_argument",
]

GREETING: Final = b"JRMI\x00\x02\x4b"  # version 2, the protocol of many calls per connection
_ACCEPTED, _REFUSED = 0x4E, 0x4F
_ALERT: Final = 0x15  # the first byte of a TLS server that was not greeted by TLS
_CALL: Final = b"\x50\xac\xed\x00\x05\x77\x22"
_TARGET: Final = struct.Struct(">22siq")
_RETURN: Final = 0x51
_NULL: Final = b"\x70"
_UID: Final = 14

_OBJECT_NAME: Final = (
    b"\x73\x72" + utf("javax.management.ObjectName") + struct.pack(">q", 1081892073854801359)
    + b"\x03\x00\x00\x70\x78\x70"
)  # fmt: skip
_STRINGS: Final = (
    b"\x75\x72" + utf("[Ljava.lang.String;") + bytes.fromhex("add256e7e91d7b470200007078") + _NULL
)

_REGISTRY: Final = bytes(22)
_LOOKUP: Final = (2, 4905912898345647071)  # the registry's methods are older than the hashes


def method_hash(signature: str) -> int:
    """Return the number by which a method is called."""
    (number,) = struct.unpack("<q", hashlib.sha1(utf(signature)).digest()[:8])  # noqa: S324
    return int(number)


_NAME: Final = "Ljavax/management/ObjectName;"
_SUBJECT: Final = "Ljavax/security/auth/Subject;"
NEW_CLIENT: Final = method_hash(
    "newClient(Ljava/lang/Object;)Ljavax/management/remote/rmi/RMIConnection;"
)
QUERY_MBEANS: Final = method_hash(
    f"queryMBeans({_NAME}Ljava/rmi/MarshalledObject;{_SUBJECT})Ljava/util/Set;"
)
GET_MBEAN_INFO: Final = method_hash(f"getMBeanInfo({_NAME}{_SUBJECT})Ljavax/management/MBeanInfo;")
GET_ATTRIBUTES: Final = method_hash(
    f"getAttributes({_NAME}[Ljava/lang/String;{_SUBJECT})Ljavax/management/AttributeList;"
)
GET_ATTRIBUTE: Final = method_hash(
    f"getAttribute({_NAME}Ljava/lang/String;{_SUBJECT})Ljava/lang/Object;"
)
INVOKE: Final = method_hash(
    f"invoke({_NAME}Ljava/lang/String;Ljava/rmi/MarshalledObject;[Ljava/lang/String;{_SUBJECT})"
    "Ljava/lang/Object;"
)
_CLOSE: Final = method_hash("close()V")


class Stub(NamedTuple):
    """Where an object of the server lives; ``tls`` when its sockets are to be wrapped."""

    host: str
    port: int
    object_id: bytes
    tls: bool


class Thrown(Exception):
    """The server answered with an exception: a Java class and its message."""

    def __init__(self, kind: str, message: str, cause: str = "") -> None:
        """Take the class, the message, and the innermost exception when there is another."""
        super().__init__(f"{kind}: {message}" + (f" ({cause})" if cause else ""))
        self.kind = kind
        self.message = message


# --- what goes out ---------------------------------------------------------------------------


def greeting_reply(feed: Feed) -> bytes:
    """Read the server's answer to the greeting; return what ends the greeting.

    Raises ProtocolError saying what else answered.
    """
    first = feed.take(1)[0]
    if first == _ALERT:
        raise ProtocolError("it speaks TLS here: set ssl: true")
    if first != _ACCEPTED:
        what = "refuses this kind of RMI" if first == _REFUSED else "does not speak RMI"
        raise ProtocolError(f"it {what} (first byte 0x{first:02x})")
    (size,) = struct.unpack(">H", feed.take(2))
    name = feed.take(size)
    feed.take(4)
    return struct.pack(">H", len(name)) + name + bytes(4)  # the name by which it knows us


def lookup(name: str) -> bytes:
    """Return the call that asks a registry for an object."""
    return _CALL + _TARGET.pack(_REGISTRY, *_LOOKUP) + text_argument(name)


def call(object_id: bytes, method: int, *arguments: bytes) -> bytes:
    """Return a call of a method with these arguments; JMX's last one, the subject, is null."""
    return _CALL + _TARGET.pack(object_id, -1, method) + b"".join(arguments)


def close_call(object_id: bytes) -> bytes:
    """Return the call that ends a login."""
    return call(object_id, _CLOSE)


def text_argument(text: str) -> bytes:
    """Return a String."""
    return b"\x74" + utf(text)


def name_argument(name: str | None) -> bytes:
    """Return an ObjectName, or null."""
    return _NULL if name is None else _OBJECT_NAME + text_argument(name) + b"\x78"


def names_argument(names: Sequence[str]) -> bytes:
    """Return a String[]."""
    return _STRINGS + struct.pack(">i", len(names)) + b"".join(map(text_argument, names))


def credentials(username: str, password: str) -> bytes:
    """Return what a login takes: name and password, or null unless both are given."""
    return names_argument([username, password]) if username and password else _NULL


# --- what comes back -------------------------------------------------------------------------


def answer(
    feed: Feed,
    limits: Limits = LIMITS,
    *,
    void: bool = False,
    slots: list[tuple[int, str]] | None = None,
) -> object:
    """Read one answer; return its value. Raises Thrown, ProtocolError and WriteAborted.

    With ``slots``, numbers are told by where they stand (``stream.Reader``).
    """
    first = feed.take(1)[0]
    if first != _RETURN:
        raise ProtocolError(f"0x{first:02x} starts no answer")
    reader = Reader(feed, limits, slots)
    reader.header()
    block = reader.block()
    if len(block) != 1 + _UID or block[0] not in {1, 2}:
        raise ProtocolError("the head of an answer is not as it must be")
    if block[0] == 1:
        return None if void else reader.value()
    raise _thrown(reader.value())


def _thrown(error: object) -> Thrown:
    if not isinstance(error, JavaObject):
        return Thrown("an exception", "of an unknown kind")
    inner = error
    for _ in range(10):
        below = inner.fields.get("cause") or inner.fields.get("detail")
        if not isinstance(below, JavaObject) or below is inner:
            break
        inner = below
    cause = "" if inner is error else f"{inner.type}: {_message(inner)}"
    return Thrown(error.type, _message(error), cause)


def _message(error: JavaObject) -> str:
    return str(error.fields.get("detailMessage") or "")[:500]


def stub_of(value: object) -> Stub:
    """Return where the object behind a stub lives: a generated class, or a proxy since JDK 13.

    Raises ProtocolError.
    """
    if isinstance(value, JavaObject) and is_a(value, "java.lang.reflect.Proxy"):
        value = value.fields.get("h")
    if not isinstance(value, JavaObject) or not is_a(value, "java.rmi.server.RemoteObject"):
        raise ProtocolError("the answer is no reference to a remote object")
    try:
        return _place(value.data)
    except (struct.error, IndexError, TypeError, ValueError) as error:
        raise ProtocolError("a reference to a remote object cannot be read") from error


def _place(data: list[object]) -> Stub:
    first = _raw(data[0])
    kind, at = _text(first, 0)
    with_factory = False
    if kind == "UnicastRef2":
        with_factory, at = first[at] == 1, at + 1
    elif kind != "UnicastRef":
        raise ProtocolError(f"a reference of kind {kind!r} is not known")
    host, at = _text(first, at)
    (port,) = struct.unpack_from(">i", first, at)
    if not 0 < port < 65536:
        raise ProtocolError(f"a reference to port {port}")
    factory = data[1] if with_factory else None
    rest = _raw(data[2]) if with_factory else first[at + 4 :]
    (object_id,) = struct.unpack_from(">22s", rest)
    tls = isinstance(factory, JavaObject) and "ssl" in factory.type.lower()
    return Stub(host, port, object_id, tls)


def _raw(item: object) -> bytes:
    if not isinstance(item, bytes):
        raise ProtocolError("a reference to a remote object lacks its data")
    return item


def _text(data: bytes, at: int) -> tuple[str, int]:
    (size,) = struct.unpack_from(">H", data, at)
    end = at + 2 + size
    if end > len(data):
        raise ProtocolError("a reference to a remote object is cut short")
    return decoded(data[at + 2 : end]), end
