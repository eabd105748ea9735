"""The rows behind the lists that users see."""

from __future__ import annotations

from actorchat.broker.archive import Archive
from actorchat.broker.census import Census
from actorchat.broker.rows import Rows
from actorchat.chat.account import Device
from actorchat.store import keys
from actorchat.store.engine import Op
from actorchat.store.memory import MemoryEngine

PAIR = ("ann", "bob")
KEY = keys.conversation_key(*PAIR)


class Shelf:
    """An engine, and what reads and writes it."""

    def __init__(self) -> None:
        self.engine = MemoryEngine()
        self.census = Census(self.engine, Archive(self.engine))
        self.rows = Rows(self.engine)

    def write(self, *rows: Op) -> None:
        batch = self.engine.batch()
        for family, key, value in rows:
            if value is None:
                batch.delete(key, family)
            else:
                batch.put(key, value, family)
        self.engine.write(batch)


def test_conversation_has_a_row_for_each_of_its_users() -> None:
    shelf = Shelf()
    assert not shelf.census.is_listed(KEY, PAIR)
    assert shelf.census.flags("bob", "ann") is None
    shelf.write(*shelf.census.index_rows(KEY, PAIR))
    assert shelf.census.is_listed(KEY, PAIR)
    assert shelf.census.flags("bob", "ann") == shelf.census.flags("ann", "bob") == 0
    assert len(shelf.census.index_rows(KEY, ("ann", "ann"))) == 1


def test_flags_are_kept_while_there_are_any() -> None:
    shelf = Shelf()
    shelf.write(*shelf.census.index_rows(KEY, PAIR))
    shelf.write(shelf.census.flags_row("ann", "bob", 5))
    assert (shelf.census.flags("ann", "bob"), shelf.census.flags("bob", "ann")) == (5, 0)
    assert shelf.census.flags_row("ann", "bob", 0)[2] is None


def test_device_is_shown_with_what_is_known_of_it() -> None:
    shelf, device = Shelf(), Device("web", bytes(32), 3)
    shelf.write(shelf.rows.device("ann", device), shelf.rows.device("anna", device))
    (found,) = shelf.census.devices("ann")
    assert (found.seen_at_wall_ms, found.title, found.cursor) == (0, "", None)
    owner = keys.user_key("ann")
    shelf.write(
        shelf.census.title_row("ann", "web", "Büro"),
        shelf.census.seen_row("ann", "web", 9),
        *shelf.rows.cursor(owner, "web", 4),
    )
    (found,) = shelf.census.devices("ann")
    assert (found.seen_at_wall_ms, found.title, found.cursor) == (9, "Büro", 4)
    assert shelf.census.title_row("ann", "web", "")[2] is None
    assert shelf.census.seen_row("ann", "web", None)[2] is None
    assert shelf.census.device_names("ann") == ["web"]
