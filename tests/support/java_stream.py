"""A writer of Java's object serialization, as small as tests need; every class is written anew."""

import struct
from collections.abc import Mapping, Sequence

from adapter.jmx.text import utf

__all__ = [
    "HEAD",
    "array",
    "array_list",
    "attribute_list",
    "block",
    "boxed",
    "composite",
    "date",
    "desc",
    "enum",
    "flat",
    "hash_map",
    "info",
    "name_of",
    "names_of",
    "obj",
    "string",
    "tabular",
    "tree_map",
]

HEAD = b"\x51\xac\xed\x00\x05\x77\x0f\x01" + bytes(14)
NULL = b"\x70"


def string(text: str) -> bytes:
    return b"\x74" + utf(text)


def block(data: bytes) -> bytes:
    return b"\x77" + bytes([len(data)]) + data


def desc(
    name: str,
    fields: Sequence[tuple[str, str]] = (),
    *,
    flags: int = 2,
    parent: bytes = NULL,
) -> bytes:
    """Return a class: fields are (code, name)."""
    out = b"\x72" + utf(name) + bytes(8) + bytes([flags]) + struct.pack(">H", len(fields))
    for code, field in fields:
        out += code.encode() + utf(field)
        if code in "L[":
            out += string("Ljava/lang/Object;")
    return out + b"\x78" + parent


def obj(described: bytes, values: bytes = b"", data: bytes | None = None) -> bytes:
    """Return an object; ``data`` is what its class writes beside the fields (flags 3)."""
    return b"\x73" + described + values + (b"" if data is None else data + b"\x78")


def boxed(value: float, kind: str = "") -> bytes:
    """Return Integer, Long, Double, Float or Boolean."""
    kinds = {"Integer": "I", "Long": "J", "Double": "D", "Float": "F", "Boolean": "Z"}
    if not kind:
        kind = {bool: "Boolean", int: "Long", float: "Double"}[type(value)]
    number = desc("java.lang.Number")
    code = kinds[kind]
    parent = NULL if kind == "Boolean" else number
    packed = struct.pack(">" + {"I": "i", "J": "q", "D": "d", "F": "f", "Z": "?"}[code], value)
    return obj(desc(f"java.lang.{kind}", [(code, "value")], parent=parent), packed)


def flat(value: object) -> bytes:
    """Return the bytes of a plain value of Python's; bytes are ready."""
    if value is None:
        return NULL
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return string(value)
    assert isinstance(value, int | float)
    return boxed(value)


def enum(kind: str, name: str) -> bytes:
    parent = desc("java.lang.Enum", flags=18)
    return b"\x7e" + desc(kind, flags=18, parent=parent) + string(name)


def array(items: Sequence[bytes], kind: str = "[Ljava.lang.Object;") -> bytes:
    return b"\x75" + desc(kind) + struct.pack(">i", len(items)) + b"".join(items)


def array_list(items: Sequence[bytes], name: str = "java.util.ArrayList") -> bytes:
    base = desc("java.util.ArrayList", [("I", "size")], flags=3)
    described = base if name == "java.util.ArrayList" else desc(name, parent=base)
    size = struct.pack(">i", len(items))
    return obj(described, size, block(size) + b"".join(items))


def attribute_list(values: Mapping[str, bytes]) -> bytes:
    """Return what ``getAttributes`` answers."""
    described = desc("javax.management.Attribute", [("L", "name"), ("L", "value")])
    items = [obj(described, string(name) + value) for name, value in values.items()]
    return array_list(items, "javax.management.AttributeList")


def tree_map(pairs: Mapping[str, bytes]) -> bytes:
    described = desc("java.util.TreeMap", [("L", "comparator")], flags=3)
    data = block(struct.pack(">i", len(pairs)))
    return obj(described, NULL, data + b"".join(string(k) + v for k, v in pairs.items()))


def hash_map(pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
    described = desc("java.util.HashMap", [("F", "loadFactor"), ("I", "threshold")], flags=3)
    data = block(struct.pack(">ii", 16, len(pairs)))
    return obj(described, bytes(8), data + b"".join(k + v for k, v in pairs))


def composite(pairs: Mapping[str, bytes], description: str = "about it") -> bytes:
    kind = obj(
        desc(
            "javax.management.openmbean.CompositeType",
            parent=desc("javax.management.openmbean.OpenType", [("L", "description")]),
        ),
        string(description),
    )
    described = desc(
        "javax.management.openmbean.CompositeDataSupport",
        [("L", "contents"), ("L", "compositeType")],
    )
    return obj(described, tree_map(pairs) + kind)


def tabular(index: Sequence[str], rows: Sequence[tuple[bytes, Mapping[str, bytes]]]) -> bytes:
    view = desc(
        "java.util.Collections$UnmodifiableRandomAccessList",
        parent=desc(
            "java.util.Collections$UnmodifiableList", [("L", "list")],
            parent=desc("java.util.Collections$UnmodifiableCollection", [("L", "c")]),
        ),
    )  # fmt: skip
    names = array_list([string(name) for name in index])
    kind = obj(
        desc("javax.management.openmbean.TabularType", [("L", "indexNames")]),
        obj(view, NULL + names),
    )
    data = hash_map([(array_list([key]), composite(row)) for key, row in rows])
    described = desc(
        "javax.management.openmbean.TabularDataSupport", [("L", "dataMap"), ("L", "tabularType")]
    )
    return obj(described, data + kind)


def date(milliseconds: int) -> bytes:
    return obj(desc("java.util.Date", flags=3), b"", block(struct.pack(">q", milliseconds)))


def name_of(text: str) -> bytes:
    """Return an ObjectName."""
    return obj(desc("javax.management.ObjectName", flags=3), b"", string(text))


def names_of(texts: Sequence[str]) -> bytes:
    """Return what ``queryMBeans`` answers."""
    instance = desc("javax.management.ObjectInstance", [("L", "className"), ("L", "name")])
    items = [obj(instance, NULL + name_of(text)) for text in texts]
    data = block(struct.pack(">ifi", 16, 0.75, len(items)))
    return obj(desc("java.util.HashSet", flags=3), b"", data + b"".join(items))


def info(attributes: Mapping[str, str]) -> bytes:
    """Return what ``getMBeanInfo`` answers: names and types."""
    feature = desc("javax.management.MBeanFeatureInfo", [("L", "description"), ("L", "name")])
    about = desc(
        "javax.management.MBeanAttributeInfo",
        [("Z", "isRead"), ("L", "attributeType")],
        parent=feature,
    )
    items = [
        obj(about, string(f"the {name}") + string(name) + b"\x01" + string(kind))
        for name, kind in attributes.items()
    ]
    described = desc("javax.management.MBeanInfo", [("[", "attributes")])
    return obj(described, array(items, "[Ljavax.management.MBeanAttributeInfo;"))
