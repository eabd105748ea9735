"""What the controller writes, and when it does not."""

from __future__ import annotations

from collections import Counter
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
from actorchat.cluster.slots import Member, Slot, SlotTable

SLOTS = 24


def members(names: Iterable[str]) -> tuple[Member, ...]:
    return tuple(Member(name, zone=f"z{ord(name) % 3}") for name in names)


class Registry:
    """The table as it lies there; writes over an older version are refused."""

    def __init__(self) -> None:
        self.table: SlotTable | None = None
        self.entry = 0
        self.history: list[SlotTable] = []
        self.begun: Counter[tuple[int, str]] = Counter()  # hand-overs of a slot to a node

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
                is_given_up = not {*was.coming} <= {*now.coming, *now.replicas}
                assert (now.epoch != was.epoch) == (now.leader != was.leader or is_given_up)
        for number, now in enumerate(write.table.slots):
            was = old.slots[number] if old is not None else Slot()
            self.begun.update((number, node) for node in now.coming if node not in was.coming)
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


def test_word_of_a_hand_over_that_was_given_up_is_never_believed() -> None:
    controller, registry = started("a", replicas=1, moves_at_once=SLOTS)
    run(controller, registry, controller.handle(Present(members("ab")), 1.0), 1.0)
    number = next(n for n, slot in enumerate(table_of(registry).slots) if slot.coming)
    begun = table_of(registry).slots[number]
    assert (begun.epoch, begun.coming) == (1, ("b",))
    run(controller, registry, controller.handle(Present(members("a")), 2.0), 2.0)
    given_up = table_of(registry).slots[number]
    assert (given_up.leader, given_up.epoch, given_up.coming) == ("a", 2, ())
    run(controller, registry, controller.handle(Present(members("ab")), 3.0), 3.0)
    again = table_of(registry).slots[number]
    assert (again.epoch, again.coming) == (2, ("b",))
    assert controller.handle(Copied(number, 1, "b"), 4.0) == []  # said before it was given up
    run(controller, registry, controller.handle(Copied(number, 2, "b"), 4.0), 4.0)
    moved = table_of(registry).slots[number]
    assert (moved.leader, moved.epoch) == ("b", 3)


def test_word_that_comes_while_its_hand_over_is_being_given_up_is_forgotten() -> None:
    controller, registry = started("a", replicas=1, moves_at_once=SLOTS)
    run(controller, registry, controller.handle(Present(members("ab")), 1.0), 1.0)
    number = next(n for n, slot in enumerate(table_of(registry).slots) if slot.coming)
    (write,) = controller.handle(Present(members("a")), 2.0)
    assert isinstance(write, Write)
    assert controller.handle(Copied(number, 1, "b"), 2.0) == []
    run(controller, registry, controller.handle(registry.write(write), 2.0), 2.0)
    run(controller, registry, controller.handle(Present(members("ab")), 3.0), 3.0)
    slot = table_of(registry).slots[number]
    assert (slot.leader, slot.epoch, slot.coming) == ("a", 2, ("b",))


def test_hand_over_that_goes_to_another_node_counts_the_epoch_up() -> None:
    controller, registry = started("a", replicas=1, moves_at_once=SLOTS)
    run(controller, registry, controller.handle(Present(members("ab")), 1.0), 1.0)
    before = table_of(registry).slots
    run(controller, registry, controller.handle(Present(members("ac")), 2.0), 2.0)
    redirected = 0
    for was, now in zip(before, table_of(registry).slots, strict=True):
        if (was.coming, now.coming) == (("b",), ("c",)):
            assert (now.leader, now.epoch) == ("a", was.epoch + 1)
            redirected += 1
    assert redirected
    copy_all(controller, registry, 3.0)
    assert {slot.leader for slot in table_of(registry).slots} == {"a", "c"}


def drained(*names: str, but: str) -> tuple[Member, ...]:
    return tuple(
        Member(m.name, m.zone, capacity=0.0 if m.name in but else 1.0) for m in members(names)
    )


def test_drained_node_gives_all_away_a_number_at_a_time_and_gets_its_share_back() -> None:
    controller, registry = started("abc", replicas=1, moves_at_once=3)
    led = {n: slot.leader for n, slot in enumerate(table_of(registry).slots)}
    run(controller, registry, controller.handle(Present(drained(*"abc", but="b")), 1.0), 1.0)
    assert sum(bool(slot.coming) for slot in table_of(registry).slots) == 3
    assert {slot.leader for slot in table_of(registry).slots} == {"a", "b", "c"}
    assert copy_all(controller, registry, 2.0) == SLOTS // 3
    for number, slot in enumerate(table_of(registry).slots):
        assert slot.leader == led[number] or led[number] == "b"
        assert (slot.leader, slot.replicas) == (slot.in_sync[0], slot.in_sync)
    counts = Counter(slot.leader for slot in table_of(registry).slots)
    assert counts == {"a": SLOTS // 2, "c": SLOTS // 2}
    # It is stopped for good: nobody waits for it.
    run(controller, registry, controller.handle(Present(members("ac")), 3.0), 3.0)
    run(controller, registry, controller.handle(Tick(), 9_999.0), 9_999.0)
    assert Counter(slot.leader for slot in table_of(registry).slots) == counts
    run(controller, registry, controller.handle(Present(members("abc")), 10_000.0), 10_000.0)
    assert copy_all(controller, registry, 10_001.0) == SLOTS // 3
    assert {*Counter(s.leader for s in table_of(registry).slots).values()} == {SLOTS // 3}


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcd"),
            st.sampled_from(["in", "out", "drain", "undrain", "elect", "say", "replay", "delay"]),
            st.integers(0, 999),
        ),
        max_size=40,
    )
)
def test_leader_changes_only_on_a_word_of_the_very_hand_over(
    story: list[tuple[str, str, int]],
) -> None:
    controller, registry = Controller(SLOTS, 1, moves_at_once=4), Registry()
    here, empty, now = {"a", "b"}, set[str](), 0.0
    said: list[tuple[Copied, int]] = []  # each word, and of which hand-over it is
    waiting: list[Effect] = []

    def perform(effects: list[Effect]) -> None:
        nonlocal waiting
        before = registry.table
        run(controller, registry, [*waiting, *effects], now)
        waiting = []
        if before is None or registry.table is None:
            return
        for number, (was, is_now) in enumerate(
            zip(before.slots, registry.table.slots, strict=True)
        ):
            if is_now.leader != was.leader:
                of = registry.begun[number, is_now.leader]
                words = {(w.slot, w.node, which) for w, which in said}
                assert (number, is_now.leader, of) in words

    perform(controller.handle(Present(members("ab")), now))
    perform(controller.handle(Elected(), now))
    for name, what, number in story:
        now += 1.0
        slots = table_of(registry).slots
        coming = [(n, s) for n, s in enumerate(slots) if s.coming]
        if what == "elect":
            controller, waiting = Controller(SLOTS, 1, moves_at_once=4), []
            perform(controller.handle(Elected(), now))
        elif what == "say" and coming:
            at, slot = coming[number % len(coming)]
            word = Copied(at, slot.epoch, slot.coming[0])
            said.append((word, registry.begun[at, slot.coming[0]]))
            perform(controller.handle(word, now))
        elif what == "replay" and said:
            waiting += controller.handle(said[number % len(said)][0], now)
            perform([])
        elif what in {"drain", "undrain"}:
            (empty.add if what == "drain" else empty.discard)(name)
        elif what == "in" or (what == "out" and len(here) > 1):
            (here.add if what == "in" else here.discard)(name)
        effects = controller.handle(Present(drained(*sorted(here), but="".join(empty))), now)
        if what == "delay":
            waiting += effects  # words come before it is done
            if said:
                waiting += controller.handle(said[number % len(said)][0], now)
        else:
            perform(effects)


def test_hand_over_that_is_under_way_goes_on_when_all_is_worked_out_anew() -> None:
    controller, registry = started("abc", replicas=1, moves_at_once=4)
    here = drained(*"abc", but="b")
    run(controller, registry, controller.handle(Present(here), 1.0), 1.0)
    while coming := [(n, s) for n, s in enumerate(table_of(registry).slots) if s.coming]:
        number, slot = coming[-1]  # not in the order in which they were begun
        copied = Copied(number, slot.epoch, slot.coming[0])
        run(controller, registry, controller.handle(copied, 2.0), 2.0)
        run(controller, registry, controller.handle(Present(here), 3.0), 3.0)
    moved = {slot.epoch for slot in table_of(registry).slots}
    assert moved == {1, 2}  # each at once, and none was given up
    assert Counter(s.leader for s in table_of(registry).slots) == {"a": 12, "c": 12}


def test_hand_over_whose_reason_is_gone_is_given_up() -> None:
    controller, registry = started("abc", replicas=1, moves_at_once=2)
    before = [slot.leader for slot in table_of(registry).slots]
    run(controller, registry, controller.handle(Present(drained(*"abc", but="b")), 1.0), 1.0)
    assert any(slot.coming for slot in table_of(registry).slots)
    run(controller, registry, controller.handle(Present(members("abc")), 2.0), 2.0)
    assert not any(slot.coming for slot in table_of(registry).slots)
    assert [slot.leader for slot in table_of(registry).slots] == before
