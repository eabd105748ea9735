"""What was synced is there after any crash; what is damaged is not taken for less."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from random import Random

import pytest

from actorchat.cluster.journal import DiskFolder, Folder, Journal
from actorchat.cluster.registry import Create
from actorchat.cluster.registry_tree import Tree
from actorchat.cluster.registry_wire import Message, ops_out
from actorchat.errors import StoreBusy, StoreCorrupt, StoreIO, StoreTooNew


class Power(Exception):
    """The power is out."""


class FlakyFolder:
    """A folder in memory; a crash keeps any part of what was not synced."""

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files = dict(files or {})
        self.unsynced: dict[str, bytes] = {}
        self.steps_left: int | None = None
        self.error: OSError | None = None

    def _step(self) -> None:
        if self.error is not None:
            raise self.error
        if self.steps_left is not None:
            if self.steps_left == 0:
                raise Power
            self.steps_left -= 1

    def names(self) -> list[str]:
        return sorted({*self.files, *self.unsynced})

    def read(self, name: str) -> bytes:
        return self.files.get(name, b"") + self.unsynced.get(name, b"")

    def replace(self, name: str, content: bytes) -> None:
        self._step()
        self.files[name] = content

    def truncate(self, name: str, size: int) -> None:
        self.files[name] = self.read(name)[:size]
        self.unsynced.pop(name, None)

    def append(self, name: str, content: bytes) -> None:
        self._step()
        self.unsynced[name] = self.unsynced.get(name, b"") + content

    def sync(self, name: str) -> None:
        self._step()
        self.files[name] = self.read(name)
        self.unsynced.pop(name, None)

    def delete(self, name: str) -> None:
        self._step()
        self.files.pop(name, None)
        self.unsynced.pop(name, None)

    def close(self) -> None:
        pass

    def after_crash(self, rng: Random) -> FlakyFolder:
        """Return what is left: of the unsynced bytes any beginning, or the pages of it mixed."""
        left = FlakyFolder(self.files)
        for name, content in self.unsynced.items():
            kept = content[: rng.randint(0, len(content))]
            if kept and rng.random() < 0.5:
                at = rng.randrange(len(kept))
                kept = kept[:at] + b"\0" * (len(kept) - at)
            left.files[name] = left.files.get(name, b"") + kept
        return left


def begun() -> Message:
    return {"begin": 2.0, "secret": b"s"}


def made(number: int) -> Message:
    return {"session": 1, "ops": ops_out([Create(f"/e{number}", b"x" * (number % 7))])}


def written(folder: Folder, count: int) -> Journal:
    journal = Journal(folder)
    journal.write([begun()])
    journal.sync()
    for number in range(count):
        journal.write([made(number)])
        journal.sync()
    return journal


def replayed(journal: Journal) -> Tree:
    """Return the tree as who writes keeps it beside the journal."""
    return Journal(FlakyFolder(journal._folder.files)).tree  # type: ignore[attr-defined]


@pytest.mark.parametrize("seed", range(60))
def test_every_crash_keeps_what_was_synced_and_at_most_the_batch_behind_it(seed: int) -> None:
    rng = Random(seed)
    folder = FlakyFolder()
    journal = Journal(folder, records_max=7)
    tree = journal.tree
    tree.begin(2.0, b"s")
    journal.write([begun()])
    journal.sync()
    folder.steps_left = rng.randint(0, 90)
    acked = written_count = 0
    try:
        while True:
            tree.apply(1, [Create(f"/e{written_count}", b"x" * (written_count % 7))])
            record, written_count = made(written_count), written_count + 1
            journal.write([record])
            journal.sync()
            acked = written_count
            if journal.wants_snapshot:
                journal.snapshot(tree)
    except (Power, StoreIO):
        pass
    back = Journal(folder.after_crash(rng))
    names = back.tree.children("/")
    assert len(names) in {acked, written_count}
    assert set(names) == {f"e{number}" for number in range(len(names))}
    # And it goes on from there.
    back.write([made(len(names))])
    back.sync()
    assert len(replayed(back).children("/")) == len(names) + 1


def test_torn_end_is_cut_off_once() -> None:
    folder = FlakyFolder()
    written(folder, 3)
    folder.files["journal-0"] += b"\0\0\0\x09torn"
    journal = Journal(folder)
    assert journal.cut_bytes == 8
    assert len(journal.tree.children("/")) == 3
    assert Journal(folder).cut_bytes == 0


@pytest.mark.parametrize("at", [3, 9, 40, 80, 120])
def test_damage_before_the_end_is_never_taken_for_a_torn_end(at: int) -> None:
    folder = FlakyFolder()
    written(folder, 6)
    content = bytearray(folder.files["journal-0"])
    content[at] ^= 0x40
    folder.files["journal-0"] = bytes(content)
    with pytest.raises(StoreCorrupt):
        Journal(folder)


def test_damaged_snapshot_or_one_that_is_missing_is_refused() -> None:
    folder = FlakyFolder()
    journal = written(folder, 3)
    journal.snapshot(replayed(journal))
    whole = folder.files["snapshot-1"]
    folder.files["snapshot-1"] = whole[:-1]
    with pytest.raises(StoreCorrupt):
        Journal(folder)
    folder.files["snapshot-1"] = whole
    assert len(Journal(folder).tree.children("/")) == 3
    journal.write([made(9)])
    journal.sync()
    del folder.files["snapshot-1"]
    with pytest.raises(StoreCorrupt):
        Journal(folder)


def test_snapshot_of_a_later_program_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = FlakyFolder()
    journal = written(folder, 1)
    monkeypatch.setattr("actorchat.cluster.journal.LAYOUT_VERSION", 2)
    journal.snapshot(replayed(journal))
    monkeypatch.undo()
    with pytest.raises(StoreTooNew):
        Journal(folder)


def test_record_that_can_not_be_replayed_is_damage() -> None:
    folder = FlakyFolder()
    journal = Journal(folder)
    journal.write([{"end": 77}])
    journal.sync()
    with pytest.raises(StoreCorrupt):
        Journal(folder)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_disk_that_fails_is_said_so(number: int) -> None:
    folder = FlakyFolder()
    journal = written(folder, 1)
    folder.error = OSError(number, os.strerror(number))
    with pytest.raises(StoreIO, match="space" if number == errno.ENOSPC else "written"):
        journal.write([made(1)])
    with pytest.raises(StoreIO):
        journal.sync()
    with pytest.raises(StoreIO):
        journal.snapshot(Tree())


def test_folder_on_the_disk_is_one_process_own_and_keeps_what_was_written(tmp_path: Path) -> None:
    folder = DiskFolder(tmp_path / "registry")
    with pytest.raises(StoreBusy):
        DiskFolder(tmp_path / "registry")
    journal = written(folder, 5)
    tree = Tree()
    tree.begin(2.0, b"s")
    tree.apply(1, [Create("/only")])
    journal.snapshot(tree)
    journal.write([made(7)])
    journal.sync()
    journal.close()
    assert sorted(path.name for path in (tmp_path / "registry").iterdir()) == [
        "journal-1",
        "snapshot-1",
    ]
    with (tmp_path / "registry" / "journal-1").open("ab") as torn:
        torn.write(b"torn")
    again = Journal(DiskFolder(tmp_path / "registry"))
    assert again.tree.children("/") == ["e7", "only"]
    assert again.cut_bytes == 4
    again.close()
