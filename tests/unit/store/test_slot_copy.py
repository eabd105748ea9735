"""The rows of a slot, in pieces and with what changed meanwhile, are the slot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorchat.errors import SlotClosed, StoreCorrupt
from actorchat.store import keys
from actorchat.store.committer import Committer, Done
from actorchat.store.engine import FAMILIES, Engine, Op
from actorchat.store.memory import MemoryEngine
from actorchat.store.rocks import MIB, RocksEngine
from actorchat.store.slot_copy import (
    ROWS_AT_ONCE,
    SlotOp,
    SlotReader,
    SlotWatch,
    pack_ops,
    unpack_ops,
    wipe,
    write_ops,
)

SLOT, BEFORE, BEHIND = 258, 257, 259
FIRST, LAST = SLOT.to_bytes(2, "big"), SLOT.to_bytes(2, "big") + b"\xff" * 20


class NoSyncer:
    """Nothing here waits for a sync."""

    def start(self, done: Done) -> None:
        raise AssertionError

    def close(self) -> None:
        pass


def committer_of(engine: Engine) -> Committer:
    def fail(*_: object) -> None:
        raise AssertionError

    return Committer(engine, NoSyncer(), lambda _fn: None, fail, fail)


def key_of(slot: int, name: str) -> bytes:
    return slot.to_bytes(2, "big") + name.encode()


def rows_in(engine: Engine, slot: int = SLOT) -> list[SlotOp]:
    return [
        SlotOp(number, key, value)
        for number, name in enumerate(FAMILIES)
        for key, value in engine.scan(engine.family(name), *keys.slot_range(slot))
    ]


@pytest.fixture(params=["memory", "rocks"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "memory":
        yield MemoryEngine()
        return
    engine = RocksEngine(tmp_path / "store", block_cache_bytes=4 * MIB)
    yield engine
    engine.close()


class Shop:
    """An engine, its committer and a watch of it."""

    def __init__(self, engine: Engine | None = None) -> None:
        self.engine = MemoryEngine() if engine is None else engine
        self.committer = committer_of(self.engine)
        self.watch = SlotWatch(self.engine, self.committer)

    def op(self, name: str, value: bytes | None, slot: int = SLOT, family: int = 0) -> Op:
        return (self.engine.family(FAMILIES[family]), key_of(slot, name), value)

    def take(self) -> list[SlotOp]:
        self.committer.apply()
        return self.watch.take(SLOT, 1 << 30)


def read_all(reader: SlotReader, bytes_max: int) -> list[list[SlotOp]]:
    pieces = []
    while not reader.is_done:
        pieces.append(reader.read(bytes_max))
    return pieces


# -- reading ----------------------------------------------------------------------------------


@pytest.mark.parametrize("bytes_max", [1, 700, 1 << 30])
def test_reader_reads_all_of_the_slot_and_nothing_besides(engine: Engine, bytes_max: int) -> None:
    shop = Shop(engine)
    counts = (ROWS_AT_ONCE, 0, 2 * ROWS_AT_ONCE + 1, 1, ROWS_AT_ONCE - 1)
    for family, count in enumerate(counts):
        for slot in (BEFORE, SLOT, BEHIND):
            ops = [shop.op(f"{n:05}", b"v%d" % n, slot, family) for n in range(count)]
            shop.committer.append_lazily(ops)
    for edge in (FIRST, LAST):
        shop.committer.append_lazily([(engine.family("state"), edge, b"")])
    shop.committer.apply()
    reader = SlotReader(engine, SLOT)
    pieces = read_all(reader, bytes_max)
    assert [op for piece in pieces for op in piece] == rows_in(engine)
    assert sum(map(len, pieces)) == sum(counts) + 2
    assert reader.read(bytes_max) == []
    if bytes_max == 1:
        assert all(len(piece) == 1 for piece in pieces if piece)
    elif bytes_max > MIB:
        assert len(pieces) == 1


def test_piece_ends_when_it_is_big_enough() -> None:
    shop = Shop()
    count = 4 * ROWS_AT_ONCE
    shop.committer.append_lazily(shop.op(f"{n:05}", bytes(93)) for n in range(count))
    shop.committer.apply()
    pieces = read_all(SlotReader(shop.engine, SLOT), ROWS_AT_ONCE * 100 + 1)  # 100 bytes a row
    most = ROWS_AT_ONCE + 1
    assert [len(piece) for piece in pieces] == [most, most, most, count - 3 * most]


def test_changes_come_in_pieces_too() -> None:
    shop = Shop()
    shop.watch.begin(SLOT)
    shop.committer.append_lazily(shop.op(f"{n:05}", bytes(93)) for n in range(100))
    shop.committer.apply()
    pieces = [shop.watch.take(SLOT, 1_000) for _ in range(10)]
    assert [len(piece) for piece in pieces] == [10] * 10
    assert shop.watch.count(SLOT) == 0


def test_reader_of_an_empty_slot_is_done_at_once(engine: Engine) -> None:
    reader = SlotReader(engine, SLOT)
    assert reader.read(1) == []
    assert reader.is_done


# -- packing ----------------------------------------------------------------------------------

families = st.integers(0, len(FAMILIES) - 1)
parts = st.binary(max_size=40)
any_op = st.one_of(
    st.builds(SlotOp, families, parts, parts | st.none(), st.none()),
    st.builds(SlotOp, families, parts, st.none(), parts),
)


@given(st.lists(any_op))
def test_what_is_packed_is_unpacked(ops: list[SlotOp]) -> None:
    assert unpack_ops(pack_ops(ops)) == ops


@given(st.lists(any_op, min_size=1), st.data())
def test_what_is_cut_off_is_no_change(ops: list[SlotOp], data: st.DataObject) -> None:
    packed = pack_ops(ops)
    whole = {len(pack_ops(ops[:count])) for count in range(len(ops) + 1)}
    end = data.draw(st.integers(0, len(packed)).filter(lambda at: at not in whole))
    with pytest.raises(StoreCorrupt):
        unpack_ops(packed[:end])


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("byte", [len(FAMILIES), 255])
def test_unknown_family_or_kind_is_corrupt(at: int, byte: int) -> None:
    packed = bytearray(pack_ops([SlotOp(0, b"key", b"value")]))
    packed[at] = byte
    with pytest.raises(StoreCorrupt):
        unpack_ops(bytes(packed))


@pytest.mark.parametrize("at", [2, 4])
def test_length_beyond_the_end_is_corrupt(at: int) -> None:
    packed = bytearray(pack_ops([SlotOp(0, b"key", b"value")]))
    packed[at] = 0xFF
    with pytest.raises(StoreCorrupt):
        unpack_ops(bytes(packed))


# -- writing ----------------------------------------------------------------------------------


def test_puts_and_ranges_are_written_in_their_order(engine: Engine) -> None:
    shop = Shop(engine)
    start, stop = keys.slot_range(SLOT)
    a, b, c, d = (key_of(SLOT, name) for name in "abcd")
    shop.committer.append_lazily([shop.op("c", b"old"), shop.op("d", b"old", family=1)])
    ops = [
        *(SlotOp(0, a, b"lost"), SlotOp(0, start, None, stop), SlotOp(0, b, b"kept")),
        *(SlotOp(0, a, b"again"), SlotOp(1, d, b"old"), SlotOp(1, d, None)),
    ]
    write_ops(engine, shop.committer, ops)
    shop.committer.apply()
    assert engine.get(c, engine.family(FAMILIES[0])) is None
    assert rows_in(engine) == [SlotOp(0, a, b"again"), SlotOp(0, b, b"kept")]


def test_wipe_takes_the_slot_and_nothing_besides(engine: Engine) -> None:
    shop = Shop(engine)
    for family in range(len(FAMILIES)):
        for slot in (BEFORE, SLOT, BEHIND):
            shop.committer.append_lazily([shop.op("a", b"1", slot, family)])
    shop.committer.append_lazily([(engine.family("state"), edge, b"") for edge in (FIRST, LAST)])
    wipe(engine, shop.committer, SLOT)
    shop.committer.apply()
    assert rows_in(engine) == []
    assert len(rows_in(engine, BEFORE)) == len(rows_in(engine, BEHIND)) == len(FAMILIES)


# -- watching ---------------------------------------------------------------------------------


def test_watch_notes_puts_deletes_and_ranges_however_appended(engine: Engine) -> None:
    shop = Shop(engine)
    shop.committer.append([shop.op(name, b"0") for name in "abc"])
    shop.watch.begin(SLOT)
    assert shop.watch.count(SLOT) == 0
    shop.committer.append([shop.op("a", b"1"), shop.op("b", None), shop.op("a", b"2", BEHIND)])
    shop.committer.append_lazily([shop.op("d", b"3", family=4)])
    shop.committer.delete_range(engine.family(FAMILIES[2]), key_of(SLOT, "x"), key_of(SLOT, "y"))
    assert shop.watch.count(SLOT) == 4
    assert shop.take() == [
        SlotOp(2, key_of(SLOT, "x"), None, key_of(SLOT, "y")),
        SlotOp(0, key_of(SLOT, "a"), b"1"),
        SlotOp(0, key_of(SLOT, "b"), None),
        SlotOp(4, key_of(SLOT, "d"), b"3"),
    ]
    assert shop.watch.count(SLOT) == 0
    assert shop.take() == []


def test_watch_notes_in_the_batches_that_follow_too() -> None:
    shop = Shop()
    shop.watch.begin(SLOT)
    shop.committer.append([shop.op("a", b"1")])
    shop.committer.apply()
    shop.committer.append([shop.op("b", b"1")])
    assert [op.key for op in shop.take()] == [key_of(SLOT, "a"), key_of(SLOT, "b")]


def test_a_change_is_taken_as_it_is_then_and_once() -> None:
    shop = Shop()
    shop.watch.begin(SLOT)
    shop.committer.append([shop.op("a", b"1"), shop.op("b", b"1")])
    shop.committer.append([shop.op("a", b"2"), shop.op("b", None)])
    assert shop.take() == [SlotOp(0, key_of(SLOT, "a"), b"2"), SlotOp(0, key_of(SLOT, "b"), None)]


def test_row_that_is_put_into_a_deleted_range_is_there() -> None:
    shop = Shop()
    other = Shop()
    shop.watch.begin(SLOT)
    family = shop.engine.family(FAMILIES[0])
    shop.committer.append([shop.op("a", b"1"), shop.op("b", b"1")])
    shop.committer.delete_range(family, *keys.slot_range(SLOT))
    shop.committer.append([shop.op("b", b"2")])
    write_ops(other.engine, other.committer, shop.take())
    other.committer.apply()
    assert rows_in(other.engine) == rows_in(shop.engine) == [SlotOp(0, key_of(SLOT, "b"), b"2")]


def test_two_slots_are_watched_apart_and_begun_anew() -> None:
    shop = Shop()
    shop.watch.begin(SLOT)
    shop.watch.begin(BEHIND)
    shop.committer.append([shop.op("a", b"1"), shop.op("b", b"1", BEHIND)])
    assert (shop.watch.count(SLOT), shop.watch.count(BEHIND)) == (1, 1)
    shop.watch.begin(SLOT)
    assert (shop.watch.count(SLOT), shop.watch.count(BEHIND)) == (0, 1)
    shop.watch.end(BEHIND)
    shop.committer.append([shop.op("b", b"2")])
    assert shop.watch.count(SLOT) == 1


CHANGES: list[Callable[[Shop], object]] = [
    lambda shop: shop.committer.append([shop.op("a", b"1")]),
    lambda shop: shop.committer.append([shop.op("a", None)]),
    lambda shop: shop.committer.append_lazily([shop.op("a", b"1")]),
    lambda shop: shop.committer.append_lazily([shop.op("a", None)]),
    lambda shop: wipe(shop.engine, shop.committer, SLOT),
]


@pytest.mark.parametrize("change", CHANGES)
def test_closed_slot_takes_no_change_and_no_part_of_one(change: Callable[[Shop], object]) -> None:
    shop = Shop()
    shop.committer.append([shop.op("a", b"0")])
    shop.watch.begin(SLOT)
    shop.watch.close(SLOT)
    with pytest.raises(SlotClosed):
        change(shop)
    assert shop.take() == []
    assert rows_in(shop.engine) == [SlotOp(0, key_of(SLOT, "a"), b"0")]


def test_other_slots_go_on_beside_a_closed_one_which_opens_at_its_end() -> None:
    shop = Shop()
    shop.watch.begin(SLOT)
    shop.watch.close(SLOT)
    shop.committer.append([shop.op("a", b"1", BEHIND), (shop.op("", b"")[0], keys.PROBE_KEY, b"")])
    shop.watch.end(SLOT)
    shop.committer.append([shop.op("a", b"1")])
    shop.committer.apply()
    assert len(rows_in(shop.engine)) == len(rows_in(shop.engine, BEHIND)) == 1


def test_watch_costs_nothing_before_and_after(engine: Engine) -> None:
    def is_plain(committer: Any) -> bool:
        return bool(
            committer._put == committer._batch.put and committer._delete == committer._batch.delete
        )

    shop = Shop(engine)
    assert is_plain(shop.committer)
    shop.watch.begin(SLOT)
    shop.watch.begin(BEHIND)
    shop.watch.end(SLOT)
    assert not is_plain(shop.committer)
    shop.watch.end(BEHIND)
    shop.watch.end(BEHIND)
    assert is_plain(shop.committer)


def test_tap_sees_what_the_watch_lets_through_only() -> None:
    shop = Shop()
    seen: list[bytes] = []

    def tap(put: Callable[..., None]) -> Callable[..., None]:
        def tapping(key: bytes, value: bytes, family: object) -> None:
            seen.append(key)
            put(key, value, family)

        return tapping

    shop.committer.tap(tap)
    shop.watch.begin(SLOT)
    shop.committer.append([shop.op("a", b"1")])
    shop.watch.close(SLOT)
    with pytest.raises(SlotClosed):
        shop.committer.append([shop.op("b", b"1")])
    assert seen == [key_of(SLOT, "a")]


# -- all together -----------------------------------------------------------------------------

names = st.sampled_from("abcdef")
slots = st.sampled_from([SLOT, SLOT, SLOT, BEFORE, BEHIND])
few = st.integers(0, 1)
steps = st.one_of(
    st.tuples(st.just("put"), slots, few, names, st.binary(max_size=3)),
    st.tuples(st.just("delete"), slots, few, names),
    st.tuples(st.just("range"), slots, few, names, names),
    st.tuples(st.sampled_from(["apply", "piece", "round"])),
)


def change(shop: Shop, step: tuple[Any, ...]) -> None:
    kind, slot, family, name = step[:4]
    if kind == "range":
        start, stop = sorted((name, step[4]))
        handle = shop.engine.family(FAMILIES[family])
        shop.committer.delete_range(handle, key_of(slot, start), key_of(slot, stop))
    else:
        value = step[4] if kind == "put" else None
        shop.committer.append([shop.op(name, value, slot, family)])


def send(shop: Shop, other: Shop, ops: Iterable[SlotOp]) -> None:
    write_ops(other.engine, other.committer, unpack_ops(pack_ops(ops)))


@settings(max_examples=200)
@given(st.lists(steps, max_size=8), st.lists(steps, max_size=25))
def test_copy_and_changes_in_any_order_are_the_slot(
    before: list[tuple[Any, ...]], meanwhile: list[tuple[Any, ...]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("actorchat.store.slot_copy.ROWS_AT_ONCE", 2)
        shop, other = Shop(), Shop()
        for step in before:
            if len(step) > 1:
                change(shop, step)
        shop.watch.begin(SLOT)
        shop.committer.apply()
        reader = SlotReader(shop.engine, SLOT)
        for step in meanwhile:
            if len(step) > 1:
                change(shop, step)
            elif step[0] == "apply":
                shop.committer.apply()
            elif not reader.is_done:
                send(shop, other, reader.read(1))
            elif step[0] == "round":
                send(shop, other, shop.take())
        while not reader.is_done:
            send(shop, other, reader.read(1))
        send(shop, other, shop.take())
        other.committer.apply()
        assert rows_in(other.engine) == rows_in(shop.engine)
        assert rows_in(other.engine, BEFORE) == rows_in(other.engine, BEHIND) == []
