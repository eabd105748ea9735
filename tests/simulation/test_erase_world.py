"""Accounts end across nodes, whatever breaks at whichever step."""

from __future__ import annotations

import pytest

from actorchat.broker.conversation import ConversationActor
from actorchat.broker.meeting import Meeting
from actorchat.chat.effect import Effect
from actorchat.chat.erasure import Eraser, ErasureDue, KeepGone
from actorchat.chat.event import Answer
from tests.simulation.erase_world import FAULTS, EraseWorld

SEEDS = 18
SHARES = 3


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
def test_who_ends_the_account_is_gone_everywhere(share: int) -> None:
    for seed in range(share, SEEDS, SHARES):
        assert EraseWorld(seed).run() == []


def test_worlds_have_all_kinds_of_trouble_in_them() -> None:
    worlds = [EraseWorld(seed) for seed in range(100, 103)]
    assert [world.run() for world in worlds] == [[], [], []]
    assert all(sum(world.counts[fault] for world in worlds) for fault in FAULTS)
    assert sum(world.counts["ended"] for world in worlds) > 10


def problems(seeds: int = 4) -> list[str]:
    return [problem for seed in range(seeds) for problem in EraseWorld(seed).run()]


def test_world_sees_what_is_not_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(self: Eraser, event: ErasureDue) -> list[Effect]:
        return []

    monkeypatch.setitem(Eraser._HANDLERS, ErasureDue, forgetful)
    assert any("still to do" in problem for problem in problems())


def test_world_sees_conversations_that_do_not_keep_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def hasty(self: Meeting, effect: KeepGone) -> None:
        effect.asked.session.tell(Answer(effect.asked.rid, {}))

    monkeypatch.setitem(ConversationActor._PERFORM, KeepGone, hasty)
    assert any(" to user" in problem for problem in problems())


def test_world_sees_homes_that_forget_what_is_to_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Eraser, "start", lambda self: [])
    assert any("still to do" in problem for problem in problems())
