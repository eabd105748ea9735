"""Knows how a home takes out of its log what is hidden, rewritten or at an end.
Must not know devices, or how what is left is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, ClassVar

import msgspec

from actorchat.broker.archive import Archive
from actorchat.broker.census import Census
from actorchat.broker.concealing import is_message
from actorchat.broker.entity import EntityActor
from actorchat.broker.eraser import ERASER
from actorchat.broker.log_writer import store_full
from actorchat.broker.rows import Rows
from actorchat.broker.veil import Veils, rewritten
from actorchat.chat.act import Hide, refs_of, tombstone
from actorchat.chat.afar import Listed
from actorchat.chat.change import membership
from actorchat.chat.concealing import Concealed
from actorchat.chat.erasure import AccountGone, HomeWiped, Stray, WipeHome
from actorchat.chat.event import Answer, Conv, Deliver, Ended, Pair, Record, Refused
from actorchat.chat.gone import GoneHome, Strayed
from actorchat.chat.inbox import Inbox
from actorchat.chat.roster import NO_GROUP
from actorchat.errors import MailboxFull
from actorchat.ids import other_of
from actorchat.limits import UPDATES_SEARCHED_MAX
from actorchat.protocol import codec, rich
from actorchat.protocol.ops import Edited, Reacted
from actorchat.protocol.ops import Record as Message
from actorchat.store import keys
from actorchat.store.engine import Op


class Hiding(EntityActor):
    """The part of a user's home by which messages, or all that it has, are seen no more."""

    _user: str
    _key: bytes
    _archive: Archive
    _rows: Rows
    _append: Callable[..., None]
    _veils: Veils
    _machine: Inbox
    _census: Census

    def _hide(self, event: Hide) -> bool:
        """Delete messages for the user alone; what may still be read of them is veiled."""
        key = conversation_key_of(event.pair)
        refused = store_full(event.rid) if self._committer.is_full else None
        if isinstance(event.pair, str) and not self._context.groups.has_member(key, self._user):
            refused = Refused(event.rid, "no_such_group", NO_GROUP)
        elif not all(is_message(self._archive, key, seq) for seq in event.seqs):
            refused = Refused(event.rid, "no_such_message", "there is no such message")
        if refused is not None:
            event.session.tell(refused)
            return False
        self._keep_hidden(event, key)
        return False

    def _keep_hidden(self, event: Hide | Concealed, key: bytes) -> None:
        ops = self._context.veils.hidden(self._key, key, event.seqs)
        answer = Answer(event.rid, {})
        self._append((*ops, *self._veil(key, event.seqs)), event.session.tell, answer)

    def _conceal(self, event: Concealed) -> bool:
        """Do the same of a conversation in another slot, which has looked and does it, too."""
        if self._committer.is_full:
            full = msgspec.structs.replace(store_full(event.rid), outcome="unknown")
            event.session.tell(full)
        else:
            self._keep_hidden(event, conversation_key_of(event.conv))
        return False

    def _end_account(self, event: AccountGone) -> bool:
        for session in self._machine.sessions():
            session.tell(Ended("revoked", "never"))
        self._rebuild()  # as the home of nobody
        return False

    def _wipe(self, event: WipeHome) -> bool:
        # What can't be written now is asked for again.
        if not self._committer.is_full:
            self._rebuild()
            for family, start, stop in self._context.tombs.home_ranges(self._user):
                self._log.delete_range(family, start, stop)
            self._append((), event.eraser.tell, HomeWiped(self._user))
        return False

    def _strayed(self, effect: Strayed) -> None:
        """Have a conversation of another slot know once more that nobody is at home here."""
        context, conv = self._context, effect.conv
        apart = context.archive.concealed.is_apart(self._key, conversation_key_of(conv))
        eraser = self.system.names.whereis(ERASER)
        if eraser is not None and (apart or (isinstance(conv, str) and context.reach is not None)):
            with suppress(MailboxFull):  # it will tell something again
                eraser.tell(Stray(self._user, conv, effect.seq))

    def _rich(self, event: Record | Deliver, upd: int) -> tuple[Op, ...]:
        """Return the rows of an update that is rich: it is pointed to, for it may change or go."""
        row = self._rows.pointer(self._key, upd, event.key, event.seq)
        return (row, *self._rewritten(event)) if rich.is_act(event.record) else (row,)

    def _rewritten(self, event: Record | Deliver) -> tuple[Op, ...]:
        """Return the rows by which an act takes older texts of its messages out of this log."""
        seqs, machine, key = rewritten(event.record), self._machine, event.key
        if not seqs:
            return ()
        veils: tuple[Op, ...] = ()
        first = machine.trimmed + 1
        if machine.head - first >= UPDATES_SEARCHED_MAX:
            first = machine.head - UPDATES_SEARCHED_MAX + 1
            veils = self._veil(key, seqs)  # over those that are not looked at
        self._log.apply()
        copies = self._archive.copies(self._key, first, key, seqs)
        return (*veils, *(self._rows.pointer(self._key, upd, key, seq) for upd, seq in copies))

    def _from_afar(self, event: Deliver, upd: int) -> tuple[Op, ...]:
        """Return the rows of an update whose conversation is on another node.

        There is no history here to point into, so it is kept whole; and what an act changes of
        messages that are in this log is written into their rows.
        """
        rows, owner, key = self._rows, self._key, event.key
        own = rows.inline_update(owner, upd, key, event.seq, event.record)
        if codec.record_is_change(event.record):
            return (own, *self._list_group(event))
        if not rich.is_act(event.record):
            return (own,)
        said = codec.decode_record(event.record)
        if said.act is None or isinstance(said.act, Reacted):
            return (own,)
        self._log.apply()
        archive, first = self._archive, self._machine.trimmed + 1
        changed = [
            rows.inline_update(owner, at, key, seq, _changed(archive.inline(owner, at), said))
            for at, seq in archive.copies(owner, first, key, refs_of(said.act))
        ]
        return (own, *changed)

    def _list(self, pair: Pair, key: bytes) -> None:
        """List a conversation that is led elsewhere, whose own batches list it there only."""
        if (
            self._context.is_apart(pair[0], self._user)
            and not isinstance(self._machine, GoneHome)
            and self._census.flags(self._user, other_of(pair, self._user)) is None
        ):
            self._append(self._census.index_rows(key, pair)[1:])

    def _on_listed(self, event: Listed) -> bool:
        if not self._committer.is_full:
            self._list(event.pair, event.key)
        return False

    def _list_group(self, event: Deliver) -> tuple[Op, ...]:
        """Return the row by which a group of another node is listed here, or no more."""
        said, address = codec.decode_record(event.record), event.pair
        assert said.change is not None
        assert isinstance(address, str)
        is_in = membership(self._user, said.sender, said.change)
        if is_in is None:
            return ()
        return (self._context.groups.index_row(event.key, address, self._user, is_in),)

    def _veil(self, conversation: bytes, seqs: Iterable[int]) -> tuple[Op, ...]:
        """Have messages read from history from now on, as long as the log has an older text."""
        upd = self._machine.head
        drawn = self._context.veils.drawn(self._veils, self._key, conversation, seqs, upd)
        self._veils, ops = drawn
        return ops

    ENDINGS: ClassVar[dict[type, Callable[[Any, Any], bool]]] = {
        Hide: _hide,
        Listed: _on_listed,
        Concealed: _conceal,
        AccountGone: _end_account,
        WipeHome: _wipe,
    }


def _changed(record: bytes, by: Message) -> bytes:
    """Return what an edit or a deletion makes of a message."""
    said = codec.decode_record(record)
    if isinstance(by.act, Edited):
        return rich.encode(msgspec.structs.replace(said, body=by.body, edited=by.seq))
    return rich.encode(tombstone(said))


def conversation_key_of(conv: Conv) -> bytes:
    """Return the 18 bytes with which the keys of a conversation, or a group, begin."""
    return keys.group_key(conv) if isinstance(conv, str) else keys.conversation_key(*conv)
