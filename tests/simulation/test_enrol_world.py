"""Invitations are counted exactly once across nodes, whatever breaks at whichever step."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.broker.enrolling import Enrolling
from actorchat.broker.inviting import InvitationsActor
from actorchat.chat.reservation import Settled, SettleDue
from tests.simulation.enrol_world import FAULTS, EnrolWorld

SEEDS = 24
SHARES = 3


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
def test_every_account_is_counted_once(share: int) -> None:
    for seed in range(share, SEEDS, SHARES):
        assert EnrolWorld(seed).run() == []


def test_worlds_have_all_kinds_of_trouble_in_them() -> None:
    worlds = [EnrolWorld(seed) for seed in range(100, 103)]
    assert [world.run() for world in worlds] == [[], [], []]
    assert all(sum(world.counts[fault] for world in worlds) for fault in FAULTS)
    assert sum(world.counts["used"] for world in worlds) > 20


def problems(seeds: int = 8) -> list[str]:
    return [problem for seed in range(seeds) for problem in EnrolWorld(seed).run()]


def test_world_sees_uses_that_are_lost_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(InvitationsActor._HANDLERS, SettleDue, lambda self, event: None)
    assert any("still taken" in problem for problem in problems())


def test_world_sees_accounts_that_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def hasty(self: Any, event: Any) -> None:
        """Say that nothing came of it, though it is only under way."""
        settled = Settled(self.ref, event.reservation, False)
        event.asker.tell(settled)

    monkeypatch.setattr(Enrolling, "_settle", hasty)
    assert any("accounts" in problem for problem in problems())
