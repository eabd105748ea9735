"""A record that says more is told by its first byte, and what both have stands in one place."""

from __future__ import annotations

import pytest

from actorchat.limits import EMOJIS_MAX, FILES_MAX, MENTIONS_MAX, REACTIONS_MAX
from actorchat.protocol import codec, rich
from actorchat.protocol.ops import Edited, Extra, Msg, Record
from actorchat.protocol.ops.extra import FileRef
from tests.vectors.example import (
    ACT_RECORDS,
    CHANGE_RECORD,
    CID,
    EXAMPLES,
    FILE,
    GONE_RECORD,
    GROUP,
    GROUP_RECORD,
    RECORD,
    RICH_GROUP_RECORD,
    RICH_RECORD,
    TS,
    vector,
)

RICH = (RICH_RECORD, RICH_GROUP_RECORD, GONE_RECORD, *ACT_RECORDS.values())


@pytest.mark.parametrize("record", RICH)
def test_what_is_packed_is_read_again(record: Record) -> None:
    packed = rich.encode(record)
    assert codec.decode_record(packed) == record
    assert rich.is_rich(packed)
    assert rich.is_act(packed) is (record.act is not None)
    assert codec.record_sender(packed) == record.sender
    assert codec.record_group(packed) == record.conv
    assert not codec.record_is_change(packed)


def test_a_plain_record_is_packed_as_ever() -> None:
    sender = codec.encode("ann")
    assert rich.encode(RECORD) == codec.encode_record(sender, 7, TS, CID, RECORD.body)
    assert rich.encode(GROUP_RECORD) == codec.encode_group_record(
        GROUP, sender, 7, TS, CID, RECORD.body
    )
    change = codec.encode(CHANGE_RECORD.change)
    changed = codec.encode_group_record(GROUP, sender, 7, TS, CID, "", change)
    for packed in (rich.encode(RECORD), rich.encode(GROUP_RECORD), changed):
        assert not rich.is_rich(packed)
        assert not rich.is_act(packed)


@pytest.mark.parametrize("sender", ["a", "a" * 23, "a" * 24, "a" * 64])
@pytest.mark.parametrize("act", [None, Edited(1)])
def test_the_sender_is_found_however_long(sender: str, act: Edited | None) -> None:
    for conv in (None, GROUP):
        record = Record(sender, 1, TS, CID, "x", conv, extra=Extra(re=1), act=act)
        assert codec.record_sender(rich.encode(record)) == sender


@pytest.mark.parametrize("name", ["msg-extra", "msg-edit", "msg-delete", "msg-extra-group"])
def test_a_packed_update_is_its_golden_one(name: str) -> None:
    op = EXAMPLES[f"{name}-packed"].op
    assert isinstance(op, Msg)
    payload = codec.encode_update(op.upd, rich.encode(op.msg))
    assert payload == vector(f"{name}-packed")
    assert rich.encode(RICH_RECORD) == vector("record-extra-packed")


def _count(value: object) -> int:
    if isinstance(value, dict):
        return 1 + sum(_count(key) + _count(each) for key, each in value.items())
    return 1 + sum(map(_count, value)) if isinstance(value, list) else 1


@pytest.mark.parametrize("record", [RECORD, GROUP_RECORD, *RICH])
def test_items_are_counted(record: Record) -> None:
    packed = rich.encode(record)
    assert rich.count_items(packed) == _count(codec.decode(packed))


def test_the_richest_record_has_few_items() -> None:
    files = [FileRef(FILE.hash, 1, "x", "y")] * FILES_MAX
    extra = Extra(mentions=["a"] * MENTIONS_MAX, kind="file", files=files)
    reactions = {str(n): ["a"] * (REACTIONS_MAX // EMOJIS_MAX) for n in range(EMOJIS_MAX)}
    record = Record("ann", 1, TS, CID, "", GROUP, extra=extra, edited=2, reactions=reactions)
    assert rich.count_items(rich.encode(record)) < 600
