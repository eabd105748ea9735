from __future__ import annotations

import pytest

from actorchat.broker.archive import Archive
from actorchat.broker.rows import Rows
from actorchat.chat.account import Account, Device
from actorchat.chat.event import Row
from actorchat.errors import StoreCorrupt
from actorchat.protocol import codec
from actorchat.store import keys, kinds, values
from actorchat.store.memory import MemoryEngine

CONVERSATION = keys.conversation_key("ann", "bob")
ANN = keys.user_key("ann")
CID = bytes(16)


@pytest.fixture
def engine() -> MemoryEngine:
    return MemoryEngine()


def write(engine: MemoryEngine, *ops: tuple[object, bytes, bytes | None]) -> None:
    batch = engine.batch()
    for family, key, value in ops:
        if value is None:
            batch.delete(key, family)
        else:
            batch.put(key, value, family)
    engine.write(batch)


def record(sender: str, seq: int, body: str) -> bytes:
    return codec.encode_record(codec.encode(sender), seq, 1_000 + seq, CID, body)


def put_message(engine: MemoryEngine, seq: int, body: str, owes: bool = False) -> None:
    rows = Rows(engine)
    id_key = b"\0" + seq.to_bytes(16, "big")
    write(engine, *rows.message(CONVERSATION, seq, record("ann", seq, body), id_key, seq, owes))


def test_empty_store_knows_nothing(engine: MemoryEngine) -> None:
    archive = Archive(engine)
    assert archive.last_seq(CONVERSATION) == 0
    assert archive.owed(CONVERSATION) is None
    assert archive.marks(CONVERSATION, "ann") == (0, 0)
    assert archive.prior(CONVERSATION, b"\0" + CID) is None
    assert archive.user_log(ANN) == (0, 0)
    assert archive.cursors(ANN) == {}
    assert archive.received(ANN, CONVERSATION) == 0
    assert archive.rows("ann", ANN, 1) == []
    assert archive.account("ann") is None
    assert archive.device("ann", "phone") is None
    assert not archive.has_account("ann")


def test_messages_are_found_by_seq_by_page_and_by_id(engine: MemoryEngine) -> None:
    for seq in range(1, 6):
        put_message(engine, seq, f"m{seq}", owes=seq == 4)
    archive = Archive(engine)
    assert archive.last_seq(CONVERSATION) == 5
    assert archive.owed(CONVERSATION) == 4
    newest = archive.records(CONVERSATION, 0, 5, 2, True)
    assert [seq for seq, _ in newest] == [3, 4]
    oldest = archive.records(CONVERSATION, 1, 6, 2, False)
    assert [seq for seq, _ in oldest] == [2, 3]
    prior = archive.prior(CONVERSATION, b"\0" + (3).to_bytes(16, "big"))
    assert prior is not None
    assert (prior.seq, prior.ts, prior.digest) == (3, 3, hash("m3"))


@pytest.mark.parametrize("newest", [False, True])
def test_a_page_with_a_bound_in_bytes_is_read_no_further_than_that(
    engine: MemoryEngine, newest: bool
) -> None:
    for seq in range(1, 151):
        put_message(engine, seq, "x" * 100)
    archive = Archive(engine)
    size = len(record("ann", 1, "x" * 100))
    everything = [seq for seq, _ in archive.records(CONVERSATION, 0, 151, 200, newest, 151 * size)]
    assert everything == list(range(1, 151)), "read in several steps, without a seam"
    few = [seq for seq, _ in archive.records(CONVERSATION, 0, 151, 200, newest, 40 * size)]
    assert 40 < len(few) < 100
    assert few == (everything[-len(few) :] if newest else everything[: len(few)])
    assert len(archive.records(CONVERSATION, 0, 151, 2, newest, 1)) == 2
    assert len(archive.records(CONVERSATION, 0, 151, 50, newest, 151 * size)) == 50


def test_missing_history_is_corruption(engine: MemoryEngine) -> None:
    with pytest.raises(StoreCorrupt, match="lacks seq 7"):
        Archive(engine).record(CONVERSATION, 7)


def test_inbox_rows_come_back_inline_and_by_pointer(engine: MemoryEngine) -> None:
    rows = Rows(engine)
    put_message(engine, 1, "short")
    put_message(engine, 2, "long" * 1_000)
    for seq, body in ((1, "short"), (2, "long" * 1_000)):
        write(engine, rows.update(ANN, 10 + seq, CONVERSATION, seq, record("ann", seq, body)))
    found = Archive(engine).rows("bob", ANN, 11)
    assert [(row.upd, row.pair, row.seq) for row in found] == [
        (11, ("ann", "bob"), 1),
        (12, ("ann", "bob"), 2),
    ]
    assert codec.decode(found[1].payload)["msg"]["body"] == "long" * 1_000
    assert [row.upd for row in Archive(engine).rows("bob", ANN, 11, 11)] == [11]
    bounded = [Archive(engine).rows("bob", ANN, 11, 12, size) for size in (1, 1_000, 10_000)]
    assert [[row.upd for row in rows] for rows in bounded] == [[11], [11], [11, 12]]


def test_state_rows_come_back(engine: MemoryEngine) -> None:
    rows = Rows(engine)
    write(engine, *rows.cursor(ANN, "phone", 7), *rows.cursor(ANN, "laptop", 3))
    write(engine, *rows.marks(CONVERSATION, "bob", 5, 4))
    checkpoint = rows.checkpoint(
        ANN, 9, 2, {("ann", "bob"): 6}, lambda pair: keys.conversation_key(*pair)
    )
    write(engine, *checkpoint)
    archive = Archive(engine)
    assert archive.cursors(ANN) == {"phone": 7, "laptop": 3}
    assert archive.marks(CONVERSATION, "bob") == (5, 4)
    assert archive.user_log(ANN) == (9, 2)
    assert archive.received(ANN, CONVERSATION) == 6
    write(engine, *rows.cursor(ANN, "laptop", None), *rows.marker(CONVERSATION, 3))
    assert archive.cursors(ANN) == {"phone": 7}
    assert archive.owed(CONVERSATION) == 3
    write(engine, *rows.marker(CONVERSATION, None))
    assert archive.owed(CONVERSATION) is None


def test_accounts_and_devices_come_back(engine: MemoryEngine) -> None:
    rows = Rows(engine)
    account, device = Account("ann", 5, "hash"), Device("phone", bytes(32), 6)
    write(engine, rows.account(account), rows.device("ann", device))
    archive = Archive(engine)
    assert archive.account("ann") == account
    assert archive.device("ann", "phone") == device
    assert archive.has_account("ann")
    write(engine, rows.no_device("ann", "phone"))
    assert archive.device("ann", "phone") is None


def test_row_that_is_no_account_is_corruption(engine: MemoryEngine) -> None:
    key = keys.state_key(ANN, kinds.ACCOUNT)
    for value in (b"\xff", codec.encode({"user": 5})):
        write(engine, (engine.family("state"), key, value))
        with pytest.raises(StoreCorrupt, match="bad account row"):
            Archive(engine).account("ann")


GROUP = "#" + "g" * 22


def put_span(engine: MemoryEngine, count: int, body: str = "hi") -> bytes:
    """Write a group's records 1 to `count`, ann's update 7 of something else, and a span behind."""
    rows, key = Rows(engine), keys.group_key(GROUP)
    for seq in range(1, count + 1):
        text = f"{body} {seq}"
        packed = codec.encode_group_record(GROUP, codec.encode("bob"), seq, 5, CID, text)
        write(engine, *rows.message(key, seq, packed, b"\2" + seq.to_bytes(16, "big"), seq, False))
    put_message(engine, 1, "direct")
    write(engine, rows.update(ANN, 7, CONVERSATION, 1, record("bob", 1, "direct")))
    write(engine, rows.span(ANN, 7 + count, key, count, count))
    write(engine, rows.update(ANN, 8 + count, CONVERSATION, 2, record("bob", 2, "after")))
    return key


@pytest.mark.parametrize(
    ("first", "last", "found"),
    [
        (7, None, [7, 8, 9, 10, 11, 12, 13]),
        (7, 7, [7]),
        (7, 9, [7, 8, 9]),
        (9, 11, [9, 10, 11]),
        (11, 13, [11, 12, 13]),
        (12, 12, [12]),
        (13, 20, [13]),
        (1, 6, []),
        (14, 20, []),
    ],
)
def test_span_is_read_as_its_updates(
    engine: MemoryEngine, first: int, last: int | None, found: list[int]
) -> None:
    put_span(engine, 5)
    rows = Archive(engine).rows("ann", ANN, first, last)
    assert [row.upd for row in rows] == found
    for row in rows:
        if 8 <= row.upd <= 12:
            assert (row.pair, row.seq) == (GROUP, row.upd - 7)
            assert codec.decode(row.payload)["msg"]["body"] == f"hi {row.upd - 7}"


@pytest.mark.parametrize("bytes_max", [1, 150, 4_000, 9_000])
def test_span_is_cut_where_a_page_is_full_and_read_on_from_there(
    engine: MemoryEngine, bytes_max: int
) -> None:
    put_span(engine, 70)
    archive, at = Archive(engine), 7
    while at <= 78:
        rows = archive.rows("ann", ANN, at, 78, bytes_max)
        assert [row.upd for row in rows] == list(range(at, at + len(rows)))
        assert rows
        at += len(rows)


def test_span_of_what_is_not_there_or_of_no_group_is_damage(engine: MemoryEngine) -> None:
    write(engine, Rows(engine).span(ANN, 5, keys.group_key(GROUP), 5, 5))
    with pytest.raises(StoreCorrupt, match="lacks seq 1"):
        Archive(engine).rows("ann", ANN, 1)
    put_message(engine, 1, "direct")
    write(engine, Rows(engine).span(ANN, 1, CONVERSATION, 1, 1))
    with pytest.raises(StoreCorrupt, match="of no group"):
        Archive(engine).rows("ann", ANN, 1, 1)


def test_what_waits_for_a_user_is_found_and_deleted(engine: MemoryEngine) -> None:
    rows, key = Rows(engine), keys.group_key(GROUP)
    write(engine, rows.moved(ANN, key, GROUP, 2, 9))
    assert Archive(engine).moved(ANN) == [(key, 2, 9, GROUP)]
    write(engine, rows.moved(ANN, key, GROUP, 9, 9))
    assert Archive(engine).moved(ANN) == []


def test_history_begins_where_its_ledger_says(engine: MemoryEngine) -> None:
    archive = Archive(engine)
    assert archive.first_seq(CONVERSATION) == 1
    key = keys.state_key(CONVERSATION, kinds.LEDGER)
    write(engine, (engine.family("state"), key, values.pack_ledger(4, 0, 0)))
    assert archive.first_seq(CONVERSATION) == 4


def test_update_whose_record_is_gone_has_no_payload(engine: MemoryEngine) -> None:
    rows, archive = Rows(engine), Archive(engine)
    state, inbox = engine.family("state"), engine.family("inbox")
    write(engine, rows.members(CONVERSATION, ("ann", "bob")))
    write(
        engine, (inbox, keys.inbox_key(ANN, 1), keys.pack_inbox(keys.POINTER, 1, CONVERSATION, 3))
    )
    with pytest.raises(StoreCorrupt):
        archive.rows("ann", ANN, 1)
    ledger = keys.state_key(CONVERSATION, kinds.LEDGER)
    write(engine, (state, ledger, values.pack_ledger(4, 0, 0)))
    assert archive.rows("ann", ANN, 1) == [Row(1, ("ann", "bob"), 3, b"")]
    group = keys.group_key("#group")
    ledger = keys.state_key(group, kinds.LEDGER)
    address = keys.state_key(group, kinds.GROUP)
    write(engine, (inbox, keys.inbox_key(ANN, 2), keys.pack_inbox(keys.POINTER, 1, group, 3)))
    write(engine, (state, ledger, values.pack_ledger(4, 0, 0)))
    with pytest.raises(StoreCorrupt):
        archive.rows("ann", ANN, 2)
    write(engine, (state, address, codec.encode({"address": "#group"})))
    assert archive.rows("ann", ANN, 2) == [Row(2, "#group", 3, b"")]


def test_owner_of_rows_is_known_by_the_account(engine: MemoryEngine) -> None:
    write(engine, Rows(engine).account(Account("ann", 1, "hash")))
    account = Archive(engine).account_of(ANN)
    assert account is not None
    assert account.user == "ann"
    assert Archive(engine).account_of(CONVERSATION) is None
