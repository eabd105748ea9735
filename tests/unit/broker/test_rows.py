from __future__ import annotations

from actorchat.broker.rows import EPOCH, Rows
from actorchat.limits import INBOX_INLINE_BYTES_MAX
from actorchat.store import keys
from actorchat.store.memory import MemoryEngine

CONVERSATION = keys.conversation_key("ann", "bob")
BOB = keys.user_key("bob")


def test_message_is_two_rows_and_a_marker_where_one_is_owed() -> None:
    engine = MemoryEngine()
    rows = Rows(engine)
    id_key = b"\1" + bytes(16)
    plain = rows.message(CONVERSATION, 3, b"record", id_key, 99, owes=False)
    assert plain == (
        (engine.family("history"), keys.history_key(CONVERSATION, 3), b"\0\0\0\1record"),
        (
            engine.family("sent"),
            keys.sent_key(CONVERSATION, b"\1", bytes(16)),
            keys.pack_sent(3, 99),
        ),
    )
    owed = rows.message(CONVERSATION, 3, b"record", id_key, 99, owes=True)
    assert owed[:2] == plain
    assert owed[2] == (engine.family("outbox"), CONVERSATION, keys.pack_outbox(3))


def test_records_up_to_the_limit_lie_in_the_inbox_itself() -> None:
    rows = Rows(MemoryEngine())
    for length, kind in (
        (INBOX_INLINE_BYTES_MAX, keys.INLINE),
        (INBOX_INLINE_BYTES_MAX + 1, keys.POINTER),
    ):
        _, key, value = rows.update(BOB, 4, CONVERSATION, 3, b"x" * length)
        row = keys.unpack_inbox(value)
        assert key == keys.inbox_key(BOB, 4)
        assert (row.kind, row.epoch, row.conversation, row.seq) == (kind, EPOCH, CONVERSATION, 3)


def test_trim_covers_what_is_behind_and_not_the_next() -> None:
    engine = MemoryEngine()
    family, start, stop = Rows(engine).trimmed(BOB, 4, 9)
    assert family is engine.family("inbox")
    inside = [upd for upd in range(12) if start <= keys.inbox_key(BOB, upd) < stop]
    assert inside == [5, 6, 7, 8, 9]
