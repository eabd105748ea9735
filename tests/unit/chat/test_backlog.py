"""What a big group tells grows as one entry while nobody is here, and then becomes updates."""

from __future__ import annotations

from actorchat.chat.backlog import AppendSpan, NumberDue, SaveMoved
from actorchat.chat.effect import AppendUpdate, Barrier, Checkpoint, Push, ReadRows, StartTimer
from actorchat.chat.event import (
    Attach,
    Attached,
    Confirm,
    Deliver,
    Detach,
    FannedOut,
    Missing,
    Stored,
)
from actorchat.chat.inbox import Inbox
from actorchat.chat.moved import Moved
from actorchat.limits import (
    CHECKPOINT_EVERY_UPDATES,
    DELIVERY_WINDOW_UPDATES,
    NUMBER_AGAIN_S,
)
from actorchat.testing.playbook import Playbook
from tests.unit.chat.cast import Peer

G = "#group"
KEY = b"key"
GROUP = Peer("group")
PHONE = Peer("phone session")
LAPTOP = Peer("laptop session")


def home(received: int = 0, **cursors: int) -> Playbook:
    machine = Inbox("ann", 0, 0, cursors or {"phone": 0})
    machine.received[G] = received
    return Playbook(machine)


def here(received: int = 0) -> Playbook:
    """Return a home with ann's phone, which is up to date."""
    play = home(received) >> Attach("phone", PHONE) << Push(PHONE, Attached(0, 0))
    return play << Barrier(None, Stored(0)) >> Stored(0)


def moved(first: int, seq: int, prev: int | None = None, *records: bytes) -> Moved:
    return Moved(G, KEY, GROUP, first, seq, first - 1 if prev is None else prev, records)


def span(first: int, seq: int, upd: int, **fields: object) -> AppendSpan:
    given = {"is_saved": False, "session": None, "notify": False, "records": (), **fields}
    return AppendSpan(G, KEY, first, seq, upd, **given)  # type: ignore[arg-type]


def test_nothing_is_appended_while_nobody_is_here() -> None:
    play = home() >> moved(1, 3) >> moved(4, 9) >> moved(2, 9)
    assert play
    assert play.machine.head == 0
    assert play.machine.waiting[G].head == 9


def test_who_comes_gets_updates_of_all_that_waits() -> None:
    play = home() >> moved(1, 3) >> moved(4, 9) >> Attach("phone", PHONE)
    play = play << span(1, 9, 9) << Push(PHONE, Attached(9, 0)) << Barrier(None, Stored(9))
    assert play >> Stored(9) << ReadRows("phone", 1, 9)
    assert play.machine.waiting is None


def test_entry_is_kept_when_the_group_asks_and_only_if_it_has_grown() -> None:
    confirm = Confirm(G, KEY, GROUP, 3)
    done = Barrier(GROUP, FannedOut("ann", 3))
    play = home() >> confirm << Push(GROUP, Missing("ann", 0))
    play = play >> moved(1, 3) >> confirm << SaveMoved(G, KEY, 0, 3) << done
    play = play >> confirm << done
    play = play >> moved(4, 5) >> confirm << SaveMoved(G, KEY, 0, 5) << done
    play = play >> Attach("phone", PHONE) << span(1, 5, 5, is_saved=True)
    play = play << Push(PHONE, Attached(5, 0)) << Barrier(None, Stored(5))
    assert play >> confirm << done


def test_another_group_is_confirmed_beside_what_waits() -> None:
    play = home() >> moved(1, 3)
    play.machine.received["#other"] = 7
    done = Barrier(GROUP, FannedOut("ann", 7))
    assert play >> Confirm("#other", b"other", GROUP, 7) << done


def test_entry_of_an_earlier_life_goes_on_growing() -> None:
    play = home()
    play.machine.recall_moved(G, KEY, 4, 6)
    play = play >> moved(7, 8)
    assert (
        play
        >> Attach("phone", PHONE)
        << span(5, 8, 4, is_saved=True)
        << Push(PHONE, Attached(4, 0))
        << Barrier(None, Stored(4))
    )


def test_device_that_is_up_to_date_gets_it_straight_from_the_log() -> None:
    play = here()
    records = (b"1", b"2")
    assert play >> moved(1, 2, 0, *records) << span(1, 2, 2, session=PHONE, records=records)
    assert play >> moved(2, 3, 1, b"2", b"3") << span(3, 3, 3, session=PHONE, records=(b"3",))


def test_records_that_are_not_in_hand_are_read() -> None:
    play = here() >> moved(1, 3, 0, b"3") << span(1, 3, 3, notify=True)
    assert play >> Stored(3) << ReadRows("phone", 1, 3)


def test_records_that_no_window_has_room_for_are_read() -> None:
    count = DELIVERY_WINDOW_UPDATES + 1
    records = (b"r",) * count
    play = here() >> moved(1, count, 0, *records) << span(1, count, count, notify=True)
    play.machine._checkpoint_due = 0
    assert isinstance(play._found.pop(), Checkpoint)
    play.done()


def test_two_devices_get_it_by_way_of_the_log() -> None:
    play = home(phone=0, laptop=0) >> Attach("phone", PHONE)
    play = play << Push(PHONE, Attached(0, 0, True)) << Barrier(None, Stored(0)) >> Stored(0)
    play = play >> Attach("laptop", LAPTOP) << Push(LAPTOP, Attached(0, 0, True))
    play = play << Barrier(None, Stored(0)) >> Stored(0)
    play = play >> moved(1, 1, 0, b"1") << span(1, 1, 1, notify=True)
    assert play >> Stored(1) << ReadRows("phone", 1, 1) << ReadRows("laptop", 1, 1)


def test_home_that_lacks_something_says_so() -> None:
    play = home(received=2) >> moved(5, 6) << Push(GROUP, Missing("ann", 2))
    assert play >> moved(1, 2)
    assert play >> moved(1, 4)
    assert play.machine.waiting[G].after == 2


def test_who_was_away_from_the_group_has_two_entries_and_the_first_becomes_updates() -> None:
    play = home() >> moved(1, 3) >> moved(6, 7, 3) << span(1, 3, 3)
    assert play.machine.waiting[G].after == 5
    assert play.machine.received[G] == 7


def test_record_that_comes_by_itself_comes_behind_what_waits() -> None:
    deliver = Deliver(G, KEY, GROUP, 4, 3, b"4")
    play = home() >> moved(1, 3) >> deliver << span(1, 3, 3)
    assert play << AppendUpdate(deliver, 4, None, False)


def test_what_waits_is_not_in_a_checkpoint() -> None:
    count = CHECKPOINT_EVERY_UPDATES
    play = home() >> moved(1, 2)
    play.machine.received["#other"] = 0
    other = Moved("#other", b"other", GROUP, 1, count, 0)
    play = play >> other >> Deliver("#other", b"other", GROUP, count + 1, count, b"r")
    checkpoint = play._found[1]
    assert checkpoint == Checkpoint(count, 0, {"#other": count})
    play._expected = list(play._found)
    assert play


def test_full_disk_lets_nothing_wait_in_vain() -> None:
    play = home() >> moved(1, 3)
    play.machine.is_full = True
    confirm = Confirm(G, KEY, GROUP, 3)
    assert play >> confirm
    later = StartTimer(NUMBER_AGAIN_S, NumberDue())
    play = play >> Attach("phone", PHONE) << later << Push(PHONE, Attached(0, 0))
    play = play << Barrier(None, Stored(0)) >> NumberDue() << later
    play.machine.is_full = False
    play = play >> moved(4, 4) << span(1, 3, 3, notify=True) << span(4, 4, 4, notify=True)
    assert play >> NumberDue()


def test_nobody_is_here_any_more_when_the_disk_has_space() -> None:
    play = home() >> moved(1, 3)
    play.machine.is_full = True
    play = play >> Attach("phone", PHONE) << StartTimer(NUMBER_AGAIN_S, NumberDue())
    play = play << Push(PHONE, Attached(0, 0)) << Barrier(None, Stored(0))
    play = play >> Detach("phone", PHONE)
    play.machine.is_full = False
    assert play >> NumberDue()
    assert play.machine.waiting[G].head == 3
