"""What a full mailbox does with one message too many."""

from __future__ import annotations

import pytest

from actorchat.actor import Down, Mailbox, Reply
from actorchat.errors import MailboxFull
from tests.unit.actor.cast import NarrowDropNew, NarrowDropOld, Watcher, World


def test_a_limit_below_one_and_an_unknown_policy_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Mailbox(limit=0)
    with pytest.raises(ValueError, match="policy"):
        Mailbox(limit=1, overflow="block")  # type: ignore[arg-type]


def test_drop_new_loses_the_newest() -> None:
    world, log = World(), []
    ref = world.spawn(NarrowDropNew, log)
    for number in range(4):
        ref.tell(number)
    call = ref.call("asked")
    world.run()
    assert log == ["start", 0, 1]
    assert isinstance(call.exception(), MailboxFull)
    assert world.system.dead_letters.counts == {"overflow": 3}
    assert world.balance() == 0


def test_drop_old_loses_the_oldest() -> None:
    world, log = World(), []
    ref = world.spawn(NarrowDropOld, log)
    call = ref.call("asked")
    for number in range(4):
        ref.tell(number)
    world.run()
    assert log == ["start", 2, 3]
    assert isinstance(call.exception(), MailboxFull)
    assert world.system.dead_letters.counts == {"overflow": 3}
    assert world.balance() == 0


def test_drop_old_never_drops_a_signal() -> None:
    world, log = World(), []
    ref = world.spawn(NarrowDropOld, log)
    ref.stop("bye")
    for number in range(4):
        ref.tell(number)
    world.run()
    assert log == ["start", ("discarded", 3), ("stop", "bye")]
    assert world.balance() == 0


def test_a_down_reaches_an_actor_whose_mailbox_is_full() -> None:
    class NarrowWatcher(Watcher):
        mailbox = Mailbox(limit=1)

    world, log = World(), []
    ref, target = world.spawn(NarrowWatcher, log), world.spawn(Watcher)
    mref = world.ask(ref, target)
    pause: Reply[str] = Reply()
    ref.tell(pause)
    world.run()
    ref.tell("fills it")
    with pytest.raises(MailboxFull):
        ref.tell("one too many")
    target.stop("gone")
    world.run()
    pause.settle("go on")
    world.run()
    assert log == ["start", "waits", "go on", "fills it", Down(mref, target, "gone")]
