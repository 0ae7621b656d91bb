import struct

import pytest

from adapter.jmx import calls
from adapter.jmx.calls import Stub, Thrown, answer, greeting_reply, stub_of
from adapter.jmx.feed import Feed
from adapter.jmx.stream import Reader
from adapter.jmx.text import utf
from sidecar.errors import ProtocolError
from tests.support import java_stream as java


def _feed(data: bytes) -> Feed:
    pieces = iter([data])
    return Feed(lambda: next(pieces, b""), 1 << 20)


def test_methods_have_the_numbers_that_jdk_17_uses() -> None:
    assert calls.NEW_CLIENT == -1089742558549201240
    assert calls.QUERY_MBEANS == 2915881009400597976
    assert calls.GET_MBEAN_INFO == -7404813916326233354
    assert calls.GET_ATTRIBUTES == 6285293806596348999
    assert calls.GET_ATTRIBUTE == -1089783104982388203
    assert calls.method_hash("close()V") == -4742752445160157748


def test_arguments_are_what_java_reads() -> None:
    def read(data: bytes) -> object:
        return Reader(_feed(data)).value()

    names = read(calls.names_argument(["a", "b"]))
    assert getattr(names, "items", None) == ["a", "b"]
    name = read(calls.name_argument("d:k=v"))
    assert (getattr(name, "type", ""), getattr(name, "data", [])) == (
        "javax.management.ObjectName",
        ["d:k=v"],
    )
    assert read(calls.name_argument(None)) is None
    assert read(calls.credentials("me", "")) is None
    assert getattr(read(calls.credentials("me", "pw")), "items", None) == ["me", "pw"]


def test_a_name_too_long_for_the_wire_is_refused() -> None:
    with pytest.raises(ValueError, match="65535"):
        calls.text_argument("x" * 65536)


def test_a_call_names_object_operation_and_method() -> None:
    data = calls.call(bytes(range(22)), -5, b"\x70")
    assert data[:7] == b"\x50\xac\xed\x00\x05\x77\x22"
    assert struct.unpack(">22siq", data[7:41]) == (bytes(range(22)), -1, -5)
    assert data[41:] == b"\x70"
    assert calls.lookup("jmxrmi").endswith(b"jmxrmi")
    assert calls.close_call(bytes(22))[-8:] == struct.pack(">q", -4742752445160157748)


def test_the_greeting_is_answered_by_the_name_we_are_known_by() -> None:
    reply = greeting_reply(_feed(b"\x4e" + utf("192.0.2.1") + struct.pack(">i", 4711)))
    assert reply == utf("192.0.2.1") + bytes(4)


@pytest.mark.parametrize(
    ("first", "words"),
    [(b"\x15", "TLS"), (b"\x4f", "refuses this kind"), (b"H", "does not speak RMI")],
)
def test_another_protocol_is_told_by_its_first_byte(first: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        greeting_reply(_feed(first))


def test_an_answer_is_a_value_or_nothing() -> None:
    assert answer(_feed(java.HEAD + java.string("yes"))) == "yes"
    assert answer(_feed(java.HEAD), void=True) is None


def _thrown(data: bytes) -> Thrown:
    with pytest.raises(Thrown) as caught:
        answer(_feed(java.HEAD[:7] + b"\x02" + java.HEAD[8:] + data))
    return caught.value


def test_an_exception_says_its_class_its_message_and_its_cause() -> None:
    def error(name: str, message: bytes, cause: bytes) -> bytes:
        return java.obj(java.desc(name, [("L", "detailMessage"), ("L", "cause")]), message + cause)

    inner = error("b.Inner", java.string("deep"), java.NULL)
    found = _thrown(error("a.Outer", java.string("top"), inner))
    assert (found.kind, found.message) == ("a.Outer", "top")
    assert str(found) == "a.Outer: top (b.Inner: deep)"
    alone = _thrown(error("a.Outer", java.NULL, b"\x71" + struct.pack(">i", 0x7E0003)))
    assert str(alone) == "a.Outer: "
    deep = java.NULL
    for _ in range(15):
        deep = error("a.Deep", java.string("d"), deep)
    assert str(_thrown(deep)) == "a.Deep: d (a.Deep: d)"
    assert str(_thrown(java.NULL)) == "an exception: of an unknown kind"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x53", "starts no answer"),
        (b"\x51\xac\xed\x00\x05\x77\x01\x01", "head of an answer"),
        (java.HEAD[:7] + b"\x09" + bytes(14), "head of an answer"),
    ],
)
def test_what_is_no_answer_is_told(data: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        answer(_feed(data))


_REMOTE = java.desc("java.rmi.server.RemoteObject", flags=3)
_ID = bytes(range(22))


def _stub(data: bytes) -> object:
    described = java.desc("S", parent=_REMOTE)
    return Reader(_feed(java.obj(described, b"", data))).value()


def _ref(kind: str, host: str, port: int, *, before: bytes = b"") -> bytes:
    return utf(kind) + before + utf(host) + struct.pack(">i", port)


def test_a_stub_says_where_its_object_lives() -> None:
    plain = _stub(java.block(_ref("UnicastRef", "h", 9) + _ID + b"\0"))
    assert stub_of(plain) == Stub("h", 9, _ID, tls=False)
    second = _stub(java.block(_ref("UnicastRef2", "h", 9, before=b"\0") + _ID + b"\0"))
    assert stub_of(second) == Stub("h", 9, _ID, tls=False)
    factory = java.obj(java.desc("javax.rmi.ssl.SslRMIClientSocketFactory"))
    third = _stub(
        java.block(_ref("UnicastRef2", "h", 9, before=b"\1")) + factory + java.block(_ID + b"\0")
    )
    assert stub_of(third) == Stub("h", 9, _ID, tls=True)


def test_a_proxy_stub_is_followed_to_its_handler() -> None:
    handler = java.obj(
        java.desc("java.rmi.server.RemoteObjectInvocationHandler", parent=_REMOTE),
        b"",
        java.block(_ref("UnicastRef", "h", 9) + _ID + b"\0"),
    )
    proxy = java.obj(
        java.desc("P", parent=java.desc("java.lang.reflect.Proxy", [("L", "h")])), handler
    )
    assert stub_of(Reader(_feed(proxy)).value()).host == "h"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (java.block(_ref("ActivatableRef", "h", 9)), "not known"),
        (java.block(_ref("UnicastRef", "h", 0) + _ID), "port 0"),
        (java.block(_ref("UnicastRef", "h", 9) + b"12"), "cannot be read"),
        (java.block(b"\x00\x50ab"), "cut short"),
        (java.string("x"), "lacks its data"),
        (b"", "cannot be read"),
        (java.block(_ref("UnicastRef2", "h", 9, before=b"\1")), "cannot be read"),
    ],
)
def test_a_damaged_stub_is_told(data: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        stub_of(_stub(data))
    with pytest.raises(ProtocolError, match="no reference"):
        stub_of("text")
