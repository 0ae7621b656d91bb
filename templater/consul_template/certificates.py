"""Certificates of Consul's service mesh: what asks for them, and Consul's answers. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

import msgspec

from sidecar.gotemplate.kinds import GoType, pointer_to, slice_of
from sidecar.gotemplate.moment import Moment
from sidecar.gotemplate.values import Slice

__all__ = ["ROOTS", "CaLeafQuery", "CaRootsQuery", "Leaf", "Root", "leaf_of", "roots_of"]


@dataclass(frozen=True, slots=True)
class CaRootsQuery:
    """The certificates that sign all others."""

    def __str__(self) -> str:
        """Return the peer's name."""
        return "connect.caroots"


@dataclass(frozen=True, slots=True)
class CaLeafQuery:
    """The certificate of a service, which the agent renews."""

    service: str

    def __str__(self) -> str:
        """Return the peer's name."""
        return f"connect.caleaf({self.service})"


@dataclass(frozen=True, slots=True)
class Root:
    """A certificate that signs others; old ones stay a while, not ``active``."""

    go_type: ClassVar = GoType("api.CARoot", "struct")
    id: str
    name: str
    root_cert_pem: str
    active: bool
    create_index: int
    modify_index: int


@dataclass(frozen=True, slots=True)
class Leaf:
    """A service's certificate and its key."""

    go_type: ClassVar = GoType("api.LeafCert", "struct")
    serial_number: str
    cert_pem: str
    private_key_pem: str
    service: str
    service_uri: str
    valid_after: Moment
    valid_before: Moment
    create_index: int
    modify_index: int


ROOTS: Final = slice_of(pointer_to(Root.go_type))


class _Root(msgspec.Struct, frozen=True, rename="pascal"):
    id: str = msgspec.field(name="ID")
    root_cert: str
    name: str = ""
    active: bool = False
    create_index: int = 0
    modify_index: int = 0


class _Roots(msgspec.Struct, frozen=True, rename="pascal"):
    roots: list[_Root] | None = None


class _Leaf(msgspec.Struct, frozen=True, rename="pascal"):
    cert: str = msgspec.field(name="CertPEM")
    key: str = msgspec.field(name="PrivateKeyPEM")
    valid_after: datetime
    valid_before: datetime
    serial_number: str = ""
    service: str = ""
    uri: str = msgspec.field(name="ServiceURI", default="")
    create_index: int = 0
    modify_index: int = 0


def roots_of(body: bytes | None) -> Slice:
    """Return the roots of an answer. Raises msgspec.DecodeError."""
    found = msgspec.json.decode(body or b"{}", type=_Roots).roots or ()
    return Slice(
        [
            Root(one.id, one.name, one.root_cert, one.active, one.create_index, one.modify_index)
            for one in found
        ],
        ROOTS,
    )


def leaf_of(body: bytes | None) -> Leaf | None:
    """Return the certificate of an answer, None for none. Raises msgspec.DecodeError."""
    if body is None:
        return None
    one = msgspec.json.decode(body, type=_Leaf)
    after, before = Moment(one.valid_after), Moment(one.valid_before)
    return Leaf(
        one.serial_number, one.cert, one.key, one.service, one.uri, after, before,
        one.create_index, one.modify_index,
    )  # fmt: skip
