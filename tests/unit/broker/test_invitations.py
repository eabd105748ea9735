"""The rows of invitations, both ways."""

from __future__ import annotations

import pytest

from actorchat.broker.invitations import Invitations
from actorchat.chat.invitation import Invitation, invitation_id
from actorchat.chat.reservation import Reservation
from actorchat.errors import StoreCorrupt
from actorchat.ids import slot_of
from actorchat.store import keys, kinds
from actorchat.store.engine import Engine, Op
from actorchat.store.memory import MemoryEngine
from actorchat.store.verify import verify

CODE = "0123456789abcdef"
ONE = Invitation(invitation_id(CODE), "Schüler", 30, 29, 5, 1_000)
OTHER = Invitation(b"\xff" * 16, "", 1, 1, 6)


def write(engine: Engine, *rows: Op) -> None:
    batch = engine.batch()
    for family, key, value in rows:
        if value is None:
            batch.delete(key, family)
        else:
            batch.put(key, value, family)
    engine.write(batch)


def test_what_is_written_is_read() -> None:
    engine = MemoryEngine()
    invitations = Invitations(engine)
    write(engine, invitations.row(ONE), invitations.row(OTHER))
    assert invitations.of_code(CODE) == ONE
    assert invitations.of_code("another") is None
    assert sorted(invitations.all(), key=lambda one: one.uses) == [OTHER, ONE]
    assert verify(engine).is_sound
    write(engine, invitations.no_row(ONE))
    assert invitations.all() == [OTHER]


def test_what_has_no_use_left_has_no_row() -> None:
    engine = MemoryEngine()
    invitations = Invitations(engine)
    write(engine, invitations.row(OTHER))
    write(engine, invitations.row(Invitation(OTHER.id, "", 1, 0, 6)))
    assert invitations.all() == []


@pytest.mark.parametrize(
    "value", [b"", b"\0" * 24, b"\0\0\0\1\0\0\0\2" + bytes(16), b"\0\0\0\1" * 6 + b"\xff"]
)
def test_damage_is_named(value: bytes) -> None:
    engine = MemoryEngine()
    invitations = Invitations(engine)
    write(engine, (engine.family("state"), keys.NODE_OWNER + kinds.INVITATION + ONE.id, value))
    with pytest.raises(StoreCorrupt):
        invitations.all()
    assert not verify(engine).is_sound


def test_invitation_at_another_place_is_found() -> None:
    engine = MemoryEngine()
    family, key, value = Invitations(engine).row(ONE)
    for wrong in (key[:-1], keys.user_key("ann") + key[keys.OWNER_BYTES :]):
        write(engine, (family, wrong, value))
        assert verify(engine).problem_count == 1
        write(engine, (family, wrong, None))


USE = Reservation(ONE.id, bytes(16), "ann")


def test_several_nodes_have_them_in_their_slots_with_the_uses_that_are_taken() -> None:
    engine = MemoryEngine()
    rows = Invitations(engine, True)
    write(engine, rows.row(ONE), rows.row(OTHER), rows.taken_row(USE), rows.owed_row(USE))
    here = slot_of(ONE.id.hex())
    assert rows.of_code(CODE) == rows.find(ONE.id) == ONE
    assert (rows.all([here]), rows.all_taken([here])) == ([ONE], [USE])
    assert rows.all_taken([slot_of(OTHER.id.hex())]) == []
    assert (rows.taken(ONE.id), rows.taken(OTHER.id)) == (1, 0)
    assert rows.is_taken(USE)
    assert rows.owes(USE)
    assert verify(engine).is_sound
    write(engine, rows.taken_row(USE, False), rows.owed_row(USE, False))
    assert (rows.taken(ONE.id), rows.is_taken(USE), rows.owes(USE)) == (0, False, False)


@pytest.mark.parametrize(
    ("owner", "id", "value"),
    [
        (keys.slot_owner(3), bytes(32), b""),  # a use that is nobody's
        (keys.user_key("ann"), bytes(32), b"ann"),
        (keys.user_key("ann"), bytes(16), b""),
    ],
)
def test_rows_that_can_not_be_are_problems(owner: bytes, id: bytes, value: bytes) -> None:
    engine = MemoryEngine()
    key = keys.state_key(owner, kinds.INVITATION, id)
    write(engine, (engine.family("state"), key, value))
    assert not verify(engine).is_sound
