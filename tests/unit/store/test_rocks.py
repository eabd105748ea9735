"""The traps of the binding, each walked into on purpose. Run these before rocksdict is raised."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import rocksdict

from actorchat.errors import (
    ActorchatError,
    StoreBusy,
    StoreClosed,
    StoreCorrupt,
    StoreFull,
    StoreIO,
    StoreTooNew,
)
from actorchat.store import keys, values
from actorchat.store.rocks import MIB, RocksEngine

ROWS = 2_000


def open_engine(path: Path) -> RocksEngine:
    return RocksEngine(path, block_cache_bytes=4 * MIB)


def fill(engine: RocksEngine, rows: int = ROWS) -> None:
    family = engine.family("history")
    batch = engine.batch()
    for number in range(rows):
        # Random, so that it stays as long when it is compressed.
        batch.put(number.to_bytes(4, "big"), os.urandom(100), family)
    engine.write(batch)
    engine.sync()


def count(engine: RocksEngine) -> int:
    return len(engine.scan(engine.family("history"), b"", b"\xff"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the directory of a closed store, all of it in table files."""
    store = tmp_path / "store"
    engine = open_engine(store)
    fill(engine)
    engine.close()
    return store


def table_of(path: Path) -> Path:
    return max(path.glob("*.sst"), key=lambda file: file.stat().st_size)


def flip(file: Path, offset: int, count: int = 64) -> None:
    with file.open("r+b") as handle:
        handle.seek(offset)
        before = handle.read(count)
        handle.seek(offset)
        handle.write(bytes(byte ^ 0xFF for byte in before))


# -- opening ----------------------------------------------------------------------------------


def test_directories_on_the_way_are_made(tmp_path: Path) -> None:
    open_engine(tmp_path / "a" / "b").close()
    assert (tmp_path / "a" / "b" / "CURRENT").exists()


def test_a_path_that_is_a_file_is_an_io_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("taken")
    with pytest.raises(StoreIO, match="file"):
        open_engine(tmp_path / "file")


def test_options_of_whoever_opened_it_last_do_not_matter(path: Path) -> None:
    # Tuned otherwise, and raw: it is taken, and written into RocksDB's OPTIONS file.
    families = ("history", "inbox", "sent", "outbox", "state")
    options = rocksdict.Options(raw_mode=True)
    options.set_write_buffer_size(65_536)
    tuned = rocksdict.Rdict(str(path), options, dict.fromkeys(families, options))
    tuned.close()
    # Not raw, the binding's default: it is refused, but the binding may have left its config.
    options = rocksdict.Options()
    with pytest.raises(Exception, match="comparator"):
        rocksdict.Rdict(str(path), options, dict.fromkeys(families, options))
    engine = open_engine(path)
    assert count(engine) == ROWS
    fill(engine, rows=3)
    engine.close()


@pytest.mark.parametrize("content", [None, "", "not json", '{"raw_mode": false}'])
def test_the_bindings_config_file_does_not_matter(path: Path, content: str | None) -> None:
    config = path / "rocksdict-config.json"
    config.unlink()
    if content is not None:
        config.write_text(content)
    engine = open_engine(path)
    assert count(engine) == ROWS
    engine.close()


def test_a_second_engine_of_this_process_is_busy(path: Path) -> None:
    engine = open_engine(path)
    with pytest.raises(StoreBusy, match=str(path)):
        open_engine(path)
    assert count(engine) == ROWS
    engine.close()


def test_a_second_process_is_busy(path: Path) -> None:
    engine = open_engine(path)
    script = (
        "import sys; from actorchat.errors import StoreBusy; from actorchat.store.rocks import *\n"
        "try: RocksEngine(sys.argv[1])\n"
        "except StoreBusy: print('busy')"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    assert run.stdout == "busy\n"
    engine.close()


def test_handles_in_cyclic_garbage_do_not_keep_the_store_busy(path: Path) -> None:
    engine = open_engine(path)
    cycle: list[object] = [engine.family("history"), engine.batch()]
    cycle.append(cycle)
    engine.close()
    del cycle
    again = open_engine(path)
    assert count(again) == ROWS
    again.close()


def test_a_newer_store_is_refused_and_let_go(path: Path) -> None:
    engine = open_engine(path)
    batch = engine.batch()
    batch.put(keys.FORMAT_KEY, values.pack_format(keys.LAYOUT_VERSION + 1), engine.family("state"))
    engine.write(batch)
    del batch
    engine.close()
    for _ in range(2):
        with pytest.raises(StoreTooNew):
            open_engine(path)


def test_a_store_with_families_of_others_is_refused(tmp_path: Path) -> None:
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    foreign = rocksdict.Rdict(str(tmp_path), options)
    foreign.create_column_family("theirs", rocksdict.Options(raw_mode=True))
    foreign.close()
    with pytest.raises(StoreCorrupt, match="theirs"):
        open_engine(tmp_path)


# -- damage -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(count, id="scan"),
        pytest.param(
            lambda e: e.scan(e.family("history"), b"", b"\xff", reverse=True), id="reverse"
        ),
        pytest.param(lambda e: e.scan(e.family("history"), b"", b"\xff", limit=ROWS), id="limit"),
        pytest.param(
            lambda e: [
                e.get(number.to_bytes(4, "big"), e.family("history")) for number in range(ROWS)
            ],
            id="get",
        ),
    ],
)
def test_a_flipped_block_is_never_a_short_answer(
    path: Path, read: Callable[[RocksEngine], object]
) -> None:
    table = table_of(path)
    flip(table, table.stat().st_size // 2)
    engine = open_engine(path)
    with pytest.raises(StoreCorrupt, match="checksum") as caught:
        read(engine)
    assert caught.value.path == str(table)
    # What lies before the damage can still be read.
    assert len(engine.scan(engine.family("history"), b"", b"\xff", limit=10)) == 10
    engine.close()


def test_a_scan_into_the_first_block_that_is_damaged_raises_too(path: Path) -> None:
    flip(table_of(path), 100)
    engine = open_engine(path)
    with pytest.raises(StoreCorrupt):
        engine.scan(engine.family("history"), b"", b"\xff", limit=1)
    engine.close()


def test_a_store_without_current_is_refused_and_left_alone(path: Path) -> None:
    (path / "CURRENT").unlink()
    before = sorted(file.name for file in path.iterdir())
    with pytest.raises(StoreCorrupt, match="CURRENT is missing") as caught:
        open_engine(path)
    assert caught.value.path == str(path / "CURRENT")
    assert sorted(file.name for file in path.iterdir()) == before


def test_what_a_crash_in_the_very_first_open_leaves_is_opened(tmp_path: Path) -> None:
    (tmp_path / "MANIFEST-000001").write_bytes(b"")
    open_engine(tmp_path).close()


# -- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "file"),
    [
        ("IO error: No space left on device: While appending to file: /s/000004.log", StoreFull, 0),
        ("IO error: Disk quota exceeded: While appending to file: /s/000004.log", StoreFull, 0),
        ("IO error: While lock file: /s/LOCK: Resource temporarily unavailable", StoreBusy, 0),
        ("IO error: lock hold by current process, acquire time 1: /s/LOCK", StoreBusy, 0),
        ("IO error: While fdatasync: /s/000004.log: Input/output error", StoreIO, 0),
        ("Invalid argument: what", StoreIO, 0),
        (
            "Corruption: block checksum mismatch in /s/000012.sst offset 0",
            StoreCorrupt,
            "000012.sst",
        ),
        ("Corruption: Can't access /000009.sst: IO error", StoreCorrupt, "000009.sst"),
        (
            "Corruption: bad table in /s/000009.sst  The file /s/MANIFEST-000014 may be corrupted.",
            StoreCorrupt,
            "000009.sst",
        ),
        (
            "IO error: No such file or directory: While opening a file: /s/MANIFEST-000005",
            StoreCorrupt,
            "MANIFEST-000005",
        ),
        ("Corruption: something new", StoreCorrupt, None),
    ],
)
def test_errors_are_sorted_by_their_text(
    path: Path, text: str, kind: type[ActorchatError], file: str | None
) -> None:
    engine = open_engine(path)
    error = engine._typed(Exception(text))
    engine.close()
    assert type(error) is kind
    assert text in str(error)
    if isinstance(error, StoreCorrupt):
        assert error.path == (str(path / file) if file else None)


def test_a_callers_mistake_stays_what_it_is(path: Path) -> None:
    engine = open_engine(path)
    with pytest.raises(KeyError):
        engine.get("text", engine.family("history"))  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        engine.get(b"k", object())
    engine.close()


def test_rows_of_a_closed_engine_are_on_disk_without_its_log(path: Path) -> None:
    engine = open_engine(path)
    fill(engine, rows=10)
    engine.close()
    assert all(log.stat().st_size == 0 for log in path.glob("[0-9]*.log"))


def test_stats_name_what_an_operator_watches(path: Path) -> None:
    engine = open_engine(path)
    stats = engine.stats()
    engine.close()
    assert stats["background_errors"] == stats["is_write_stopped"] == 0
    assert stats["rows_estimate_history"] == ROWS
    assert stats["file_bytes_history"] > ROWS * 100
    with pytest.raises(StoreClosed):
        engine.stats()
