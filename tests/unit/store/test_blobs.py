"""Files on disk by their hash: whole or not at all, stored once, nothing left of what broke off."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from actorchat.errors import StoreFull, Unavailable
from actorchat.store import blobs as module
from actorchat.store.blobs import Blobs, is_hash, place_of

BODY = b"a picture of a cat"
HASH = hashlib.sha256(BODY).digest()


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    blobs = Blobs(tmp_path / "files")
    assert blobs.start() == 0
    return blobs


def put(blobs: Blobs, body: bytes = BODY) -> bytes:
    partial = blobs.begin(len(body))
    partial.write(body[:5])
    partial.write(body[5:])
    partial.keep()
    partial.drop()
    return hashlib.sha256(body).digest()


def left(blobs: Blobs) -> list[Path]:
    return [path for path in blobs.root.rglob("*") if path.is_file()]


def test_file_stands_under_its_hash(blobs: Blobs) -> None:
    partial = blobs.begin(len(BODY))
    partial.write(BODY)
    assert (partial.size, partial.digest()) == (len(BODY), HASH)
    assert not blobs.path(HASH).exists()
    partial.keep()
    partial.drop()
    assert blobs.path(HASH).read_bytes() == BODY
    assert blobs.path(HASH) == blobs.root / HASH.hex()[:2] / HASH.hex()
    assert blobs.path(HASH).stat().st_mode & 0o777 == 0o600
    assert left(blobs) == [blobs.path(HASH)]


def test_same_content_is_kept_once(blobs: Blobs) -> None:
    assert put(blobs) == put(blobs)
    assert [info.sha256 for info in blobs.infos()] == [HASH]
    put(blobs, b"another")
    assert {info.size for info in blobs.infos()} == {len(BODY), 7}


def test_what_is_dropped_leaves_nothing(blobs: Blobs) -> None:
    partial = blobs.begin(len(BODY))
    partial.write(BODY)
    partial.drop()
    partial.drop()
    assert left(blobs) == []


def test_half_uploads_are_cleared_at_the_start(blobs: Blobs) -> None:
    put(blobs)
    for _ in range(3):
        blobs.begin(10).write(b"half")
    assert len(left(blobs)) == 4
    assert Blobs(blobs.root).start() == 3
    assert left(blobs) == [blobs.path(HASH)]


def test_many_threads_begin_at_once(blobs: Blobs) -> None:
    with ThreadPoolExecutor(8) as threads:
        partials = list(threads.map(lambda _: blobs.begin(1), range(2_000)))
    assert len(left(blobs)) == 2_000
    for partial in partials:
        partial.drop()


def test_rotten_file_is_seen_and_healed_by_the_next_copy(blobs: Blobs) -> None:
    put(blobs)
    assert blobs.is_sound(HASH)
    blobs.path(HASH).write_bytes(b"a picture of a dog")
    assert not blobs.is_sound(HASH)
    put(blobs)
    assert blobs.is_sound(HASH)
    blobs.remove(HASH)
    blobs.remove(HASH)
    assert not blobs.is_sound(HASH)


def test_file_is_synced_before_its_name_and_the_name_before_the_answer(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def noted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def do(*args: Any) -> Any:
            if name == "fsync":
                path = Path(f"/proc/self/fd/{args[0]}")
                steps.append(f"fsync {'directory' if path.is_dir() else 'file'}")
            else:
                steps.append(name)
            return function(*args)

        return do

    monkeypatch.setattr(module.os, "fsync", noted("fsync", os.fsync))
    monkeypatch.setattr(Path, "replace", noted("rename", Path.replace))
    put(blobs)
    assert steps == ["fsync file", "fsync directory", "rename", "fsync directory"]


@pytest.mark.parametrize(
    ("number", "error"),
    [(errno.ENOSPC, StoreFull), (errno.EDQUOT, StoreFull), (errno.EIO, Unavailable)],
)
@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_disk_that_fails_is_told_and_leaves_nothing(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch, step: str, number: int, error: type[Exception]
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    partial = blobs.begin(len(BODY))
    target, name = (Path, "replace") if step == "replace" else (module.os, step)
    monkeypatch.setattr(target, name, fail)
    with pytest.raises(error):
        partial.write(BODY)
        partial.keep()
    partial.drop()
    monkeypatch.undo()
    assert left(blobs) == []
    put(blobs)


def test_space_for_messages_is_left_alone(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path)
    blobs = Blobs(tmp_path / "files", free_bytes_min=free.f_bavail * free.f_frsize * 2)
    blobs.start()
    with pytest.raises(StoreFull):
        blobs.begin(1)
    assert left(blobs) == []


@pytest.mark.parametrize(
    "name", ["", "..", "../" * 21 + "x", "A" * 64, "g" * 64, "a" * 63, "/" * 64]
)
def test_only_hex_digits_are_a_hash(name: str) -> None:
    assert not is_hash(name)


def test_place_of_anything_but_a_hash_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        place_of(tmp_path, b"../../etc/passwd")
    assert is_hash(place_of(tmp_path, bytes(32)).name)


def test_foreign_files_are_passed(blobs: Blobs) -> None:
    put(blobs)
    (blobs.root / "README").write_text("x")
    (blobs.root / "ab").mkdir(exist_ok=True)
    (blobs.root / "ab" / ("cd" * 32)).write_text("in the wrong place")
    (blobs.root / "ab" / "notes").write_text("x")
    assert [info.sha256 for info in blobs.infos()] == [HASH]
    assert list(Blobs(blobs.root / "nowhere").infos()) == []
