"""Where slots go: balanced, in different zones, and moved as little as can be."""

from __future__ import annotations

from collections import Counter
from math import ceil
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from actorchat.cluster.place import place
from actorchat.cluster.slots import Member, SlotTable, empty_table
from actorchat.limits import PLACE_SLACK

MEMBERS = st.lists(
    st.builds(
        lambda number, zone, capacity: Member(f"n{number}", zone=zone, capacity=capacity),
        st.integers(0, 40),
        st.sampled_from("abcd"),
        st.sampled_from([0.5, 1.0, 2.0]),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda member: member.name,
)
COUNTS = st.sampled_from([16, 64, 200])
REPLICAS = st.integers(1, 4)


def copies(table: SlotTable) -> Counter[str]:
    return Counter(name for slot in table.slots for name in slot.replicas)


def check_shape(members: list[Member], table: SlotTable, replicas: int) -> None:
    """See that each slot is led by one in sync, and is in as many zones as there can be."""
    zone = {member.name: member.zone for member in members}
    wanted = min(replicas, len(members))
    for slot in table.slots:
        assert slot.leader in slot.in_sync
        assert set(slot.in_sync) <= set(slot.replicas)
        assert len(slot.replicas) == len(set(slot.replicas)) == wanted
        assert len({zone[name] for name in slot.replicas}) == min(wanted, len(set(zone.values())))
        assert slot.coming == ()


@given(MEMBERS, COUNTS, REPLICAS)
def test_fresh_table_is_whole_and_right_and_the_same_whatever_the_order(
    members: list[Member], count: int, replicas: int
) -> None:
    table = place(members, empty_table(count), replicas)
    check_shape(members, table, replicas)
    assert {slot.epoch for slot in table.slots} == {1}
    assert table.version == 1
    shuffled = list(members)
    Random(count).shuffle(shuffled)
    assert place(shuffled, empty_table(count), replicas) == table
    assert place(members, table, replicas) is table


@given(st.integers(2, 12), COUNTS, st.integers(1, 3), st.integers(1, 4))
def test_equal_nodes_in_equal_zones_carry_equal_shares(
    nodes: int, count: int, replicas: int, zones: int
) -> None:
    nodes = max(nodes, replicas) * zones
    members = [Member(f"n{n:02}", zone=f"z{n % zones}") for n in range(nodes)]
    table = place(members, empty_table(count), replicas)
    share = count * min(replicas, nodes) / nodes
    carried = copies(table)
    assert max(carried.values()) <= ceil(share * (1 + PLACE_SLACK) + 1)
    assert min(carried[m.name] for m in members) >= int(share * (1 - PLACE_SLACK) - 1)
    leaders = Counter(slot.leader for slot in table.slots)
    assert max(leaders.values()) <= ceil(count / nodes * (1 + PLACE_SLACK)) + 2


@given(st.sampled_from([0.5, 2.0, 4.0]), st.integers(2, 8))
def test_share_follows_the_capacity(capacity: float, nodes: int) -> None:
    members = [Member(f"n{n}") for n in range(nodes)] + [Member("big", capacity=capacity)]
    table = place(members, empty_table(400), 1)
    share = 400 * capacity / (nodes + capacity)
    assert abs(copies(table)["big"] - share) <= share * PLACE_SLACK + 2


@settings(max_examples=150)
@given(MEMBERS.filter(lambda m: len(m) >= 2), COUNTS, REPLICAS, st.integers(0, 100))
def test_loss_of_one_node_moves_only_what_it_had(
    members: list[Member], count: int, replicas: int, which: int
) -> None:
    table = place(members, empty_table(count), replicas)
    lost = members[which % len(members)].name
    rest = [member for member in members if member.name != lost]
    after = place(rest, table, replicas)
    had = 0
    for was, now in zip(table.slots, after.slots, strict=True):
        if set(was.in_sync) <= {lost}:
            assert now == was  # nobody else has it: it waits
            continue
        had += lost in was.replicas
        assert now.leader in was.in_sync and now.leader != lost
        assert now.epoch == was.epoch + (now.leader != was.leader)
        assert lost not in now.replicas
    carried = copies(table)
    made = sum(
        len(set(now.replicas) - set(was.replicas))
        for was, now in zip(table.slots, after.slots, strict=True)
    )
    # Its own share; beyond that only where a zone has gone with it or shares were far off before.
    zones_left = {m.zone for m in rest} == {m.zone for m in members}
    if zones_left and len({m.capacity for m in members}) == 1 == len({m.zone for m in members}):
        assert made <= carried[lost]


def test_thousand_nodes_lose_one_and_move_its_share_and_no_more() -> None:
    members = [Member(f"n{n:04}", zone=f"z{n % 3}") for n in range(1_000)]
    table = place(members, empty_table(16_384))
    check_shape(members, table, 3)
    lost = members[500].name
    after = place([m for m in members if m.name != lost], table)
    pairs = [p for p in zip(table.slots, after.slots, strict=True) if p[0] != p[1]]
    assert len(pairs) == copies(table)[lost]
    assert all(lost in was.replicas for was, _ in pairs)


@given(st.integers(3, 10), COUNTS)
def test_node_that_joins_gets_its_share_and_nothing_moves_between_others(
    nodes: int, count: int
) -> None:
    members = [Member(f"n{n}") for n in range(nodes)]
    table = place(members, empty_table(count), 2)
    after = place([*members, Member("new")], table, 2)
    share = count * 2 / (nodes + 1)
    for was, now in zip(table.slots, after.slots, strict=True):
        assert set(now.replicas) - set(was.replicas) <= {"new"}
    assert share * (1 - PLACE_SLACK) - 2 <= copies(after)["new"] <= ceil(share)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=12), REPLICAS)
def test_epochs_never_go_back_and_nobody_leads_what_it_does_not_have(
    history: list[tuple[int, bool]], replicas: int
) -> None:
    up = {f"n{n}": True for n in range(5)}
    table = empty_table(32)
    for number, is_here in [(0, True), *history]:
        up[f"n{number}"] = is_here
        members = [
            Member(name, zone=f"z{int(name[1:]) % 3}", is_up=is_up) for name, is_up in up.items()
        ]
        after = place(members, table, replicas)
        for was, now in zip(table.slots, after.slots, strict=True):
            assert now.epoch >= was.epoch
            assert (now.leader == was.leader) == (now.epoch == was.epoch)
            if was.epoch and now.leader != was.leader:
                able = {name for name in was.in_sync if up[name]} & set(now.replicas)
                assert now.leader in was.in_sync or not able
            assert now.leader in now.replicas
            assert now.leader in now.in_sync
        table = after


def test_nobody_there_changes_nothing() -> None:
    table = place([Member("a")], empty_table(8), 1)
    assert place([], table, 1) is table
    assert place([Member("a", is_up=False)], table, 1) is table
    assert place([Member("b")], table, 1) is table  # all is at a, which may come back


def test_new_zone_is_used_for_what_shared_one() -> None:
    members = [Member("a", zone="x"), Member("b", zone="x")]
    table = place(members, empty_table(16), 2)
    joined = [*members, Member("c", zone="y")]
    check_shape(joined, place(joined, table, 2), 2)


def emptied(members: list[Member], *names: str) -> list[Member]:
    return [
        Member(m.name, m.zone, capacity=0.0 if m.name in names else m.capacity) for m in members
    ]


@settings(max_examples=150)
@given(MEMBERS.filter(lambda m: len(m) >= 2), COUNTS, REPLICAS, st.integers(0, 100))
def test_drained_node_loses_all_it_had_and_only_that_moves(
    members: list[Member], count: int, replicas: int, which: int
) -> None:
    table = place(members, empty_table(count), replicas)
    name = members[which % len(members)].name
    rest = [member for member in members if member.name != name]
    after = place(emptied(members, name), table, replicas)
    check_shape(rest, after, replicas)
    for was, now in zip(table.slots, after.slots, strict=True):
        assert name not in now.replicas
        assert now.epoch == was.epoch + (now.leader != was.leader)
    made = sum(
        len(set(now.replicas) - set(was.replicas))
        for was, now in zip(table.slots, after.slots, strict=True)
    )
    if len({m.capacity for m in members}) == 1 == len({m.zone for m in members}):
        assert made <= copies(table)[name]
    assert place(emptied(members, name), after, replicas) is after


@given(st.integers(2, 8), COUNTS)
def test_shares_of_equal_nodes_stay_equal_when_one_is_drained_and_when_it_comes_back(
    nodes: int, count: int
) -> None:
    members = [Member(f"n{n}") for n in range(nodes)]
    table = place(members, empty_table(count), 1)
    after = place(emptied(members, "n0"), table, 1)
    carried = copies(after)
    share = count / (nodes - 1)
    for member in members[1:]:
        assert abs(carried[member.name] - share) <= share * PLACE_SLACK + 2
    again = place(members, after, 1)
    share = count / nodes
    assert share * (1 - PLACE_SLACK) - 2 <= copies(again)["n0"] <= ceil(share)
    for was, now in zip(after.slots, again.slots, strict=True):
        assert now.replicas in {was.replicas, ("n0",)}


@given(st.integers(1, 8), COUNTS)
def test_node_that_joins_gets_its_share_of_sole_copies_too(nodes: int, count: int) -> None:
    members = [Member(f"n{n}") for n in range(nodes)]
    table = place(members, empty_table(count), 1)
    after = place([*members, Member("new")], table, 1)
    share = count / (nodes + 1)
    assert share * (1 - PLACE_SLACK) - 2 <= copies(after)["new"] <= ceil(share)
    for was, now in zip(table.slots, after.slots, strict=True):
        assert now.replicas in {was.replicas, ("new",)}


def test_what_a_drained_node_has_waits_for_it_while_it_is_down_or_all_are_drained() -> None:
    a, b = Member("a"), Member("b")
    table = place([a, b], empty_table(16), 1)
    gone = Member("a", capacity=0.0, is_up=False)
    assert place([gone, b], table, 1) is table
    assert place(emptied([a, b], "a", "b"), table, 1) is table
    moved = place([Member("a", capacity=0.0), b], table, 1)
    assert {slot.leader for slot in moved.slots} == {"b"}


def test_two_can_be_drained_at_once() -> None:
    members = [Member(f"n{n}", zone=f"z{n}") for n in range(4)]
    table = place(members, empty_table(64), 2)
    after = place(emptied(members, "n0", "n1"), table, 2)
    assert {frozenset(slot.replicas) for slot in after.slots} == {frozenset({"n2", "n3"})}
