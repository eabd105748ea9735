"""Which stores are opened, and which are refused."""

from __future__ import annotations

import pytest

from actorchat.errors import Fatal, StoreCorrupt, StoreTooNew
from actorchat.store import keys, values
from actorchat.store.format import claim
from actorchat.store.memory import MemoryEngine


@pytest.fixture
def engine() -> MemoryEngine:
    return MemoryEngine()


def put(engine: MemoryEngine, family: str, key: bytes, value: bytes | None) -> None:
    batch = engine.batch()
    if value is None:
        batch.delete(key, engine.family(family))
    else:
        batch.put(key, value, engine.family(family))
    engine.write(batch)


def test_a_new_store_is_claimed_durably(engine: MemoryEngine) -> None:
    put(engine, "state", keys.FORMAT_KEY, None)
    assert claim(engine) == keys.LAYOUT_VERSION
    assert engine.unsynced() == []
    assert engine.get(keys.FORMAT_KEY, engine.family("state")) == values.pack_format(1)


def test_a_claimed_store_is_not_written_again(engine: MemoryEngine) -> None:
    writes = engine.writes
    assert claim(engine) == keys.LAYOUT_VERSION
    assert engine.writes == writes


def test_a_newer_store_is_refused_by_both_versions(engine: MemoryEngine) -> None:
    newer = keys.LAYOUT_VERSION + 1
    put(engine, "state", keys.FORMAT_KEY, values.pack_format(newer))
    with pytest.raises(StoreTooNew, match=rf"{newer}.*{keys.LAYOUT_VERSION}") as caught:
        claim(engine)
    assert (caught.value.found, caught.value.known) == (newer, keys.LAYOUT_VERSION)
    assert isinstance(caught.value, Fatal)
    assert caught.value.exit_status == 78


@pytest.mark.parametrize("family", ["history", "inbox", "sent", "outbox", "state"])
def test_rows_without_a_format_row_are_corrupt(engine: MemoryEngine, family: str) -> None:
    put(engine, "state", keys.FORMAT_KEY, None)
    put(engine, family, b"\xff" * 18, b"v")
    with pytest.raises(StoreCorrupt, match=family):
        claim(engine)


def test_a_garbled_format_row_is_corrupt(engine: MemoryEngine) -> None:
    put(engine, "state", keys.FORMAT_KEY, b"?")
    with pytest.raises(StoreCorrupt, match="format row"):
        claim(engine)
