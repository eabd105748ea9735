"""What the specification can do beyond the port: lose what was not synced, and fail on demand."""

from __future__ import annotations

from random import Random

import pytest

from actorchat.errors import StoreClosed, StoreFull, StoreIO
from actorchat.store.memory import Fault, MemoryEngine

FULL = StoreFull("no space")
DEAD = StoreIO("dead disk")


class LoseNone:
    """A power cut after everything reached the disk by itself."""

    def randint(self, a: int, b: int) -> int:
        return a


class LoseAll:
    """A power cut before anything unsynced reached the disk."""

    def randint(self, a: int, b: int) -> int:
        return b


@pytest.fixture
def engine() -> MemoryEngine:
    return MemoryEngine()


def write(engine: MemoryEngine, *names: str, value: bytes = b"v") -> None:
    batch = engine.batch()
    for name in names:
        batch.put(name.encode(), value, engine.family("history"))
    engine.write(batch)


def rows(engine: MemoryEngine) -> str:
    found = engine.scan(engine.family("history"), b"", b"\xff")
    return "".join(key.decode() for key, _ in found)


def test_a_crash_keeps_what_was_synced(engine: MemoryEngine) -> None:
    write(engine, "a")
    engine.sync()
    write(engine, "b")
    assert engine.crash(LoseAll()) == 1
    assert rows(engine) == "a"


def test_a_crash_may_lose_nothing(engine: MemoryEngine) -> None:
    write(engine, "a")
    assert engine.crash(LoseNone()) == 0
    assert rows(engine) == "a"


def test_what_survived_a_crash_can_not_be_lost_by_the_next(engine: MemoryEngine) -> None:
    write(engine, "a")
    engine.crash(LoseNone())
    engine.crash(LoseAll())
    assert rows(engine) == "a"


def test_a_crash_brings_back_what_was_overwritten_and_deleted(engine: MemoryEngine) -> None:
    write(engine, "a", "b", "c", "d", value=b"old")
    engine.sync()
    family = engine.family("history")
    batch = engine.batch()
    batch.put(b"a", b"new", family)
    batch.put(b"a", b"newer", family)
    batch.delete(b"b", family)
    batch.delete_range(b"c", b"e", family)
    batch.put(b"c", b"again", family)
    engine.write(batch)
    engine.crash(LoseAll())
    assert engine.scan(family, b"", b"z") == [(name, b"old") for name in (b"a", b"b", b"c", b"d")]


def test_what_is_left_after_a_crash_is_a_prefix() -> None:
    left = set()
    for seed in range(40):
        engine = MemoryEngine()
        write(engine, "a")
        engine.sync()
        for name in "bcd":
            write(engine, name)
        engine.crash(Random(seed))
        left.add(rows(engine))
    assert left == {"a", "ab", "abc", "abcd"}


def test_a_batch_survives_whole_or_not_at_all() -> None:
    for seed in range(20):
        engine = MemoryEngine()
        write(engine, "a", "b", "c")
        engine.crash(Random(seed))
        assert rows(engine) in {"", "abc"}


def test_a_sync_covers_only_what_was_written_before_it_began(engine: MemoryEngine) -> None:
    write(engine, "a")
    began = engine.writes
    write(engine, "b")
    engine.sync_to(began)
    assert engine.unsynced() == [[b"b"]]
    engine.sync_to(began)
    engine.crash(LoseAll())
    assert rows(engine) == "a"


def test_the_nth_write_fails_and_leaves_nothing(engine: MemoryEngine) -> None:
    engine.inject(Fault("write", FULL, nth=2, count=2))
    write(engine, "a")
    for name in "bc":
        with pytest.raises(StoreFull):
            write(engine, name)
    write(engine, "d")
    assert rows(engine) == "ad"


def test_a_failed_write_consumes_its_batch(engine: MemoryEngine) -> None:
    engine.inject(Fault("write", FULL))
    batch = engine.batch()
    with pytest.raises(StoreFull):
        engine.write(batch)
    with pytest.raises(ValueError, match="already"):
        engine.write(batch)


def test_after_a_fatal_error_every_write_and_sync_fails_but_reads_go_on(
    engine: MemoryEngine,
) -> None:
    write(engine, "a")
    engine.inject(Fault("sync", DEAD))
    with pytest.raises(StoreIO):
        engine.sync()
    with pytest.raises(StoreIO, match="dead disk"):
        write(engine, "b")
    with pytest.raises(StoreIO, match="dead disk"):
        engine.sync()
    assert rows(engine) == "a"
    engine.crash(LoseAll())
    write(engine, "c")
    engine.sync()
    assert rows(engine) == "c"


def test_a_fault_of_syncs_does_not_touch_writes(engine: MemoryEngine) -> None:
    engine.inject(Fault("sync", FULL))
    write(engine, "a")
    with pytest.raises(StoreFull):
        engine.sync()
    engine.sync()


def test_a_closed_engine_comes_back_by_reopen(engine: MemoryEngine) -> None:
    write(engine, "a")
    engine.close()
    with pytest.raises(StoreClosed):
        write(engine, "b")
    engine.reopen()
    assert rows(engine) == "a"


def test_a_family_of_something_else_is_refused(engine: MemoryEngine) -> None:
    with pytest.raises(TypeError):
        engine.get(b"k", "history")


def test_between_a_full_disk_and_the_next_write_a_sync_is_refused(engine: MemoryEngine) -> None:
    write(engine, "a")
    engine.inject(Fault("write", FULL))
    with pytest.raises(StoreFull):
        write(engine, "b")
    with pytest.raises(StoreFull):
        engine.sync()
    write(engine, "c")
    engine.sync()
    assert rows(engine) == "ac"
    assert engine.unsynced() == []
