"""Knows where slots belong: `place(members, table)` is the table that there should be.
Must not know how one comes there, registries, clocks or chance.

In this order of weight:

1. A slot's copies are in different zones, as far as there are zones.
2. Only who is in sync leads, and only who is up; if nobody is, the slot keeps its leader and waits.
3. What need not move does not: a node is left in peace while it is near its share of the capacity.
4. Shares are by capacity, of copies and of leaders. Who has none gets nothing, and gives up what
   it has as soon as another can take it.

The same members and table give the same result, in whatever order the members come.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import TypeAlias
from zlib import crc32

from actorchat.cluster.slots import Member, Slot, SlotTable, replaced
from actorchat.limits import PLACE_SLACK, REPLICAS

_Key: TypeAlias = tuple[float, int, str]  # load, what decides between equals, name


class Loads:
    """How much each member carries, and who of a zone carries least for its capacity."""

    def __init__(self, members: list[Member]) -> None:
        self.members = {member.name: member for member in members}
        self.count = dict.fromkeys(self.members, 0)
        self.zone = {name: member.zone for name, member in self.members.items()}
        self._weight = {name: member.capacity for name, member in self.members.items()}
        self._up = {member.name for member in members if member.is_up}
        self.zones = sorted({self.zone[name] for name in self._up})
        self._heaps: dict[str, list[_Key]] = {zone: [] for zone in self.zones}
        for name in self._up:
            self._heaps[self.zone[name]].append(self._key(name))
        for heap in self._heaps.values():
            heapq.heapify(heap)
        self._tops = [(0.0, zone) for zone in self.zones]

    def add(self, name: str, count: int = 1) -> None:
        """Note that a member carries so many more."""
        self.count[name] += count
        if name in self._up:
            zone = self.zone[name]
            heapq.heappush(self._heaps[zone], self._key(name))
            top = self._top(zone)
            heapq.heappush(self._tops, (top, zone))

    def _key(self, name: str) -> _Key:
        # Of equals another comes first in each round, or the same nodes would share all their
        # slots, and what one of them did would fall to these few alone.
        return self.load(name), crc32(f"{name}/{self.count[name]}".encode()), name

    def load(self, name: str) -> float:
        """Return what a member carries for its capacity."""
        return self.count[name] / self._weight[name]

    def lightest(self, not_in: Iterable[str]) -> str | None:
        """Return who carries least and is none of `not_in`, in a zone of none of them if any is."""
        taken = set(not_in)
        zones = {self.zone[name] for name in taken if name in self.zone}
        found, put_back = None, []
        while self._tops:
            load, zone = self._tops[0]
            if load != self._top(zone):
                heapq.heappop(self._tops)  # out of date: a later one is in there
                continue
            if zone in zones:
                put_back.append(heapq.heappop(self._tops))
                continue
            found = self._heaps[zone][0][2]
            break
        for item in dict.fromkeys(put_back):
            heapq.heappush(self._tops, item)
        return found if found is not None else self._lightest_anywhere(taken)

    def _lightest_anywhere(self, taken: set[str]) -> str | None:
        """Return who carries least and is not `taken`, whatever the zone."""
        best: _Key | None = None
        for zone, heap in self._heaps.items():
            put_back = []
            while self._top(zone) != float("inf") and heap[0][2] in taken:
                put_back.append(heapq.heappop(heap))
            if heap and (best is None or heap[0] < best):
                best = heap[0]
            for item in put_back:
                heapq.heappush(heap, item)
        return None if best is None else best[2]

    def _top(self, zone: str) -> float:
        """Return the least load of a zone, having dropped what is out of date."""
        heap = self._heaps[zone]
        while heap and heap[0][0] != self.load(heap[0][2]):
            heapq.heappop(heap)
        return heap[0][0] if heap else float("inf")


def place(members: Iterable[Member], table: SlotTable, replicas: int = REPLICAS) -> SlotTable:
    """Return where every slot should be, given who is there; `table` itself if that is right.

    Args:
        members: Those that count. One that is not `is_up` keeps its copies and leads nothing that
            another in sync can lead; one that is left out loses both. One of capacity 0 loses both
            as well, but while it is up others can copy from it.
        table: Where they are. `coming` is not looked at, and is empty in what is returned.
        replicas: Copies of each slot; fewer where there are fewer members.
    """
    everybody = sorted(members, key=lambda member: member.name)
    known = [member for member in everybody if member.capacity > 0]
    if not any(member.is_up for member in known):
        return table
    leaving = {member.name for member in everybody if member.capacity <= 0 and member.is_up}
    copies = _Copies(known, leaving, table, replicas)
    copies.keep()
    copies.part()
    copies.fill()
    copies.even()
    leaders = _lead(known, leaving, table, copies.holders)
    changes: dict[int, Slot] = {}
    for number, was in enumerate(table.slots):
        holders, leader = tuple(copies.holders[number]), leaders[number]
        in_sync = tuple(name for name in was.in_sync if name in holders)
        if not was.epoch and holders:
            in_sync = holders  # nothing was written into it yet
        elif leader in holders and leader not in in_sync:
            in_sync = (*in_sync, leader)  # it is copied to before it leads
        epoch = was.epoch + (leader != was.leader)
        slot = Slot(leader, epoch, holders, in_sync)
        if slot != was:
            changes[number] = slot
    return replaced(table, changes)


class _Copies:
    """Who has a copy of which slot, while that is being worked out."""

    def __init__(
        self, members: list[Member], leaving: set[str], table: SlotTable, replicas: int
    ) -> None:
        self.loads = Loads(members)
        self.holders: list[list[str]] = []
        self._table = table
        self._leaving = leaving  # up, with copies that others can make theirs of
        self._up = [member.name for member in members if member.is_up]
        self._wanted = min(replicas, len(members))
        self._held: dict[str, set[int]] = {member.name: set() for member in members}

    def keep(self) -> None:
        """Begin with the copies that members have; what nobody else has waits for its node."""
        for number, slot in enumerate(self._table.slots):
            held = [name for name in slot.replicas if name in self._held]
            if slot.epoch and not any(map(self._is_known, slot.in_sync)):
                held = list(slot.replicas)  # nobody in sync is a member: nothing may be given up
            self.holders.append(held)
            for name in held:
                if name in self._held:
                    self._held[name].add(number)
        for name, numbers in self._held.items():
            self.loads.add(name, len(numbers))

    def part(self) -> None:
        """Give up copies that are too many, or share a zone while there is one without."""
        for number, held in enumerate(self.holders):
            if not self._may_change(number):
                continue
            slot = self._table.slots[number]
            while len(held) > self._wanted:
                self._take(number, max(held, key=lambda n: self._worth_giving_up(n, held, slot)))
            zones = [self.loads.zone[name] for name in held]
            if len(set(zones)) < min(len(held), len(self.loads.zones)):
                twice = [n for n in held if zones.count(self.loads.zone[n]) > 1]
                gone = max(twice, key=lambda n: self._worth_giving_up(n, held, slot))
                other = self.loads.lightest(held)
                if other is not None and self.loads.zone[other] not in zones:
                    self._move(number, gone, other)

    def fill(self) -> None:
        """Give every slot the copies that it lacks, where there is most room."""
        for number, held in enumerate(self.holders):
            while len(held) < self._wanted and self._may_change(number):
                name = self.loads.lightest(held)
                if name is None:
                    break
                self._put(number, name)

    def even(self) -> None:
        """Move copies from those that are far above their share, and to those far below."""
        capacity = sum(self.loads.members[name].capacity for name in self._up)
        total = sum(self.loads.count[name] for name in self._up)
        share = {n: total * self.loads.members[n].capacity / capacity for n in self._up}
        slack = {name: PLACE_SLACK * share[name] + 1 for name in self._up}
        count = self.loads.count
        for name in sorted(self._up, key=lambda n: share[n] - count[n]):
            if count[name] > share[name] + slack[name]:
                for number in sorted(self._held[name]):
                    if count[name] <= share[name]:
                        break
                    self._give(number, name, share)
        givers = [(-self.loads.load(n), n) for n in self._up]
        heapq.heapify(givers)
        for name in sorted(self._up, key=lambda n: count[n] - share[n]):
            if count[name] < share[name] - slack[name]:
                self._draw(name, share[name], givers)

    def _give(self, number: int, name: str, share: dict[str, float]) -> None:
        held = self.holders[number]
        others = [other for other in held if other != name]
        target = self.loads.lightest(held) if self._may_change(number) else None
        if target is None or self.loads.count[target] + 1 > share[target]:
            return
        if self._fits(target, name, others):
            self._move(number, name, target)

    def _draw(self, name: str, share: float, givers: list[tuple[float, str]]) -> None:
        """Fill up a member, each time from who carries most and has something that fits."""
        loads, unfit = self.loads, []
        weight = loads.members[name].capacity
        while givers and loads.count[name] + 1 <= share:
            load, giver = heapq.heappop(givers)
            if -load != loads.load(giver):
                heapq.heappush(givers, (-loads.load(giver), giver))
                continue
            left = (loads.count[giver] - 1) / loads.members[giver].capacity
            if left < (loads.count[name] + 1) / weight:
                unfit.append((load, giver))
                break  # nobody carries more, so it would only change sides
            number = self._fitting(giver, name)
            if number is None:
                unfit.append((load, giver))
                continue
            self._move(number, giver, name)
            heapq.heappush(givers, (-loads.load(giver), giver))
        for item in unfit:
            heapq.heappush(givers, item)

    def _fitting(self, giver: str, name: str) -> int | None:
        """Return a slot of `giver` that `name` could have in its stead."""
        for number in sorted(self._held[giver]):
            held = self.holders[number]
            others = [other for other in held if other != giver]
            is_free = name not in held and self._may_change(number)
            if is_free and self._fits(name, giver, others):
                return number
        return None

    def _fits(self, new: str, old: str, others: list[str]) -> bool:
        """Say whether `new` for `old` beside `others` has copies in no fewer zones."""
        zones = {self.loads.zone[name] for name in others}
        return self.loads.zone[new] not in zones or self.loads.zone[old] in zones

    def _may_change(self, number: int) -> bool:
        """Say whether somebody who is up has all of the slot, so that it could be copied."""
        slot = self._table.slots[number]
        return not slot.epoch or any(self._is_known(n) and self._is_up(n) for n in slot.in_sync)

    def _is_known(self, name: str) -> bool:
        return name in self._held or name in self._leaving

    def _is_up(self, name: str) -> bool:
        return name in self._leaving or self.loads.members[name].is_up

    def _worth_giving_up(self, name: str, held: list[str], slot: Slot) -> tuple[object, ...]:
        zones = [self.loads.zone[other] for other in held]
        is_twice = zones.count(self.loads.zone[name]) > 1
        return is_twice, name != slot.leader, name not in slot.in_sync, self.loads.load(name), name

    def _put(self, number: int, name: str) -> None:
        self.holders[number].append(name)
        self._held[name].add(number)
        self.loads.add(name)

    def _take(self, number: int, name: str) -> None:
        self.holders[number].remove(name)
        self._held[name].discard(number)
        self.loads.add(name, -1)

    def _move(self, number: int, old: str, new: str) -> None:
        self._take(number, old)
        self._put(number, new)


def _lead(
    members: list[Member], leaving: set[str], table: SlotTable, holders: list[list[str]]
) -> list[str]:
    """Return who leads each slot."""
    up = {member.name: member.capacity for member in members if member.is_up}
    count = dict.fromkeys(up, 0)
    choices: list[list[str]] = []
    leaders: list[str] = []
    open_slots: list[int] = []
    for number, slot in enumerate(table.slots):
        in_sync = (
            [n for n in slot.in_sync if n in holders[number]] if slot.epoch else holders[number]
        )
        able = [name for name in in_sync if name in up]
        if slot.epoch and not able:
            # All that is known of it left these members: whoever it was copied to leads next.
            moved = any(name in up or name in leaving for name in slot.in_sync)
            able = [name for name in holders[number] if name in up] if moved else []
        choices.append(able)
        leader = slot.leader if slot.leader in able or not able else ""
        leaders.append(leader)
        if not leader:
            open_slots.append(number)
        elif leader in count:
            count[leader] += 1
    for number in open_slots:
        if choices[number]:
            leader = min(choices[number], key=lambda name: (count[name] / up[name], name))
            leaders[number] = leader
            count[leader] += 1
    capacity = sum(up.values())
    total = sum(count.values())
    share = {name: total * up[name] / capacity for name in up}
    for number, able in enumerate(choices):
        leader = leaders[number]
        if len(able) > 1 and count.get(leader, 0) > share[leader] * (1 + PLACE_SLACK) + 1:
            other = min(able, key=lambda name: (count[name] / up[name], name))
            if count[other] + 1 <= share[other]:
                leaders[number] = other
                count[leader] -= 1
                count[other] += 1
    return leaders
