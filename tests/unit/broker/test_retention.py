"""Which rows retention reads and writes."""

from __future__ import annotations

from actorchat.broker.archive import Archive
from actorchat.broker.group_log import GroupLog
from actorchat.broker.retention import Owner, RetentionLog, Totals
from actorchat.broker.rows import Rows
from actorchat.chat.account import Account
from actorchat.chat.conversation import TAG_OF_FIRST
from actorchat.chat.retention import Ledger, Line
from actorchat.limits import SWEEP_RANGE_ROWS_MIN
from actorchat.protocol import codec, ops, rich
from actorchat.store import keys
from actorchat.store.engine import Op
from actorchat.store.memory import MemoryEngine

PAIR = ("ann", "bob")
CID = bytes(16)
KEY = keys.conversation_key(*PAIR)


class Store:
    def __init__(self) -> None:
        self.engine = engine = MemoryEngine()
        archive = Archive(engine)
        self.rows = Rows(engine)
        self.log = RetentionLog(engine, archive, GroupLog(engine))

    def write(self, *ops: Op) -> None:
        batch = self.engine.batch()
        for family, key, value in ops:
            if value is None:
                batch.delete(key, family)
            else:
                batch.put(key, value, family)
        self.engine.write(batch)

    def post(self, *seqs: int) -> None:
        for seq in seqs:
            cid = bytes((seq,)) * 16
            record = codec.encode_record(codec.encode("ann"), seq, 100 * seq, cid, "text")
            self.write(*self.rows.message(KEY, seq, record, TAG_OF_FIRST + cid, 100 * seq, False))
            owner = keys.user_key("bob")
            self.write(self.rows.update(owner, seq, KEY, seq, record))


def test_owners_come_in_the_order_of_their_keys_each_once() -> None:
    store = Store()
    store.write(store.rows.members(KEY, PAIR))
    for user in PAIR:
        store.write(store.rows.account(Account(user, 0, "hash")))
        store.write(*store.rows.cursor(keys.user_key(user), "phone", 1))
    stray = keys.user_key("nobody")
    store.write(*store.rows.cursor(stray, "phone", 1))
    found, after = [], b""
    while (owner := store.log.next_owner(after)) is not None:
        found.append(owner)
        after = owner.key
    assert [owner.key for owner in found] == sorted(owner.key for owner in found)
    assert set(found) == {
        Owner(KEY, conv=PAIR),
        Owner(stray),
        *(Owner(keys.user_key(user), user=user) for user in PAIR),
    }


def test_updates_and_records_are_lines_with_the_servers_time() -> None:
    store = Store()
    store.post(1, 2, 3)
    lines = store.log.updates(keys.user_key("bob"), 1, 9)
    assert [(line.position, line.ts) for line in lines] == [(2, 200), (3, 300)]
    records = store.log.records(KEY, 2, 1)
    assert [(line.position, line.ts, line.size) for line, _ in records] == [
        (2, 200, len(records[0][1]))
    ]


def test_update_whose_record_is_gone_is_older_than_any() -> None:
    store = Store()
    owner = keys.user_key("bob")
    store.write(
        (
            store.engine.family("inbox"),
            keys.inbox_key(owner, 1),
            keys.pack_inbox(keys.POINTER, 1, KEY, 9),
        )
    )
    assert [(line.position, line.ts) for line in store.log.updates(owner, 0, 9)] == [(1, 0)]


def test_few_records_go_one_by_one_and_many_as_a_range() -> None:
    store = Store()
    store.post(*range(1, SWEEP_RANGE_ROWS_MIN + 2))
    records = store.log.records(KEY, 1, 100)
    owner, ledger = Owner(KEY, conv=PAIR), Ledger(3, 9, 80)
    few = store.log.drop(owner, records[:2], ledger)
    assert few.range is None
    store.write(*few.ops)
    assert store.log.ledger(KEY) == ledger
    assert [line.position for line, _ in store.log.records(KEY, 1, 2)] == [3, 4]
    sent = store.engine.family("sent")
    assert len(store.engine.scan(sent, b"", b"\xff" * 40)) == SWEEP_RANGE_ROWS_MIN - 1
    many = store.log.drop(owner, records, ledger)
    family, start, stop = many.range or (None, b"", b"")
    assert family is store.engine.family("history")
    assert start == keys.history_key(KEY, 1)
    assert stop == keys.history_key(KEY, SWEEP_RANGE_ROWS_MIN + 2)


def test_progress_is_kept_with_its_totals() -> None:
    store = Store()
    assert store.log.progress() == (b"", Totals())
    store.write(store.log.progress_row(KEY, Totals(1, 2, 3)))
    assert store.log.progress() == (KEY, Totals(1, 2, 3))
    store.write(store.log.progress_row(b"", Totals(1, 2, 3)))
    assert store.log.progress() == (b"", Totals(1, 2, 3))


def test_time_of_a_message_goes_with_it_and_strays_below_the_first_are_found() -> None:
    store = Store()
    record = ops.Record("ann", 1, 5, CID, "text", extra=ops.Extra(exp=900))
    packed = rich.encode(record)
    line = Line(1, 5, len(packed))
    drop = store.log.drop(Owner(KEY, conv=PAIR), [(line, packed)], Ledger(2, 1, 0))
    assert any(key == keys.expiry_key(KEY, 900, 1) and value is None for _, key, value in drop.ops)
    store.post(1, 2, 3)
    assert store.log.strays(KEY, 1) == []
    assert [keys.parse_history_key(key)[1] for _, key, _ in store.log.strays(KEY, 3)] == [1, 2]
