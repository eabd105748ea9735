"""Which files go: none that a record names, none that is young; and with them what they counted."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from actorchat.broker.file_sweep import survey, sweep
from actorchat.broker.shelf import Shelf
from actorchat.chat.file import FileFacts, Usage
from actorchat.protocol import codec
from actorchat.store import keys
from actorchat.store.blobs import Blobs
from actorchat.store.engine import Op
from actorchat.store.memory import MemoryEngine
from actorchat.store.verify import verify

NOW = 1_000_000_000_000


class Place:
    """A store, files beside it, and who has them."""

    def __init__(self, root: Path) -> None:
        self.engine = MemoryEngine()
        self.shelf = Shelf(self.engine)
        self.blobs = Blobs(root)
        self.blobs.start()

    def file(self, body: bytes, *users: str, at_ms: int = 0) -> bytes:
        """Put a file there, `at_ms` before now on disk and in rows."""
        sha256 = hashlib.sha256(body).digest()
        partial = self.blobs.begin(len(body))
        partial.write(body)
        partial.keep()
        os.utime(self.blobs.path(sha256), ns=(at_ms * 1_000_000, at_ms * 1_000_000))
        for user in users:
            had = self.shelf.usage(user)
            usage = Usage(had.size + len(body), had.files + 1)
            facts = FileFacts(len(body), "a/b", at_ms)
            is_new = self.shelf.known(sha256) is None
            self.write(*self.shelf.rows(user, sha256, facts, usage, is_new))
        return sha256

    def message(self, seq: int, *files: bytes) -> None:
        extra = {"kind": "file", "files": [{"hash": one, "name": "x"} for one in files]}
        record = codec.encode({"from": "ann", "seq": seq, "extra": extra})
        conversation = keys.conversation_key("ann", "bob")
        self.write(
            (
                self.engine.family("history"),
                keys.history_key(conversation, seq),
                keys.pack_history(1, record),
            )
        )

    def write(self, *rows: Op) -> None:
        batch = self.engine.batch()
        for family, key, value in rows:
            assert value is not None
            batch.put(key, value, family)
        self.engine.write(batch)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "files")


def test_file_that_a_record_names_stays(place: Place) -> None:
    named, other = place.file(b"named", "ann"), place.file(b"other", "ann", "bob")
    place.message(1, named, bytes(32))
    found = survey(place.engine, place.blobs)
    assert found.referenced == {named, bytes(32)}
    assert (len(found.files), found.size, found.missing, found.stray) == (2, 10, [], [])
    assert found.unreferenced(NOW) == [other]
    sweep(place.engine, place.blobs, found, [other])
    assert place.blobs.is_sound(named)
    assert not place.blobs.path(other).exists()
    assert place.shelf.usage("ann") == Usage(5, 1)
    assert place.shelf.usage("bob") == Usage(0, 0)
    assert (place.shelf.known(other), place.shelf.own("bob", other)) == (None, None)
    assert verify(place.engine).is_sound
    assert survey(place.engine, place.blobs).unreferenced(NOW) == []


@pytest.mark.parametrize(("at_ms", "goes"), [(999, True), (1_000, False), (1_001, False)])
def test_young_file_stays(place: Place, at_ms: int, goes: bool) -> None:
    sha256 = place.file(b"x", "ann", at_ms=at_ms)
    assert (survey(place.engine, place.blobs).unreferenced(1_000) == [sha256]) is goes


def test_file_that_came_again_is_young_again(place: Place) -> None:
    sha256 = place.file(b"x", "ann", at_ms=10)
    place.file(b"x", "bob", at_ms=5_000)
    os.utime(place.blobs.path(sha256), ns=(0, 0))
    assert survey(place.engine, place.blobs).unreferenced(1_000) == []


def test_stray_and_missing_files_are_told(place: Place) -> None:
    stray, missing = place.file(b"stray"), place.file(b"missing", "ann")
    place.blobs.remove(missing)
    found = survey(place.engine, place.blobs)
    assert (found.stray, found.missing) == ([stray], [missing])
    sweep(place.engine, place.blobs, found, found.unreferenced(NOW))
    assert survey(place.engine, place.blobs).stray == []
    sweep(place.engine, place.blobs, found, [])


def test_power_cut_between_rows_and_files_leaves_a_stray(place: Place) -> None:
    sha256 = place.file(b"x", "ann")
    found = survey(place.engine, place.blobs)

    class Cut(Exception):
        pass

    class Dying(Blobs):
        def remove(self, sha256: bytes) -> None:
            raise Cut

    with pytest.raises(Cut):
        sweep(place.engine, Dying(place.blobs.root), found, [sha256])
    assert verify(place.engine).is_sound
    again = survey(place.engine, place.blobs)
    assert again.stray == again.unreferenced(NOW) == [sha256]


def test_record_that_only_speaks_of_files_names_none(place: Place) -> None:
    conversation = keys.conversation_key("ann", "bob")
    history = place.engine.family("history")
    for seq, record in enumerate((codec.encode({"extra": {"files": 1}}), b"\x65files"), 1):
        key = keys.history_key(conversation, seq)
        place.write((history, key, keys.pack_history(1, record)))
    place.message(3)
    assert survey(place.engine, place.blobs).referenced == set()
