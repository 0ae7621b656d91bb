"""Certificates that Vault makes for a template: what asks for one, and how one is read. Pure.

``pkiCert`` of consul-template: the template's destination is where a certificate is kept, so one
that stands there is taken again while it is good.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, NamedTuple

from sidecar.der import Der, children, oid_of, read_der
from sidecar.gotemplate.kinds import GoType
from sidecar.gotemplate.values import Slice
from templater.consul_template.records import STRINGS

__all__ = ["Pems", "PkiQuery", "Validity", "certificates_of", "issued", "kept", "pems_of"]

_BLOCK: Final = re.compile(
    r"-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]+)-----END \1-----", re.ASCII
)
_CERTIFICATE: Final = "CERTIFICATE"
_PRIVATE_KEY: Final = "PRIVATE KEY"
_BASIC_CONSTRAINTS: Final = "2.5.29.19"
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_BOOLEAN, _UTC_TIME = 0x01, 0x17
_NAME_TAGS: Final = b"[\x0c\x13\x16\x81\x82]"
"""Texts of a subject, and addresses and hosts of a subject's other names."""
_LONGEST_NAME: Final = 127


@dataclass(frozen=True, slots=True)
class PkiQuery:
    """A certificate that Vault makes of ``data``, kept in the file ``destination``."""

    path: str
    data: tuple[tuple[str, str], ...] = ()
    destination: str = ""

    def __str__(self) -> str:
        """Return the peer's name; never the data."""
        return f"vault.pki({self.path}->{self.destination})"


@dataclass(frozen=True, slots=True)
class Pems:
    """A certificate, its key and who signed it, as texts."""

    go_type: ClassVar = GoType("dependency.PemEncoded", "struct")
    go_methods: ClassVar[Mapping[str, str]] = {"CaChainContains": "_is_in_chain", "Data": "_whole"}
    Cert: str
    Key: str
    CA: str
    CAChain: Slice

    def _whole(self) -> "Pems":
        """Return itself: a secret's fields are below ``.Data`` too."""
        return self

    def _is_in_chain(self, pem: str) -> bool:
        return pem in self.CAChain


class Validity(NamedTuple):
    """When a certificate counts, in seconds since 1970."""

    begin: float
    end: float

    def renewal(self, share: float) -> float:
        """Return when this share of its life is over."""
        return self.begin + share * (self.end - self.begin)


class _Certificate(NamedTuple):
    pem: str
    validity: Validity
    is_authority: bool
    names: bytes

    def is_for(self, name: str) -> bool:
        """Say whether it has a name, or none is asked for."""
        text = name.encode()
        if not 0 < len(text) <= _LONGEST_NAME:
            return True
        pattern = _NAME_TAGS + re.escape(bytes([len(text)]) + text)
        return re.search(pattern, self.names, re.IGNORECASE | re.DOTALL) is not None


def issued(data: Mapping[str, Any]) -> str:
    """Return all texts of Vault's answer in one."""
    chain = data.get("ca_chain")
    parts = [value for _, value in sorted(data.items()) if isinstance(value, str)]
    parts += [item for item in chain if isinstance(item, str)] if isinstance(chain, list) else []
    return "\n".join(parts)


def pems_of(text: str) -> Pems:
    """Return what a text holds: the last certificate and key, the first authority and all."""
    leaf, key, chain = "", "", dict[str, None]()
    for kind, pem, one in _read(text):
        if kind.endswith(_PRIVATE_KEY):
            key = pem
        elif one is not None and one.is_authority:
            chain[pem] = None
        elif one is not None:
            leaf = pem
    return Pems(leaf, key, next(iter(chain), ""), Slice(list(chain), STRINGS))


def certificates_of(text: str) -> list[Validity]:
    """Return when the certificates count that sign nothing, in their order."""
    return [one.validity for _, _, one in _read(text) if one is not None and not one.is_authority]


def kept(text: str, query: PkiQuery) -> Validity | None:
    """Return when the certificate of a destination counts; None when it is not plainly the one.

    Two certificates or two keys could be mixed up, and one for another name was asked for before
    the template was edited: both are reasons for a new one, where the peer takes what comes last.
    """
    found = list(_read(text))
    leaves = {one.pem: one for _, _, one in found if one is not None and not one.is_authority}
    keys = {pem for kind, pem, _ in found if kind.endswith(_PRIVATE_KEY)}
    if len(leaves) != 1 or len(keys) > 1:
        return None
    (leaf,) = leaves.values()
    return leaf.validity if leaf.is_for(dict(query.data).get("common_name", "")) else None


def _read(text: str) -> Iterator[tuple[str, str, _Certificate | None]]:
    """Yield kind, text and content of each block that can be read, whatever stands around it."""
    for match in _BLOCK.finditer(text):
        kind = match[1]
        try:
            body = base64.b64decode("".join(match[2].split()), validate=True)
            pem = _pem(kind, body)
            one = _certificate(pem, body) if kind == _CERTIFICATE else None
        except (ValueError, IndexError):
            continue
        yield kind, pem, one


def _pem(kind: str, body: bytes) -> str:
    """Return the one form of a block (RFC 7468), which templates are shown."""
    text = base64.b64encode(body).decode("ascii")
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----\n"])


def _certificate(pem: str, body: bytes) -> _Certificate:
    """Read what is needed of a certificate (RFC 5280, 4.1). Raises ValueError or IndexError."""
    fields = children(children(read_der(body).body)[0].body)
    if fields[0].tag == _VERSION:
        fields = fields[1:]
    begin, end = children(fields[3].body)[:2]
    subject = fields[4].raw
    extensions = b"".join(field.body for field in fields if field.tag == _EXTENSIONS)
    validity = Validity(_seconds(begin), _seconds(end))
    return _Certificate(pem, validity, _is_authority(extensions), subject + extensions)


def _is_authority(extensions: bytes) -> bool:
    """Say whether it may sign others (RFC 5280, 4.2.1.9)."""
    for extension in children(read_der(extensions).body) if extensions else ():
        oid, *_, value = children(extension.body)
        if oid_of(oid) == _BASIC_CONSTRAINTS:
            said = children(read_der(value.body).body)
            return bool(said) and said[0].tag == _BOOLEAN and any(said[0].body)
    return False


def _seconds(value: Der) -> float:
    """Return a time (RFC 5280, 4.1.2.5). Raises ValueError."""
    text = value.body.decode("ascii")
    if value.tag == _UTC_TIME:
        text = f"{'20' if text[:2] < '50' else '19'}{text}"
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()
