"""The rows of files, both ways, and what verify holds of them."""

from __future__ import annotations

import pytest

from actorchat.broker.shelf import Shelf
from actorchat.chat.file import FileFacts, Usage
from actorchat.store import keys, kinds
from actorchat.store.engine import Op
from actorchat.store.memory import MemoryEngine
from actorchat.store.verify import verify

HASH = bytes(range(32))
FACTS = FileFacts(80, "image/png", 1_700_000_000_000)


@pytest.fixture
def engine() -> MemoryEngine:
    return MemoryEngine()


def write(engine: MemoryEngine, *rows: Op) -> None:
    batch = engine.batch()
    for family, key, value in rows:
        batch.delete(key, family) if value is None else batch.put(key, value, family)
    engine.write(batch)


def test_rows_are_read_as_they_were_written(engine: MemoryEngine) -> None:
    shelf = Shelf(engine)
    assert (shelf.known(HASH), shelf.own("ann", HASH), shelf.usage("ann")) == (None, None, Usage())
    write(engine, *shelf.rows("ann", HASH, FACTS, Usage(80, 1), True))
    assert (shelf.known(HASH), shelf.own("ann", HASH)) == (FACTS, FACTS)
    assert (shelf.usage("ann"), shelf.own("bob", HASH)) == (Usage(80, 1), None)
    assert verify(engine).is_sound


def test_what_is_known_of_a_file_stays_as_it_came_first(engine: MemoryEngine) -> None:
    shelf = Shelf(engine)
    write(engine, *shelf.rows("ann", HASH, FACTS, Usage(80, 1), True))
    bobs = FileFacts(80, "text/html", 1)
    write(engine, *shelf.rows("bob", HASH, bobs, Usage(80, 1), False))
    assert (shelf.known(HASH), shelf.own("bob", HASH)) == (FACTS, bobs)
    assert verify(engine).is_sound


def test_wrong_sum_is_found(engine: MemoryEngine) -> None:
    shelf = Shelf(engine)
    write(engine, *shelf.rows("ann", HASH, FACTS, Usage(81, 1), True))
    (problem,) = verify(engine).problems
    assert problem.text == "81 bytes of 1 files where 80 of 1 are"


def test_file_of_nobody_is_found(engine: MemoryEngine) -> None:
    shelf = Shelf(engine)
    write(engine, *shelf.rows("ann", HASH, FACTS, Usage(80, 1), False))
    (problem,) = verify(engine).problems
    assert "has no row of its own" in problem.text


def test_row_that_is_none_is_found(engine: MemoryEngine) -> None:
    state = engine.family("state")
    write(engine, (state, keys.state_key(keys.file_key(HASH), kinds.FILE), b"short"))
    (problem,) = verify(engine).problems
    assert "bad file" in problem.text


def test_files_of_a_user_are_paged_and_dropped(engine: MemoryEngine) -> None:
    shelf = Shelf(engine)
    others = [bytes([number]) * 32 for number in (0, 1, 0xFF)]
    for number, sha256 in enumerate(others, 1):
        write(engine, *shelf.rows("ann", sha256, FACTS, Usage(80 * number, number), True))
    write(engine, *shelf.rows("bob", HASH, FACTS, Usage(80, 1), True))
    assert shelf.page("ann", None, 2) == [(others[0], FACTS), (others[1], FACTS)]
    assert shelf.page("ann", others[1], 2) == [(others[2], FACTS)]
    assert shelf.page("ann", others[2], 2) == []
    write(engine, *shelf.dropped("ann", others[1], Usage(160, 2)))
    assert [sha256 for sha256, _ in shelf.page("ann", None, 9)] == [others[0], others[2]]
    assert shelf.known(others[1]) == FACTS
    assert verify(engine).is_sound
