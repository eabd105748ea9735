"""Knows what the elected controller decides, and when. Must not know registries, actors or clocks.

    Elected, Deposed, Present, Loaded, Written, Refused, Copied, Tick
        ──► handle(event, now) ──► Load, Write

One change at a time: the next is worked out from what was really written. A slot whose leader has
gone is given to another in sync at once; everything else is a hand-over that is announced
(`coming`), copied, and only then switched, a bounded number at a time. One that is given up, or
goes elsewhere, counts the slot's epoch up: a leader that has held what came since its copy was
complete must never be taken at its word after it has let go of it. Whoever takes office counts
the controller's epoch up, and gives up at the sight of a later one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from actorchat.cluster.place import place
from actorchat.cluster.slots import (
    Member,
    Slot,
    SlotTable,
    Step,
    empty_table,
    replaced,
    steps,
)
from actorchat.limits import MEMBER_GONE_S, MOVES_AT_ONCE, REPLICAS


class Elected(msgspec.Struct, frozen=True, gc=False):
    """This node is the controller."""


class Deposed(msgspec.Struct, frozen=True, gc=False):
    """It no longer is, or may no longer be."""


class Present(msgspec.Struct, frozen=True, gc=False):
    """Who is there now."""

    members: tuple[Member, ...]


class Loaded(msgspec.Struct, frozen=True, gc=False):
    """The table as it lies in the registry; None: there is none. `entry` is what to write over."""

    table: SlotTable | None
    entry: int


class Written(msgspec.Struct, frozen=True, gc=False):
    """The last `Write` was done."""

    entry: int


class Refused(msgspec.Struct, frozen=True, gc=False):
    """It was not done, or nobody knows: what lies there must be read again."""


COPIED_CODE = 0x8002  # codes from 0x8000 on are the cluster's own


class Copied(msgspec.Struct, frozen=True, gc=False):
    """The leader at `epoch` says that `node` has all of the slot, and follows."""

    slot: int
    epoch: int
    node: str


class Tick(msgspec.Struct, frozen=True, gc=False):
    """The deadline has come."""


Event: TypeAlias = Elected | Deposed | Present | Loaded | Written | Refused | Copied | Tick


class Load(msgspec.Struct, frozen=True, gc=False):
    """Read the table."""


class Write(msgspec.Struct, frozen=True, gc=False):
    """Write `table`, which differs from `old`, over the header's version `entry`."""

    table: SlotTable
    old: SlotTable | None
    entry: int


Effect: TypeAlias = Load | Write


class Controller:
    """Who decides where slots are, while it is elected.

    Args:
        members_min: How many must be there for the first table, after which this is not asked.
    """

    def __init__(
        self,
        slots: int,
        replicas: int = REPLICAS,
        *,
        gone_s: float = MEMBER_GONE_S,
        moves_at_once: int = MOVES_AT_ONCE,
        members_min: int = 1,
    ) -> None:
        self.is_elected = False
        self.epoch = 0
        self.table: SlotTable | None = None
        self._slots = slots
        self._replicas = replicas
        self._gone_s = gone_s
        self._moves_at_once = moves_at_once
        self._members_min = members_min
        self._members: dict[str, Member] = {}
        self._away_s: dict[str, float] = {}  # since when a member is not there
        self._target: SlotTable | None = None
        self._entry = 0
        self._is_loaded = False
        self._writing: SlotTable | None = None
        self._copied: dict[tuple[int, int], set[str]] = {}  # by slot and epoch
        self._seen_members = False

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Return what follows from `event` at `now`, in seconds."""
        match event:
            case Elected():
                self.is_elected, self.epoch = True, 0
                return self._reload()
            case Deposed():
                self.is_elected = self._is_loaded = False
                self._writing = None
                return []
            case Present(members):
                self._on_present(members, now)
            case Loaded(table, entry):
                self._on_loaded(table, entry, now)
            case Written(entry):
                if self._writing is None:
                    return []
                self.table, self._entry, self._writing = self._writing, entry, None
                slots = self.table.slots
                # What came while it was written may be of a hand-over that it gave up.
                self._copied = {k: v for k, v in self._copied.items() if slots[k[0]].epoch == k[1]}
            case Refused():
                return self._reload() if self.is_elected else []
            case Copied(slot, epoch, node):
                self._on_copied(slot, epoch, node)
            case Tick():
                self._on_tick(now)
        return self._decide()

    def deadline(self) -> float | None:
        """Return when the next member counts as gone for good; None if none is away."""
        return min((s + self._gone_s for s in self._away_s.values()), default=None)

    def moves(self) -> dict[int, list[Step]]:
        """Return, for each slot that is not where it should be, the steps that lead there."""
        if self.table is None or self._target is None:
            return {}
        pairs = enumerate(zip(self.table.slots, self._target.slots, strict=True))
        found = {number: steps(number, now, then) for number, (now, then) in pairs}
        return {number: plan for number, plan in found.items() if plan}

    # -- who is there -----------------------------------------------------------------------------
    def _on_present(self, members: Sequence[Member], now: float) -> None:
        here = {member.name: member for member in members}
        for name in [*self._members, *self._held()]:
            if name not in here:
                self._away_s.setdefault(name, now)
        for name in here:
            self._away_s.pop(name, None)
        self._members.update(here)
        self._seen_members = True
        self._target = None

    def _held(self) -> set[str]:
        """Return everybody whom the table names."""
        slots = self.table.slots if self.table is not None else ()
        return {name for slot in slots for name in slot.replicas}

    def _on_tick(self, now: float) -> None:
        for name, since_s in list(self._away_s.items()):
            if now - since_s >= self._gone_s:
                del self._away_s[name]
                self._members.pop(name, None)
                self._target = None

    def _known(self) -> list[Member]:
        found = []
        for name in {**self._members, **self._away_s}:
            member = self._members.get(name) or Member(name)
            is_up = name not in self._away_s
            found.append(msgspec.structs.replace(member, is_up=is_up))
        return found

    # -- the table --------------------------------------------------------------------------------
    def _reload(self) -> list[Effect]:
        self._is_loaded = False
        self._writing = None
        return [Load()]

    def _on_loaded(self, table: SlotTable | None, entry: int, now: float) -> None:
        if not self.is_elected:
            return
        found = table.controller if table is not None else 0
        if self.epoch and found > self.epoch:
            self.is_elected = False  # somebody has been elected since
            return
        self.epoch = self.epoch or found + 1
        self.table, self._entry, self._is_loaded = table, entry, True
        self._target = None
        self._copied.clear()
        if self._seen_members:
            up = [m for name, m in self._members.items() if name not in self._away_s]
            self._on_present(up, now)

    def _on_copied(self, number: int, epoch: int, node: str) -> None:
        if self.table is None or not 0 <= number < len(self.table.slots):
            return
        slot = self.table.slots[number]
        # Of a leader that was: its copy need not have what the present one has acked.
        if slot.epoch == epoch and node in slot.coming:
            self._copied.setdefault((number, epoch), set()).add(node)

    def _decide(self) -> list[Effect]:
        ready = self.is_elected and self._is_loaded and self._seen_members
        if not ready or self._writing is not None:
            return []
        table = self.table if self.table is not None else empty_table(self._slots)
        known = self._known()
        if self.table is None and sum(member.is_up for member in known) < self._members_min:
            return []
        if self._target is None:
            self._target = _aim(known, table, self._replicas)
        up = {member.name for member in known if member.is_up}
        names = {member.name for member in known}
        room = self._moves_at_once - sum(bool(slot.coming) for slot in table.slots)
        changes: dict[int, Slot] = {}
        for number, (now, then) in enumerate(zip(table.slots, self._target.slots, strict=True)):
            if now == then:
                continue
            slot = self._next(number, now, then, up, names, may_begin=room > 0)
            if slot != now:
                room -= bool(slot.coming) - bool(now.coming)
                changes[number] = slot
        if not changes and table.controller == self.epoch:
            return []
        new = replaced(table, changes)
        new = SlotTable(new.slots, max(new.version, table.version + 1), self.epoch)
        self._writing = new
        return [Write(new, self.table, self._entry)]

    def _next(
        self, number: int, now: Slot, then: Slot, up: set[str], names: set[str], *, may_begin: bool
    ) -> Slot:
        """Return the slot's next place on its way from `now` to `then`."""
        if not now.epoch:
            return then
        missing = tuple(name for name in then.replicas if name not in now.replicas)
        copied = self._copied.get((number, now.epoch), set())
        if missing and not copied.issuperset(missing):
            leader = now.leader
            if leader not in up:
                able = [name for name in now.in_sync if name in up]
                leader = then.leader if then.leader in able else (able or [leader])[0]
            held = [n for n in now.replicas if n in names] if leader in names else now.replicas
            coming = missing if may_begin or now.coming else ()
            coming = coming if leader in up else ()
            in_sync = tuple(name for name in now.in_sync if name in held)
            return _stepped(now, Slot(leader, 0, tuple(held), in_sync, coming))
        known = {*now.in_sync, *copied}
        in_sync = tuple(name for name in then.replicas if name in known) or then.in_sync
        return _stepped(now, Slot(then.leader, 0, then.replicas, in_sync))


def _stepped(now: Slot, then: Slot) -> Slot:
    """Return `then` at the epoch that follows from `now`: the same, if all goes as announced."""
    is_given_up = not {*now.coming} <= {*then.coming, *then.replicas}
    is_new = then.leader != now.leader or is_given_up
    return msgspec.structs.replace(then, epoch=now.epoch + is_new)


def _aim(known: Sequence[Member], table: SlotTable, replicas: int) -> SlotTable:
    """Return where all should be.

    A sole copy that is on its way goes on to where it goes, if it is to leave its leader at all:
    to go elsewhere would be as well balanced, and what is copied would be copied again.
    """
    settled = _settled(table)
    target = place(known, settled, replicas)
    able = {member.name for member in known if member.is_up and member.capacity > 0}
    arrived: dict[int, Slot] = {}
    is_redirected = False
    for number, (now, then) in enumerate(zip(table.slots, target.slots, strict=True)):
        if now.coming and len(now.replicas) == len(now.coming) == 1 and then.leader != now.leader:
            (node,) = now.coming
            if node in able:
                arrived[number] = Slot(node, now.epoch + 1, now.coming, now.coming)
                is_redirected |= then.leader != node
    return place(known, replaced(settled, arrived), replicas) if is_redirected else target


def _settled(table: SlotTable) -> SlotTable:
    """Return the table without what is under way."""
    if not any(slot.coming for slot in table.slots):
        return table
    slots = tuple(
        msgspec.structs.replace(slot, coming=()) if slot.coming else slot for slot in table.slots
    )
    return SlotTable(slots, table.version, table.controller)
