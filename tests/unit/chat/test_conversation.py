"""What a conversation says yes to, in which order, and what it still owes."""

from __future__ import annotations

import pytest

from actorchat.chat.conversation import SENDER_TAGS, Conversation
from actorchat.chat.effect import (
    AnswerAgain,
    AskFanOut,
    MoveMarker,
    ReadPage,
    Redrive,
    Refuse,
    Restart,
    SaveMarks,
    StartTimer,
    Store,
    TellMarks,
)
from actorchat.chat.event import (
    ConfirmDue,
    Durable,
    FannedOut,
    Fetch,
    Marked,
    Missing,
    OutOfOrder,
    Post,
    Prior,
    Reached,
    Redriven,
    Refused,
)
from actorchat.limits import FAN_OUT_CONFIRM_S, HISTORY_PAGE_MESSAGES_MAX, IDEMPOTENCE_WINDOW
from actorchat.testing.playbook import Playbook
from tests.unit.chat.cast import PAIR, Peer, cid

SESSION = Peer("session")
ASK_LATER = StartTimer(FAN_OUT_CONFIRM_S, ConfirmDue())
STRANGER = "not a member of this conversation"


def post(number: int, sender: str = "bob", body: str = "hi", prior: Prior | None = None) -> Post:
    """Return bob's message, or ann's: bob's is for the user at home here, ann's goes away."""
    return Post(sender, SESSION, number, cid(number), body, prior)


def stored(seq: int, event: Post, **fields: object) -> Store:
    tag = SENDER_TAGS[0 if event.sender == "ann" else 1]
    expected = {"is_away": event.sender == "ann", "prev": 0, "owes": False, "wants_durable": False}
    return Store(seq, 1_000, event, tag + event.cid, **{**expected, **fields})


def playbook(seq: int = 0, owed: int | None = None) -> Playbook:
    return Playbook(Conversation(PAIR, seq, owed), now=1_000)


def owing(first: int = 1, last: int = 1) -> Playbook:
    """Return a play in which ann's messages `first` to `last` may not have reached bob."""
    play = playbook(first - 1)
    for seq in range(first, last + 1):
        play.machine.handle(post(seq, "ann"), 1_000)
    return play


# -- posting -----------------------------------------------------------------------------------
def test_seqs_are_dense_over_both_senders() -> None:
    one, two, three = post(1, "bob"), post(2, "ann"), post(3, "bob")
    play = playbook(seq=7) >> one << stored(8, one)
    play = play >> two << stored(9, two, owes=True) << ASK_LATER
    assert play >> three << stored(10, three)
    assert play.machine.seq == 10


def test_stranger_may_not_post() -> None:
    play = playbook(seq=7) >> post(1, "eve") << Refuse(SESSION, Refused(1, "forbidden", STRANGER))
    assert play
    assert play.machine.seq == 7


def test_message_to_oneself_stays_at_home() -> None:
    note = post(1, "ann")
    machine = Conversation(("ann", "ann"))
    play = Playbook(machine, now=1_000) >> note << stored(1, note, is_away=False)
    assert play
    assert machine.is_settled


def test_resend_is_answered_with_the_first_seq_and_time() -> None:
    one = post(1)
    play = playbook() >> one << stored(1, one)
    play.now = 2_000
    assert play >> post(1) << AnswerAgain(SESSION, 1, 1, 1_000)
    assert play.machine.seq == 1


def test_same_client_id_of_the_other_sender_is_another_message() -> None:
    one, other = post(1, "bob"), post(1, "ann")
    play = playbook() >> one << stored(1, one)
    assert play >> other << stored(2, other, owes=True) << ASK_LATER


def test_client_id_with_another_body_is_a_conflict() -> None:
    one = post(1)
    refused = Refused(1, "id_conflict", "this client id stands for another message")
    play = playbook() >> one << stored(1, one)
    assert play >> post(1, body="ho") << Refuse(SESSION, refused)


def test_resend_known_to_the_store_is_answered_from_it() -> None:
    again = post(1, prior=Prior(4, 500, hash("hi")))
    conflict = post(1, body="ho", prior=Prior(4, 500, hash("hi")))
    refused = Refused(1, "id_conflict", "this client id stands for another message")
    play = playbook(seq=9) >> again << AnswerAgain(SESSION, 1, 4, 500)
    assert play >> conflict << Refuse(SESSION, refused)


def test_only_unknown_ids_of_members_are_looked_up() -> None:
    machine = Conversation(PAIR)
    assert machine.key_to_look_up(post(1, "eve")) is None
    assert machine.key_to_look_up(post(1, "ann")) == SENDER_TAGS[0] + cid(1)
    assert machine.key_to_look_up(post(1, "bob")) == SENDER_TAGS[1] + cid(1)
    machine.handle(post(1, "bob"), 0)
    assert machine.key_to_look_up(post(1, "bob")) is None
    assert machine.key_to_look_up(post(1, "ann")) is not None


def test_full_window_wants_to_know_what_is_durable_and_forgets_then() -> None:
    play = playbook()
    for number in range(1, 2 * IDEMPOTENCE_WINDOW + 1):
        event = post(number)
        is_full = number % IDEMPOTENCE_WINDOW == 0
        play = play >> event << stored(number, event, wants_durable=is_full)
        if is_full:
            play = play >> Durable(number)
    assert play
    assert play.machine.key_to_look_up(post(1)) is not None
    assert play.machine.key_to_look_up(post(IDEMPOTENCE_WINDOW + 1)) is None


# -- fan-out -----------------------------------------------------------------------------------
def test_first_message_away_puts_the_marker_and_later_ones_chain() -> None:
    one, two = post(1, "ann"), post(2, "ann")
    play = playbook() >> one << stored(1, one, owes=True) << ASK_LATER
    assert play.machine.is_settled is False
    assert play >> two << stored(2, two, prev=1)


def test_durable_asks_whether_what_is_owed_has_arrived() -> None:
    assert playbook() >> Durable(0)
    assert owing(1, 2) >> Durable(2) << AskFanOut("bob", 2)


def test_confirmation_of_everything_settles() -> None:
    play = owing(1, 2) >> FannedOut("bob", 2) << MoveMarker(None)
    assert play
    assert play.machine.is_settled


def test_confirmation_of_a_part_moves_the_marker() -> None:
    play = owing(4, 6) >> FannedOut("bob", 3) >> FannedOut("bob", 4) << MoveMarker(5)
    assert not play.machine.is_settled
    assert play >> FannedOut("bob", 4) >> FannedOut("bob", 6) << MoveMarker(None)


def test_confirmation_where_nothing_is_owed_does_nothing() -> None:
    assert playbook(seq=3) >> FannedOut("bob", 3)


def test_fan_out_is_asked_for_until_it_is_confirmed() -> None:
    play = owing() >> ConfirmDue() << AskFanOut("bob", 1) << ASK_LATER
    play = play >> ConfirmDue() << AskFanOut("bob", 1) << ASK_LATER
    play = play >> FannedOut("bob", 1) << MoveMarker(None) >> ConfirmDue()
    two = post(2, "ann")
    assert play >> two << stored(2, two, prev=1, owes=True) << ASK_LATER


def test_one_timer_runs_at_a_time() -> None:
    two = post(2, "ann")
    play = owing() >> FannedOut("bob", 1) << MoveMarker(None)
    assert play >> two << stored(2, two, prev=1, owes=True)


def test_missing_deliveries_are_told_again_once_a_gap() -> None:
    play = owing(1, 3) >> Missing("bob", 1) << Redrive("bob", 1, 1) >> Missing("bob", 1)
    assert play >> Missing("bob", 2) << Redrive("bob", 2, 2)


def test_gap_is_filled_again_after_the_next_timer() -> None:
    play = owing(1, 3) >> Missing("bob", 1) << Redrive("bob", 1, 1)
    play = play >> ConfirmDue() << AskFanOut("bob", 3) << ASK_LATER
    assert play >> Missing("bob", 1) << Redrive("bob", 1, 1)


def test_only_the_user_who_is_away_can_miss_something() -> None:
    assert owing() >> Missing("ann", 0) >> Missing("eve", 0)


def test_start_where_nothing_is_owed_does_nothing() -> None:
    assert Conversation(PAIR, 5).start() == []


def test_start_delivers_again_from_the_marker_on() -> None:
    machine = Conversation(PAIR, 5, owed=3)
    assert not machine.is_settled
    assert machine.start() == [Redrive("bob", 2, 0), ASK_LATER]


def test_redriven_deliveries_are_what_is_asked_about() -> None:
    play = playbook(seq=5, owed=3)
    play.machine.start()
    play = play >> Redriven(5) >> ConfirmDue() << AskFanOut("bob", 5) << ASK_LATER
    six = post(6, "ann")
    play = play >> six << stored(6, six, prev=5)
    assert play >> Redriven(5) >> FannedOut("bob", 6) << MoveMarker(None)


@pytest.mark.parametrize("last", [0, 2])
def test_marker_without_a_message_behind_it_is_deleted(last: int) -> None:
    play = playbook(seq=2, owed=3)
    play.machine.start()
    play = play >> Redriven(last) << MoveMarker(None)
    assert play
    assert play.machine.is_settled


def test_marker_stays_where_the_message_behind_it_was_redriven() -> None:
    play = playbook(seq=3, owed=3)
    play.machine.start()
    play = play >> Redriven(3)
    assert play
    assert not play.machine.is_settled
    assert play >> FannedOut("bob", 3) << MoveMarker(None)


def test_old_confirmation_says_nothing_of_what_is_being_redriven() -> None:
    play = playbook(seq=5, owed=3)
    play.machine.start()
    play = play >> FannedOut("bob", 5)
    assert play
    assert not play.machine.is_settled
    assert play >> Redriven(5) >> FannedOut("bob", 5) << MoveMarker(None)


def test_redriven_where_nothing_is_owed_does_nothing() -> None:
    assert playbook(seq=2) >> Redriven(0)


def test_log_that_stands_elsewhere_ends_the_machine() -> None:
    reason = "the log stands at 4, this machine at 6"
    assert playbook(seq=6) >> OutOfOrder(4) << Restart(reason)


# -- marks -------------------------------------------------------------------------------------
def test_marks_are_kept_and_shown_to_the_other_member() -> None:
    play = playbook(seq=9) >> Reached("ann", 4) << SaveMarks("ann", 4, 0)
    play = play << TellMarks("bob", Marked("ann", "ann", 4, 0))
    play = play >> Reached("bob", read=5) << SaveMarks("bob", 5, 5)
    assert play << TellMarks("ann", Marked("bob", "bob", 5, 5))


def test_marks_that_do_not_move_are_not_shown() -> None:
    play = playbook(seq=9) >> Reached("ann", 4) << SaveMarks("ann", 4, 0)
    play = play << TellMarks("bob", Marked("ann", "ann", 4, 0))
    assert play >> Reached("ann", 4) >> Reached("ann", 3) >> Reached("ann", 0, 0)


def test_marks_end_at_the_head() -> None:
    play = playbook(seq=2) >> Reached("ann", 0, 99) << SaveMarks("ann", 2, 2)
    assert play << TellMarks("bob", Marked("ann", "ann", 2, 2))


def test_marks_of_strangers_are_ignored() -> None:
    assert playbook(seq=9) >> Reached("eve", 4, 4)


# -- history -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("after", "before", "limit", "page"),
    [
        (0, None, 50, (0, 10, 50, True)),  # the newest
        (3, None, 50, (3, 10, 50, False)),  # what follows
        (0, 6, 50, (0, 6, 50, True)),  # what goes before
        (2, 6, 50, (2, 6, 50, True)),
        (0, 99, 50, (0, 10, 50, True)),  # not beyond the head
        (0, None, 9_999, (0, 10, HISTORY_PAGE_MESSAGES_MAX, True)),
    ],
)
def test_page_lies_between_the_bounds(after, before, limit, page) -> None:
    fetch = Fetch("bob", SESSION, 7, after, before, limit)
    assert playbook(seq=9) >> fetch << ReadPage(SESSION, 7, *page, "bob")


def test_stranger_may_not_read() -> None:
    fetch = Fetch("eve", SESSION, 7, 0, None, 50)
    assert playbook(seq=9) >> fetch << Refuse(SESSION, Refused(7, "forbidden", STRANGER))


def test_start_cuts_marks_of_messages_that_were_lost() -> None:
    machine = Conversation(("ann", "bob"), 5)
    machine.marks["bob"].delivered = machine.marks["bob"].read = 8
    assert machine.start() == []
    assert (machine.marks["bob"].delivered, machine.marks["bob"].read) == (5, 5)
