"""Knows how a node gets a slot that the table wants here: it writes what is sent, and says so.
Must not know what the rows mean, or how the slot table comes about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from actorchat import logs
from actorchat.actor import Actor
from actorchat.broker import holding
from actorchat.broker.fan_out import wake
from actorchat.broker.handing_over import TAKEOVER, SlotsSeen
from actorchat.chat.event import Event
from actorchat.cluster.handoff import Began, Kept, Piece, TakeOver, Took
from actorchat.store import keys, values
from actorchat.store.slot_copy import unpack_ops, wipe, write_ops

if TYPE_CHECKING:
    from actorchat.broker.context import Context
    from actorchat.store.engine import Engine

log = logs.logger(__name__)


class Arriving(msgspec.Struct, gc=False):
    """A slot on its way here, from who leads it at `epoch`."""

    epoch: int
    attempt: int = 0
    number: int = 0  # of the last piece that was written
    generation: int = 0  # of the log: in another one, something may be lost
    is_whole: bool = False


class Whole(Event):
    """All of an attempt is synced."""

    slot: int
    attempt: int
    sender: Any


class TakeoverActor(Actor):
    """Takes slots that come. One a node, named `takeover`.

    What has come is noted in the store, so that a start knows what it has of slots that it does not
    lead; nothing is dropped but what that note is of.
    """

    def __init__(self, context: Context, engine: Engine) -> None:
        super().__init__()
        assert context.reach is not None
        self._context = context
        self._reach = context.reach
        self._engine = engine
        self._committer = context.log.committer
        self._state = engine.family("state")
        self._arriving: dict[int, Arriving] = {}

    def on_start(self) -> None:
        """Take the name; see what had come before the start."""
        self.system.names.register(TAKEOVER, self.ref)
        self._context.log.apply()
        start, stop = keys.prefix_range(keys.COMING_PREFIX)
        for key, value in self._engine.scan(self._state, start, stop):
            slot = keys.parse_moving_key(key)
            epoch, is_whole = values.unpack_positions(value)
            self._arriving[slot] = Arriving(epoch, is_whole=bool(is_whole))
            if is_whole:
                self._reach.held.add(slot)
        self._see()

    def on_receive(self, event: Any) -> None:
        """Write, answer."""
        kind = type(event)
        if kind is TakeOver:
            self._take_over(event)
        elif kind is Piece:
            self._write(event)
        elif kind is Whole:
            self._keep(event)
        elif kind is SlotsSeen:
            self._see()

    def _take_over(self, event: TakeOver) -> None:
        slot, known = event.slot, self._arriving.get(event.slot)
        where = self._reach.slot(slot)
        if where.leader == self._reach.node or where.epoch > event.epoch:
            return  # it is over; its leader has not seen that yet
        if slot in self._reach.closed:
            return  # what left here once is not settled yet; its leader asks again
        if known is not None and known.is_whole and event.is_unsure and known.epoch == event.epoch:
            known.attempt = event.attempt
            event.sender.tell(Kept(slot, event.attempt))
            return
        holding.let_go(self._context, slot)  # what was held for an earlier attempt goes elsewhere
        generation = self._committer.generation
        self._arriving[slot] = Arriving(event.epoch, event.attempt, generation=generation)
        wipe(self._engine, self._committer, slot)
        row = self._coming_row(slot, values.pack_positions(event.epoch, 0))
        self._committer.append((row,), event.sender.tell, Began(slot, event.attempt))

    def _write(self, piece: Piece) -> None:
        slot, coming = piece.slot, self._arriving.get(piece.slot)
        if coming is None or coming.attempt != piece.attempt or coming.is_whole:
            return
        if piece.number != coming.number + 1 or coming.generation != self._committer.generation:
            return  # its leader will lose patience
        coming.number = piece.number
        write_ops(self._engine, self._committer, unpack_ops(piece.ops))
        if piece.is_last:
            row = self._coming_row(slot, values.pack_positions(coming.epoch, 1))
            whole = Whole(slot, piece.attempt, piece.sender)
            self._committer.append((row,), self.ref.tell, whole)
        else:
            piece.sender.tell(Took(slot, piece.attempt, piece.number))

    def _keep(self, event: Whole) -> None:
        coming = self._arriving.get(event.slot)
        if coming is None or coming.attempt != event.attempt:
            return
        if coming.generation != self._committer.generation:
            return
        coming.is_whole = True
        self._reach.held.add(event.slot)  # who finds the way here before the table does waits
        event.sender.tell(Kept(event.slot, event.attempt))

    def _see(self) -> None:
        """Look what the table says of all that is on its way here."""
        node = self._reach.node
        for slot, coming in list(self._arriving.items()):
            where = self._reach.slot(slot)
            if not where.epoch:
                continue
            if where.leader == node:
                self._arrive(slot)
            elif where.epoch > coming.epoch:
                # Given up, which counts the epoch up. That it is not to come says nothing else:
                # this node's table may be older than that of who sends it.
                del self._arriving[slot]
                wipe(self._engine, self._committer, slot)
                self._committer.append((self._coming_row(slot, None),))
                holding.let_go(self._context, slot)

    def _arrive(self, slot: int) -> None:
        del self._arriving[slot]
        self._committer.append((self._coming_row(slot, None),))
        self._reach.counts["slots_taken_over"] += 1
        holding.let_go(self._context, slot)
        self._context.log.apply()
        owing = [key for key, _ in self._engine.scan(self._outbox(), *keys.slot_range(slot))]
        wake(self._context, owing)
        log.info("slot taken over", slot=slot)

    def _outbox(self) -> Any:
        return self._engine.family("outbox")

    def _coming_row(self, slot: int, value: bytes | None) -> Any:
        return (self._state, keys.moving_key(keys.COMING_PREFIX, slot), value)
