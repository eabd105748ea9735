"""Rows of accounts that have ended."""

from __future__ import annotations

from actorchat.broker.invitations import Invitations
from actorchat.broker.tombs import Tombs
from actorchat.chat.reservation import Reservation
from actorchat.ids import slot_of
from actorchat.store import keys, kinds
from actorchat.store.memory import MemoryEngine
from actorchat.store.verify import verify


def written(engine: MemoryEngine, *ops: tuple[object, bytes, bytes | None]) -> None:
    batch = engine.batch()
    for family, key, value in ops:
        if value is None:
            batch.delete(key, family)
        else:
            batch.put(key, value, family)
    engine.write(batch)


def test_tomb_stays_when_nothing_is_left() -> None:
    engine = MemoryEngine()
    tombs = Tombs(engine)
    written(engine, *tombs.new_rows("ann", 5), *tombs.new_rows("bob", 6))
    assert tombs.has("ann")
    assert not tombs.has("eve")
    assert tombs.unfinished(1) == ["ann"]
    written(engine, tombs.finished_row("ann"))
    assert tombs.unfinished(5) == ["bob"]
    assert tombs.has("ann")
    assert verify(engine).is_sound


def test_ranges_have_all_of_the_home_but_the_tomb_and_nothing_of_others() -> None:
    engine = MemoryEngine()
    tombs, state, inbox = Tombs(engine), engine.family("state"), engine.family("inbox")
    mine, other = keys.user_key("ann"), keys.user_key("bob")
    written(
        engine,
        *tombs.new_rows("ann", 5),
        *((state, keys.state_key(one, kind, b"x"), b"") for one in (mine, other)
          for kind in (kinds.CONTACT, kinds.BLOCKED, kinds.INDEX)),
        *((inbox, keys.inbox_key(one, upd), b"") for one in (mine, other)
          for upd in (1, keys.SEQ_MAX)),
    )  # fmt: skip
    batch = engine.batch()
    for family, start, stop in tombs.home_ranges("ann"):
        batch.delete_range(start, stop, family)
    engine.write(batch)
    assert tombs.has("ann")
    assert tombs.unfinished(5) == ["ann"]
    left = [key for family in (state, inbox) for key, _ in engine.scan(family, b"", b"\xff" * 60)]
    assert len([key for key in left if key.startswith(other)]) == 5
    assert len([key for key in left if key.startswith(mine)]) == 1


def test_account_beside_its_tomb_is_a_problem() -> None:
    engine = MemoryEngine()
    account = keys.state_key(keys.user_key("ann"), kinds.ACCOUNT)
    written(engine, *Tombs(engine).new_rows("ann", 5), (engine.family("state"), account, b""))
    (problem,) = verify(engine).problems
    assert "has ended" in problem.text


def test_several_nodes_note_in_the_slots_of_the_users_and_conversations() -> None:
    engine = MemoryEngine()
    tombs = Tombs(engine, True)
    written(engine, *tombs.new_rows("ann", 5), *tombs.new_rows("bob", 6))
    ann, bob = slot_of("ann"), slot_of("bob")
    assert tombs.unfinished(5, [ann, bob]) == ["ann", "bob"]
    assert tombs.unfinished(1, [ann, bob]) == ["ann"]
    assert tombs.unfinished(5, [bob]) == ["bob"]
    written(engine, tombs.finished_row("bob"))
    assert tombs.unfinished(5, [bob]) == []
    pair = keys.conversation_key("ann", "bob")
    assert not tombs.is_noted(pair, "bob")
    written(engine, tombs.noted_row(pair, "bob", 7))
    assert tombs.is_noted(pair, "bob")
    assert not tombs.is_noted(pair, "ann")
    assert verify(engine).is_sound


def test_use_of_an_invitation_that_is_owed_outlives_the_home() -> None:
    engine = MemoryEngine()
    tombs, rows = Tombs(engine, True), Invitations(engine, True)
    use = Reservation(bytes(16), b"\xff" * 16, "ann")
    written(engine, *tombs.new_rows("ann", 5), rows.owed_row(use))
    batch = engine.batch()
    for family, start, stop in tombs.home_ranges("ann"):
        batch.delete_range(start, stop, family)
    engine.write(batch)
    assert rows.owes(use)
