"""Whatever reaches nobody is counted, kept for a while, and logged in moderation."""

from __future__ import annotations

import pytest

from actorchat import limits
from actorchat.actor import DeadLetter
from tests.unit.actor.cast import Recorder, World


def test_dead_letters_are_counted_by_reason_and_the_books_balance() -> None:
    world = World()
    ref = world.spawn(Recorder)
    for message in (1, "stop", 2, 3):
        ref.tell(message)
    world.run()
    ref.tell(4)
    assert world.system.dead_letters.counts == {"left": 2, "noproc": 1}
    assert list(world.system.dead_letters.last)[-1] == DeadLetter("noproc", ref, 4)
    assert world.balance() == 0


def test_only_the_last_ones_are_kept() -> None:
    world = World()
    ref = world.spawn(Recorder)
    ref.stop()
    world.run()
    for number in range(limits.DEAD_LETTERS_KEPT + 5):
        ref.tell(number)
    kept = [letter.message for letter in world.system.dead_letters.last]
    assert kept == list(range(5, limits.DEAD_LETTERS_KEPT + 5))


def test_a_flood_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    ref = world.spawn(Recorder)
    ref.stop()
    world.run()
    for number in range(50):
        ref.tell(number)
    lines = [record for record in caplog.records if record.getMessage() == "dead letter"]
    assert len(lines) == 1
    world.run(until=60.0)
    ref.tell("again")
    lines = [record for record in caplog.records if record.getMessage() == "dead letter"]
    assert len(lines) == 2
    assert lines[1].fields["suppressed"] == 49  # type: ignore[attr-defined]


def test_those_of_an_actor_that_may_end_at_any_moment_are_counted_and_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Fleeting(Recorder):
        is_ephemeral = True

    world = World()
    ref = world.spawn(Fleeting)
    for message in (1, "stop", 2):
        ref.tell(message)
    world.run()
    ref.tell(3)
    assert world.system.dead_letters.counts == {"left": 1, "noproc": 1}
    assert not caplog.records
