"""The battery that every engine passes unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Protocol

import pytest

from actorchat.errors import StoreClosed
from actorchat.store import keys, values
from actorchat.store.engine import FAMILIES, Batch, Engine, Row
from actorchat.store.memory import MemoryEngine
from actorchat.store.rocks import MIB, RocksEngine

ALL = (b"", b"\xff" * 32)
NOT_BYTES = (TypeError, KeyError, ValueError)


class Store(Protocol):
    """An engine that can be closed and opened again. Handles are never kept over that."""

    engine: Engine

    def reopen(self) -> None: ...


class MemoryStore:
    def __init__(self, path: Path) -> None:
        self.engine: Engine = MemoryEngine()

    def reopen(self) -> None:
        assert isinstance(self.engine, MemoryEngine)
        self.engine.close()
        self.engine.reopen()


class RocksStore:
    def __init__(self, path: Path) -> None:
        self._path = path / "store"
        self.engine: Engine = self._open()

    def reopen(self) -> None:
        self.engine.close()
        self.engine = self._open()

    def _open(self) -> RocksEngine:
        return RocksEngine(self._path, block_cache_bytes=4 * MIB)


@pytest.fixture(params=[MemoryStore, RocksStore], ids=["memory", "rocks"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = request.param(tmp_path)
    yield opened
    opened.engine.close()


@pytest.fixture
def engine(store: Store) -> Engine:
    return store.engine


def put(engine: Engine, family: str, *rows: Row) -> None:
    batch = engine.batch()
    for key, value in rows:
        batch.put(key, value, engine.family(family))
    engine.write(batch)


def get(engine: Engine, family: str, key: bytes) -> bytes | None:
    return engine.get(key, engine.family(family))


def scan(
    engine: Engine,
    family: str,
    start: bytes = b"",
    stop: bytes = ALL[1],
    limit: int | None = None,
    reverse: bool = False,
) -> list[Row]:
    return engine.scan(engine.family(family), start, stop, limit, reverse)


def letters(*names: str) -> list[Row]:
    return [(name.encode(), name.upper().encode()) for name in names]


def found(rows: list[Row]) -> str:
    return "".join(key.decode() for key, _ in rows)


# -- one row ----------------------------------------------------------------------------------


def test_a_key_that_was_never_put_is_none(engine: Engine) -> None:
    assert get(engine, "history", b"k") is None


def test_a_put_is_visible_after_write_and_not_before(engine: Engine) -> None:
    batch = engine.batch()
    batch.put(b"k", b"v", engine.family("inbox"))
    assert get(engine, "inbox", b"k") is None
    engine.write(batch)
    assert get(engine, "inbox", b"k") == b"v"


def test_the_last_put_of_a_key_wins(engine: Engine) -> None:
    put(engine, "state", (b"k", b"1"), (b"k", b"2"))
    assert get(engine, "state", b"k") == b"2"
    put(engine, "state", (b"k", b"3"))
    assert scan(engine, "state", b"k", b"l") == [(b"k", b"3")]


def test_a_deleted_key_is_gone_and_deleting_it_again_is_harmless(engine: Engine) -> None:
    put(engine, "sent", (b"k", b"v"))
    for _ in range(2):
        batch = engine.batch()
        batch.delete(b"k", engine.family("sent"))
        engine.write(batch)
    assert get(engine, "sent", b"k") is None
    assert scan(engine, "sent") == []


@pytest.mark.parametrize("value", [b"", b"\0", bytes(range(256)) * 4096], ids=len)
def test_values_of_no_bytes_and_of_a_mebibyte_come_back(store: Store, value: bytes) -> None:
    put(store.engine, "history", (b"k", value))
    store.engine.sync()
    assert get(store.engine, "history", b"k") == value
    store.reopen()
    assert get(store.engine, "history", b"k") == value


def test_keys_of_zeros_and_ones_are_in_byte_order(engine: Engine) -> None:
    order = [b"\0", b"\0\0", b"\0\xff", b"\x7f", b"\x80", b"\xff", b"\xff\0", b"\xff\xff"]
    put(engine, "history", *((key, key) for key in reversed(order)))
    assert [key for key, _ in scan(engine, "history")] == order
    assert all(get(engine, "history", key) == key for key in order)


@pytest.mark.parametrize("wrong", ["k", bytearray(b"k"), memoryview(b"k"), 1, None])
def test_only_bytes_are_taken(engine: Engine, wrong: bytes) -> None:
    family = engine.family("history")
    batch = engine.batch()
    with pytest.raises(NOT_BYTES):
        batch.put(wrong, b"v", family)
    with pytest.raises(NOT_BYTES):
        batch.put(b"k", wrong, family)
    with pytest.raises(NOT_BYTES):
        batch.delete(wrong, family)
    with pytest.raises(NOT_BYTES):
        engine.get(wrong, family)
    with pytest.raises(NOT_BYTES):
        engine.scan(family, wrong, b"z")


# -- families ---------------------------------------------------------------------------------


def test_families_do_not_see_each_other(engine: Engine) -> None:
    for name in FAMILIES:
        put(engine, name, (b"k", name.encode()))
    for name in FAMILIES:
        assert get(engine, name, b"k") == name.encode()
        assert scan(engine, name, b"k", b"l") == [(b"k", name.encode())]


def test_deleting_in_one_family_leaves_the_others(engine: Engine) -> None:
    for name in FAMILIES:
        put(engine, name, (b"k", b"v"))
    batch = engine.batch()
    batch.delete(b"k", engine.family("inbox"))
    batch.delete_range(b"a", b"z", engine.family("outbox"))
    engine.write(batch)
    left = [name for name in FAMILIES if get(engine, name, b"k") is not None]
    assert left == ["history", "sent", "state"]


def test_an_unknown_family_is_a_key_error(engine: Engine) -> None:
    with pytest.raises(KeyError):
        engine.family("histroy")


# -- scans ------------------------------------------------------------------------------------


def test_a_scan_takes_its_start_and_leaves_its_stop(engine: Engine) -> None:
    put(engine, "history", *letters("a", "b", "c", "d"))
    assert found(scan(engine, "history", b"b", b"d")) == "bc"
    assert found(scan(engine, "history", b"b", b"d", reverse=True)) == "cb"


def test_a_scan_between_keys_needs_no_exact_bounds(engine: Engine) -> None:
    put(engine, "history", *letters("b", "d", "f"))
    assert found(scan(engine, "history", b"a", b"e")) == "bd"
    assert found(scan(engine, "history", b"c", b"z")) == "df"
    assert found(scan(engine, "history", b"c", b"z", reverse=True)) == "fd"
    assert found(scan(engine, "history", b"a", b"c", reverse=True)) == "b"


def test_a_limit_counts_from_where_the_scan_begins(engine: Engine) -> None:
    put(engine, "history", *letters("a", "b", "c", "d"))
    assert found(scan(engine, "history", limit=2)) == "ab"
    assert found(scan(engine, "history", limit=2, reverse=True)) == "dc"
    assert found(scan(engine, "history", limit=9)) == "abcd"
    assert found(scan(engine, "history", limit=0)) == ""
    assert found(scan(engine, "history", b"b", b"d", limit=1, reverse=True)) == "c"


@pytest.mark.parametrize("reverse", [False, True])
def test_an_empty_range_has_no_rows(engine: Engine, reverse: bool) -> None:
    put(engine, "history", *letters("a", "m", "z"))
    assert scan(engine, "history", b"m", b"m", reverse=reverse) == []
    assert scan(engine, "history", b"z", b"a", reverse=reverse) == []
    assert scan(engine, "history", b"n", b"o", reverse=reverse) == []
    assert scan(engine, "inbox", reverse=reverse) == []


def test_a_prefix_scan_finds_its_own_and_no_neighbour(engine: Engine) -> None:
    rows = [
        (prefix + bytes((n,)), b"v") for prefix in (b"\0\1", b"\0\2", b"\0\3") for n in (0, 255)
    ]
    put(engine, "history", *rows)
    assert scan(engine, "history", *keys.prefix_range(b"\0\2")) == rows[2:4]
    assert scan(engine, "history", *keys.slot_range(3)) == rows[4:]


def test_a_scan_sees_rows_of_memory_and_of_disk_in_one_order(store: Store) -> None:
    put(store.engine, "history", *letters("a", "c", "e"))
    store.reopen()
    put(store.engine, "history", *letters("b", "d"), (b"c", b"new"))
    assert found(scan(store.engine, "history")) == "abcde"
    assert found(scan(store.engine, "history", reverse=True)) == "edcba"
    assert get(store.engine, "history", b"c") == b"new"


def test_a_long_scan_in_pages_is_the_whole(engine: Engine) -> None:
    rows = [(n.to_bytes(8, "big"), bytes(100)) for n in range(3000)]
    put(engine, "history", *rows)
    paged: list[Row] = []
    while page := scan(engine, "history", paged[-1][0] + b"\0" if paged else b"", limit=256):
        paged += page
    assert paged == rows
    assert scan(engine, "history", reverse=True) == rows[::-1]


# -- ranges and batches -----------------------------------------------------------------------


def test_delete_range_takes_its_start_and_leaves_its_stop(engine: Engine) -> None:
    put(engine, "inbox", *letters("a", "b", "c", "d"))
    batch = engine.batch()
    batch.delete_range(b"b", b"d", engine.family("inbox"))
    engine.write(batch)
    assert found(scan(engine, "inbox")) == "ad"
    assert found(scan(engine, "inbox", reverse=True)) == "da"
    assert get(engine, "inbox", b"c") is None


def test_steps_of_a_batch_work_in_their_order(engine: Engine) -> None:
    family = engine.family("inbox")
    put(engine, "inbox", *letters("a"))
    batch = engine.batch()
    batch.put(b"b", b"lost", family)
    batch.delete_range(b"a", b"c", family)
    batch.put(b"b", b"kept", family)
    batch.put(b"c", b"lost", family)
    batch.delete(b"c", family)
    engine.write(batch)
    assert scan(engine, "inbox") == [(b"b", b"kept")]


def test_a_batch_reaches_all_its_families(store: Store) -> None:
    batch = store.engine.batch()
    for name in FAMILIES:
        batch.put(b"k", name.encode(), store.engine.family(name))
    store.engine.write(batch)
    store.engine.sync()
    store.reopen()
    assert [get(store.engine, name, b"k") for name in FAMILIES] == [n.encode() for n in FAMILIES]


def test_a_batch_says_whether_it_is_empty_and_how_big_it_is(engine: Engine) -> None:
    batch = engine.batch()
    assert batch.is_empty()
    before = batch.size_in_bytes()
    batch.put(b"k" * 26, b"v" * 100, engine.family("history"))
    assert not batch.is_empty()
    assert 126 <= batch.size_in_bytes() - before < 200


def test_an_empty_batch_can_be_written(engine: Engine) -> None:
    engine.write(engine.batch())
    engine.sync()


def test_a_written_batch_is_consumed(engine: Engine) -> None:
    family = engine.family("history")
    batch = engine.batch()
    batch.put(b"k", b"v", family)
    engine.write(batch)
    with pytest.raises(ValueError, match="written already"):
        engine.write(batch)
    with pytest.raises(Exception, match=r"already"):
        batch.put(b"k", b"w", family)
    assert get(engine, "history", b"k") == b"v"


def test_an_unwritten_batch_leaves_no_trace(store: Store) -> None:
    batch: Batch = store.engine.batch()
    batch.put(b"k", b"v", store.engine.family("history"))
    del batch
    store.reopen()
    assert get(store.engine, "history", b"k") is None


# -- life -------------------------------------------------------------------------------------


def test_synced_rows_are_there_after_close_and_open(store: Store) -> None:
    put(store.engine, "history", *letters("a", "b"))
    store.engine.sync()
    for _ in range(3):
        store.reopen()
    assert found(scan(store.engine, "history")) == "ab"


def test_sync_works_from_another_thread_while_the_owner_writes(engine: Engine) -> None:
    with ThreadPoolExecutor(1) as pool:
        syncs = pool.map(lambda _: engine.sync(), range(20))
        for n in range(500):
            put(engine, "history", (n.to_bytes(2, "big"), b"v"))
        assert list(syncs) == [None] * 20
    assert len(scan(engine, "history")) == 500


def test_a_closed_engine_says_so_everywhere(engine: Engine) -> None:
    family, batch = engine.family("history"), engine.batch()
    batch.put(b"k", b"v", family)
    engine.close()
    engine.close()
    with pytest.raises(StoreClosed):
        engine.get(b"k", family)
    with pytest.raises(StoreClosed):
        engine.scan(family, *ALL)
    with pytest.raises(StoreClosed):
        engine.write(batch)
    with pytest.raises(StoreClosed):
        engine.sync()
    with pytest.raises(StoreClosed):
        engine.stats()
    with pytest.raises(StoreClosed):
        engine.family("history")


def test_stats_are_whole_numbers_by_name(engine: Engine) -> None:
    put(engine, "history", *letters("a"))
    stats = engine.stats()
    assert stats
    assert all(type(name) is str and type(value) is int for name, value in stats.items())


def test_a_new_store_has_its_format_row(store: Store) -> None:
    assert get(store.engine, "state", keys.FORMAT_KEY) == values.pack_format(keys.LAYOUT_VERSION)
    store.reopen()
    assert len(scan(store.engine, "state")) == 1


def test_random_work_leaves_both_engines_with_the_same_rows(tmp_path: Path) -> None:
    rng = Random(7)
    stores: list[Store] = [MemoryStore(tmp_path), RocksStore(tmp_path)]
    alphabet = [bytes((a, b)) for a in (0, 1, 127, 255) for b in (0, 1, 255)]
    for round_number in range(60):
        steps = [
            (rng.choice("ppppdr"), rng.choice(FAMILIES), rng.choice(alphabet), rng.choice(alphabet))
            for _ in range(rng.randint(0, 12))
        ]
        low, high = sorted((rng.choice(alphabet), rng.choice(alphabet)))
        limit, reverse = rng.choice((None, 1, 3)), rng.random() < 0.5
        seen = []
        for store in stores:
            batch = store.engine.batch()
            for kind, name, one, other in steps:
                family = store.engine.family(name)
                if kind == "p":
                    batch.put(one, other, family)
                elif kind == "d":
                    batch.delete(one, family)
                elif one < other:
                    batch.delete_range(one, other, family)
            store.engine.write(batch)
            if round_number % 20 == 19:
                family = None  # a handle would keep the store open
                store.reopen()
            seen.append([scan(store.engine, name) for name in FAMILIES])
            seen[-1] += [scan(store.engine, n, low, high, limit, reverse) for n in FAMILIES]
        assert seen[0] == seen[1], round_number
    for store in stores:
        store.engine.close()
