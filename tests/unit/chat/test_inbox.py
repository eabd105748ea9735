"""What a user's home stores, shows to which device, and lets go."""

from __future__ import annotations

import pytest

from actorchat.chat.effect import (
    AppendRecord,
    AppendUpdate,
    Barrier,
    Checkpoint,
    ForgetDevice,
    Push,
    ReadRows,
    ReadUnmarked,
    SaveCursor,
    StartTimer,
    TellReached,
    Trim,
)
from actorchat.chat.event import (
    Accepted,
    Acked,
    Attach,
    Attached,
    Confirm,
    Deliver,
    Detach,
    DeviceRevoked,
    Ended,
    FannedOut,
    Join,
    Joined,
    Marked,
    MarksDue,
    Missing,
    OutOfOrder,
    Pair,
    Refused,
    Relay,
    Repeat,
    Row,
    Rows,
    Stored,
    Unmarked,
    Update,
)
from actorchat.chat.inbox import Inbox
from actorchat.chat.retention import Expire
from actorchat.limits import (
    CATCH_UP_PAGE_UPDATES,
    CHECKPOINT_EVERY_UPDATES,
    DELIVERY_WINDOW_UPDATES,
    MARK_DELAY_S,
    TRIM_EVERY_UPDATES,
)
from actorchat.testing.playbook import Playbook
from tests.unit.chat.cast import AWAY, PAIR, Peer, record

SENDER = Peer("sender")
TALK = Peer("talk")
PHONE = Peer("phone session")
LAPTOP = Peer("laptop session")
MARKS_LATER = StartTimer(MARK_DELAY_S, MarksDue())


def home(
    head: int = 0, trimmed: int = 0, recorded: int = 0, received: int = 0, **cursors: int
) -> Playbook:
    """Return a play of ann's home, as the shell builds it from the log."""
    machine = Inbox("ann", head, trimmed, cursors)
    machine.recorded[PAIR] = recorded
    machine.received[AWAY] = received
    return Playbook(machine)


def attach(play: Playbook, device: str, session: Peer) -> Playbook:
    """Attach a known device, and let it learn that the log is synced."""
    machine = play.machine
    play = (
        play
        >> Attach(device, session)
        << Push(
            session,
            Attached(machine.head, machine.devices[device].acked, len(machine.devices) > 1),
        )
    )
    return play << Barrier(None, Stored(machine.head))


def live(head: int = 0, recorded: int = 0) -> Playbook:
    """Return a play with one device that is up to date, so that its updates go the short way."""
    play = attach(home(head, recorded=recorded, phone=head), "phone", PHONE) >> Stored(head)
    assert play
    return play


def deliver(seq: int, prev: int) -> Deliver:
    return Deliver(AWAY, b"key", TALK, seq, prev, b"r")


def rows(*upds: int, pair: Pair = PAIR) -> list[Row]:
    return [Row(upd, pair, upd, b"u%d" % upd) for upd in upds]


def shown(upd: int) -> Update:
    return Update(b"u%d" % upd)


def stored(upd: int) -> Stored:
    return Stored(upd, PAIR, upd, b"u%d" % upd)


# -- records of conversations that live here ---------------------------------------------------
def test_record_for_the_user_is_appended_as_the_next_update() -> None:
    one, two = record(4, SENDER, TALK), record(5, SENDER, TALK)
    play = home(head=9, recorded=3) >> one << AppendRecord(one, 10, None, False)
    assert play >> two << AppendRecord(two, 11, None, False)
    assert play.machine.head == 11
    assert play.machine.recorded == {PAIR: 5}


def test_record_for_somebody_away_takes_no_place_in_the_log() -> None:
    one = record(4, SENDER, TALK, recipient=Peer("bob's home"))
    play = home(head=9, recorded=3) >> one << AppendRecord(one, 0, None, False)
    assert play
    assert play.machine.head == 9
    assert play.machine.recorded == {PAIR: 4}


@pytest.mark.parametrize("seq", [5, 3])
def test_nothing_is_stored_behind_a_hole(seq: int) -> None:
    reason = "the conversation is being rebuilt; send again"
    refused = Refused(seq, "unavailable", reason, "now", "unknown")
    play = home(recorded=3) >> record(seq, SENDER, TALK) << Push(SENDER, refused)
    assert play << Push(TALK, OutOfOrder(3))
    assert play.machine.recorded == {PAIR: 3}
    assert play.machine.head == 0


def test_resend_is_answered_behind_a_barrier() -> None:
    ack = Accepted(8, 3, 5, dup=True)
    assert home(recorded=3) >> Repeat(PAIR, b"key", TALK, 3, SENDER, ack) << Barrier(SENDER, ack)


def test_resend_of_what_a_crash_swallowed_is_not_accepted() -> None:
    reason = "the conversation is being rebuilt; send again"
    repeat = Repeat(PAIR, b"key", TALK, 4, SENDER, Accepted(8, 4, 5, dup=True))
    play = home(recorded=3) >> repeat
    play = play << Push(SENDER, Refused(8, "unavailable", reason, "now", "unknown"))
    assert play << Push(TALK, OutOfOrder(3))


# -- deliveries from elsewhere -----------------------------------------------------------------
def test_delivery_is_appended_once_however_often_it_comes() -> None:
    one = deliver(4, prev=3)
    play = home(received=3) >> one << AppendUpdate(one, 1, None, False) >> one >> deliver(2, 1)
    assert play
    assert play.machine.received == {AWAY: 4}


def test_delivery_behind_a_gap_is_missing_its_forerunners() -> None:
    play = home(received=3) >> deliver(6, prev=5) << Push(TALK, Missing("ann", 3))
    assert play
    assert (play.machine.head, play.machine.received) == (0, {AWAY: 3})


def test_delivery_that_begins_a_chain_has_no_gap() -> None:
    six = deliver(6, prev=0)
    assert home(received=3) >> six << AppendUpdate(six, 1, None, False)


def test_confirmation_waits_until_all_is_synced() -> None:
    confirm = Confirm(AWAY, b"key", TALK, 3)
    assert home(received=3) >> confirm << Barrier(TALK, FannedOut("ann", 3))
    assert home(received=2) >> confirm << Push(TALK, Missing("ann", 2))


def test_relayed_event_waits_until_all_is_synced() -> None:
    assert home() >> Relay(TALK, MarksDue()) << Barrier(TALK, MarksDue())


# -- checkpoints -------------------------------------------------------------------------------
def test_checkpoint_holds_what_was_received_since_the_last() -> None:
    play = home(head=9)
    for seq in range(1, 2 * CHECKPOINT_EVERY_UPDATES + 1):
        event = deliver(seq, seq - 1)
        play = play >> event << AppendUpdate(event, 9 + seq, None, False)
        if seq % CHECKPOINT_EVERY_UPDATES == 0:
            play = play << Checkpoint(9 + seq, 0, {AWAY: seq})
    assert play


def test_checkpoint_comes_with_records_of_own_conversations_too() -> None:
    play = home()
    for seq in range(1, CHECKPOINT_EVERY_UPDATES + 1):
        event = record(seq, SENDER, TALK)
        play = play >> event << AppendRecord(event, seq, None, False)
    # The shell knows the last seq of what lives here from its log, so it needs no keeping.
    assert play << Checkpoint(CHECKPOINT_EVERY_UPDATES, 0, {})


def test_recalled_rows_come_behind_the_last_checkpoint() -> None:
    play = home(head=9, received=3)
    play.machine.recall(10, AWAY, 4)
    play.machine.recall(11, AWAY, 5)
    six = deliver(6, 5)
    assert play >> deliver(5, 4) >> six << AppendUpdate(six, 12, None, False)


# -- attaching ---------------------------------------------------------------------------------
def test_known_device_is_attached_at_once() -> None:
    play = attach(home(head=9, phone=7), "phone", PHONE)
    assert play
    assert play.machine.sessions() == [PHONE]
    assert not play.machine.is_quiet


def test_new_device_comes_in_when_its_place_is_synced() -> None:
    play = home(head=9, trimmed=4) >> Attach("phone", PHONE, 6) << SaveCursor("phone", 4)
    play = play << Barrier(None, Attach("phone", PHONE, 6, is_kept=True))
    assert play.machine.sessions() == [PHONE]
    play = play >> Attach("phone", PHONE, 6, is_kept=True) << SaveCursor("phone", 6)
    play = play << ReadUnmarked(5, 6) << MARKS_LATER << Push(PHONE, Attached(9, 6))
    assert play << Barrier(None, Stored(9))


def test_new_device_that_went_meanwhile_is_not_attached() -> None:
    play = home() >> Attach("phone", PHONE) << SaveCursor("phone", 0)
    play = play << Barrier(None, Attach("phone", PHONE, None, is_kept=True))
    play = play >> Detach("phone", PHONE) >> Attach("phone", PHONE, None, is_kept=True)
    assert play
    assert play.machine.sessions() == []


def test_second_session_of_a_new_device_takes_over_before_the_first_is_in() -> None:
    play = home() >> Attach("phone", PHONE) << SaveCursor("phone", 0)
    play = play << Barrier(None, Attach("phone", PHONE, None, is_kept=True))
    play = play >> Attach("phone", LAPTOP) << Push(PHONE, Ended("takeover", "never"))
    play = play << Barrier(None, Attach("phone", LAPTOP, None, is_kept=True))
    play = play >> Detach("phone", PHONE) >> Attach("phone", PHONE, None, is_kept=True)
    play = play >> Attach("phone", LAPTOP, None, is_kept=True) << Push(LAPTOP, Attached(0, 0))
    assert play << Barrier(None, Stored(0))


def test_same_session_may_ask_again_while_it_waits() -> None:
    again = Barrier(None, Attach("phone", PHONE, None, is_kept=True))
    play = home() >> Attach("phone", PHONE) << SaveCursor("phone", 0) << again
    assert play >> Attach("phone", PHONE) << again


def test_later_session_of_a_device_takes_over() -> None:
    play = attach(home(phone=0), "phone", PHONE)
    play = play >> Attach("phone", LAPTOP) << Push(PHONE, Ended("takeover", "never"))
    play = play << Push(LAPTOP, Attached(0, 0)) << Barrier(None, Stored(0))
    assert play >> Detach("phone", PHONE)
    assert play.machine.sessions() == [LAPTOP]


@pytest.mark.parametrize("resume", [None, 5, 3, 10])
def test_resume_that_says_nothing_new_is_ignored(resume: int | None) -> None:
    play = home(head=9, phone=5) >> Attach("phone", PHONE, resume)
    assert play << Push(PHONE, Attached(9, 5)) << Barrier(None, Stored(9))


def test_resume_acks_what_the_device_holds() -> None:
    play = home(head=9, phone=5) >> Attach("phone", PHONE, 8) << SaveCursor("phone", 8)
    play = play << ReadUnmarked(6, 8) << MARKS_LATER << Push(PHONE, Attached(9, 8))
    play = play << Barrier(None, Stored(9)) >> Stored(9) << ReadRows("phone", 9, 9)
    assert play


def test_detached_device_gets_nothing_more() -> None:
    play = live() >> Detach("phone", PHONE)
    one = record(1, SENDER, TALK)
    play = play >> one << AppendRecord(one, 1, None, False) >> stored(1)
    assert play
    assert play.machine.is_quiet


def test_detach_of_an_unknown_device_does_nothing() -> None:
    assert live() >> Detach("watch", LAPTOP)


def test_revoked_device_is_ended_and_forgotten() -> None:
    play = live() >> DeviceRevoked("phone") << Push(PHONE, Ended("revoked", "never"))
    play = play << ForgetDevice("phone") >> DeviceRevoked("phone")
    one = record(1, SENDER, TALK)
    assert play >> one << AppendRecord(one, 1, None, False)
    assert play.machine.devices == {}


def test_revoked_device_that_waits_is_ended_too() -> None:
    play = home() >> Attach("phone", PHONE) << SaveCursor("phone", 0)
    play = play << Barrier(None, Attach("phone", PHONE, None, is_kept=True))
    play = play >> DeviceRevoked("phone") << Push(PHONE, Ended("revoked", "never"))
    assert play << ForgetDevice("phone")


def test_revoked_device_without_session_is_only_forgotten() -> None:
    assert home(phone=0) >> DeviceRevoked("phone") << ForgetDevice("phone")


# -- delivering --------------------------------------------------------------------------------
def test_one_device_up_to_date_gets_updates_straight_from_the_log() -> None:
    one, two = record(1, SENDER, TALK), deliver(1, 0)
    play = live() >> one << AppendRecord(one, 1, PHONE, False)
    assert play >> two << AppendUpdate(two, 2, PHONE, False)


def test_device_that_is_behind_reads_what_it_lacks_first() -> None:
    play = attach(home(head=3, recorded=3, phone=1), "phone", PHONE)
    play = play >> Stored(3) << ReadRows("phone", 2, 3)
    four = record(4, SENDER, TALK)
    play = play >> four << AppendRecord(four, 4, None, True)
    play = play >> stored(4)  # while it reads, nothing may overtake
    play = play >> Rows("phone", rows(2, 3)) << Push(PHONE, shown(2)) << Push(PHONE, shown(3))
    play = play << ReadRows("phone", 4, 4) >> Rows("phone", rows(4)) << Push(PHONE, shown(4))
    five = record(5, SENDER, TALK)
    assert play >> five << AppendRecord(five, 5, PHONE, False)


def test_updates_go_to_every_device_when_they_are_synced() -> None:
    play = attach(home(phone=0, laptop=0), "phone", PHONE) >> Stored(0)
    play = attach(play, "laptop", LAPTOP) >> Stored(0)
    one = record(1, SENDER, TALK)
    play = play >> one << AppendRecord(one, 1, None, True)
    assert play >> stored(1) << Push(PHONE, shown(1)) << Push(LAPTOP, shown(1))


def test_device_without_session_keeps_nobody_from_the_short_way() -> None:
    play = attach(home(phone=0, laptop=0), "phone", PHONE) >> Stored(0)
    one = record(1, SENDER, TALK)
    assert play >> one << AppendRecord(one, 1, PHONE, False)


def test_short_way_begins_again_when_the_second_device_leaves() -> None:
    play = attach(home(phone=0, laptop=0), "phone", PHONE) >> Stored(0)
    play = attach(play, "laptop", LAPTOP) >> Detach("laptop", LAPTOP)
    one, two = record(1, SENDER, TALK), record(2, SENDER, TALK)
    play = play >> one << AppendRecord(one, 1, None, True) >> stored(1) << Push(PHONE, shown(1))
    assert play >> two << AppendRecord(two, 2, PHONE, False)


def test_full_window_waits_for_acks_and_goes_on_by_reading() -> None:
    window = DELIVERY_WINDOW_UPDATES
    play = live()
    for seq in range(1, window + 1):
        play.machine.handle(record(seq, SENDER, TALK), 0)
    more = record(window + 1, SENDER, TALK)
    play = play >> more << AppendRecord(more, window + 1, None, True) >> stored(window + 1)
    play = play >> Acked("phone", 10) << SaveCursor("phone", 10) << MARKS_LATER
    play = play << ReadRows("phone", window + 1, window + 1)
    play = play >> Rows("phone", rows(window + 1)) << Push(PHONE, shown(window + 1))
    more = record(window + 2, SENDER, TALK)
    assert play >> more << AppendRecord(more, window + 2, PHONE, False)


def test_long_absence_is_read_page_by_page() -> None:
    page = CATCH_UP_PAGE_UPDATES
    play = attach(home(head=2 * page, phone=0), "phone", PHONE) >> Stored(2 * page)
    play = play << ReadRows("phone", 1, page) >> Rows("phone", rows(*range(1, page + 1)))
    for upd in range(1, page + 1):
        play = play << Push(PHONE, shown(upd))
    assert play << ReadRows("phone", page + 1, 2 * page)


def test_cut_page_is_acked_before_more_is_read() -> None:
    play = attach(home(head=9, phone=0), "phone", PHONE) >> Stored(9) << ReadRows("phone", 1, 9)
    play = play >> Rows("phone", rows(1, 2), is_cut=True)
    play = play << Push(PHONE, shown(1)) << Push(PHONE, shown(2))
    play = play >> Acked("phone", 1) << SaveCursor("phone", 1) << MARKS_LATER
    assert play >> Acked("phone", 2) << SaveCursor("phone", 2) << ReadRows("phone", 3, 9)


def test_rows_that_nobody_waits_for_are_dropped() -> None:
    play = attach(home(head=2, phone=0), "phone", PHONE) >> Rows("phone", rows(1, 2))
    assert play >> Rows("watch", rows(1, 2))


def test_rows_for_a_session_that_went_are_dropped() -> None:
    play = attach(home(head=2, phone=0), "phone", PHONE) >> Stored(2) << ReadRows("phone", 1, 2)
    assert play >> Detach("phone", PHONE) >> Rows("phone", rows(1, 2))


def test_rows_that_were_shown_already_are_not_shown_again() -> None:
    play = attach(home(head=3, phone=0), "phone", PHONE) >> Stored(3) << ReadRows("phone", 1, 3)
    play = play >> Acked("phone", 2) << SaveCursor("phone", 2) << ReadUnmarked(1, 2)
    play = play << MARKS_LATER >> Rows("phone", rows(1, 2, 3)) << Push(PHONE, shown(3))
    assert play


def test_update_does_not_overtake_rows_that_are_being_read() -> None:
    play = attach(home(head=3, recorded=3, phone=0), "phone", PHONE) >> Stored(3)
    four = record(4, SENDER, TALK)
    play = play << ReadRows("phone", 1, 3) >> four << AppendRecord(four, 4, None, True)
    play = play >> Acked("phone", 3) << SaveCursor("phone", 3) << ReadUnmarked(1, 3)
    play = play << MARKS_LATER >> stored(4) >> Rows("phone", rows(1, 2, 3))
    assert play << ReadRows("phone", 4, 4)


def test_session_that_takes_over_reads_anew() -> None:
    play = attach(home(head=3, phone=0), "phone", PHONE) >> Stored(3) << ReadRows("phone", 1, 3)
    play = play >> Attach("phone", LAPTOP) << Push(PHONE, Ended("takeover", "never"))
    play = play << Push(LAPTOP, Attached(3, 0)) << Barrier(None, Stored(3))
    assert play >> Stored(3) << ReadRows("phone", 1, 3)


def test_rows_are_dense_when_shown() -> None:
    play = attach(home(head=3, phone=0), "phone", PHONE) >> Stored(3) << ReadRows("phone", 1, 3)
    play = play >> Rows("phone", rows(1, 3)) << Push(PHONE, shown(1))
    assert play << ReadRows("phone", 2, 3)


# -- acks and marks ----------------------------------------------------------------------------
def test_acks_are_told_to_the_conversations_a_little_later() -> None:
    one, two, three = record(1, SENDER, TALK), record(2, SENDER, TALK), deliver(1, 0)
    play = live() >> one << AppendRecord(one, 1, PHONE, False)
    play = play >> two << AppendRecord(two, 2, PHONE, False)
    play = play >> three << AppendUpdate(three, 3, PHONE, False)
    play = play >> Acked("phone", 1) << SaveCursor("phone", 1) << MARKS_LATER
    play = play >> Acked("phone", 3) << SaveCursor("phone", 3)
    assert not play.machine.is_quiet
    assert play >> MarksDue() << TellReached(PAIR, 2) << TellReached(AWAY, 1)


def test_first_device_to_ack_delivers() -> None:
    play = attach(home(phone=0, laptop=0), "phone", PHONE) >> Stored(0)
    play = attach(play, "laptop", LAPTOP) >> Stored(0)
    one = record(1, SENDER, TALK)
    play = play >> one << AppendRecord(one, 1, None, True)
    play = play >> stored(1) << Push(PHONE, shown(1)) << Push(LAPTOP, shown(1))
    play = play >> Acked("laptop", 1) << SaveCursor("laptop", 1) << MARKS_LATER
    play = play >> MarksDue() << TellReached(PAIR, 1)
    play = play >> Acked("phone", 1) << SaveCursor("phone", 1) << MARKS_LATER
    assert play >> MarksDue()


@pytest.mark.parametrize("upd", [0, 5, 10, 99])
def test_ack_that_says_nothing_new_is_ignored(upd: int) -> None:
    assert home(head=9, phone=5) >> Acked("phone", upd)


def test_ack_of_an_unknown_device_is_ignored() -> None:
    assert home(head=9, phone=5) >> Acked("watch", 7)


def test_ack_beyond_what_was_sent_has_its_marks_looked_up() -> None:
    play = home(head=9, phone=5) >> Acked("phone", 8) << SaveCursor("phone", 8)
    play = play << ReadUnmarked(6, 8) << MARKS_LATER
    assert play >> Unmarked({PAIR: 4, AWAY: 2}) << TellReached(PAIR, 4) << TellReached(AWAY, 2)


def test_marks_of_others_are_shown_to_every_session() -> None:
    play = attach(home(phone=0, laptop=0, watch=0), "phone", PHONE)
    play = attach(play, "laptop", LAPTOP)
    marked = Marked("bob", "bob", 3, 2)
    assert play >> marked << Push(PHONE, marked) << Push(LAPTOP, marked)


# -- trimming and starting ---------------------------------------------------------------------
def test_log_is_trimmed_a_round_after_its_marks_were_told() -> None:
    upto = TRIM_EVERY_UPDATES
    play = home(head=upto, phone=0) >> Acked("phone", upto) << SaveCursor("phone", upto)
    play = play << ReadUnmarked(1, upto) << MARKS_LATER >> MarksDue() << MARKS_LATER
    play = play >> MarksDue() << Checkpoint(upto, upto, {}) << Trim(0, upto)
    assert play
    assert play.machine.trimmed == upto
    assert play.machine.is_quiet


def test_less_than_a_trim_stays_in_the_log() -> None:
    upto = TRIM_EVERY_UPDATES - 1
    play = home(head=upto, phone=0) >> Acked("phone", upto) << SaveCursor("phone", upto)
    play = play << ReadUnmarked(1, upto) << MARKS_LATER >> MarksDue() >> MarksDue()
    assert play
    assert play.machine.trimmed == 0


def test_log_stays_until_every_device_has_it() -> None:
    upto = TRIM_EVERY_UPDATES
    play = home(head=upto, phone=0, laptop=0) >> Acked("phone", upto)
    play = play << SaveCursor("phone", upto) << ReadUnmarked(1, upto) << MARKS_LATER
    play = play >> MarksDue() >> MarksDue() >> Acked("laptop", upto) << SaveCursor("laptop", upto)
    play = play << ReadUnmarked(1, upto) << MARKS_LATER
    assert play >> MarksDue() << Checkpoint(upto, upto, {}) << Trim(0, upto)


def test_log_of_a_user_without_devices_is_kept() -> None:
    play = home(head=500)
    assert play.machine.start() == []
    assert play >> MarksDue()
    assert play.machine.trimmed == 0


def test_start_looks_up_marks_and_goes_on_trimming() -> None:
    upto = TRIM_EVERY_UPDATES
    play = home(head=upto + 9, phone=upto, laptop=upto + 3)
    assert play.machine.start() == [ReadUnmarked(1, upto + 3), MARKS_LATER]
    play = play >> MarksDue() << MARKS_LATER
    assert play >> MarksDue() << Checkpoint(upto + 9, upto, {}) << Trim(0, upto)


def test_marks_are_looked_up_no_further_back_than_a_window() -> None:
    upto = 5 * DELIVERY_WINDOW_UPDATES
    play = home(head=upto, trimmed=upto - 1, phone=upto)
    assert play.machine.start() == [ReadUnmarked(upto, upto)]
    play = home(head=upto, phone=upto)
    first = upto - DELIVERY_WINDOW_UPDATES + 1
    assert play.machine.start() == [ReadUnmarked(first, upto), MARKS_LATER]


def test_start_of_a_new_home_does_nothing() -> None:
    play = home()
    assert play.machine.start() == []
    assert play.machine.is_quiet


# -- found by the property tests ---------------------------------------------------------------
def test_conversation_may_read_the_log_behind_its_records() -> None:
    one = record(1, SENDER, TALK)
    play = home() >> one << AppendRecord(one, 1, None, False)
    assert play >> Join(TALK) << Push(TALK, Joined())


def test_page_that_leads_nowhere_is_not_read_again_and_again() -> None:
    for page in ([], rows(4, 5)):
        play = attach(home(head=5, phone=2), "phone", PHONE) >> Stored(5)
        assert play << ReadRows("phone", 3, 5) >> Rows("phone", page)


def test_page_of_what_the_device_turns_out_to_have_leads_on() -> None:
    play = attach(home(head=9, phone=0), "phone", PHONE) >> Stored(9) << ReadRows("phone", 1, 9)
    play = play >> Acked("phone", 3) << SaveCursor("phone", 3) << ReadUnmarked(1, 3) << MARKS_LATER
    assert play >> Rows("phone", rows(1, 2), True) << ReadRows("phone", 4, 9)


def test_session_that_asked_twice_and_went_does_not_come_back_as_a_ghost() -> None:
    kept = Attach("phone", PHONE, None, True)
    play = home() >> Attach("phone", PHONE) << SaveCursor("phone", 0) << Barrier(None, kept)
    play = play >> Attach("phone", PHONE) << Barrier(None, kept)
    play = play >> kept << Push(PHONE, Attached(0, 0)) << Barrier(None, Stored(0))
    assert play >> Detach("phone", PHONE) >> kept
    assert play.machine.sessions() == []


def test_what_lives_here_is_not_recalled_as_received() -> None:
    machine = Inbox("ann", 10)
    machine.recall(11, AWAY, 4)
    machine.recall(12, PAIR, 9)
    assert machine.head == 12
    assert machine.received == {AWAY: 4}


# -- what nobody came for ------------------------------------------------------------------------
def test_updates_that_waited_too_long_go_and_the_device_is_told_whenever_it_comes() -> None:
    play = home(head=9, trimmed=2, phone=2) >> Expire(7)
    assert play << Checkpoint(9, 7, {}) << Trim(2, 7)
    told = Push(PHONE, Attached(9, 7, False, True))
    assert play >> Attach("phone", PHONE) << told << Barrier(None, Stored(9))
    assert play >> Stored(9) << ReadRows("phone", 8, 9)
    assert (
        play
        >> Detach("phone", PHONE)
        >> Attach("phone", PHONE, 3)
        << (told)
        << Barrier(None, Stored(9))
    )
    # That it acks the cursor says that it has taken a snapshot.
    play = play >> Acked("phone", 7) << SaveCursor("phone", 7) << MARKS_LATER
    play = play << ReadRows("phone", 8, 9) >> Detach("phone", PHONE) >> Attach("phone", PHONE)
    assert play << Push(PHONE, Attached(9, 7, False, False)) << Barrier(None, Stored(9))


def test_device_that_holds_what_is_gone_by_its_own_word_is_not_told() -> None:
    play = home(head=9, trimmed=7, phone=2) >> Attach("phone", PHONE, 8) << SaveCursor("phone", 8)
    play = play << ReadUnmarked(3, 8) << MARKS_LATER
    assert play << Push(PHONE, Attached(9, 8, False, False)) << Barrier(None, Stored(9))


def test_who_is_here_and_behind_is_sent_away_and_the_others_stay() -> None:
    play = home(head=9, phone=2, laptop=9)
    play = attach(attach(play, "phone", PHONE), "laptop", LAPTOP)
    play.machine._landing.told = 9
    assert (
        play
        >> Expire(7)
        << Push(PHONE, Ended("slow_consumer", "now"))
        << (Checkpoint(9, 7, {}))
        << Trim(0, 7)
    )
    assert play.machine.sessions() == [LAPTOP]


def test_what_landed_goes_only_after_its_marks_were_told_a_round_ago() -> None:
    play = home(head=9, phone=6, laptop=0)
    assert play >> Expire(5) << MARKS_LATER
    assert play >> MarksDue() << MARKS_LATER
    assert play >> MarksDue() << Checkpoint(9, 5, {}) << Trim(0, 5)


def test_no_more_goes_than_there_is_and_nothing_goes_twice() -> None:
    play = home(head=9, phone=0) >> Expire(50) << Checkpoint(9, 9, {}) << Trim(0, 9)
    assert play >> Expire(9)


def test_device_that_does_not_come_does_not_keep_the_log_from_being_trimmed() -> None:
    play = attach(home(head=200, trimmed=100, phone=100, lost=3), "phone", PHONE)
    play = play >> Stored(200) << ReadRows("phone", 101, 200)
    play.machine.devices["phone"].sent = 200
    assert play >> Acked("phone", 200) << SaveCursor("phone", 200) << MARKS_LATER
    assert play >> MarksDue() << MARKS_LATER
    assert play >> MarksDue() << Checkpoint(200, 200, {}) << Trim(100, 200)
