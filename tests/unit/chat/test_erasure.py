"""What a deleted account had is taken away step by step, each as often as it takes."""

from __future__ import annotations

from actorchat.chat.afar import TableTurned
from actorchat.chat.conversation import Conversation
from actorchat.chat.effect import Restart, StartTimer
from actorchat.chat.erasure import (
    AccountGone,
    AskWipe,
    EndAccount,
    Eraser,
    ErasureDue,
    Finish,
    GroupsFound,
    HomeWiped,
    KeepGone,
    LeaveGroup,
    PeerGone,
    ReadGroups,
    ReadUnfinished,
    Stray,
    TellPeer,
    Unfinished,
)
from actorchat.chat.event import Accepted, Answer, Refused
from actorchat.limits import ERASURE_RETRY_S
from actorchat.testing.playbook import Playbook
from tests.unit.chat.cast import Peer

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


def test_conversations_of_other_slots_are_told_until_they_answer() -> None:
    pair = ("ann", "bob")
    play = begun() >> GroupsFound("ann", [pair, "#a"], b"")
    play = play << TellPeer("ann", pair, 1) << LeaveGroup("ann", "#a", 2)
    play = play >> Accepted(2, 9, 0) >> ErasureDue() << TellPeer("ann", pair, 1) << AGAIN
    assert play >> Answer(1, {}) << AskWipe("ann")


def test_who_tells_the_home_of_nobody_something_is_told_once_more() -> None:
    play = begun() >> Stray("zoe", "#a", 7) << LeaveGroup("zoe", "#a", 1, 7)
    play = play >> Stray("zoe", ("bob", "zoe"), 3) << TellPeer("zoe", ("bob", "zoe"), 2)
    assert play.machine.handle(Accepted(1, 8, 0), 0) == []  # nothing waits for it


def test_slots_that_come_and_go_are_looked_at_anew() -> None:
    play = begun() >> TableTurned() << ReadUnfinished()
    assert play.machine.handle(HomeWiped("ann"), 0) == []
    assert play >> Unfinished(["bob"]) << EndAccount("bob") << ReadGroups("bob", b"") << AGAIN


def test_conversation_keeps_that_a_user_elsewhere_is_gone_and_begins_anew() -> None:
    asked = PeerGone("bob", Peer("eraser"), 7)
    keep, restart = Conversation(("ann", "bob")).handle(asked, 5)
    assert keep == KeepGone(asked, 5)
    assert isinstance(restart, Restart)
