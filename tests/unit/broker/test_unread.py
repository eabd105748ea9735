"""What counts as unread is what can be read."""

from __future__ import annotations

from typing import Any

from actorchat.broker.archive import Archive
from actorchat.broker.unread import writers
from actorchat.protocol import codec, ops, rich
from actorchat.protocol.ops.group import Leave
from actorchat.store import keys
from actorchat.store.memory import MemoryEngine

TALK = keys.conversation_key("ann", "bob")
CID = bytes(16)


def packed(seq: int, **more: object) -> tuple[int, bytes]:
    said: Any = ops.Record
    return seq, rich.encode(said("ann", seq, 5, CID, "text", **more))


def test_messages_that_can_be_read_count_and_nothing_else() -> None:
    engine = MemoryEngine()
    archive = Archive(engine)
    change = codec.encode_group_record(
        "#" + "A" * 22, codec.encode("ann"), 7, 5, CID, "", codec.encode(Leave())
    )
    records = [
        packed(1),
        packed(2, edited=9),
        packed(3, gone=True),
        packed(4, act=ops.Reacted(1, "x", True)),
        packed(5, extra=ops.Extra(exp=10)),
        packed(6),
        (7, change),
    ]
    assert writers(archive, "bob", TALK, [], 0) == []
    assert len(writers(archive, "bob", TALK, records, 9)) == 4
    assert len(writers(archive, "bob", TALK, records, 10)) == 3
    state = engine.family("state")
    batch = engine.batch()
    key = keys.state_key(keys.user_key("bob"), b"H", keys.place(TALK, 6))
    batch.put(key, b"", state)
    engine.write(batch)
    assert writers(archive, "bob", TALK, records, 10) == ["ann", "ann"]
    assert len(writers(archive, "ann", TALK, records, 10)) == 3
