"""Which files go: none that a record names, none that is young; and with them what they counted."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from actorchat.broker.file_sweep import survey, sweep
from actorchat.broker.shelf import Shelf
from actorchat.chat.file import FileFacts, Usage
from actorchat.errors import StoreCorrupt
from actorchat.ids import group_address
from actorchat.protocol import codec, ops
from actorchat.protocol.ops import FileRef
from actorchat.protocol.ops.group import Create
from actorchat.store import keys
from actorchat.store.blobs import Blobs
from actorchat.store.engine import Op
from actorchat.store.memory import MemoryEngine
from actorchat.store.verify import verify
from tests.unit.broker.stage import Device, Stage

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
    for seq, extra in enumerate(({"files": 1}, {"files": [1]}, 1, {"files": [{"hash": 1}]}), 1):
        record = codec.encode({"extra": extra, "body": "files"})
        place.write((history, keys.history_key(conversation, seq), keys.pack_history(1, record)))
    place.message(5)
    assert survey(place.engine, place.blobs).referenced == set()


def test_no_file_goes_where_a_record_can_not_be_read(place: Place) -> None:
    key = keys.history_key(keys.conversation_key("ann", "bob"), 1)
    place.write((place.engine.family("history"), key, keys.pack_history(1, b"\x65files")))
    with pytest.raises(StoreCorrupt):
        survey(place.engine, place.blobs)


def test_record_of_a_real_send_names_its_files_until_it_is_deleted(place: Place) -> None:
    stage = Stage()
    stage.add_users("ann", "bob")
    file = FileRef(place.file(b"x"), 1, "a/b", "cat")
    stage.add_file("ann", file)
    ann = stage.hello("ann")
    for to in ("bob", make_group(ann)):
        seq = send_file(stage, ann, to, file)
        assert survey(stage.engine, place.blobs).referenced == {file.hash}
        delete(stage, ann, to, seq)
        assert survey(stage.engine, place.blobs).referenced == set()


def send_file(stage: Stage, device: Device, to: str, file: FileRef) -> int:
    extra = ops.Extra(kind="file", files=[file])
    sent = device.ask(lambda rid: ops.Send(rid, to, stage.new_cid(), "x", extra))
    return int(sent["ok"]["seq"])


def delete(stage: Stage, device: Device, to: str, seq: int) -> None:
    done = device.ask(lambda rid: ops.Delete(rid, to, stage.new_cid(), [seq], "all"))
    assert "ok" in done
    stage.run(1.0)


def make_group(device: Device) -> str:
    change = Create("friends", ["bob"])
    address = group_address(bytes(16))
    assert "ok" in device.ask(lambda rid: ops.Change(rid, address, bytes(16), change))
    return address


def test_file_that_all_have_dropped_goes_at_once_unless_a_record_names_it(place: Place) -> None:
    named, other = place.file(b"named", "ann", at_ms=NOW), place.file(b"o", "ann", "bob", at_ms=NOW)
    place.message(1, named)
    for user, sha256, usage in (
        ("ann", named, Usage(1, 1)),
        ("ann", other, Usage()),
    ):
        drop(place, user, sha256, usage)
    found = survey(place.engine, place.blobs)
    assert (found.dropped, found.unreferenced(0)) == ([named], [])  # bob has the other
    drop(place, "bob", other, Usage())
    found = survey(place.engine, place.blobs)
    assert (found.stray, found.missing, found.unreferenced(0)) == ([], [], [other])
    sweep(place.engine, place.blobs, found, [other])
    assert not place.blobs.path(other).exists()
    assert place.shelf.known(other) is None
    assert place.blobs.is_sound(named)
    assert verify(place.engine).is_sound


def test_file_that_a_record_names_and_nobody_has_may_be_missing(place: Place) -> None:
    sha256 = place.file(b"x", "ann")
    place.message(1, sha256)
    drop(place, "ann", sha256, Usage())
    place.blobs.remove(sha256)
    assert survey(place.engine, place.blobs).missing == [sha256]


def drop(place: Place, user: str, sha256: bytes, usage: Usage) -> None:
    batch = place.engine.batch()
    for family, key, value in place.shelf.dropped(user, sha256, usage):
        batch.delete(key, family) if value is None else batch.put(key, value, family)
    place.engine.write(batch)
