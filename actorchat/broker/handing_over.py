"""Knows how a node does what a hand-over decides: reads, sends, holds, tells the controllers.
Must not know in which order, or how the slot table comes about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from actorchat import logs
from actorchat.actor import Actor
from actorchat.broker import holding
from actorchat.chat.event import Event
from actorchat.cluster.controller import Copied
from actorchat.cluster.controller_actor import CONTROLLER
from actorchat.cluster.handoff import (
    Begin,
    CountChanges,
    Handoff,
    Hold,
    LetGo,
    Lost,
    Noted,
    Piece,
    Quiet,
    Say,
    SendChanges,
    SendLast,
    SendPiece,
    Sent,
    State,
    TakeOver,
    Tick,
)
from actorchat.cluster.mesh import NodeDown, NodeUp
from actorchat.errors import Unavailable
from actorchat.ids import SLOTS
from actorchat.limits import HANDOFF_PIECE_BYTES, HANDOFF_TICK_S, HANDOFFS_AT_ONCE, HELD_LOOK_S
from actorchat.store import keys, values
from actorchat.store.slot_copy import SlotReader, SlotWatch, pack_ops, wipe

if TYPE_CHECKING:
    from actorchat.broker.context import Context
    from actorchat.store.engine import Engine

log = logs.logger(__name__)

HANDOFF, TAKEOVER = "handoff", "takeover"


class SlotsSeen(Event):
    """The table says something new of these slots."""

    slots: list[int]


class LookWhetherHeld(Event):
    """Time to see whether all entities of a slot are held."""

    slot: int


class Synced(Event):
    """What was appended before is durable: of an attempt to hand a slot over."""

    slot: int
    attempt: int


class Unleft(Event):
    """It is durable that a slot has not left."""

    slot: int


class TickDue(Event):
    """Time to go on with what waits."""


def leaving(engine: Engine) -> list[tuple[int, int]]:
    """Return the slots that may have left, each with the epoch at which it was led here."""
    start, stop = keys.prefix_range(keys.LEAVING_PREFIX)
    rows = engine.scan(engine.family("state"), start, stop)
    return [(keys.parse_moving_key(key), values.unpack_position(value)) for key, value in rows]


class HandoffActor(Actor):
    """Gives slots away that the table wants elsewhere. One a node, named `handoff`."""

    def __init__(self, context: Context, engine: Engine) -> None:
        super().__init__()
        assert context.reach is not None
        self._context = context
        self._reach = context.reach
        self._engine = engine
        self._committer = context.log.committer
        self._watch = SlotWatch(engine, self._committer)
        self._moves: dict[int, Handoff] = self._reach.handoffs
        self._readers: dict[int, SlotReader] = {}
        self._held_s: dict[int, float] = {}
        self._staying: set[int] = set()  # slots held until that is durable

    def on_start(self) -> None:
        """Take the name; what was held before is settled before anybody writes."""
        self.system.names.register(HANDOFF, self.ref)
        self._reach.monitor_nodes(self.ref)
        self._committer.watch(None)
        self._context.log.apply()  # a row that is to go is not seen again
        for slot, _ in self._leaving():
            self._reach.held.add(slot)
            self._shut(slot)
        for move in list(self._moves.values()):  # an earlier life of this actor's
            if move.state is State.SAID or move.is_unsure:
                self._shut(move.slot)
            else:
                self._feed(move, Lost())
        self._see(range(SLOTS))
        self.send_after(HANDOFF_TICK_S, TickDue(), key=TickDue)

    def _shut(self, slot: int) -> None:
        self._watch.begin(slot)
        self._watch.close(slot)
        self._reach.closed.add(slot)

    def _leaving(self) -> list[tuple[int, int]]:
        return leaving(self._engine)

    def on_receive(self, event: Any) -> None:
        """Feed the slot's machine."""
        kind = type(event)
        if kind is SlotsSeen:
            self._see(event.slots)
        elif kind is TickDue:
            self._tick()
        elif kind is NodeDown:
            for move in [move for move in self._moves.values() if move.to == event.node]:
                self._feed(move, Lost())
        elif kind is LookWhetherHeld:
            self._look_whether_held(event.slot)
        elif kind is Unleft:
            self._go_on(event.slot)
        elif kind is not NodeUp:
            self._take(event)

    def _take(self, event: Any) -> None:
        move = self._moves.get(event.slot)
        if move is None:
            return
        if type(event) is not Synced:
            self._feed(move, event)
        elif move.attempt == event.attempt:
            self._feed(move, Quiet())

    def _feed(self, move: Handoff, event: Any) -> None:
        for effect in move.handle(event, self.now_s()):
            try:
                self._PERFORM[type(effect)](self, move, effect)
            except Unavailable as error:
                log.info("hand-over broke off", slot=move.slot, to=move.to, code=error.code)
                self._feed(move, Lost())
                return

    # -- what the table says -----------------------------------------------------------------------
    def _see(self, slots: Iterable[int]) -> None:
        reach = self._reach
        self._settle()
        for slot in slots:
            where, move = reach.slot(slot), self._moves.get(slot)
            to = where.coming[0] if where.coming and where.leader == reach.node else ""
            if move is not None and (move.to != to or move.epoch != where.epoch):
                self._end(move, where.leader)
                move = None
            if move is None and to:
                # By the time, so that it is none of an earlier life's.
                self._moves[slot] = Handoff(slot, where.epoch, to, int(self.now_s() * 1_000))
        self._begin_more()

    def _end(self, move: Handoff, leader: str) -> None:
        """End what the table says is over: the slot has moved, or is not to."""
        slot = move.slot
        del self._moves[slot]
        self._readers.pop(slot, None)
        held_s = self.now_s() - self._held_s.pop(slot, self.now_s())
        if leader == self._reach.node:
            self._stay(slot)
            return
        self._watch.end(slot)
        holding.let_go(self._context, slot)
        counts, held_ms = self._reach.counts, round(held_s * 1_000)
        counts["slots_handed_over"] += 1
        counts["held_max_ms"] = max(counts["held_max_ms"], held_ms)
        self._drop(slot)
        log.info("slot handed over", slot=slot, to=leader, held_ms=held_ms)

    def _settle(self) -> None:
        """Look at what may have left before a crash: drop it, take it up again, or ask."""
        for slot, epoch in self._leaving():
            where = self._reach.slot(slot)
            if slot in self._moves or slot in self._staying or not where.epoch:
                continue
            if where.leader == self._reach.node and where.coming and where.epoch == epoch:
                attempt = int(self.now_s() * 1_000)
                self._moves[slot] = Handoff(slot, epoch, where.coming[0], attempt, is_unsure=True)
            elif where.leader == self._reach.node:
                self._stay(slot)
            else:
                self._watch.end(slot)
                holding.let_go(self._context, slot)
                if where.epoch > epoch:
                    self._drop(slot)

    def _stay(self, slot: int) -> None:
        """Let a slot go on here once it is durable that it has not left.

        With the row still there a start would ask a receiver, who may have an older copy, and
        believe it, whatever had been written since.
        """
        if slot in self._reach.held:
            self._staying.add(slot)
            self._committer.append((self._leaving_row(slot, None),), self.ref.tell, Unleft(slot))
        else:
            self._watch.end(slot)

    def _go_on(self, slot: int) -> None:
        if slot in self._staying:
            self._staying.discard(slot)
            self._watch.end(slot)
            holding.let_go(self._context, slot)
            self._begin_more()

    def _drop(self, slot: int) -> None:
        wipe(self._engine, self._committer, slot)
        self._committer.append((self._leaving_row(slot, None),))

    def _leaving_row(self, slot: int, epoch: int | None) -> Any:
        key = keys.moving_key(keys.LEAVING_PREFIX, slot)
        value = None if epoch is None else values.pack_position(epoch)
        return (self._engine.family("state"), key, value)

    def _tick(self) -> None:
        self.send_after(HANDOFF_TICK_S, TickDue(), key=TickDue)
        for move in list(self._moves.values()):
            if move.state is not State.IDLE:
                self._feed(move, Tick())
        if not self._committer.is_full:
            for slot in list(self._staying):  # a full disk may have swallowed it
                self._stay(slot)
        self._begin_more()

    def _begin_more(self) -> None:
        """Begin with those that wait, as far as so many may be under way."""
        moves = list(self._moves.values())
        room = HANDOFFS_AT_ONCE - sum(m.state not in (State.IDLE, State.SAID) for m in moves)
        for move in moves:
            if move.slot in self._staying:
                continue
            if room > 0 and move.state is State.IDLE and self._reach.is_up(move.to):
                room -= 1
                self._feed(move, Tick())

    # -- effects -----------------------------------------------------------------------------------
    def _begin(self, move: Handoff, effect: Begin) -> None:
        if not move.is_unsure:
            self._watch.begin(move.slot)
        self._context.log.apply()
        self._readers[move.slot] = SlotReader(self._engine, move.slot)
        self._tell(move, TakeOver(move.slot, move.epoch, effect.attempt, self.ref, move.is_unsure))

    def _send_piece(self, move: Handoff, effect: SendPiece) -> None:
        reader = self._readers[move.slot]
        ops = pack_ops(reader.read(HANDOFF_PIECE_BYTES))
        self._piece(move, effect.number, ops)
        self._feed(move, Sent(reader.is_done))

    def _send_changes(self, move: Handoff, effect: SendChanges) -> None:
        self._context.log.apply()
        ops = self._watch.take(move.slot, HANDOFF_PIECE_BYTES)
        self._piece(move, effect.number, pack_ops(ops))

    def _count_changes(self, move: Handoff, effect: CountChanges) -> None:
        self._feed(move, Noted(self._watch.count(move.slot)))

    def _hold(self, move: Handoff, effect: Hold) -> None:
        self._held_s[move.slot] = self.now_s()
        holding.hold(self._context, move.slot)
        self._look_whether_held(move.slot)

    def _look_whether_held(self, slot: int) -> None:
        move = self._moves.get(slot)
        if move is None or move.state is not State.HOLDING:
            return
        if holding.is_held(self._context, slot):
            row = self._leaving_row(slot, move.epoch)
            self._committer.append((row,), self.ref.tell, Synced(slot, move.attempt))
        else:
            self.send_after(HELD_LOOK_S, LookWhetherHeld(slot), key=(LookWhetherHeld, slot))

    def _send_last(self, move: Handoff, effect: SendLast) -> None:
        self._context.log.apply()
        self._watch.close(move.slot)
        self._reach.closed.add(move.slot)
        number, is_last = effect.number, False
        while not is_last:
            ops = pack_ops(self._watch.take(move.slot, HANDOFF_PIECE_BYTES))
            is_last = not self._watch.count(move.slot)
            self._piece(move, number, ops, is_last)
            number += 1

    def _say(self, move: Handoff, effect: Say) -> None:
        said = Copied(move.slot, move.epoch, move.to)
        for node in self._reach.up():
            with suppress(Unavailable):  # it is said again
                self._reach.named(node, CONTROLLER).tell(said)
        self._begin_more()

    def _let_go(self, move: Handoff, effect: LetGo) -> None:
        self._readers.pop(move.slot, None)
        self._held_s.pop(move.slot, None)
        self._stay(move.slot)

    def _piece(self, move: Handoff, number: int, ops: bytes, is_last: bool = False) -> None:
        self._reach.counts["handed_over_bytes"] += len(ops)
        self._tell(move, Piece(move.slot, move.attempt, number, ops, is_last, self.ref))

    def _tell(self, move: Handoff, event: object) -> None:
        if not self._reach.is_up(move.to):
            raise Unavailable("the receiver can't be reached")
        self._reach.named(move.to, TAKEOVER).tell(event)

    _PERFORM: ClassVar[dict[type, Callable[[Any, Handoff, Any], None]]] = {
        Begin: _begin,
        SendPiece: _send_piece,
        SendChanges: _send_changes,
        CountChanges: _count_changes,
        Hold: _hold,
        SendLast: _send_last,
        Say: _say,
        LetGo: _let_go,
    }
