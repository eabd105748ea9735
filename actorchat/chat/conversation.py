"""Knows one conversation's order: who may post, which seq, what was seen before.
Must not know logs or devices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actorchat.chat.effect import (
    AnswerAgain,
    AskFanOut,
    Effect,
    MoveMarker,
    ReadPage,
    Redrive,
    Refuse,
    Restart,
    SaveMarks,
    StartTimer,
    Store,
    TellMarks,
)
from actorchat.chat.event import (
    ConfirmDue,
    Durable,
    Event,
    FannedOut,
    Fetch,
    Marked,
    Missing,
    OutOfOrder,
    Pair,
    Post,
    Prior,
    Reached,
    Redriven,
    Refused,
)
from actorchat.chat.history import bounds
from actorchat.chat.receipt import Marks
from actorchat.chat.window import Window
from actorchat.limits import FAN_OUT_CONFIRM_S

SENDER_TAGS = TAG_OF_FIRST, TAG_OF_SECOND = (b"\x00", b"\x01")


class Conversation:
    """A direct conversation: two users (or one with oneself), one dense sequence from 1.

    It lives in the slot of the first user of its pair. A record for that user is stored with its
    inbox row in one batch; a record for the other one, who may be at home elsewhere, is owed: a
    marker in the log says from which seq on the deliveries may not have arrived yet. So is what the
    other one wrote, if there are more devices of theirs to show it to.

    Args:
        pair: The two users in canonical order.
        seq: The last seq in the log.
        owed: Where the marker stands, or None.
    """

    __slots__ = (
        "_asking",
        "_away_seq",
        "_is_catching_up",
        "_owed",
        "_redriven_from",
        "_window",
        "marks",
        "pair",
        "seq",
    )

    def __init__(self, pair: Pair, seq: int = 0, owed: int | None = None) -> None:
        self.pair = pair
        self.seq = seq
        self.marks = {user: Marks() for user in pair}
        self._window = Window()
        self._owed = owed
        self._away_seq = 0  # the last seq delivered to the user who is not at home here
        self._asking = False
        self._is_catching_up = False
        self._redriven_from = -1

    @property
    def is_settled(self) -> bool:
        """Whether no fan-out is owed, so that the conversation may be put away."""
        return self._owed is None

    def start(self) -> list[Effect]:
        """Return what must be done first: deliver again what may not have arrived."""
        for marks in self.marks.values():
            marks.cut(self.seq)
        if self._owed is None:
            return []
        self._asking = self._is_catching_up = True
        return [
            Redrive(self.pair[1], self._owed - 1, 0),
            StartTimer(FAN_OUT_CONFIRM_S, ConfirmDue()),
        ]

    def key_to_look_up(self, event: Post) -> bytes | None:
        """Note what the window knows of a client id, before `handle`.

        Returns the key (sender tag + client id) if the store must be asked what it knows of it.
        """
        pair, sender = self.pair, event.sender
        if sender == pair[0]:
            event.key = key = TAG_OF_FIRST + event.cid
        elif sender == pair[1]:
            event.key = key = TAG_OF_SECOND + event.cid
        else:
            return None
        known = self._window.get(key)
        if known is None:
            return key
        event.prior = known
        return None

    def handle(self, event: Event, now_wall_ms: int) -> list[Effect]:
        """Take `event` in; return what must be done, in this order."""
        return self._HANDLERS[type(event)](self, event, now_wall_ms)

    def _on_post(self, event: Post, now_wall_ms: int) -> list[Effect]:
        if not event.key:
            self.key_to_look_up(event)
        key = event.key
        if not key:
            refused = Refused(event.rid, "forbidden", "not a member of this conversation")
            return [Refuse(event.session, refused)]
        if event.prior is not None:
            return [self._again(event, event.prior)]
        self.seq = seq = self.seq + 1
        wants = self._window.add(key, Prior(seq, now_wall_ms, hash(event.body)))
        pair = self.pair
        if event.sender == pair[1] and (not event.has_company or pair[0] == pair[1]):
            return [Store(seq, now_wall_ms, event, key, False, 0, False, wants)]
        prev, self._away_seq = self._away_seq, seq
        owes = self._owed is None
        store = Store(seq, now_wall_ms, event, key, True, prev, owes, wants)
        if not owes:
            return [store]
        self._owed = seq
        if self._asking:
            return [store]
        self._asking = True
        return [store, StartTimer(FAN_OUT_CONFIRM_S, ConfirmDue())]

    def _again(self, event: Post, known: Prior) -> Effect:
        if known.digest != hash(event.body):
            reason = "this client id stands for another message"
            return Refuse(event.session, Refused(event.rid, "id_conflict", reason))
        return AnswerAgain(event.session, event.rid, known.seq, known.ts)

    def _on_durable(self, event: Durable, now_wall_ms: int) -> list[Effect]:
        self._window.rotate()
        if self._owed is None:
            return []
        return [AskFanOut(self.pair[1], self._away_seq)]

    def _on_confirm_due(self, event: ConfirmDue, now_wall_ms: int) -> list[Effect]:
        self._redriven_from = -1
        if self._owed is None:
            self._asking = False
            return []
        again = StartTimer(FAN_OUT_CONFIRM_S, ConfirmDue())
        return [AskFanOut(self.pair[1], self._away_seq), again]

    def _on_fanned_out(self, event: FannedOut, now_wall_ms: int) -> list[Effect]:
        # An answer to an earlier life's question says nothing of what is being told again.
        if self._owed is None or event.seq < self._owed or self._is_catching_up:
            return []
        self._owed = None if event.seq >= self._away_seq else event.seq + 1
        return [MoveMarker(self._owed)]

    def _on_missing(self, event: Missing, now_wall_ms: int) -> list[Effect]:
        # One answer for all the deliveries that were in flight behind the same gap.
        if event.user != self.pair[1] or event.have == self._redriven_from:
            return []
        self._redriven_from = event.have
        return [Redrive(event.user, event.have, event.have)]

    def _on_redriven(self, event: Redriven, now_wall_ms: int) -> list[Effect]:
        self._is_catching_up = False
        self._away_seq = max(self._away_seq, event.seq)
        if self._owed is None or self._away_seq >= self._owed:
            return []
        self._owed = None
        return [MoveMarker(None)]

    def _on_out_of_order(self, event: OutOfOrder, now_wall_ms: int) -> list[Effect]:
        return [Restart(f"the log stands at {event.have}, this machine at {self.seq}")]

    def _on_reached(self, event: Reached, now_wall_ms: int) -> list[Effect]:
        marks = self.marks.get(event.user)
        if marks is None or not marks.advance(event.delivered, event.read, self.seq):
            return []
        user, pair = event.user, self.pair
        other = pair[1] if user == pair[0] else pair[0]
        marked = Marked(user, user, marks.delivered, marks.read)
        return [
            SaveMarks(user, marks.delivered, marks.read),
            TellMarks(other, marked),
        ]

    def _on_fetch(self, event: Fetch, now_wall_ms: int) -> list[Effect]:
        if event.user not in self.pair:
            refused = Refused(event.rid, "forbidden", "not a member of this conversation")
            return [Refuse(event.session, refused)]
        wanted = event.wanted
        page = bounds(event.after, event.before, event.limit, wanted, 1, self.seq)
        return [ReadPage(event.session, event.rid, *page, wanted)]

    _HANDLERS: dict[type, Callable[[Any, Any, int], list[Effect]]] = {
        Post: _on_post,
        Durable: _on_durable,
        ConfirmDue: _on_confirm_due,
        FannedOut: _on_fanned_out,
        Missing: _on_missing,
        Redriven: _on_redriven,
        OutOfOrder: _on_out_of_order,
        Reached: _on_reached,
        Fetch: _on_fetch,
    }
