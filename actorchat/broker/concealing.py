"""Knows the rows of what users have hidden from themselves, and how a conversation keeps those of
users in other slots. Must not know how anything is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from actorchat.broker.log_writer import store_full
from actorchat.chat.concealing import Conceal, Concealed, KeepConcealed
from actorchat.chat.event import Conv, Refused
from actorchat.chat.roster import NO_GROUP
from actorchat.errors import Unavailable
from actorchat.limits import UNAVAILABLE_AFTER_MS
from actorchat.protocol import codec, rich
from actorchat.store import keys, kinds
from actorchat.store.engine import Engine, Op

if TYPE_CHECKING:
    from actorchat.broker.archive import Archive
    from actorchat.broker.sequence import SequenceActor

_SLOT_BYTES = 2


class HiddenRows:
    """What users have deleted for themselves: a row beside the user for each message.

    On several nodes there is one beside the conversation, too, if it is in another slot: a page is
    read where the conversation is, updates where the user is. Costs: a get, or one scan.
    """

    __slots__ = ("_get", "_is_of_many", "_scan", "_state")

    def __init__(self, engine: Engine, is_of_many: bool = False) -> None:
        self._get = engine.get
        self._scan = engine.scan
        self._state = engine.family("state")
        self._is_of_many = is_of_many

    def is_apart(self, user: bytes, conversation: bytes) -> bool:
        """Say whether a user and a conversation, 18 bytes each, each have rows of their own."""
        return self._is_of_many and user[:_SLOT_BYTES] != conversation[:_SLOT_BYTES]

    def has(self, user: bytes, conversation: bytes, seq: int, is_home: bool = False) -> bool:
        """Say whether a user has deleted a message for oneself; `is_home`: as the home knows."""
        owner, other = user, conversation
        if not is_home and self.is_apart(user, conversation):
            owner, other = conversation, user
        key = keys.state_key(owner, kinds.HIDDEN, keys.place(other, seq))
        return self._get(key, self._state) is not None

    def among(self, user: bytes, conversation: bytes, first: int, last: int) -> set[int]:
        """Return which of the messages `first` to `last` a user has deleted for oneself."""
        owner, other = user, conversation
        if self._is_of_many and user[:_SLOT_BYTES] != conversation[:_SLOT_BYTES]:
            owner, other = conversation, user
        prefix = keys.state_key(owner, kinds.HIDDEN)
        start = prefix + keys.place(other, first)
        rows = self._scan(self._state, start, prefix + keys.place(other, last + 1))
        return {keys.parse_place(key[len(prefix) :])[1] for key, _ in rows}

    def rows(self, user: bytes, conversation: bytes, seqs: Iterable[int]) -> tuple[Op, ...]:
        """Return the rows by which a conversation keeps what a user of another slot has hidden."""
        return tuple(
            (self._state, keys.state_key(conversation, kinds.HIDDEN, keys.place(user, seq)), b"")
            for seq in seqs
        )


def is_message(archive: Archive, conversation: bytes, seq: int) -> bool:
    """Say whether there is a message that somebody may delete for oneself."""
    record = archive.find(conversation, seq)
    # Without an act, who has not got it yet would not know what it has changed.
    return record is not None and not (rich.is_act(record) or codec.record_is_change(record))


def keep_concealed(actor: SequenceActor, effect: KeepConcealed) -> None:
    """Keep what a user of another slot hides of a conversation; then tell the user's home."""
    asked, context, key = effect.asked, actor._context, actor._key
    conv, log = actor.conv, context.log
    log.apply()
    refused = store_full(asked.rid) if log.is_full else None
    if isinstance(conv, str) and not context.groups.has_member(key, asked.user):
        refused = Refused(asked.rid, "no_such_group", NO_GROUP)
    elif not all(is_message(actor._archive, key, seq) for seq in asked.seqs):
        refused = Refused(asked.rid, "no_such_message", "there is no such message")
    if refused is not None:
        asked.session.tell(refused)
        return
    rows = actor._archive.concealed.rows(keys.user_key(asked.user), key, asked.seqs)
    log.append(rows, _tell_home, (actor, conv, asked))


def _tell_home(kept: tuple[SequenceActor, Conv, Conceal]) -> None:
    actor, conv, asked = kept
    home = actor._context.router.user(asked.user)
    try:
        home.tell(Concealed(conv, asked.seqs, asked.session, asked.rid))
    except Unavailable as error:
        about = (asked.rid, error.code, str(error), "after", "unknown", UNAVAILABLE_AFTER_MS)
        asked.session.tell(Refused(*about))  # type: ignore[arg-type]
