"""Knows which messages a user's own log may show as they are no more, and what a user has hidden.
Must not know how they are shown.

An update is kept with its text, for that is read fastest. What is edited or deleted later is read
from history instead: a row at its user's home says so, as long as the update is in the log.
"""

from __future__ import annotations

from collections.abc import Iterable

from actorchat.chat.act import refs_of
from actorchat.protocol import codec
from actorchat.protocol.ops import Reacted
from actorchat.store import keys, kinds, values
from actorchat.store.engine import Engine, Op

Veils = dict[tuple[bytes, int], int]  # conversation, seq → the update behind which it may go
NO_VEILS: Veils = {}  # of nearly all users; never filled


class VeilLog:
    """The rows of veils and of what users have hidden from themselves, in one node's store."""

    __slots__ = ("_scan", "_state")

    def __init__(self, engine: Engine) -> None:
        self._scan = engine.scan
        self._state = engine.family("state")

    def load(self, owner: bytes) -> Veils:
        """Return a user's veils."""
        prefix = keys.state_key(owner, kinds.VEIL)
        rows = self._scan(self._state, *keys.prefix_range(prefix))
        if not rows:
            return NO_VEILS
        return {
            keys.parse_place(key[len(prefix) :]): values.unpack_position(value)
            for key, value in rows
        }

    def drawn(
        self, veils: Veils, owner: bytes, conversation: bytes, seqs: Iterable[int], upd: int
    ) -> tuple[Veils, tuple[Op, ...]]:
        """Draw veils over messages; return all that there are now, and the rows."""
        made = dict.fromkeys(((conversation, seq) for seq in seqs), upd)
        if veils is NO_VEILS:
            veils = {}
        veils.update(made)
        value = values.pack_position(upd)
        return veils, tuple((self._state, self._key(owner, *place), value) for place in made)

    def lifted(self, veils: Veils, owner: bytes, upto: int) -> tuple[Op, ...]:
        """Take off the veils of what has left the user's log up to `upto`; return the rows."""
        over = [place for place, upd in veils.items() if upd <= upto]
        for place in over:
            del veils[place]
        return tuple((self._state, self._key(owner, *place), None) for place in over)

    def hidden(self, owner: bytes, conversation: bytes, seqs: Iterable[int]) -> tuple[Op, ...]:
        """Return the rows by which a user hides messages from oneself."""
        return tuple(
            (self._state, keys.state_key(owner, kinds.HIDDEN, keys.place(conversation, seq)), b"")
            for seq in seqs
        )

    def _key(self, owner: bytes, conversation: bytes, seq: int) -> bytes:
        return keys.state_key(owner, kinds.VEIL, keys.place(conversation, seq))


def rewritten(record: bytes) -> list[int]:
    """Return the seqs of the messages that the act in `record` has changed the text of."""
    act = codec.decode_record(record).act
    return [] if act is None or isinstance(act, Reacted) else refs_of(act)
