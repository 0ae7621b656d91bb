from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.catalog import Instance, InstanceId, Node, Status
from sidecar.stores.codec import decode_instance, decode_node, encode

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    st.builds(
        Instance,
        id=_text.map(InstanceId),
        service=_text,
        node=_text,
        address=_text,
        port=st.integers(0, 65535),
        tags=st.lists(_text, max_size=3).map(tuple),
        meta=st.dictionaries(_text, _text, max_size=3).map(MappingProxyType),
        weight=st.integers(0, 65535),
        status=st.sampled_from(Status),
        draining=st.booleans(),
        owner=_text,
    )
)
def test_an_instance_comes_back_as_it_went(instance: Instance) -> None:
    assert decode_instance(encode(instance)) == instance


def test_a_node_comes_back_as_it_went() -> None:
    node = Node(name="n", address="2001:db8::1", meta={"k": "v"})
    assert decode_node(encode(node)) == node


@pytest.mark.parametrize("garbage", [b"", b"[]", b"{}", b"\xff", b'{"id": 1}'])
def test_garbage_is_a_value_error(garbage: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the class is the contract
        decode_instance(garbage)


def test_what_has_no_json_form_is_refused() -> None:
    odd = Node(name="n", address="a", meta={"k": object()})  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="object has no JSON form"):
        encode(odd)
