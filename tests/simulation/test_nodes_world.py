"""Several nodes keep what one promises, whatever happens to them and between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from actorchat.broker import holding, taking_over
from actorchat.broker.place import QuietPlace
from actorchat.broker.taking_over import TakeoverActor
from actorchat.broker.user import UserActor
from actorchat.chat.effect import AppendRecord
from actorchat.chat.event import Deliver
from actorchat.chat.inbox import Inbox
from actorchat.cluster.handoff import Kept, Piece
from actorchat.store.slot_copy import SlotOp, SlotWatch
from tests.simulation.nodes_world import FAULTS, NodesWorld

SEEDS = 36
SHARES = 6


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
def test_promises_hold_in_every_world_of_nodes(share: int) -> None:
    for seed in range(share, SEEDS, SHARES):
        assert NodesWorld(seed).run() == []


def test_worlds_have_all_kinds_of_trouble_in_them() -> None:
    worlds = [NodesWorld(seed) for seed in range(100, 104)]
    assert set().union(*(world.kinds for world in worlds)) == set(FAULTS)
    for world in worlds:
        world.kinds = list(FAULTS)  # else a change of timing might leave one out by chance
    counts = [world.counts for world in worlds if world.run() == []]
    assert len(counts) == len(worlds)
    assert all(sum(count[kind] for count in counts) for kind in FAULTS)
    assert min(count["messages"] for count in counts) > 30


def broken(*kinds: str) -> Iterator[str]:
    for seed in range(8):
        world = NodesWorld(seed)
        world.kinds = list(kinds) or world.kinds
        yield from world.run()


class Nobody:
    def tell(self, event: object, /) -> None:
        pass


def test_world_sees_acks_that_come_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = UserActor._append_record

    def early(self: UserActor, effect: Any) -> None:
        effect.record.session.tell(effect.record.ack)
        effect.record.session = Nobody()
        whole(self, effect)

    monkeypatch.setitem(UserActor._PERFORM, AppendRecord, early)
    assert any("is not there" in text for text in broken("power"))


def test_world_sees_deliveries_that_are_lost_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = QuietPlace.tell

    def lossy(self: QuietPlace, event: Any) -> None:
        if not isinstance(event, Deliver) or event.seq % 5:
            whole(self, event)

    monkeypatch.setattr(QuietPlace, "tell", lossy)
    assert any("not at rest" in text for text in broken())


def test_world_sees_messages_that_are_shown_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Inbox._receive

    def forgetful(self: Inbox, pair: Any, seq: int) -> None:
        whole(self, pair, seq if seq % 3 else seq - 1)

    monkeypatch.setattr(Inbox, "_receive", forgetful)
    assert any("came twice" in text for text in broken())


def test_no_client_waits_for_a_node_that_is_gone() -> None:
    world = NodesWorld(1)
    world.kinds = ["power"]
    assert world.run() == []
    assert world.counts["power"]
    assert not world.counts["unanswered"]


# -- slots that move --------------------------------------------------------------------------


def test_slots_move_and_hand_overs_break_off() -> None:
    disturbed = 0
    for seed, kinds in ((1, ["move"]), (1, ["power", "move"]), (2, ["cut", "poison", "move"])):
        world = NodesWorld(seed)
        world.kinds = kinds
        assert world.run() == []
        assert max(where.epoch for where in world.city.table) > 1
        disturbed += world.counts["disturbed"]
    assert disturbed > 1


def test_world_sees_changes_that_do_not_follow_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = SlotWatch.take

    def forgetful(self: SlotWatch, slot: int, bytes_max: int) -> list[SlotOp]:
        whole(self, slot, bytes_max)
        return []

    monkeypatch.setattr(SlotWatch, "take", forgetful)
    assert any(broken("move"))


def test_world_sees_entities_that_write_while_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "hold", lambda _context, _slot: None)
    monkeypatch.setattr(holding, "is_held", lambda _context, _slot: True)
    assert any("crashed" in text for text in broken("move"))


def test_world_sees_a_slot_that_is_said_to_be_kept_too_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = TakeoverActor._write

    def hasty(self: TakeoverActor, piece: Piece) -> None:
        whole(self, piece)
        if piece.is_last:
            piece.sender.tell(Kept(piece.slot, piece.attempt))  # type: ignore[attr-defined]

    monkeypatch.setattr(TakeoverActor, "_write", hasty)
    assert any(broken("power", "move"))


def test_world_sees_what_is_left_of_an_earlier_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking_over, "wipe", lambda *_: None)
    assert any(broken("move"))
