"""Whatever comes, the codec returns a map or `MalformedFrame`; what it packs, cbor2 reads."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import cbor2
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct, to_builtins

from actorchat.errors import MalformedFrame
from actorchat.protocol import codec
from actorchat.protocol.ops import CLIENT_OPS, SERVER_OPS, Record
from tests.property.strategies import (
    CLIENT_STRATEGIES,
    PUSH_STRATEGIES,
    bodies,
    client_ids,
    client_ops,
    names,
    positions,
    records,
    request_ids,
    server_ops,
)
from tests.vectors.example import EXAMPLES, vector

SEEDS = [vector(name) for name in EXAMPLES]

# CBOR of any kind, most of it not strict: what a hostile peer would try after reading the rules.
_leaves = (
    st.integers(-(2**64), 2**64 - 1)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=20)
    | st.booleans()
    | st.none()
    | st.builds(cbor2.CBORSimpleValue, st.sampled_from([0, 19, 32, 255]))
)
_trees = st.recursive(
    _leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4) | st.integers() | st.binary(max_size=3), inner)
        | st.builds(cbor2.CBORTag, st.integers(6_000, 2**32), inner)
    ),
    max_leaves=20,
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Draw a golden frame with some bytes changed, put in, taken out, or another's tail."""
    payload = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(payload)))
        match draw(st.integers(0, 3)):
            case 0 if at < len(payload):
                payload[at] = draw(st.integers(0, 255))
            case 1:
                payload[at:at] = draw(st.binary(min_size=1, max_size=9))
            case 2:
                del payload[at : at + draw(st.integers(1, 9))]
            case _:
                payload[at:] = draw(st.sampled_from(SEEDS))[at:]
    return bytes(payload)


def _decoded(payload: bytes) -> dict[str, object] | None:
    """Return what `payload` decodes to, None where it is refused; any other exception fails."""
    try:
        return codec.decode(payload)
    except MalformedFrame:
        return None


def _is_plain(value: object) -> bool:
    """Say whether `value` can be told equal to itself after a round trip: no NaN in it."""
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return not (isinstance(value, float) and math.isnan(value))


def _check(payload: bytes) -> None:
    message = _decoded(payload)
    if message is None:
        return
    assert type(message) is dict
    assert all(isinstance(key, (str, bytes)) for key in message)
    codec._check_items(payload)  # the walk by heads agrees that it is one item without a tag
    if _is_plain(message):
        assert codec.decode(codec.encode(message)) == message


@given(st.binary(max_size=400))
def test_random_bytes_are_a_map_or_malformed(payload: bytes) -> None:
    _check(payload)


@given(st.binary(max_size=60), st.integers(0, 6))
def test_random_bytes_in_a_map_are_a_map_or_malformed(payload: bytes, entries: int) -> None:
    _check(bytes((0xA0 | entries,)) + payload)


@given(mutated())
def test_mutated_frames_are_a_map_or_malformed(payload: bytes) -> None:
    _check(payload)


@given(_trees)
def test_any_cbor_is_a_map_or_malformed(tree: object) -> None:
    _check(cbor2.dumps(tree))
    _check(cbor2.dumps({"op": "send", "x": tree}))


@given(st.sampled_from(SEEDS), st.binary(min_size=1, max_size=40))
def test_nothing_may_stand_behind_a_frame(payload: bytes, behind: bytes) -> None:
    assert _decoded(payload + behind) is None
    assert _decoded(payload + payload) is None


@given(st.sampled_from(SEEDS), st.data())
def test_no_part_of_a_frame_is_a_frame(payload: bytes, data: st.DataObject) -> None:
    assert _decoded(payload[: data.draw(st.integers(0, len(payload) - 1))]) is None


@given(client_ops | server_ops | records)
def test_an_op_is_read_by_cbor2_as_it_is(op: Struct) -> None:
    payload = codec.encode(op)
    assert cbor2.loads(payload) == to_builtins(op, builtin_types=(bytes,))
    assert codec.decode(payload) == cbor2.loads(payload)


@given(request_ids, names, positions, positions, client_ids, bodies)
def test_hot_frames_decode_like_the_general_encoding(
    re: int, name: str, seq: int, ts: int, cid: bytes, body: str
) -> None:
    name_cbor = codec.encode(name)
    record = codec.encode_record(name_cbor, seq, ts, cid, body)
    wire = {"from": name, "seq": seq, "ts": ts, "cid": cid, "body": body}
    page = {"events": [wire, wire], "head": seq, "more": True, "marks": {name: {"read": ts}}}
    packed = {
        codec.encode_accepted(re, seq, ts): {"re": re, "ok": {"seq": seq, "ts": ts}},
        record: wire,
        codec.encode_update(seq, record): {"op": "msg", "upd": seq, "msg": wire},
        codec.encode_own_update(seq, "bob", record): {
            "op": "msg",
            "upd": seq,
            "to": "bob",
            "msg": wire,
        },
        codec.encode_send(re, name_cbor, cid, body): {
            "op": "send", "id": re, "to": name, "cid": cid, "body": body,
        },
        codec.encode_ack(seq): {"op": "ack", "upd": seq},
        codec.encode_page(re, [record, record], seq, True, {name: {"read": ts}}): {
            "re": re, "ok": page,
        },
    }  # fmt: skip
    for payload, message in packed.items():
        assert cbor2.loads(payload) == cbor2.loads(codec.encode(message)) == message
        assert codec.decode(payload) == message
    assert codec.decode_record(record) == Record(name, seq, ts, cid, body)


def test_threads_share_no_decoder() -> None:
    def run(payload: bytes) -> bool:
        expected = cbor2.loads(payload)
        return all(
            codec.decode(payload) == expected and _decoded(payload + b"\x00") is None
            for _ in range(500)
        )

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(run, SEEDS[:8]))


def test_each_op_has_a_strategy() -> None:
    assert set(CLIENT_STRATEGIES) == set(CLIENT_OPS.values())
    assert set(PUSH_STRATEGIES) == set(SERVER_OPS.values())
