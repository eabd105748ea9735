"""Knows how the rows of one slot are read in pieces, packed, and written elsewhere.
Must not know which node they go to, or what the rows mean.

    SlotReader ─ piece ─► pack_ops ─► (anywhere) ─► unpack_ops ─► write_ops
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from actorchat.errors import SlotClosed, StoreCorrupt
from actorchat.store.committer import Committer, Delete, Put
from actorchat.store.engine import FAMILIES, Engine, Family, Op
from actorchat.store.keys import slot_range

ROWS_AT_ONCE = 256

_OP = struct.Struct(">BBHI")  # family, kind, bytes of the key, bytes of the value
_DELETE, _PUT, _RANGE = 0, 1, 2


class SlotOp(NamedTuple):
    """One change of a row: `value` None deletes it; with a `stop` all keys of [key, stop) go."""

    family: int  # its place in FAMILIES
    key: bytes
    value: bytes | None
    stop: bytes | None = None


class SlotReader:
    """Reads all rows of a slot as they are, family after family. Thread: the loop's."""

    def __init__(self, engine: Engine, slot: int) -> None:
        self._engine = engine
        self._family = 0
        self._start, self._stop = slot_range(slot)
        self._after = self._start
        self.is_done = False

    def read(self, bytes_max: int) -> list[SlotOp]:
        """Return the next rows, of `bytes_max` bytes or one row more; none at the end."""
        found: list[SlotOp] = []
        left = bytes_max
        while left > 0 and not self.is_done:
            family = self._engine.family(FAMILIES[self._family])
            rows = self._engine.scan(family, self._after, self._stop, ROWS_AT_ONCE)
            for key, value in rows:
                found.append(SlotOp(self._family, key, value))
                self._after = key + b"\0"
                left -= len(key) + len(value)
                if left <= 0:
                    return found
            if len(rows) == ROWS_AT_ONCE:
                continue
            self._family += 1
            self._after = self._start
            self.is_done = self._family == len(FAMILIES)
        return found


def pack_ops(ops: Iterable[SlotOp]) -> bytes:
    """Return changes as bytes."""
    parts: list[bytes] = []
    for op in ops:
        kind = _RANGE if op.stop is not None else _DELETE if op.value is None else _PUT
        rest = op.stop if op.stop is not None else op.value or b""
        parts += (_OP.pack(op.family, kind, len(op.key), len(rest)), op.key, rest)
    return b"".join(parts)


def unpack_ops(packed: bytes) -> list[SlotOp]:
    """Return the changes that `pack_ops` packed.

    Raises:
        StoreCorrupt: They are none.
    """
    ops, at, end = [], 0, len(packed)
    while at < end:
        if end - at < _OP.size:
            raise StoreCorrupt("changes of a slot are cut off")
        family, kind, key_bytes, rest_bytes = _OP.unpack_from(packed, at)
        at += _OP.size
        key, rest = (
            packed[at : at + key_bytes],
            packed[at + key_bytes : at + key_bytes + rest_bytes],
        )
        at += key_bytes + rest_bytes
        if at > end or family >= len(FAMILIES) or kind > _RANGE:
            raise StoreCorrupt("changes of a slot are none")
        value, stop = (None, rest) if kind == _RANGE else (rest if kind == _PUT else None, None)
        ops.append(SlotOp(family, key, value, stop))
    return ops


def write_ops(engine: Engine, committer: Committer, ops: Iterable[SlotOp]) -> None:
    """Put changes into the open batch, in order."""
    rows: list[Op] = []
    for op in ops:
        family = engine.family(FAMILIES[op.family])
        if op.stop is not None:
            committer.append_lazily(rows)
            rows = []
            committer.delete_range(family, op.key, op.stop)
        else:
            rows.append((family, op.key, op.value))
    committer.append_lazily(rows)


def wipe(engine: Engine, committer: Committer, slot: int) -> None:
    """Take away all rows of a slot, with whatever is committed next."""
    start, stop = slot_range(slot)
    for name in FAMILIES:
        committer.delete_range(engine.family(name), start, stop)


class _Noted:
    """What has changed in one slot since it was last asked for."""

    __slots__ = ("is_closed", "keys", "ranges")

    def __init__(self) -> None:
        self.keys: dict[tuple[int, bytes], None] = {}
        self.ranges: list[tuple[int, bytes, bytes]] = []
        self.is_closed = False

    def note(self, family: int, key: bytes) -> None:
        """Note that a row is changed; refuse it if nothing may be."""
        self.refuse()
        self.keys[family, key] = None

    def refuse(self) -> None:
        """Raise SlotClosed, if nothing may be changed."""
        if self.is_closed:
            raise SlotClosed("this part of the server is moving to another node")


class SlotWatch:
    """Notes what is changed in some slots, and lets nothing into those that are closed.

    It is the committer's watch while there is any such slot, and costs nothing when there is none.
    """

    def __init__(self, engine: Engine, committer: Committer) -> None:
        self._engine = engine
        self._committer = committer
        self._numbers = {engine.family(name): at for at, name in enumerate(FAMILIES)}
        self._slots: dict[int, _Noted] = {}

    def begin(self, slot: int) -> None:
        """Note all changes of a slot from now on; what was noted before is forgotten."""
        is_first = not self._slots
        self._slots[slot] = _Noted()
        if is_first:
            self._committer.watch(self)

    def close(self, slot: int) -> None:
        """Let nothing be changed any more: whoever tries gets SlotClosed."""
        self._slots[slot].is_closed = True

    def end(self, slot: int) -> None:
        """Forget a slot; it may be changed again."""
        if self._slots.pop(slot, None) is not None and not self._slots:
            self._committer.watch(None)

    def count(self, slot: int) -> int:
        """Return how many changes are noted."""
        noted = self._slots[slot]
        return len(noted.keys) + len(noted.ranges)

    def take(self, slot: int, bytes_max: int) -> list[SlotOp]:
        """Return what brings an earlier copy of the slot nearer to where it is, and forget that.

        `bytes_max` bytes, or one row more; all of it once nothing is left. What was appended before
        must be written: `Committer.apply`.
        """
        noted, handles, left = self._slots[slot], list(self._numbers), bytes_max
        # A row that was put behind the deletion of its range is among the keys, as it is now.
        ops = [SlotOp(family, start, None, stop) for family, start, stop in noted.ranges]
        noted.ranges = []
        while noted.keys and left > 0:
            family, key = next(iter(noted.keys))
            del noted.keys[family, key]
            value = self._engine.get(key, handles[family])
            ops.append(SlotOp(family, key, value))
            left -= len(key) + len(value or b"")
        return ops

    # -- what the committer shows ------------------------------------------------------------------
    def puts(self, put: Put) -> Put:
        """Return what notes a put and does it."""
        slots, numbers = self._slots, self._numbers

        def noting(key: bytes, value: bytes, family: Family) -> None:
            noted = slots.get(key[0] << 8 | key[1])
            if noted is not None:
                noted.note(numbers[family], key)
            put(key, value, family)

        return noting

    def deletes(self, delete: Delete) -> Delete:
        """Return what notes a deletion and does it."""
        slots, numbers = self._slots, self._numbers

        def noting(key: bytes, family: Family) -> None:
            noted = slots.get(key[0] << 8 | key[1])
            if noted is not None:
                noted.note(numbers[family], key)
            delete(key, family)

        return noting

    def delete_range(self, family: Family, start: bytes, stop: bytes) -> None:
        """Note the deletion of a range, which is of one slot."""
        noted = self._slots.get(start[0] << 8 | start[1])
        if noted is not None:
            noted.refuse()
            noted.ranges.append((self._numbers[family], start, stop))
