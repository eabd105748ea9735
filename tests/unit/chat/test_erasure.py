"""What a deleted account had is taken away step by step, each as often as it takes."""

from __future__ import annotations

from actorchat.chat.effect import StartTimer
from actorchat.chat.erasure import (
    AccountGone,
    AskWipe,
    EndAccount,
    Eraser,
    ErasureDue,
    Finish,
    GroupsFound,
    HomeWiped,
    LeaveGroup,
    ReadGroups,
    ReadUnfinished,
    Unfinished,
)
from actorchat.chat.event import Accepted, Refused
from actorchat.limits import ERASURE_RETRY_S
from actorchat.testing.playbook import Playbook

AGAIN = StartTimer(ERASURE_RETRY_S, ErasureDue())


def begun() -> Playbook:
    play = Playbook(Eraser()) >> AccountGone("ann") << ReadUnfinished()
    play = play >> Unfinished(["ann"])
    return play << EndAccount("ann") << ReadGroups("ann", b"") << AGAIN


def test_what_is_left_from_before_is_read_first() -> None:
    assert Eraser().start() == [ReadUnfinished()]
    assert Eraser().handle(Unfinished([]), 0) == []


def test_groups_are_left_page_by_page_then_the_home_is_wiped() -> None:
    play = begun() >> GroupsFound("ann", ["#a", "#b"], b"next")
    play = play << LeaveGroup("ann", "#a", 1) << LeaveGroup("ann", "#b", 2)
    assert (play >> Accepted(1, 9, 0)).machine.handle(Accepted(1, 9, 0), 0) == []
    play = play >> Refused(2, "no_such_group", "gone") << ReadGroups("ann", b"next")
    play = play >> GroupsFound("ann", [], b"") << AskWipe("ann")
    assert play >> HomeWiped("ann") << Finish("ann") << ReadUnfinished()


def test_one_at_a_time() -> None:
    play = begun()
    assert play.machine.handle(AccountGone("bob"), 0) == []
    assert play.machine.handle(Unfinished(["bob"]), 0) == []
    assert play.machine.handle(GroupsFound("bob", ["#a"], b""), 0) == []
    assert play.machine.handle(HomeWiped("ann"), 0) == []


def test_what_was_not_answered_is_done_again() -> None:
    play = begun() >> ErasureDue() << ReadGroups("ann", b"") << AGAIN
    play = play >> GroupsFound("ann", ["#a"], b"") << LeaveGroup("ann", "#a", 1)
    assert play.machine.handle(Refused(1, "busy", "later", "after"), 0) == []
    play = play >> ErasureDue() << LeaveGroup("ann", "#a", 1) << AGAIN
    play = play >> Accepted(1, 9, 0) << AskWipe("ann")
    play = play >> ErasureDue() << AskWipe("ann") << AGAIN
    play = play >> HomeWiped("ann") << Finish("ann") << ReadUnfinished()
    assert play.machine.handle(ErasureDue(), 0) == []
