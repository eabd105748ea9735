"""Knows the slot table: who leads a slot, who copies it, at which epoch, and how it is written.
Must not know how places are chosen, registries, clocks or actors.

An epoch grows whenever a slot's leader changes, and when a hand-over that was announced is given
up or goes to another node: a new epoch need not be of a new leader. Everything that a leader says
carries it, and whoever has seen a later one refuses it: that is what makes a leader that slept
harmless, and not that it might have noticed in time. That a copy is complete is one of the things
that it says; it is about the hand-over of that epoch and of no later one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from actorchat.errors import MalformedFrame
from actorchat.limits import SLOT_BLOCK
from actorchat.protocol import codec

NOBODY = ""


class Slot(msgspec.Struct, frozen=True, gc=False):
    """Where one slot is.

    Attributes:
        leader: The node that answers for it, or whose return it waits for; empty before the first.
        epoch: Of this leader and, if there is one, of its hand-over; 0 before the first.
        replicas: The nodes that have, or make themselves, a copy; the leader among them.
        in_sync: Those of them whose copy has all that was acked: only they may lead.
        coming: Nodes to which it is being copied, to take the place of others.
    """

    leader: str = NOBODY
    epoch: int = 0
    replicas: tuple[str, ...] = ()
    in_sync: tuple[str, ...] = ()
    coming: tuple[str, ...] = ()


class Member(msgspec.Struct, frozen=True, gc=False):
    """A node, as it describes itself, and whether it is there.

    `capacity` is its share of slots relative to others'; 0 of one that is drained. `incarnation`
    grows with each start. `address` and `key`, its public CURVE key, are those of its links. One
    that leads nothing has connections of clients only. `seat` is known to processes over its data
    only, one at a time.
    """

    name: str
    zone: str = ""
    region: str = ""
    capacity: float = 1.0
    address: str = ""
    incarnation: int = 0
    is_up: bool = True
    key: str = ""
    leads: bool = True
    seat: str = ""


class SlotTable(msgspec.Struct, frozen=True):
    """All slots. `version` grows with each change; `controller` is the epoch of who made it."""

    slots: tuple[Slot, ...]
    version: int = 0
    controller: int = 0

    def leader_of(self, slot: int) -> str:
        """Return who leads `slot`; empty if nobody ever did."""
        return self.slots[slot].leader


def empty_table(count: int) -> SlotTable:
    """Return a table of `count` slots that are nowhere yet."""
    assert count > 0
    return SlotTable((Slot(),) * count)


def replaced(table: SlotTable, changes: dict[int, Slot], controller: int = 0) -> SlotTable:
    """Return `table` with some slots changed, at the next version; itself if there are none."""
    if not changes:
        return table
    slots = list(table.slots)
    for number, slot in changes.items():
        slots[number] = slot
    return SlotTable(tuple(slots), table.version + 1, max(controller, table.controller))


# -- a planned hand-over --------------------------------------------------------------------------


class Drain(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The leader takes no more into the slot: what comes waits, and what is under way is acked."""

    slot: int
    node: str
    epoch: int


class Copy(msgspec.Struct, frozen=True, tag=True, gc=False):
    """`target` gets a copy of the slot from `source`, and follows it from then on."""

    slot: int
    source: str
    target: str
    epoch: int


class Switch(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The table names `target` as leader at `epoch`; what waited is sent on to it."""

    slot: int
    target: str
    epoch: int


class Drop(msgspec.Struct, frozen=True, tag=True, gc=False):
    """`node` may forget its copy, once the table no longer names it."""

    slot: int
    node: str


Step = Copy | Drain | Switch | Drop


def steps(number: int, now: Slot, then: Slot) -> list[Step]:
    """Return what brings a slot from `now` to `then`, in order; who is copied to is in sync after.

    The bulk is copied while the leader goes on; only the last of it, and the switch, are waited
    for. A leader that is not to change drains nothing.
    """
    found: list[Step] = [
        Copy(number, now.leader, node, now.epoch)
        for node in then.replicas
        if node not in now.replicas
    ]
    if then.leader != now.leader:
        if now.leader:
            found.append(Drain(number, now.leader, now.epoch))
        found.append(Switch(number, then.leader, now.epoch + 1))
    found += [Drop(number, node) for node in now.replicas if node not in then.replicas]
    return found


# -- as bytes -------------------------------------------------------------------------------------

_HEAD = struct.Struct(">IBBBH")  # epoch, numbers of replicas, in sync, coming; the leader's index
_INDEX = struct.Struct(">H")
_NO_INDEX = 0xFFFF


class Header(msgspec.Struct, frozen=True):
    """What tells readers of a table which of its blocks have changed.

    `blocks` has, for each block of `block_slots` slots, the version of the table at which it was
    written last.
    """

    slots: int
    version: int
    controller: int
    blocks: list[int]
    block_slots: int = SLOT_BLOCK


def header_out(header: Header) -> bytes:
    """Return a header as an entry's value."""
    return codec.encode(header)


def header_in(value: bytes) -> Header:
    """Return the header that `value` is.

    Raises:
        MalformedFrame: It is none.
    """
    try:
        header = msgspec.convert(codec.decode(value), Header)
    except msgspec.ValidationError as error:
        raise MalformedFrame(f"no header of a slot table: {error}") from None
    blocks = -(-header.slots // header.block_slots) if header.block_slots > 0 else -1
    if header.slots < 1 or blocks != len(header.blocks):
        raise MalformedFrame("a header of a slot table whose numbers do not fit")
    return header


def block_out(slots: Sequence[Slot], version: int) -> bytes:
    """Return a block of slots as an entry's value; names are listed once."""
    names: dict[str, int] = {}

    def index(name: str) -> int:
        return names.setdefault(name, len(names)) if name else _NO_INDEX

    packed = bytearray()
    for slot in slots:
        lists = (slot.replicas, slot.in_sync, slot.coming)
        packed += _HEAD.pack(slot.epoch, *map(len, lists), index(slot.leader))
        for nodes in lists:
            for name in nodes:
                packed += _INDEX.pack(index(name))
    return codec.encode({"version": version, "names": "\n".join(names), "slots": bytes(packed)})


def block_in(value: bytes) -> tuple[tuple[Slot, ...], int]:
    """Return the slots of a block and its version.

    Raises:
        MalformedFrame: It is none.
    """
    said = codec.decode(value)
    version, names, packed = said.get("version"), said.get("names"), said.get("slots")
    if not (isinstance(version, int) and isinstance(names, str) and isinstance(packed, bytes)):
        raise MalformedFrame("no block of a slot table")
    try:
        return tuple(_slots_in(packed, names.split("\n"))), version
    except (struct.error, IndexError):
        raise MalformedFrame("a block of a slot table is cut off") from None


def _slots_in(packed: bytes, names: list[str]) -> Iterable[Slot]:
    at = 0
    while at < len(packed):
        epoch, replicas, in_sync, coming, leader = _HEAD.unpack_from(packed, at)
        at += _HEAD.size
        lists: list[Any] = []
        for count in (replicas, in_sync, coming):
            found = struct.Struct(f">{count}H").unpack_from(packed, at)
            at += count * _INDEX.size
            lists.append(tuple([names[index] for index in found]))
        yield Slot(names[leader] if leader != _NO_INDEX else NOBODY, epoch, *lists)
