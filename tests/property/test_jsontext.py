"""JSON and CBOR say the same of any op, and whatever comes is a map or `MalformedFrame`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Struct

from actorchat.errors import MalformedFrame
from actorchat.limits import CBOR_DEPTH_MAX, FRAME_BYTES_MAX, POSITION_MAX
from actorchat.protocol import codec, jsontext
from actorchat.protocol.connection import Connection, Side
from tests.property.strategies import client_ops, server_ops
from tests.vectors.example import JSON_EXAMPLES, json_vector

SEEDS = [json_vector(name) for name in JSON_EXAMPLES]


def _as_text(value: Any) -> Any:
    """Return `value` with its long integers as text, which only reports have."""
    if isinstance(value, dict):
        return {key: _as_text(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_as_text(each) for each in value]
    is_long = type(value) is int and abs(value) > POSITION_MAX
    return str(value) if is_long else value


@given(client_ops | server_ops)
def test_an_op_comes_back_as_from_cbor(op: Struct) -> None:
    payload = codec.encode(op)
    text = jsontext.encode(op)
    assert jsontext.transcode(payload) == text
    assert jsontext.decode(text) == _as_text(codec.decode(payload))


@given(client_ops)
def test_a_server_makes_the_same_op_of_both(op: Struct) -> None:
    server = Connection(Side.SERVER, FRAME_BYTES_MAX, jsontext.decode)
    assert server.receive_payload(jsontext.encode(op)) == op


@given(client_ops)
def test_any_way_to_write_the_json_is_the_same_op(op: Struct) -> None:
    message = json.loads(jsontext.encode(op))
    server = Connection(Side.SERVER, FRAME_BYTES_MAX, jsontext.decode)
    for text in (json.dumps(message), json.dumps(message, indent=1, ensure_ascii=False)):
        assert server.receive_payload(text.encode()) == op


def _has_duplicate_keys(text: bytes) -> bool:
    found = False

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal found
        found |= len(dict(pairs)) < len(pairs)
        return dict(pairs)

    json.loads(text, object_pairs_hook=note)
    return found


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Draw a golden text with some bytes changed, put in or taken out."""
    text = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        if draw(st.booleans()):
            text[at:at] = draw(
                st.sampled_from((b'"', b"\\", b"{", b"}", b",", b":", b"\xff", b"1"))
            )
        else:
            del text[at : at + draw(st.integers(1, 9))]
    return bytes(text)


@given(st.binary(max_size=200) | mutated())
@example(rb'{"a\\":1,"\"":[{"a":"\\\"{"}]}')
def test_anything_is_a_map_or_malformed(text: bytes) -> None:
    try:
        message = jsontext.decode(text)
    except MalformedFrame:
        return
    assert type(message) is dict
    assert not _has_duplicate_keys(text)


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-POSITION_MAX, POSITION_MAX) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=20,
)


def _levels(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_levels, value.values()), default=0)
    return 1 + max(map(_levels, value), default=0) if isinstance(value, list) else 0


@given(st.dictionaries(st.text(min_size=4, max_size=9), _values, max_size=4), st.booleans())
def test_maps_are_taken_up_to_their_depth(message: dict[str, Any], is_ascii: bool) -> None:
    text = json.dumps(message, ensure_ascii=is_ascii).encode()
    if _levels(message) > CBOR_DEPTH_MAX:
        with pytest.raises(MalformedFrame, match="too deep"):
            jsontext.decode(text)
    else:
        assert jsontext.decode(text) == message
