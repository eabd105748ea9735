"""What may be sent, and the ids it is sent under."""

from __future__ import annotations

import time
import uuid

import pytest

from actorchat.client.post import check_send, new_cid
from actorchat.errors import InvalidOp
from actorchat.limits import BODY_CHARS_MAX, FRAME_BYTES_MAX
from actorchat.protocol.codec import encode, encode_send


def test_a_cid_is_a_uuid_of_version_7_with_the_time_in_front() -> None:
    before = time.time_ns() // 1_000_000
    cid = uuid.UUID(bytes=new_cid())
    assert cid.version == 7
    assert cid.variant == uuid.RFC_4122
    assert before <= cid.int >> 80 <= time.time_ns() // 1_000_000
    assert new_cid() != new_cid()


@pytest.mark.parametrize(
    ("to", "text", "cid"),
    [
        ("", "hi", None),
        ("Bob", "hi", None),
        ("b" * 65, "hi", None),
        ("bob", "x" * (BODY_CHARS_MAX + 1), None),
        ("bob", "\N{GRINNING FACE}" * BODY_CHARS_MAX, None),
        ("bob", "\ud800", None),
        ("bob", "hi", b"short"),
    ],
)
def test_what_no_server_would_take_is_refused(to: str, text: str, cid: bytes | None) -> None:
    with pytest.raises(InvalidOp):
        check_send(to, text, cid)


def test_the_largest_text_that_passes_fits_a_frame() -> None:
    text = "\N{GRINNING FACE}" * (FRAME_BYTES_MAX // 4 - 64)
    check_send("b" * 64, text, bytes(16))
    assert len(encode_send(2**32 - 1, encode("b" * 64), bytes(16), text)) <= FRAME_BYTES_MAX
    check_send("bob", "x" * BODY_CHARS_MAX, bytes(16))
