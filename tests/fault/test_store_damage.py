"""Damaged files: a torn tail is forgiven, anything else refuses to open and names the file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from actorchat.errors import StoreCorrupt
from actorchat.store.rocks import MIB, RocksEngine

pytestmark = pytest.mark.fault

ROWS = 2_000  # half of them in table files, half only in the log

# A killed writer: its log is not flushed into table files as a clean close would do.
WRITER = f"""
import gc, os, signal, sys
from actorchat.store.rocks import RocksEngine
def fill(numbers):
    engine = RocksEngine(sys.argv[1])
    for number in numbers:
        batch = engine.batch()
        batch.put(number.to_bytes(4, "big"), os.urandom(100), engine.family("history"))
        engine.write(batch)
    engine.sync()
    return engine
fill(range({ROWS // 2})).close()
gc.collect()
engine = fill(range({ROWS // 2}, {ROWS}))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("killed") / "store"
    run = subprocess.run(
        [sys.executable, "-c", WRITER, str(path)], capture_output=True, text=True, check=False
    )
    assert run.returncode == -9, run.stderr
    return path


@pytest.fixture
def path(killed: Path, tmp_path: Path) -> Path:
    return shutil.copytree(killed, tmp_path / "store")


def count(path: Path) -> int:
    engine = RocksEngine(path, block_cache_bytes=4 * MIB)
    try:
        return len(engine.scan(engine.family("history"), b"", b"\xff"))
    finally:
        engine.close()


def biggest(path: Path, pattern: str) -> Path:
    return max(path.glob(pattern), key=lambda file: file.stat().st_size)


def log_of(path: Path) -> Path:
    return biggest(path, "[0-9]*.log")


def table_of(path: Path) -> Path:
    return biggest(path, "*.sst")


def manifest_of(path: Path) -> Path:
    return biggest(path, "MANIFEST-*")


def cut(file: Path, count: int) -> None:
    os.truncate(file, file.stat().st_size - count)


def extend(file: Path, content: bytes) -> None:
    with file.open("ab") as handle:
        handle.write(content)


def flip(file: Path, offset: int, count: int = 4) -> None:
    content = bytearray(file.read_bytes())
    content[offset : offset + count] = bytes(
        byte ^ 0xFF for byte in content[offset : offset + count]
    )
    file.write_bytes(content)


def middle(file: Path) -> int:
    return file.stat().st_size // 2


# -- forgiven ---------------------------------------------------------------------------------


def test_nothing_is_missing_after_a_kill(path: Path) -> None:
    assert count(path) == ROWS


def test_a_torn_last_record_is_dropped_alone(path: Path) -> None:
    cut(log_of(path), 37)
    assert count(path) == ROWS - 1


def test_zeros_behind_the_log_are_harmless(path: Path) -> None:
    extend(log_of(path), bytes(4096))
    assert count(path) == ROWS


@pytest.mark.parametrize("name", ["OPTIONS-*", "IDENTITY", "rocksdict-config.json", "LOG*"])
def test_side_files_may_be_missing_or_garbled(path: Path, name: str) -> None:
    files = list(path.glob(name))
    assert files
    for number, file in enumerate(files):
        if number % 2:
            file.write_bytes(b"garbage")
        else:
            file.unlink()
    assert count(path) == ROWS


# -- refused ----------------------------------------------------------------------------------

Damage = Callable[[Path], object]


@pytest.mark.parametrize(
    ("victim", "damage"),
    [
        pytest.param(log_of, lambda f: flip(f, middle(f)), id="log-flipped-in-the-middle"),
        pytest.param(log_of, lambda f: flip(f, 2), id="log-flipped-at-its-head"),
        pytest.param(
            log_of, lambda f: extend(f, Random(1).randbytes(4096)), id="log-with-a-random-tail"
        ),
        pytest.param(table_of, lambda f: flip(f, middle(f), 64), id="table-flipped"),
        pytest.param(
            table_of, lambda f: flip(f, f.stat().st_size - 20, 16), id="table-flipped-at-its-foot"
        ),
        pytest.param(table_of, lambda f: cut(f, 100), id="table-cut"),
        pytest.param(table_of, lambda f: os.truncate(f, 0), id="table-empty"),
        pytest.param(table_of, Path.unlink, id="table-missing"),
        pytest.param(manifest_of, lambda f: flip(f, middle(f)), id="manifest-flipped"),
        pytest.param(manifest_of, lambda f: os.truncate(f, 0), id="manifest-empty"),
        pytest.param(
            manifest_of, lambda f: f.write_bytes(Random(2).randbytes(500)), id="manifest-garbled"
        ),
        pytest.param(manifest_of, Path.unlink, id="manifest-missing"),
        pytest.param(lambda path: path / "CURRENT", Path.unlink, id="current-missing"),
        pytest.param(
            lambda path: path / "CURRENT", lambda f: os.truncate(f, 0), id="current-empty"
        ),
        pytest.param(
            lambda path: path / "CURRENT", lambda f: f.write_text("hello\n"), id="current-garbled"
        ),
    ],
)
def test_damage_is_refused_by_the_name_of_its_file_and_never_repaired(
    path: Path, victim: Callable[[Path], Path], damage: Damage
) -> None:
    file = victim(path)
    damage(file)
    # Twice: the first refusal must not have "repaired" what it refused.
    for _ in range(2):
        with pytest.raises(StoreCorrupt) as caught:
            count(path)
        assert caught.value.path == str(file)
        assert caught.value.exit_status == 78


def test_a_current_that_names_another_manifest_is_refused_by_that_name(path: Path) -> None:
    (path / "CURRENT").write_text("MANIFEST-000099\n")
    with pytest.raises(StoreCorrupt) as caught:
        count(path)
    assert caught.value.path == str(path / "MANIFEST-000099")
