"""An invitation makes as many accounts as it says, and nobody is locked out, whatever crashes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from actorchat.broker.authenticator import AuthenticatorActor
from actorchat.chat import renewal, signin
from actorchat.chat.account import Device
from tests.simulation.invitation_world import invitation_world

SEEDS = 60
SHARES = 4


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
def test_uses_are_counted_in_every_world(share: int) -> None:
    counts: Counter[str] = Counter()
    for seed in range(share, SEEDS, SHARES):
        with invitation_world(seed) as world:
            world.run()
            assert not world.problems, f"seed {seed}: {world.problems}"
            counts += world.counts
    wanted = ("crashes", "cuts", "signup ok", "signup bad_invitation", "signup exists")
    assert min(counts[what] for what in (*wanted, "refresh ok", "hello ok")) > 10, counts
    assert counts["signup store_full"] > 0


def test_calm_world_of_invitations_has_no_crashes() -> None:
    with invitation_world(1, trouble=False) as world:
        world.run()
        assert not world.problems
        assert world.stage.crashes == []
        assert world.counts["signup ok"] > 5


def problems_of(seeds: range) -> list[str]:
    found = []
    for seed in seeds:
        with invitation_world(seed) as world:
            world.run()
            found += world.problems
    return found


def test_a_use_that_is_counted_apart_from_its_account_would_be_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    issue = AuthenticatorActor._issue_token

    def in_two_steps(self: AuthenticatorActor, effect: Any) -> None:
        if effect.invitation is not None:
            rows = (self._invitations.row(effect.invitation),)
            self._context.log.append(rows, lambda _: None, None)
            effect.invitation = None
            self._context.log.apply()
        issue(self, effect)

    monkeypatch.setitem(AuthenticatorActor._PERFORM, signin.IssueToken, in_two_steps)
    assert any("left" in problem for problem in problems_of(range(12)))


def test_a_use_that_is_not_looked_up_again_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signin.SignUps, "late_refusal", lambda self, event, now: None)
    assert problems_of(range(6))


def test_an_old_token_that_is_void_at_once_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def replaced(device: Device, token: str, now_wall_ms: int) -> Device:
        return Device(device.device, renewal.token_digest(token), now_wall_ms)

    monkeypatch.setattr("actorchat.broker.authenticator.with_next", replaced)
    assert any("lock" in problem or "renew" in problem for problem in problems_of(range(6)))
