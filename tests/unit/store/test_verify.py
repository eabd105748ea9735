"""Every rule of `verify` is broken once, and named."""

from __future__ import annotations

import pytest

from actorchat.errors import StoreCorrupt
from actorchat.store import keys, kinds, values
from actorchat.store.engine import FAMILIES, Family, Row
from actorchat.store.memory import MemoryEngine
from actorchat.store.verify import PROBLEMS_KEPT_MAX, FamilyStats, Problem, stats, verify

ANN, BOB = keys.user_key("ann"), keys.user_key("bob")
CONVERSATION = keys.conversation_key("ann", "bob")
OTHER = keys.conversation_key("ann", "zoe")
CID = bytes(16)


def pointer(seq: int) -> bytes:
    return keys.pack_inbox(keys.POINTER, 1, CONVERSATION, seq)


def inline(seq: int) -> bytes:
    return keys.pack_inbox(keys.INLINE, 1, CONVERSATION, seq)


@pytest.fixture
def engine() -> MemoryEngine:
    """Return a sound store: three messages from ann to bob, the last not yet fanned out."""
    engine = MemoryEngine()
    for seq in (1, 2, 3):
        put(engine, "history", keys.history_key(CONVERSATION, seq), keys.pack_history(1, b"record"))
        put(engine, "sent", keys.sent_key(CONVERSATION, b"\0", bytes((seq,)) * 16), sent(seq))
    put(
        engine,
        "inbox",
        keys.inbox_key(BOB, 7),
        inline(1) + b"record",
    )
    put(engine, "inbox", keys.inbox_key(BOB, 8), pointer(2))
    put(engine, "outbox", keys.outbox_key(CONVERSATION), keys.pack_outbox(3))
    put(engine, "state", keys.state_key(ANN, kinds.ACCOUNT), b"account")
    return engine


def sent(seq: int) -> bytes:
    return keys.pack_sent(seq, 1_700_000_000_000)


def put(engine: MemoryEngine, family: str, key: bytes, value: bytes) -> None:
    batch = engine.batch()
    batch.put(key, value, engine.family(family))
    engine.write(batch)


def test_a_sound_store_has_no_problems(engine: MemoryEngine) -> None:
    report = verify(engine)
    assert report.problems == []
    assert report.is_sound
    assert report.rows == {"history": 3, "inbox": 2, "sent": 3, "outbox": 1, "state": 2}


def test_an_empty_store_is_sound() -> None:
    assert verify(MemoryEngine()).is_sound


def test_a_second_conversation_and_a_second_user_begin_anew(engine: MemoryEngine) -> None:
    put(engine, "history", keys.history_key(OTHER, 1), keys.pack_history(1, b"record"))
    put(engine, "inbox", keys.inbox_key(ANN, 40), pointer(1))
    assert verify(engine).problems == []


def test_an_event_that_says_where_no_record_can_be_is_found(engine: MemoryEngine) -> None:
    put(engine, "state", keys.event_key(1), keys.history_key(CONVERSATION, 1))
    assert verify(engine).problems == []
    put(engine, "state", keys.event_key(2), b"nowhere")
    put(engine, "state", keys.EVENT_PREFIX + b"short", keys.history_key(CONVERSATION, 1))
    assert [problem.family for problem in verify(engine).problems] == ["state", "state"]


def test_a_span_is_as_many_updates_as_it_has_messages(engine: MemoryEngine) -> None:
    put(engine, "inbox", keys.inbox_key(ANN, 12), keys.pack_span(1, CONVERSATION, 2, 2))
    put(engine, "inbox", keys.inbox_key(ANN, 13), pointer(3))
    put(engine, "state", keys.state_key(ANN, kinds.MOVED, OTHER), values.pack_moved(1, 3, "#g"))
    put(engine, "state", keys.state_key(OTHER, kinds.SIZE), values.pack_position(7))
    assert verify(engine).problems == []


def test_members_and_links_behind_their_group_are_sound(engine: MemoryEngine) -> None:
    group = keys.group_key("#" + "A" * 22)
    for kind, name in ((kinds.GROUP, b""), (kinds.MEMBER, b"ann"), (kinds.LINK, b"x")):
        put(engine, "state", keys.state_key(group, kind, name), b"")
    assert verify(engine).is_sound


def test_a_marker_one_behind_the_head_is_sound(engine: MemoryEngine) -> None:
    put(engine, "outbox", keys.outbox_key(CONVERSATION), keys.pack_outbox(4))
    assert verify(engine).is_sound


@pytest.mark.parametrize(
    ("family", "key", "value", "text"),
    [
        ("history", b"short", b"", "bad history key"),
        ("history", keys.history_key(CONVERSATION, 5), keys.pack_history(1, b"r"), "4 was due"),
        ("history", keys.history_key(OTHER, 2), keys.pack_history(1, b"r"), "1 was due"),
        ("history", keys.history_key(CONVERSATION, 0), keys.pack_history(1, b"r"), "1 was due"),
        ("history", keys.history_key(CONVERSATION, 2), b"", "bad history value"),
        ("history", keys.history_key(CONVERSATION, 2), keys.pack_history(1, b""), "empty"),
        ("inbox", b"short", b"", "bad inbox key"),
        ("inbox", keys.inbox_key(BOB, 8), b"short", "bad inbox value"),
        ("inbox", keys.inbox_key(BOB, 10), pointer(3), "9 was due"),
        ("inbox", keys.inbox_key(ANN, 0), pointer(3), "1 was due"),
        ("inbox", keys.inbox_key(BOB, 9), pointer(2), "after seq 2"),
        ("inbox", keys.inbox_key(BOB, 9), pointer(4), "not in history"),
        ("inbox", keys.inbox_key(BOB, 10), keys.pack_span(1, CONVERSATION, 3, 2), "after seq 2"),
        ("inbox", keys.inbox_key(BOB, 10), keys.pack_span(1, CONVERSATION, 3, 1), "9 was due"),
        ("inbox", keys.inbox_key(BOB, 10), keys.pack_span(1, OTHER, 3, 2), "not in history"),
        ("inbox", keys.inbox_key(ANN, 1), keys.pack_span(1, CONVERSATION, 3, 2), "1 was due"),
        ("inbox", keys.inbox_key(BOB, 9), b"\2" + bytes(34), "bad inbox value"),
        ("state", keys.state_key(ANN, kinds.MOVED, OTHER), b"short", "bad moved head"),
        ("state", keys.state_key(OTHER, kinds.SIZE), b"short", "bad position"),
        ("sent", b"short", b"", "bad sent key"),
        ("sent", keys.sent_key(CONVERSATION, b"\0", CID), b"short", "bad sent value"),
        ("sent", keys.sent_key(CONVERSATION, b"\0", CID), sent(4), "seq 4 is not in history"),
        ("outbox", b"short", b"", "bad outbox key"),
        ("outbox", keys.outbox_key(CONVERSATION), b"short", "bad outbox value"),
        ("outbox", keys.outbox_key(CONVERSATION), keys.pack_outbox(5), "owes seq 5"),
        ("outbox", keys.outbox_key(OTHER), keys.pack_outbox(0), "owes seq 0"),
        ("state", b"short", b"", "bad state key"),
        ("state", keys.state_key(ANN, kinds.MEMBER, b"bob"), b"", "group that has no row"),
        ("state", keys.state_key(ANN, kinds.LINK, b"x"), b"", "group that has no row"),
        ("state", keys.expiry_key(CONVERSATION, 5, 99), b"", "not in history"),
        ("state", keys.state_key(CONVERSATION, kinds.EXPIRY, b"x"), b"", "bad expiry id"),
        (
            "state",
            keys.state_key(ANN, kinds.HIDDEN, keys.place(CONVERSATION, 99)),
            b"",
            "not in history",
        ),
        (
            "state",
            keys.state_key(ANN, kinds.VEIL, keys.place(CONVERSATION, 99)),
            b"",
            "not in history",
        ),
        ("state", keys.state_key(ANN, kinds.VEIL, b"x"), b"", "bad place key"),
        ("state", keys.FORMAT_KEY, values.pack_format(99), "layout version 99"),
    ],
)
def test_what_does_not_hold_is_named_by_family_and_key(
    engine: MemoryEngine, family: str, key: bytes, value: bytes, text: str
) -> None:
    put(engine, family, key, value)
    report = verify(engine)
    assert not report.is_sound
    assert any(p.family == family and p.key == key and text in p.text for p in report.problems), [
        str(problem) for problem in report.problems
    ]


def test_only_the_first_problems_are_kept_but_all_are_counted(engine: MemoryEngine) -> None:
    for number in range(PROBLEMS_KEPT_MAX + 5):
        put(engine, "state", b"bad" + number.to_bytes(2, "big"), b"")
    report = verify(engine)
    assert report.problem_count == PROBLEMS_KEPT_MAX + 5
    assert len(report.problems) == PROBLEMS_KEPT_MAX


def test_a_family_that_can_not_be_read_is_a_problem_and_the_others_go_on() -> None:
    class Damaged(MemoryEngine):
        is_damaged = False

        def scan(
            self,
            family: Family,
            start: bytes,
            stop: bytes,
            limit: int | None = None,
            reverse: bool = False,
        ) -> list[Row]:
            if self.is_damaged and family is self.family("inbox"):
                raise StoreCorrupt("block checksum mismatch in 000009.sst", "000009.sst")
            return super().scan(family, start, stop, limit, reverse)

    engine = Damaged()
    engine.is_damaged = True
    report = verify(engine)
    assert [(p.family, p.key) for p in report.problems] == [("inbox", b"")]
    assert "000009.sst" in str(report.problems[0])
    assert report.rows["state"] == 1


def test_a_problem_reads_as_one_line() -> None:
    assert str(Problem("sent", b"\1\2", "odd")) == "sent 0102: odd"
    assert str(Problem("sent", b"", "odd")) == "sent -: odd"


def test_stats_count_rows_owners_and_bytes(engine: MemoryEngine) -> None:
    put(engine, "history", keys.history_key(OTHER, 1), keys.pack_history(1, b"record"))
    found = stats(engine)
    assert tuple(found) == FAMILIES
    assert found["history"] == FamilyStats(rows=4, owners=2, key_bytes=4 * 26, value_bytes=4 * 10)
    assert (found["inbox"].owners, found["state"].owners) == (1, 2)


def test_a_history_may_begin_where_its_ledger_says(engine: MemoryEngine) -> None:
    put(engine, "state", keys.state_key(CONVERSATION, kinds.LEDGER), values.pack_ledger(2, 3, 12))
    put(engine, "inbox", keys.inbox_key(BOB, 7), pointer(1))
    drop(engine, "history", keys.history_key(CONVERSATION, 1))
    drop(engine, "sent", keys.sent_key(CONVERSATION, b"\0", b"\1" * 16))
    put(engine, "state", keys.SWEEP_KEY, values.pack_sweep(CONVERSATION, 1, 12, 0))
    assert verify(engine).problems == []


@pytest.mark.parametrize("first", [1, 3, 4])
def test_a_history_that_begins_elsewhere_is_named(engine: MemoryEngine, first: int) -> None:
    drop(engine, "history", keys.history_key(CONVERSATION, 1))
    drop(engine, "sent", keys.sent_key(CONVERSATION, b"\0", b"\1" * 16))
    put(engine, "inbox", keys.inbox_key(BOB, 7), inline(1) + b"record")
    value = values.pack_ledger(first, 3, 12)
    put(engine, "state", keys.state_key(CONVERSATION, kinds.LEDGER), value)
    assert any("seq" in problem.text for problem in verify(engine).problems)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (keys.state_key(CONVERSATION, kinds.LEDGER), b"short"),
        (keys.state_key(CONVERSATION, kinds.LEDGER), bytes(24)),
        (keys.SWEEP_KEY, b"short"),
    ],
)
def test_a_bad_ledger_or_sweep_is_named(engine: MemoryEngine, key: bytes, value: bytes) -> None:
    put(engine, "state", key, value)
    assert not verify(engine).is_sound


IN_ANOTHER_SLOT = [
    ("inbox", keys.inbox_key(BOB, 9), pointer(3)),
    ("inbox", keys.inbox_key(BOB, 10), keys.pack_span(1, CONVERSATION, 3, 2)),
    ("state", keys.state_key(BOB, kinds.MOVED, CONVERSATION), values.pack_moved(1, 3, "#g")),
]


@pytest.mark.parametrize(("family", "key", "value"), IN_ANOTHER_SLOT)
def test_what_points_into_another_slot_of_a_cluster_is_named(
    engine: MemoryEngine, family: str, key: bytes, value: bytes
) -> None:
    assert keys.slot_in(BOB) != keys.slot_in(CONVERSATION)
    drop(engine, "inbox", keys.inbox_key(BOB, 8))
    put(engine, "inbox", keys.inbox_key(BOB, 8), inline(1) + b"record")
    drop(engine, "inbox", keys.inbox_key(BOB, 7))
    put(engine, family, key, value)
    assert verify(engine).is_sound
    put(engine, "state", keys.CLUSTER_KEY, b"")
    (problem,) = verify(engine).problems
    assert problem.key == key
    assert "another slot" in problem.text


def test_pointers_within_a_slot_of_a_cluster_are_sound(engine: MemoryEngine) -> None:
    drop(engine, "inbox", keys.inbox_key(BOB, 8))
    put(engine, "inbox", keys.inbox_key(ANN, 1), pointer(2))
    put(engine, "state", keys.CLUSTER_KEY, b"")
    assert verify(engine).is_sound


@pytest.mark.parametrize("prefix", [keys.LEAVING_PREFIX, keys.COMING_PREFIX])
def test_a_bad_note_of_a_slot_that_moves_is_named(engine: MemoryEngine, prefix: bytes) -> None:
    put(engine, "state", keys.moving_key(prefix, 7), b"short")
    assert not verify(engine).is_sound


def drop(engine: MemoryEngine, family: str, key: bytes) -> None:
    batch = engine.batch()
    batch.delete(key, engine.family(family))
    engine.write(batch)
