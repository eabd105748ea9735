"""The splitter finds frames in any chunks, in linear time, and keeps no more than it must."""

from __future__ import annotations

import time

from actorchat.limits import FRAME_BYTES_MAX
from actorchat.protocol.framing import FrameSplitter, frame

LIMIT = 1_000


def test_a_frame_is_its_length_and_its_payload() -> None:
    assert frame(b"abc") == b"\x00\x00\x00\x03abc"


def test_frames_in_one_chunk_come_in_order() -> None:
    chunk = frame(b"one") + frame(b"") + frame(b"three")
    assert FrameSplitter().feed(chunk, LIMIT) == [b"one", b"", b"three"]


def test_a_frame_in_single_bytes_comes_with_the_last() -> None:
    splitter = FrameSplitter()
    stream = frame(b"one") + frame(b"two")
    found = [splitter.feed(stream[at : at + 1], LIMIT) for at in range(len(stream))]
    assert found == [[]] * 6 + [[b"one"]] + [[]] * 6 + [[b"two"]]


def test_the_rest_of_a_chunk_is_the_start_of_the_next_frame() -> None:
    splitter = FrameSplitter()
    assert splitter.feed(frame(b"one") + b"\x00\x00", LIMIT) == [b"one"]
    assert splitter.held_bytes == 2
    assert splitter.feed(b"\x00\x03tw", LIMIT) == []
    assert splitter.feed(b"o" + frame(b"three")[:5], LIMIT) == [b"two"]
    assert splitter.feed(b"hree", LIMIT) == [b"three"]
    assert splitter.held_bytes == 0


def test_a_frame_of_the_limit_passes_and_one_byte_more_ends_it() -> None:
    splitter = FrameSplitter()
    full = b"x" * LIMIT
    assert splitter.feed(frame(full), LIMIT) == [full]
    assert splitter.held_bytes == 0
    assert splitter.feed(frame(b"last") + frame(full + b"x") + frame(b"more"), LIMIT) == [b"last"]
    assert splitter.oversize == LIMIT + 1


def test_an_oversize_frame_is_refused_by_its_prefix_alone_and_not_kept() -> None:
    splitter = FrameSplitter()
    assert splitter.feed(b"\xff\xff\xff", LIMIT) == []
    assert splitter.held_bytes == 3
    assert splitter.feed(b"\xff" + b"x" * 100_000, LIMIT) == []
    assert splitter.oversize == 2**32 - 1
    assert splitter.held_bytes == 0


def test_the_longest_frame_in_single_bytes_is_linear() -> None:
    payload = b"x" * FRAME_BYTES_MAX
    stream = frame(payload)
    splitter = FrameSplitter()
    chunks = [stream[at : at + 1] for at in range(len(stream))]
    found: list[bytes] = []
    start = time.process_time()
    for chunk in chunks:
        found += splitter.feed(chunk, FRAME_BYTES_MAX)
    # Linear is about 0.07 s; copying what is held for each byte moves 34 GB, 5 s or more.
    assert time.process_time() - start < 1.0
    assert found == [payload]
