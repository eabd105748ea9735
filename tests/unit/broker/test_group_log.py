"""A group is read back from its rows as it was written."""

from __future__ import annotations

import pytest

from actorchat.broker.group_log import GroupLog
from actorchat.chat.change import link_of
from actorchat.chat.roster import Roster, found
from actorchat.errors import StoreCorrupt
from actorchat.ids import group_address
from actorchat.protocol.ops.group import Add, AnyChange, Create, Invite, Remove, Uninvite
from actorchat.store import keys, kinds, values
from actorchat.store.memory import MemoryEngine

ADDRESS = group_address(bytes(16))
KEY = keys.group_key(ADDRESS)
TOKEN = "t" * 22


def write(engine: MemoryEngine, roster: Roster, sender: str, change: AnyChange, seq: int) -> None:
    touched = roster.apply(sender, change, seq)
    batch = engine.batch()
    for family, key, value in GroupLog(engine).changed(KEY, ADDRESS, roster, touched):
        if value is None:
            batch.delete(key, family)
        else:
            batch.put(key, value, family)
    engine.write(batch)


def new(engine: MemoryEngine) -> Roster:
    create = Create("g", ["bob"], "about", history="all")
    roster = found("ann", create, 16)
    assert isinstance(roster, Roster)
    write(engine, roster, "ann", create, 1)
    return roster


def test_group_reads_back_as_it_was_written() -> None:
    engine = MemoryEngine()
    log = GroupLog(engine)
    assert (log.has(ADDRESS), log.address(KEY), log.roster(KEY)) == (False, None, None)
    roster = new(engine)
    write(engine, roster, "ann", Add(["cid"], "reader"), 2)
    write(engine, roster, "ann", Remove("bob"), 3)
    write(engine, roster, "ann", Invite(TOKEN), 4)
    read = log.roster(KEY)
    assert read is not None
    assert (log.has(ADDRESS), log.address(KEY)) == (True, ADDRESS)
    assert (read.rows, read.members) == (roster.rows, roster.members)
    assert (read.profile, read.links) == (roster.profile, {link_of(TOKEN)})


def test_link_that_is_void_and_row_that_is_settled_are_gone() -> None:
    engine = MemoryEngine()
    roster = new(engine)
    write(engine, roster, "ann", Invite(TOKEN), 2)
    write(engine, roster, "ann", Uninvite(link_of(TOKEN)), 3)
    roster.apply("ann", Remove("bob"), 4)
    ((_, key, value),) = GroupLog(engine).members(KEY, roster, roster.settle(4))
    assert (key, value) == (keys.state_key(KEY, kinds.MEMBER, b"bob"), None)
    read = GroupLog(engine).roster(KEY)
    assert read is not None
    assert read.links == set()


def test_marks_of_all_are_read_at_once() -> None:
    engine = MemoryEngine()
    batch = engine.batch()
    for user, marks in (("ann", (3, 2)), ("bob", (1, 0))):
        key = keys.state_key(KEY, kinds.MARKS, user.encode())
        batch.put(key, values.pack_positions(*marks), engine.family("state"))
    engine.write(batch)
    assert GroupLog(engine).marks(KEY) == {"ann": (3, 2), "bob": (1, 0)}


@pytest.mark.parametrize("value", [b"", b"\xa0", b"\xff"])
def test_damaged_row_is_said_so(value: bytes) -> None:
    engine = MemoryEngine()
    batch = engine.batch()
    batch.put(keys.state_key(KEY, kinds.GROUP), value, engine.family("state"))
    engine.write(batch)
    with pytest.raises(StoreCorrupt, match="group"):
        GroupLog(engine).roster(KEY)
