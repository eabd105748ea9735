"""The codec refuses what is not strict, and packs by hand what cbor2 would pack."""

from __future__ import annotations

import time
import tracemalloc

import cbor2
import pytest

from actorchat.errors import MalformedFrame
from actorchat.limits import BODY_CHARS_MAX, FRAME_BYTES_MAX, POSITION_MAX, REQUEST_ID_MAX
from actorchat.protocol import codec
from actorchat.protocol.ops import Record
from tests.vectors.example import CID, EXAMPLES, OTHER, RECORD, TS, vector

GOOD = cbor2.dumps({"op": "ping"})

HOSTILE = {
    "nothing": b"",
    "a number": b"\x01",
    "a list": b"\x80",
    "a byte too many": GOOD + b"\x00",
    "a second map": GOOD + GOOD,
    "a break behind": GOOD + b"\xff",
    "a byte too few": GOOD[:-1],
    "a key without value": b"\xa1\x61a",
    "a duplicate key": b"\xa2\x61a\x01\x61a\x02",
    "an indefinite map": b"\xbf\x61a\x01\xff",
    "an indefinite list": b"\xa1\x61a\x9f\x01\xff",
    "an indefinite text": b"\xa1\x61a\x7f\x61b\xff",
    "an indefinite byte string": b"\xa1\x61a\x5f\x41b\xff",
    "an indefinite number": b"\xa1\x61a\x1f",
    "a lone break": b"\xff",
    "a reserved length": b"\xa1\x61a\x1c",
    "a reserved simple value": b"\xa1\x61a\xf8\x01",
    "a number as key": b"\xa1\x01\x01",
    "NaN as key": b"\xa1\xf9\x7e\x00\x01",
    "null as key": b"\xa1\xf6\x01",
    "a list as key": b"\xa1\x80\x01",
    "a map as key": b"\xa1\xa0\x01",
    "a lone surrogate": b"\xa1\x61a\x63\xed\xa0\x80",
    "invalid UTF-8": b"\xa1\x61a\x62\xc3\x28",
    "overlong UTF-8": b"\xa1\x61a\x62\xc0\xaf",
    "UTF-8 in a key": b"\xa1\x62\xc3\x28\x01",
    "nine levels": b"\xa1\x61a" + b"\x81" * 8 + b"\x01",
    "a hundred thousand levels": b"\xa1\x61a" + b"\x81" * 100_000,
    "a text of 2^62 bytes": b"\xa1\x61a\x7b\x40" + bytes(7),
    "a byte string of 2^63 - 1 bytes": b"\xa1\x61a\x5b\x7f" + b"\xff" * 7,
    "a byte string of 2^31 bytes": b"\xa1\x61a\x5a\x80" + bytes(3),
    "a list of 2^64 - 1": b"\xa1\x61a\x9b" + b"\xff" * 8,
    "a map of 2^32 entries": b"\xbb\x00\x00\x00\x01" + bytes(4),
    "a list of 2^24 - 1 in a long frame": b"\xa1\x61a\x9a\x00\xff\xff\xff" + bytes(2_000),
    "a large bignum": b"\xa1\x61a\xc2\x5a\x00\x03\xff\x00" + b"\xff" * 0x3FF00,
    "262,000 empty maps": b"\xa1\x61a\x9a\x00\x03\xff\x70" + b"\xa0" * 0x3FF70,
    "26,000 keys": b"\xb9\x65\x90" + b"".join(b"\x64%04x\xa0" % n for n in range(26_000)),
    "a long frame that ends early": b"\xa1\x61a\x59\x08\x00" + bytes(2_047),
    "a long frame with a byte behind": b"\xa1\x61a\x59\x08\x00" + bytes(2_049),
    "a long frame with a tag": b"\xa2\x61b\xc1\x00\x61a\x59\x08\x00" + bytes(2_048),
    "a long frame, indefinite": b"\xbf\x61a\x59\x08\x00" + bytes(2_048) + b"\xff",
}


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_not_strict_is_refused_and_the_next_frame_is_read(payload: bytes) -> None:
    with pytest.raises(MalformedFrame):
        codec.decode(payload)
    assert codec.decode(GOOD) == {"op": "ping"}


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_frame_costs_less_than_a_millisecond(payload: bytes) -> None:
    assert min(_refusal_s(payload) for _ in range(10)) < 0.001


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_frame_allocates_no_more_than_its_own_size(payload: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(MalformedFrame):
            codec.decode(payload)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < len(payload) + 131_072


def _refusal_s(payload: bytes) -> float:
    start = time.perf_counter()
    with pytest.raises(MalformedFrame):
        codec.decode(payload)
    return time.perf_counter() - start


def test_no_tag_passes_whatever_it_holds() -> None:
    items: list[object] = [0, "x", b"\x01", [1, 2], {}, [], None]
    contents = [cbor2.dumps(item) for item in items]
    for tag in (*range(1_200), 43_000, 55_799, 65_535, 2**32 - 1, 2**32, 2**64 - 1):
        head = b"\xdb" + tag.to_bytes(8, "big")
        for content in contents:
            tagged = head + content
            for payload in (tagged, b"\xa1\x61a" + tagged, b"\xa1" + tagged + b"\x01"):
                with pytest.raises(MalformedFrame):
                    codec.decode(payload)


def test_eight_levels_are_taken() -> None:
    assert codec.decode(b"\xa1\x61a" + b"\x81" * 7 + b"\x01") == {"a": [[[[[[[1]]]]]]]}


def test_any_width_of_a_number_is_taken() -> None:
    heads = (b"\x18", b"\x19\0", b"\x1a\0\0\0", b"\x1b\0\0\0\0\0\0\0")
    for width in (b"\x07", *(head + b"\x07" for head in heads)):
        assert codec.decode(b"\xa1\x61a" + width) == {"a": 7}


def test_the_largest_page_is_not_too_many_items() -> None:
    records = [codec.encode_record(codec.encode("a" * 64), n, TS, CID, "x") for n in range(200)]
    marks = {user: {"delivered": POSITION_MAX, "read": 0} for user in ("a", "b")}
    page = codec.encode_page(REQUEST_ID_MAX, records, 200, False, marks)
    assert len(codec.decode(page)["ok"]["events"]) == 200


@pytest.mark.parametrize("payload", [GOOD + b"\x00", GOOD[:-1], b"\x82\x01", b""])
def test_the_count_of_items_finds_the_end_by_itself(payload: bytes) -> None:
    codec._check_items(GOOD)
    with pytest.raises(MalformedFrame):
        codec._check_items(payload)


def test_the_largest_body_of_two_byte_letters_is_taken() -> None:
    payload = codec.encode_send(1, codec.encode("bob"), CID, "ü" * BODY_CHARS_MAX)
    assert len(payload) <= FRAME_BYTES_MAX
    assert codec.decode(payload)["body"] == "ü" * BODY_CHARS_MAX


def test_the_reason_of_a_refusal_does_not_quote_the_input() -> None:
    with pytest.raises(MalformedFrame) as refusal:
        codec.decode(b"\xa2\x66secret\x01\x66secret\x02")
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("name", [name for name in EXAMPLES if not name.endswith("-packed")])
def test_an_op_is_encoded_as_its_vector(name: str) -> None:
    assert codec.encode(EXAMPLES[name].op) == vector(name)


def test_hot_frames_are_packed_as_their_vectors() -> None:
    ann, bob = codec.encode("ann"), codec.encode("bob")
    record = codec.encode_record(ann, 7, TS, CID, RECORD.body)
    other = codec.encode_record(bob, 8, TS + 1, OTHER.cid, OTHER.body)
    marks = {"ann": {"delivered": 8, "read": 8}, "bob": {"delivered": 8, "read": 7}}
    assert record == vector("record-packed")
    assert codec.encode_update(9, record) == vector("msg-packed")
    assert codec.encode_own_update(9, "bob", record) == vector("msg-own-packed")
    assert codec.encode_accepted(3, 7, TS) == vector("reply-accepted-packed")
    assert codec.encode_send(3, bob, CID, RECORD.body) == vector("send-packed")
    assert codec.encode_ack(300) == vector("ack-packed")
    assert codec.encode_mark("bob", "bob", 8, 7) == vector("mark-push-packed")
    assert codec.encode_page(3, [record, other], 8, False, marks) == vector("reply-page-packed")


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name.endswith("-packed")])
def test_a_packed_vector_says_what_the_plain_one_says(name: str) -> None:
    assert cbor2.loads(vector(name)) == cbor2.loads(vector(name.removesuffix("-packed")))


def test_replies_are_encoded_as_their_vectors() -> None:
    assert codec.encode_reply(3, {}) == vector("reply-done")
    assert codec.encode_error(3, "busy", "too many requests", "after", "none", 1_000) == vector(
        "reply-error"
    )
    assert codec.encode_error(None, "unknown_op", "no such op", "never", "none") == vector(
        "reply-error-unmatched"
    )


@pytest.mark.parametrize("size", [0, 23, 24, 255, 256, 65_535, 65_536, 262_144])
def test_the_head_of_a_body_is_the_shortest(size: int) -> None:
    packed = codec.encode_record(b"\x61a", 1, 2, CID, "x" * size)
    assert packed.endswith(b"\x64body" + cbor2.dumps("x" * size))


def test_a_record_is_read_back() -> None:
    assert codec.decode_record(vector("record-packed")) == RECORD
    assert isinstance(codec.decode_record(vector("record")), Record)


@pytest.mark.parametrize("name", ["a", "a" * 23, "a" * 24, "a" * 64])
def test_the_sender_of_a_record_is_read_without_the_rest(name: str) -> None:
    record = codec.encode_record(codec.encode(name), 1, 2, CID, "from")
    assert codec.record_sender(record) == name == codec.decode_record(record).sender


@pytest.mark.parametrize("payload", [b"", b"\xa0", vector("msg")])
def test_what_is_no_record_is_malformed(payload: bytes) -> None:
    with pytest.raises(MalformedFrame):
        codec.decode_record(payload)


def test_a_lone_surrogate_is_not_sent() -> None:
    for encode in (
        lambda text: codec.encode_send(1, b"\x61a", CID, text),
        lambda text: codec.encode_record(b"\x61a", 1, 2, CID, text),
        codec.encode,
    ):
        with pytest.raises(UnicodeEncodeError):
            encode("\ud800")


def test_time_and_id_of_a_packed_record_are_read_without_decoding() -> None:
    plain = codec.encode_record(codec.encode("ann"), 7, TS, CID, "body")
    group = codec.encode_group_record(
        "#" + "A" * 22, codec.encode("a" * 64), 2**40, TS, CID, "", b"\xa0"
    )
    for record in (plain, group):
        assert codec.record_ts(record) == TS
        assert codec.record_cid(record) == CID
