"""How the devices of a user come and go."""

from __future__ import annotations

from actorchat.chat.attendance import Attendance
from actorchat.chat.effect import (
    AppendRecord,
    AppendUpdate,
    Barrier,
    ForgetDevice,
    Push,
    SaveCursor,
    StartTimer,
)
from actorchat.chat.event import (
    Attach,
    Attached,
    Aware,
    Company,
    CompanyDue,
    Deliver,
    Detach,
    DeviceRevoked,
    Ended,
    Stored,
)
from actorchat.chat.inbox import Inbox
from actorchat.limits import COMPANY_WAIT_S
from actorchat.testing.playbook import Playbook
from tests.unit.chat.cast import AWAY, PAIR, Peer, record

PHONE, LAPTOP, TALK, BOB = Peer("phone"), Peer("laptop"), Peer("talk"), Peer("bob")
AGAIN = Attach("laptop", LAPTOP, None, is_kept=True)
WAIT = StartTimer(COMPANY_WAIT_S, CompanyDue())


def home(**cursors: int) -> Playbook:
    machine = Inbox("ann", 9, 2, cursors)
    machine.recorded[PAIR] = 0
    machine.received[AWAY] = 0
    return Playbook(machine)


def with_laptop_coming() -> Playbook:
    """Return a play with a phone that is here, and a new laptop whose place is not synced."""
    play = home(phone=7)
    play.machine.handle(Attach("phone", PHONE), 0)
    play = play >> Attach("laptop", LAPTOP) << SaveCursor("laptop", 2)
    return play << Push(PHONE, Company(True)) << WAIT << Barrier(None, AGAIN)


def let_in(play: Playbook) -> Playbook:
    return play << Push(LAPTOP, Attached(9, 2, True)) << Barrier(None, Stored(9))


def test_home_is_attended_to_by_its_part() -> None:
    assert isinstance(home().machine, Attendance)


def test_first_device_begins_where_the_log_does() -> None:
    play = home() >> Attach("laptop", LAPTOP) << SaveCursor("laptop", 2)
    assert play << Barrier(None, AGAIN)
    assert not play.machine.has_company


def test_later_device_begins_there_too_and_waits_until_the_others_know() -> None:
    play = with_laptop_coming() >> AGAIN
    assert play.machine.has_company
    assert let_in(play >> Aware(PHONE))


def test_place_that_is_synced_last_lets_the_device_in() -> None:
    assert let_in(with_laptop_coming() >> Aware(PHONE) >> AGAIN)


def test_session_that_went_keeps_nobody_waiting() -> None:
    assert let_in(with_laptop_coming() >> AGAIN >> Detach("phone", PHONE))


def test_session_that_is_taken_over_keeps_nobody_waiting() -> None:
    newer = Peer("newer")
    play = with_laptop_coming() >> AGAIN >> Attach("phone", newer)
    play = play << Push(PHONE, Ended("takeover", "never"))
    play = let_in(play) << Push(newer, Attached(9, 7, True)) << Barrier(None, Stored(9))
    assert play


def test_session_that_says_nothing_keeps_nobody_waiting_for_ever() -> None:
    assert let_in(with_laptop_coming() >> AGAIN >> CompanyDue())


def test_new_device_that_went_is_not_let_in() -> None:
    play = with_laptop_coming() >> AGAIN >> Detach("laptop", LAPTOP) >> Aware(PHONE)
    assert play
    assert play.machine.sessions() == [PHONE]


def test_last_device_that_is_left_hears_of_it() -> None:
    play = home(phone=7, laptop=7)
    play.machine.handle(Attach("phone", PHONE), 0)
    play = play >> DeviceRevoked("laptop") << ForgetDevice("laptop")
    assert play << Push(PHONE, Company(False))


def test_own_message_is_an_update_where_there_are_other_devices() -> None:
    one = record(1, PHONE, TALK, recipient=BOB)
    assert home(phone=9) >> one << AppendRecord(one, 0, None, False)
    assert home(phone=9, laptop=9) >> one << AppendRecord(one, 10, None, False)


def test_own_message_is_an_update_for_the_last_device_if_another_one_sent_it() -> None:
    one = record(1, PHONE, TALK, recipient=BOB, has_company=True)
    assert home(phone=9) >> one << AppendRecord(one, 10, None, False)


def test_own_message_from_elsewhere_is_an_update_once() -> None:
    own = Deliver(AWAY, b"key", TALK, 1, 0, b"r", is_own=True)
    play = home(phone=9, laptop=9) >> own << AppendUpdate(own, 10, None, False)
    assert play >> own
    assert home(phone=9) >> own << AppendUpdate(own, 10, None, False)


def test_own_message_that_is_told_again_is_passed_over_where_there_is_one_device() -> None:
    own = Deliver(AWAY, b"key", TALK, 1, 0, b"r", is_own=True, is_again=True)
    play = home(phone=9) >> own
    more = Deliver(AWAY, b"key", TALK, 2, 1, b"r")
    assert play >> more << AppendUpdate(more, 10, None, False)
    assert home(phone=9, laptop=9) >> own << AppendUpdate(own, 10, None, False)
