"""Past its lease a node leads only what nobody else can lead."""

from __future__ import annotations

from dataclasses import dataclass

from actorchat.cluster.leading import Leading
from actorchat.cluster.registry import State
from actorchat.cluster.slots import NOBODY, Slot, SlotTable

ALONE = Slot("a", 3, ("a",), ("a",))
SHARED = Slot("a", 3, ("a", "b"), ("a", "b"))
OTHERS = Slot("b", 1, ("b",), ("b",))


@dataclass
class FakeSession:
    state: State = "connected"
    lease_end_s: float = 10.0


def leading(session: FakeSession, now_s: float, *slots: Slot) -> Leading:
    table = SlotTable(slots)
    return Leading("a", session, lambda: table, lambda: now_s)


def test_all_is_as_the_table_says_until_the_lease_ends() -> None:
    found = leading(FakeSession(), 9.9, ALONE, SHARED, OTHERS)
    assert [found.slot(n) for n in range(3)] == [ALONE, SHARED, OTHERS]
    assert found.slot(3) == Slot()
    assert (found.count(), found.names()) == (2, {"a", "b"})
    assert found.standing() == "connected"


def test_past_its_lease_it_leads_nothing_that_others_have_copies_of() -> None:
    found = leading(FakeSession("suspended"), 10.0, ALONE, SHARED, OTHERS)
    assert found.slot(0) == ALONE
    assert (found.slot(1).leader, found.slot(1).epoch) == (NOBODY, 3)
    assert found.slot(2) == OTHERS
    assert "leads no more" in found.standing()


def test_only_copy_goes_on_when_the_session_is_lost() -> None:
    found = leading(FakeSession("lost", 0.0), 99.0, ALONE, OTHERS)
    assert found.slot(0) == ALONE
    assert found.standing().startswith("lost; goes on, for nobody else")


def test_before_the_lease_ends_and_before_there_is_a_table_it_says_so() -> None:
    assert "own copy" in leading(FakeSession("suspended"), 1.0, SHARED).standing()
    assert leading(FakeSession("connecting", 0.0), 1.0).standing() == "connecting"
