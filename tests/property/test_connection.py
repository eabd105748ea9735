"""However a stream is cut, and whatever is in it, both sides take the same ops from it."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import fields

from actorchat.errors import FrameTooBig, MalformedFrame
from actorchat.limits import FRAME_BYTES_MAX
from actorchat.protocol.codec import encode
from actorchat.protocol.connection import Connection, Received, Side, frame
from actorchat.protocol.ops import CLIENT_OPS, Invalid
from tests.property.strategies import client_ops, server_ops
from tests.property.test_codec import mutated
from tests.unit.protocol.pair import ConnectionPair, chunked

cuts = st.lists(st.integers(0, 2_000), max_size=12)


@given(st.lists(client_ops, max_size=6), st.lists(server_ops, max_size=6), cuts)
def test_any_chunking_of_any_ops_gives_the_same_ops(
    asked: list[Struct], answered: list[Struct], cuts: list[int]
) -> None:
    pair = ConnectionPair()
    assert pair.to_server(asked, cuts) == asked
    assert pair.to_client(answered, cuts) == answered
    assert pair.server.error is None
    assert pair.client.error is None


@given(st.lists(client_ops, min_size=1, max_size=3))
def test_single_bytes_give_the_same_ops(ops: list[Struct]) -> None:
    pair = ConnectionPair()
    assert pair.to_server(ops, range(1, 4_000)) == ops


def _take(side: Side, stream: bytes, cuts: list[int]) -> tuple[list[Received], type | None]:
    connection = Connection(side, FRAME_BYTES_MAX)
    ops = [op for chunk in chunked(stream, cuts) for op in connection.receive(chunk)]
    return ops, None if connection.error is None else type(connection.error)


@given(st.lists(mutated() | st.binary(max_size=30), max_size=4), cuts, st.sampled_from(Side))
def test_hostile_frames_end_in_ops_or_an_error_whatever_the_chunking(
    payloads: list[bytes], cuts: list[int], side: Side
) -> None:
    stream = b"".join(map(frame, payloads))
    ops, error = _take(side, stream, [])
    assert (ops, error) == _take(side, stream, cuts)
    assert error in (None, MalformedFrame)
    assert error is not None or len(ops) == len(payloads)


@given(st.binary(max_size=200), cuts, st.sampled_from(Side))
def test_hostile_streams_end_in_ops_or_an_error_whatever_the_chunking(
    stream: bytes, cuts: list[int], side: Side
) -> None:
    ops, error = _take(side, stream, [])
    assert (ops, error) == _take(side, stream, cuts)
    assert error in (None, MalformedFrame, FrameTooBig)


def _is_of(kind: object, value: object) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


@given(client_ops, st.data())
def test_an_op_with_a_field_of_another_type_is_invalid(op: Struct, data: st.DataObject) -> None:
    message = msgspec.to_builtins(op, builtin_types=(bytes,))
    message = {name: message.get(name, getattr(op, name)) for name in op.__struct_fields__}
    if not message:
        return
    field = data.draw(st.sampled_from(sorted(message)))
    kind = next(known.type for known in fields(op) if known.encode_name == field)
    others = [value for value in (1.5, True, [], {}, [1]) if not _is_of(kind, value)]
    message[field] = data.draw(st.sampled_from(others))
    message["op"] = next(name for name, cls in CLIENT_OPS.items() if cls is type(op))
    server = Connection(Side.SERVER, FRAME_BYTES_MAX)
    (got,) = server.receive(frame(encode(message)))
    assert isinstance(got, Invalid)
    assert got.code == "bad_request"
    assert server.error is None
