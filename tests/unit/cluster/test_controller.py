"""What the controller writes, and when it does not."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from actorchat.cluster.controller import (
    Controller,
    Copied,
    Deposed,
    Effect,
    Elected,
    Load,
    Loaded,
    Present,
    Refused,
    Tick,
    Write,
    Written,
)
from actorchat.cluster.slots import Member, SlotTable

SLOTS = 24


def members(names: Iterable[str]) -> tuple[Member, ...]:
    return tuple(Member(name, zone=f"z{ord(name) % 3}") for name in names)


class Registry:
    """The table as it lies there; writes over an older version are refused."""

    def __init__(self) -> None:
        self.table: SlotTable | None = None
        self.entry = 0
        self.history: list[SlotTable] = []

    def load(self) -> Loaded:
        return Loaded(self.table, self.entry)

    def write(self, write: Write) -> Written | Refused:
        if write.entry != self.entry:
            return Refused()
        old = self.table
        if old is not None:
            assert write.table.version > old.version
            assert write.table.controller >= old.controller
            for was, now in zip(old.slots, write.table.slots, strict=True):
                assert now.epoch >= was.epoch
                assert (now.leader == was.leader) == (now.epoch == was.epoch)
        self.table, self.entry = write.table, self.entry + 1
        self.history.append(write.table)
        return Written(self.entry)


def run(controller: Controller, registry: Registry, effects: list[Effect], now: float) -> None:
    """Perform effects until there are none."""
    while effects:
        effect, *rest = effects
        told = registry.load() if isinstance(effect, Load) else registry.write(effect)
        effects = [*rest, *controller.handle(told, now)]


def copy_all(controller: Controller, registry: Registry, now: float) -> int:
    """Make every copy that is announced, until none is; return how many."""
    count = 0
    while registry.table is not None and any(slot.coming for slot in registry.table.slots):
        for number, slot in enumerate(registry.table.slots):
            for node in slot.coming:
                count += 1
                copied = Copied(number, slot.epoch, node)
                run(controller, registry, controller.handle(copied, now), now)
        assert count < 1_000
    return count


def started(names: str, replicas: int = 2, **more: float) -> tuple[Controller, Registry]:
    controller = Controller(SLOTS, replicas, **more)  # type: ignore[arg-type]
    registry = Registry()
    run(controller, registry, controller.handle(Present(members(names)), 0.0), 0.0)
    assert registry.table is None  # not elected: nothing is read, nothing written
    run(controller, registry, controller.handle(Elected(), 0.0), 0.0)
    return controller, registry


def table_of(registry: Registry) -> SlotTable:
    assert registry.table is not None
    return registry.table


def test_first_table_is_written_at_once_and_once() -> None:
    controller, registry = started("abc")
    table = table_of(registry)
    assert (table.version, table.controller, len(registry.history)) == (1, 1, 1)
    assert all(slot.epoch == 1 and not slot.coming for slot in table.slots)
    assert controller.handle(Present(members("abc")), 1.0) == []
    assert controller.moves() == {}


def test_leader_that_goes_is_replaced_by_one_in_sync_at_once_and_its_copy_kept() -> None:
    controller, registry = started("abc", gone_s=10.0)
    before = table_of(registry)
    run(controller, registry, controller.handle(Present(members("bc")), 1.0), 1.0)
    after = table_of(registry)
    for was, now in zip(before.slots, after.slots, strict=True):
        assert now.leader in was.in_sync and now.leader != "a"
        assert now.replicas == was.replicas and not now.coming
    assert controller.deadline() == 11.0


def test_node_that_comes_back_in_time_moves_nothing() -> None:
    controller, registry = started("abc", gone_s=10.0)
    before = table_of(registry)
    run(controller, registry, controller.handle(Present(members("bc")), 1.0), 1.0)
    run(controller, registry, controller.handle(Present(members("abc")), 5.0), 5.0)
    assert controller.deadline() is None
    assert [s.replicas for s in table_of(registry).slots] == [s.replicas for s in before.slots]


def test_node_that_stays_away_is_replaced_by_copies() -> None:
    controller, registry = started("abcd", gone_s=10.0)
    run(controller, registry, controller.handle(Present(members("bcd")), 1.0), 1.0)
    run(controller, registry, controller.handle(Tick(), 10.9), 10.9)
    assert not any(slot.coming for slot in table_of(registry).slots)
    run(controller, registry, controller.handle(Tick(), 11.0), 11.0)
    assert any(slot.coming for slot in table_of(registry).slots)
    assert copy_all(controller, registry, 12.0) > 0
    for slot in table_of(registry).slots:
        assert "a" not in slot.replicas and len(slot.replicas) == len(slot.in_sync) == 2


def test_only_copy_of_a_node_that_went_waits_for_it() -> None:
    controller, registry = started("ab", replicas=1, gone_s=1.0)
    before = table_of(registry)
    run(controller, registry, controller.handle(Present(members("b")), 1.0), 1.0)
    run(controller, registry, controller.handle(Tick(), 99.0), 99.0)
    assert table_of(registry).slots == before.slots


def test_sole_copy_is_handed_over_when_a_node_joins_and_switched_only_when_copied() -> None:
    controller, registry = started("a", replicas=1, moves_at_once=4)
    run(controller, registry, controller.handle(Present(members("ab")), 1.0), 1.0)
    table = table_of(registry)
    assert sum(slot.coming == ("b",) for slot in table.slots) == 4
    assert all(slot.leader == "a" for slot in table.slots)
    number = next(n for n, slot in enumerate(table.slots) if slot.coming)
    for wrong in (Copied(number, 9, "b"), Copied(number, 1, "c"), Copied(999, 1, "b")):
        assert controller.handle(wrong, 2.0) == []
    run(controller, registry, controller.handle(Copied(number, 1, "b"), 2.0), 2.0)
    slot = table_of(registry).slots[number]
    assert (slot.leader, slot.epoch, slot.replicas, slot.in_sync) == ("b", 2, ("b",), ("b",))
    assert sum(bool(slot.coming) for slot in table_of(registry).slots) == 4  # the next is begun
    copy_all(controller, registry, 3.0)
    assert sum(slot.leader == "b" for slot in table_of(registry).slots) == SLOTS // 2
    assert controller.moves() == {}


def test_controller_that_slept_can_not_write_over_its_successor() -> None:
    old, registry = started("abc")
    new = Controller(SLOTS, 2)
    run(new, registry, new.handle(Present(members("abc")), 1.0), 1.0)
    run(new, registry, new.handle(Elected(), 1.0), 1.0)
    assert table_of(registry).controller == 2  # it says so even if nothing else changes
    # The old one wakes up and sees a node gone.
    run(old, registry, old.handle(Present(members("ab")), 2.0), 2.0)
    assert table_of(registry).controller == 2
    assert not old.is_elected
    assert old.handle(Present(members("a")), 3.0) == []


def test_write_that_nobody_answered_is_read_back() -> None:
    controller, registry = started("abc")
    (effect,) = controller.handle(Present(members("bc")), 1.0)
    assert isinstance(effect, Write)
    registry.write(effect)  # it was done, but the answer was lost
    assert controller.handle(Present(members("bc")), 1.0) == []  # one at a time
    run(controller, registry, controller.handle(Refused(), 1.5), 1.5)
    assert controller.table == registry.table
    assert controller.handle(Present(members("bc")), 2.0) == []


def test_deposed_controller_does_nothing_and_a_late_answer_changes_nothing() -> None:
    controller, registry = started("abc")
    (effect,) = controller.handle(Present(members("bc")), 1.0)
    assert isinstance(effect, Write)
    assert controller.handle(Deposed(), 1.0) == []
    assert controller.handle(Written(7), 1.0) == []
    assert controller.handle(Refused(), 1.0) == []
    assert controller.handle(registry.load(), 1.0) == []
    assert controller.handle(Present(members("b")), 1.0) == []


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcde"), st.sampled_from(["in", "out", "tick", "elect", "copy"])
        ),
        max_size=20,
    ),
    st.integers(1, 3),
)
def test_whatever_happens_every_slot_ends_where_it_should_be(
    story: list[tuple[str, str]], replicas: int
) -> None:
    controller, registry = Controller(SLOTS, replicas, gone_s=5.0), Registry()
    here, now = {"a", "b", "c"}, 0.0
    run(controller, registry, controller.handle(Present(members(sorted(here))), now), now)
    run(controller, registry, controller.handle(Elected(), now), now)
    for name, what in story:
        now += 1.0
        if what == "elect":
            controller = Controller(SLOTS, replicas, gone_s=5.0)
            run(controller, registry, controller.handle(Elected(), now), now)
        elif what == "copy":
            copy_all(controller, registry, now)
        elif what == "tick":
            run(controller, registry, controller.handle(Tick(), now), now)
        elif what == "in" or len(here) > 1:
            (here.add if what == "in" else here.discard)(name)
        run(controller, registry, controller.handle(Present(members(sorted(here))), now), now)
    here = set("abcde")
    run(controller, registry, controller.handle(Present(members(sorted(here))), now), now)
    for _ in range(4):
        copy_all(controller, registry, now)
        run(controller, registry, controller.handle(Tick(), now + 99.0), now + 99.0)
    for slot in table_of(registry).slots:
        assert slot.leader in slot.in_sync
        assert len(slot.replicas) == replicas
        assert not slot.coming


def test_first_table_waits_for_as_many_as_there_are_to_be_and_no_later_one_does() -> None:
    controller, registry = started("a", 1, members_min=2)
    assert registry.table is None
    run(controller, registry, controller.handle(Present(members("ab")), 1.0), 1.0)
    assert {slot.leader for slot in table_of(registry).slots} == {"a", "b"}
    other = Controller(SLOTS, 1, members_min=2)
    run(other, registry, other.handle(Present(members("a")), 2.0), 2.0)
    run(other, registry, other.handle(Elected(), 2.0), 2.0)
    assert table_of(registry).controller == other.epoch
    assert {slot.leader for slot in table_of(registry).slots} == {"a", "b"}
