"""Knows in which order a slot is handed over, at the node that gives it away.
Must not know rows, links, actors or clocks.

    begin ─► copy ─► catch up ─► hold ─► last changes ─► said ─► the table turns
             pieces   rounds     all     synced there    again and again
             while the slot is   that    by the receiver  until the table
             led as ever         comes                    has changed
                                 waits

Whatever goes wrong before all is said, the slot is led here as if nothing had been, and the next
attempt begins anew. Once it is said that the other has everything, only the table ends it: the
controller may have written already that the other leads. So a process that finds, at its start,
that it may have said so lets nobody write before that is settled: it is `unsure`. The controller
counts the slot's epoch up when it gives a hand-over up, so that what was said of an earlier one is
not believed. Named as in Riak (`riak_core_handoff_sender`).
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

import msgspec

from actorchat.actor.ref import Ref
from actorchat.limits import (
    HANDOFF_HOLD_S,
    HANDOFF_PATIENCE_S,
    HANDOFF_PIECES,
    HANDOFF_ROUNDS,
    HANDOFF_SMALL,
)


class TakeOver(msgspec.Struct, frozen=True, gc=False):
    """To the receiver: a slot is to come, from who leads it at `epoch`.

    `is_unsure`: nothing was written since an earlier attempt may have ended; if the receiver has
    kept all of that, there is nothing to be done.
    """

    slot: int
    epoch: int
    attempt: int
    sender: Ref
    is_unsure: bool


class Piece(msgspec.Struct, frozen=True, gc=False):
    """To the receiver: changes of its copy, packed; `is_last`: there are no more."""

    slot: int
    attempt: int
    number: int
    ops: bytes
    is_last: bool
    sender: Ref


class Began(msgspec.Struct, frozen=True, gc=False):
    """The receiver has room for the slot, and nothing of it."""

    slot: int
    attempt: int


class Took(msgspec.Struct, frozen=True, gc=False):
    """The receiver has written the pieces up to this one."""

    slot: int
    attempt: int
    number: int


class Sent(msgspec.Struct, frozen=True, gc=False):
    """A piece is on its way; `is_last`: it was the last of the copy."""

    is_last: bool


class Noted(msgspec.Struct, frozen=True, gc=False):
    """So many changes are not sent yet."""

    count: int


class Quiet(msgspec.Struct, frozen=True, gc=False):
    """All entities of the slot are held, and what they did before is synced."""


class Kept(msgspec.Struct, frozen=True, gc=False):
    """The receiver has synced all of the slot."""

    slot: int
    attempt: int


class Lost(msgspec.Struct, frozen=True, gc=False):
    """The receiver can't be reached, or is another process now."""


class Tick(msgspec.Struct, frozen=True, gc=False):
    """Some time has passed."""


Event: TypeAlias = Began | Took | Sent | Noted | Quiet | Kept | Lost | Tick


class Begin(msgspec.Struct, frozen=True, gc=False):
    """Ask the receiver; note all changes of the slot from now on."""

    attempt: int


class SendPiece(msgspec.Struct, frozen=True, gc=False):
    """Send the next piece of the copy, and say that it is `Sent`."""

    attempt: int
    number: int


class SendChanges(msgspec.Struct, frozen=True, gc=False):
    """Send what has changed since."""

    attempt: int
    number: int


class CountChanges(msgspec.Struct, frozen=True, gc=False):
    """Say how many changes are `Noted`."""


class Hold(msgspec.Struct, frozen=True, gc=False):
    """Hold all entities of the slot; say when it is `Quiet`."""


class SendLast(msgspec.Struct, frozen=True, gc=False):
    """Let nothing be written any more; send the last changes, to be synced."""

    attempt: int
    number: int


class Say(msgspec.Struct, frozen=True, gc=False):
    """Tell the controllers that the receiver has everything."""


class LetGo(msgspec.Struct, frozen=True, gc=False):
    """Go on with the slot as before: note nothing, hold nobody."""


Effect: TypeAlias = Begin | SendPiece | SendChanges | CountChanges | Hold | SendLast | Say | LetGo


class State(Enum):
    """Where a hand-over stands."""

    IDLE = "waits to begin"
    ASKING = "the receiver is asked"
    COPYING = "the rows are copied"
    CATCHING_UP = "what changed meanwhile is sent"
    HOLDING = "entities are being held"
    ENDING = "the last changes are being synced"
    SAID = "the table is to turn"


class Handoff:
    """One slot on its way from its leader, at `epoch`, to another node."""

    __slots__ = ("_heard_s", "_number", "_rounds", "_took", "attempt", "epoch", "is_unsure",
                 "slot", "state", "to")  # fmt: skip

    def __init__(
        self, slot: int, epoch: int, to: str, attempt: int = 0, is_unsure: bool = False
    ) -> None:
        self.slot = slot
        self.epoch = epoch
        self.to = to
        self.attempt = attempt
        self.is_unsure = is_unsure
        self.state = State.IDLE
        self._number = 0  # of the last piece that was sent
        self._took = 0
        self._rounds = 0
        self._heard_s = 0.0

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Return what follows from `event`."""
        match event:
            case Began(_, attempt) if self._is_of(attempt, State.ASKING, now_s):
                self.state = State.COPYING
                return self._send_pieces()
            case Took(_, attempt, number) if attempt == self.attempt:
                self._heard_s = now_s
                self._took = max(self._took, number)
                return self._on_took()
            case Sent(is_last) if self.state is State.COPYING:
                if is_last:
                    self.state = State.CATCHING_UP
                    return self._on_took()
                return self._send_pieces()
            case Noted(count) if self.state is State.CATCHING_UP:
                return self._on_noted(count, now_s)
            case Quiet() if self.state is State.HOLDING:
                self.state = State.ENDING
                self._number += 1
                return [SendLast(self.attempt, self._number)]
            case Kept(_, attempt) if self._is_of(attempt, State.ENDING, now_s) or (
                self.is_unsure and self._is_of(attempt, State.ASKING, now_s)
            ):
                self.state = State.SAID
                return [Say()]
            case Lost():
                return self._give_up()
            case Tick():
                return self._on_tick(now_s)
        return []

    def _is_of(self, attempt: int, state: State, now_s: float) -> bool:
        is_so = attempt == self.attempt and self.state is state
        if is_so:
            self._heard_s = now_s
        return is_so

    def _send_pieces(self) -> list[Effect]:
        if self._number - self._took >= HANDOFF_PIECES:
            return []
        self._number += 1
        return [SendPiece(self.attempt, self._number)]

    def _on_took(self) -> list[Effect]:
        if self.state is State.COPYING:
            return self._send_pieces()
        if self.state is State.CATCHING_UP and self._took == self._number:
            return [CountChanges()]
        return []

    def _on_noted(self, count: int, now_s: float) -> list[Effect]:
        if count <= HANDOFF_SMALL or self._rounds >= HANDOFF_ROUNDS:
            self.state = State.HOLDING
            self._heard_s = now_s
            return [Hold()]
        self._rounds += 1
        self._number += 1
        return [SendChanges(self.attempt, self._number)]

    def _give_up(self) -> list[Effect]:
        if self.state in (State.IDLE, State.SAID):
            return []
        self.state = State.IDLE
        return [] if self.is_unsure else [LetGo()]

    def _on_tick(self, now_s: float) -> list[Effect]:
        if self.state is State.SAID:
            return [Say()]
        if self.state is State.IDLE:
            self.state = State.ASKING
            self.attempt += 1
            self._number = self._took = self._rounds = 0
            self._heard_s = now_s
            return [Begin(self.attempt)]
        is_held = self.state in (State.HOLDING, State.ENDING)
        if now_s - self._heard_s >= (HANDOFF_HOLD_S if is_held else HANDOFF_PATIENCE_S):
            return self._give_up()
        return []
