"""Answers of a JVM, changed at random: nothing but ProtocolError, and within bounds.

``PINNACE_TESTS_REPLIES=100000`` mutates so many; a run of all tests takes a modest number.
"""

import os
import random

import pytest

from adapter.jmx.bean import Attribute, Bean, attributes_in, values_in
from adapter.jmx.calls import Thrown, answer, stub_of
from adapter.jmx.config import settings_of
from adapter.jmx.feed import Feed
from adapter.jmx.leaves import Unsupported, leaves
from adapter.jmx.limits import Limits
from adapter.jmx.objectname import parse
from adapter.jmx.operations import thread_families, thread_operations
from adapter.jmx.records import JavaArray
from adapter.jmx.values import items_of
from sidecar.errors import ProtocolError
from tests.support import java_stream as java

COUNT = int(os.environ.get("PINNACE_TESTS_REPLIES", "3000"))
LIMITS = Limits(size=1 << 18, handles=20_000)

_ROW = {"key": java.string("k"), "value": java.composite({"used": java.boxed(4)})}
REPLIES = [
    java.HEAD + body
    for body in (
        java.attribute_list(
            {
                "Count": java.boxed(5, "Integer"),
                "Rate": java.boxed(0.25),
                "Usage": java.composite({"used": java.boxed(1), "max": java.boxed(-1)}),
                "Table": java.tabular(["key"], [(java.string("k"), _ROW)]),
                "When": java.date(1234567890123),
                "Mood": java.enum("a.Mood", "CALM"),
                "Name": java.string("text é"),
            }
        ),
        java.array(
            [java.composite({"threadState": java.string("BLOCKED"), "threadId": java.boxed(7)})]
        ),
        java.array([]),
        java.info({"Count": "int", "Rate": "double", "Name": "java.lang.String"}),
        java.names_of(["java.lang:type=Memory", "d:type=A,name=b"]),
        java.array([java.boxed(1), b"\x71\x00\x7e\x00\x04"]),
        java.obj(
            java.desc("S", parent=java.desc("java.rmi.server.RemoteObject", flags=3)),
            b"",
            java.block(b"\x00\x0aUnicastRef\x00\x01h\x00\x00\x10\x00" + bytes(23)),
        ),
        b"\x7b" + java.obj(java.desc("E", [("L", "detailMessage")]), java.string("no")),
    )
]
IDS = JavaArray("[J")
IDS.items = [1, 2, 0]
THREADS = [(parse("java.lang:type=Threading"), {"AllThreadIds": IDS})]
TAGS = bytes(range(0x70, 0x7F))


def _mutated(random_: random.Random) -> bytes:
    data = bytearray(random_.choice(REPLIES))
    for _ in range(random_.choice((1, 1, 1, 2, 3, 8))):
        at = random_.randrange(len(data))
        match random_.randrange(7):
            case 0:
                data[at] ^= 1 << random_.randrange(8)
            case 1:
                data[at] = random_.choice(TAGS)
            case 2:
                data[at : at + 4] = random_.choice((b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff"))
            case 3:
                del data[at:]
            case 4:
                del data[at : at + random_.randrange(1, 9)]
            case 5:
                piece = random_.choice(REPLIES)[22:]
                data[at:at] = piece[random_.randrange(len(piece)) :][:40]
            case _:
                data[at:at] = bytes([random_.randrange(256)]) * random_.randrange(1, 5)
        if not data:
            return b""
    return bytes(data)


def _bean() -> Bean:
    target = settings_of("hostPort: h:1\n", "file", {}).targets[0]
    bean = Bean("d:type=A", parse("d:type=A"), target)
    names = ("Count", "Rate", "Usage", "Table", "When", "Mood", "Name")
    bean.choose([Attribute(name, "java.lang.Object", "") for name in names])
    return bean


def _used(value: object, bean: Bean) -> None:
    """Do with an answer all that is done with answers."""
    attributes_in(value)
    items_of(value)
    for operation in thread_operations(THREADS):
        thread_families(THREADS, [(operation, value)])
    bean.samples(values_in(value))
    for name, item in values_in(value):
        try:
            for leaf in leaves({"type": "A"}, name, "", item):
                repr(leaf)
        except Unsupported:
            continue
    try:
        stub_of(value)
    except ProtocolError:
        return


@pytest.mark.timeout(1800)
def test_no_changed_answer_does_more_than_fail() -> None:
    seed = int(os.environ.get("PINNACE_TESTS_SEED", "20"))
    random_ = random.Random(seed)
    good = 0
    for number in range(COUNT):
        data = _mutated(random_)
        feed = Feed(bytes, LIMITS.size)
        feed.data = data
        bean = _bean()
        slots: list[tuple[int, str]] = []
        try:
            value = answer(feed, LIMITS)
            _used(value, bean)
            good += 1
            raw = data[: feed.at]
            again = Feed(bytes, LIMITS.size)
            again.data = raw
            bean.learn(raw, answer(again, LIMITS, slots=slots), slots)
            third = Feed(bytes, LIMITS.size)
            third.data = raw
            known = bean.known(third)
            if known is not None:
                # What was learnt must say what reading in full says.
                expected = bean.samples(values_in(value))
                assert repr([(r.name, v) for r, v in known]) == repr(
                    [(r.name, v) for r, v in expected]
                )
        except (ProtocolError, Thrown):
            pass
        except BaseException as error:
            error.add_note(f"seed {seed}, number {number}: {data.hex()}")
            raise
    assert good > COUNT // 100
