"""Knows one conversation's order: who may post, which seq, what was seen before.
Must not know logs or devices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actorchat.chat import block
from actorchat.chat.act import Acts
from actorchat.chat.acting import Acting
from actorchat.chat.aside import put_aside, split
from actorchat.chat.block import Blocking, KeepBlock, Spans, StoreHidden
from actorchat.chat.concealing import Conceal, on_conceal
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
from actorchat.chat.erasure import AccountGone, KeepGone, PeerGone
from actorchat.chat.event import (
    ConfirmDue,
    Durable,
    Event,
    FannedOut,
    Fetch,
    HomeLost,
    Joined,
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
from actorchat.chat.extra import digest_of, judge_extra
from actorchat.chat.group import member_key
from actorchat.chat.history import bounds
from actorchat.chat.moderating import Moderated, on_moderated
from actorchat.chat.moderation import is_moderating
from actorchat.chat.receipt import Marks
from actorchat.chat.roster import Verdict
from actorchat.chat.window import Window
from actorchat.limits import EDIT_WINDOW_S, FAN_OUT_CONFIRM_S
from actorchat.protocol.ops import Extra, Reacted

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
        edit_window_s: How long a message may be edited.
    """

    __slots__ = (
        "_asking",
        "_away_seq",
        "_edit_window_s",
        "_is_catching_up",
        "_owed",
        "_redriven_from",
        "_window",
        "acts",
        "blocks",
        "marks",
        "pair",
        "seq",
    )

    def __init__(
        self,
        pair: Pair,
        seq: int = 0,
        owed: int | None = None,
        edit_window_s: float = EDIT_WINDOW_S,
    ) -> None:
        self.pair = pair
        self.seq = seq
        self.marks = {user: Marks() for user in pair}
        self.acts: Acts | None = None  # made with the first
        self._edit_window_s = edit_window_s
        self.blocks: dict[str, Spans] = {}  # what is hidden from whom; nearly always empty
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
        elif is_moderating(event):
            event.key = key = member_key(sender, event.cid)
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

    def post_plain(
        self,
        event: Post,
        now_wall_ms: int,
        prior: Callable[[bytes, bytes], Prior | None],
        conversation: bytes,
    ) -> Store | None:
        """Do for a text by one of the two, while a fan-out is owed, what `handle` does for any.

        None: it is no such, or not new, and nothing was changed. `prior(conversation, key)` says
        what the store knows of a client id.
        """
        pair, sender, window = self.pair, event.sender, self._window
        if sender == pair[0]:
            key, is_away = TAG_OF_FIRST + event.cid, sender != pair[1]
        elif sender == pair[1]:
            key, is_away = TAG_OF_SECOND + event.cid, event.has_company
        else:
            return None
        if self.blocks or (is_away and self._owed is None):
            return None
        if window.get(key) is not None or prior(conversation, key) is not None:
            return None
        self.seq = seq = self.seq + 1
        wants = window.add(key, Prior(seq, now_wall_ms, hash(event.body)))
        prev = 0
        if is_away:
            prev, self._away_seq = self._away_seq, seq
        return Store(seq, now_wall_ms, event, key, is_away, prev, False, wants)

    def _on_post(self, event: Post, now_wall_ms: int) -> list[Effect]:
        if not event.key:
            self.key_to_look_up(event)
        key = event.key
        if not key:
            refused = Refused(event.rid, "forbidden", "not a member of this conversation")
            return [Refuse(event.session, refused)]
        if event.prior is not None:
            return [self._again(event, event.prior)]
        pair, more = self.pair, event.more
        if more is None and not self.blocks:
            digest = hash(event.body)
        else:
            digest = hash(event.body) if more is None else digest_of(event.body, more)
            effects = self._post_unusual(event, digest, now_wall_ms)
            if effects is not None:
                return effects
        self.seq = seq = self.seq + 1
        wants = self._window.add(key, Prior(seq, now_wall_ms, digest))
        if more is not None:
            wants = True  # see `Acts`
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

    def _post_unusual(self, event: Post, digest: int, now_wall_ms: int) -> list[Effect] | None:
        """Return what comes of a post that is refused, or that a block hides; None: go on."""
        blocks = self.blocks
        if blocks and block.is_open(blocks.get(event.sender, ())):
            # Before an act is judged, for it is under way then.
            return [Refuse(event.session, block.refusal(event.rid))]
        if event.more is not None:
            verdict = self._judge(event, now_wall_ms)
            if verdict is not None:
                refused = Refused(event.rid, verdict.code, verdict.reason)
                return [Refuse(event.session, refused)]
        if blocks and event.sender in self.pair:
            return self._post_past_block(event, digest, now_wall_ms)
        return None

    def _judge(self, event: Post, now_wall_ms: int) -> Verdict | None:
        more = event.more
        if isinstance(more, Extra):
            return judge_extra(more, event.body, 1, self.seq, self.pair)
        if self.acts is None:
            self.acts = Acts(int(self._edit_window_s * 1_000))
        return self.acts.judge(event, 1, self.seq, is_moderating(event), now_wall_ms)

    def _post_past_block(self, event: Post, digest: int, now_wall_ms: int) -> list[Effect] | None:
        """Hide what a user writes to who blocks them; the sender is answered as ever.

        Returns None if they are not blocked, or take back what the other one was shown.
        """
        sender, pair, more = event.sender, self.pair, event.more
        other = pair[1] if sender == pair[0] else pair[0]
        spans = self.blocks.get(other, ())
        if not block.is_open(spans):
            return None
        if isinstance(more, Acting) and block.is_heard(more.act, spans):
            return None
        self.seq = seq = self.seq + 1
        wants = self._window.add(event.key, Prior(seq, now_wall_ms, digest)) or more is not None
        if more is not None:
            _keep_apart(event)
        if sender == pair[0] or not event.has_company:
            return [StoreHidden(seq, now_wall_ms, event, event.key, False, 0, False, wants)]
        prev, self._away_seq = self._away_seq, seq
        owes = self._owed is None
        store = StoreHidden(seq, now_wall_ms, event, event.key, True, prev, owes, wants)
        if owes:
            self._owed = seq
        if not owes or self._asking:
            return [store]
        self._asking = True
        return [store, StartTimer(FAN_OUT_CONFIRM_S, ConfirmDue())]

    def _on_blocking(self, event: Blocking, now_wall_ms: int) -> list[Effect]:
        user, pair = event.user, self.pair
        change = block.opened if event.on else block.closed
        spans = change(self.blocks.get(user, ()), self.seq)
        if spans:
            self.blocks[user] = spans
        else:
            self.blocks.pop(user, None)
        other = pair[1] if user == pair[0] else pair[0]
        return [KeepBlock(user, other, spans, event.on, event.session, event.rid)]

    def _on_account_gone(self, event: AccountGone, now_wall_ms: int) -> list[Effect]:
        return [Restart(f"{event.user} is gone")]

    def _on_peer_gone(self, event: PeerGone, now_wall_ms: int) -> list[Effect]:
        return [KeepGone(event, now_wall_ms), Restart(f"{event.user} is gone")]

    def _on_late(self, event: HomeLost | Joined, now_wall_ms: int) -> list[Effect]:
        return []  # asked for by an actor, or before a machine, that was given up since

    def hides(self, user: str, seq: int) -> bool:
        """Say whether record `seq` is never to be shown to `user`."""
        return bool(self.blocks) and block.hides(self.blocks.get(user, ()), seq)

    def _again(self, event: Post, known: Prior) -> Effect:
        if known.digest not in (None, digest_of(event.body, event.more)):
            reason = "this client id stands for another message"
            return Refuse(event.session, Refused(event.rid, "id_conflict", reason))
        return AnswerAgain(event.session, event.rid, known.seq, known.ts)

    def _on_durable(self, event: Durable, now_wall_ms: int) -> list[Effect]:
        self._window.rotate(event.seq)
        if self.acts is not None:
            self.acts.settle(event.seq)
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
        if marks is None:
            return []
        user, pair = event.user, self.pair
        spans = self.blocks.get(user, ()) if self.blocks else ()
        is_blocking = block.is_open(spans)
        head = spans[-1][0] - 1 if is_blocking else self.seq
        if not marks.advance(event.delivered, event.read, head):
            return []
        if is_blocking:
            return [SaveMarks(user, marks.delivered, marks.read)]
        other = pair[1] if user == pair[0] else pair[0]
        if self.blocks and block.is_open(self.blocks.get(other, ())):
            return [SaveMarks(user, marks.delivered, marks.read)]
        marked = Marked(user, user, marks.delivered, marks.read)
        return [
            SaveMarks(user, marks.delivered, marks.read),
            TellMarks(other, marked),
        ]

    def _on_fetch(self, event: Fetch, now_wall_ms: int) -> list[Effect]:
        if event.user not in self.pair:
            refused = Refused(event.rid, "forbidden", "not a member of this conversation")
            return [Refuse(event.session, refused)]
        wanted, user = event.wanted, event.user
        page = bounds(event.after, event.before, event.limit, wanted, 1, self.seq)
        hidden = self.blocks.get(user, ())
        return [ReadPage(event.session, event.rid, *page, user, hidden, wanted)]

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
        Blocking: _on_blocking,
        AccountGone: _on_account_gone,
        PeerGone: _on_peer_gone,
        Conceal: on_conceal,
        Moderated: on_moderated,
        HomeLost: _on_late,
        Joined: _on_late,
    }


def _keep_apart(event: Post) -> None:
    """Have nobody but its sender see a reaction that a block hides."""
    acting = event.more
    if not isinstance(acting, Acting) or not isinstance(acting.act, Reacted) or not acting.act.on:
        return
    emoji, user = acting.act.emoji, event.sender
    for record in acting.rewrites:
        before, _ = split(acting.targets[record.seq].reactions.get(emoji, []))
        if user not in before:
            put_aside(record, emoji, user)
