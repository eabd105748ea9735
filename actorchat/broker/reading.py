"""Knows how what is kept is shown to one user: what is over or deleted is not, edits are.
Must not know who asks, or what is written.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from actorchat.broker.access import INSIDER, Access
from actorchat.broker.archive import Archive
from actorchat.chat.act import tombstone
from actorchat.chat.aside import shown_to
from actorchat.chat.extra import is_over
from actorchat.protocol import codec, rich
from actorchat.protocol.ops import Deleted, Edited, Extra, Record

_NOTHING: frozenset[int] = frozenset()


class Reading:
    """How records of the log are shown at one moment. Costs: 15 µs a record that is rich.

    Args:
        user: The 18 bytes of who reads; empty for nobody in particular.
        veiled: The conversations and seqs of which the user's own log may have an older text.
        access: What of the changes of messages is for who reads.
        is_home: It is the user's home that reads, not the conversation.
    """

    __slots__ = ("_access", "_archive", "_is_home", "_now_wall_ms", "_user", "veiled")

    def __init__(
        self,
        archive: Archive,
        now_wall_ms: int,
        user: bytes = b"",
        veiled: Collection[tuple[bytes, int]] = (),
        access: Access = INSIDER,
        is_home: bool = False,
    ) -> None:
        self._access = access
        self._is_home = is_home
        self._archive = archive
        self._now_wall_ms = now_wall_ms
        self._user = user
        self.veiled = veiled

    def shown(self, conversation: bytes, record: bytes, hidden: Collection[int] = ()) -> bytes:
        """Return what is shown of a record, where the user has deleted `hidden` for oneself."""
        if not rich.is_rich(record) and not hidden:
            return record
        said = codec.decode_record(record)
        if said.seq in hidden:
            return rich.encode(msgspec.structs.replace(tombstone(said), hidden=True))
        if isinstance(said.act, Edited):
            return self._edit(conversation, said, said.act.ref)
        if is_over(said, self._now_wall_ms):
            return rich.encode(tombstone(said))
        if said.edited is not None or said.reactions:
            return self._changed(conversation, said, record)
        return record

    def _changed(self, conversation: bytes, said: Record, record: bytes) -> bytes:
        """Return a message that was edited or reacted to as far as that is for who reads.

        The text before an edit is not kept, so who may not see the edit sees that it is gone.
        """
        access = self._access
        if said.edited is not None and access.misses(conversation, said, said.edited):
            return rich.encode(tombstone(said))
        if not said.reactions:
            return record
        reactions = shown_to(said.reactions, access.user)
        # When they were put is not kept: in a group they are for those who may read it now.
        if said.conv is not None and access.misses(conversation, said, said.seq):
            reactions = {}
        if reactions is said.reactions:
            return record
        said.reactions = reactions
        return rich.encode(said)

    def _edit(self, conversation: bytes, said: Record, ref: int) -> bytes:
        """Return an edit with the text of its message, which alone keeps it."""
        found = self._archive.find(conversation, ref)
        now = None if found is None else codec.decode_record(found)  # None: retention let it go
        said.hidden = self._is_hidden(conversation, ref)
        is_gone = now is None or now.gone or is_over(now, self._now_wall_ms)
        said.gone = said.hidden or is_gone
        if now is not None and now.edited is not None and now.edited != said.seq:
            # It has a later text.
            said.gone = said.gone or self._access.misses(conversation, now, now.edited)
        said.body = "" if said.gone or now is None else now.body
        return rich.encode(said)

    def page(self, conversation: bytes, found: list[tuple[int, bytes]]) -> list[bytes]:
        """Return what is shown of a page of (seq, record), ascending."""
        records = [record for _, record in found]
        hidden: Collection[int] = _NOTHING
        if found and self._user:
            span = (found[0][0], found[-1][0])
            hidden = self._archive.concealed.among(self._user, conversation, *span)
        if not hidden and not any(map(rich.is_rich, records)):
            return records
        return [self.shown(conversation, record, hidden) for record in records]

    def brief(self, conversation: bytes, seq: int, record: bytes) -> bytes:
        """Return what a list of conversations shows of its last record: it has room for little."""
        shown = self.shown(
            conversation, record, {seq} if self._is_hidden(conversation, seq) else _NOTHING
        )
        if not rich.is_rich(shown):
            return shown
        said = codec.decode_record(shown)
        said.reactions = {}
        if said.extra is not None:
            is_plain = said.extra.kind == "text"
            said.extra = (
                None if is_plain else Extra(kind=said.extra.kind, files=said.extra.files[:1])
            )
        if isinstance(said.act, Deleted):
            said.act = Deleted(said.act.refs[:1])
        return rich.encode(said)

    def update(self, conversation: bytes, seq: int, record: bytes) -> bytes:
        """Return what is shown of the record of an update, which may be older than history.

        Empty where history has let it go.
        """
        is_plain = not rich.is_rich(record) and (conversation, seq) not in self.veiled
        if is_plain and codec.record_group(record) is None:
            return record
        now = self._archive.find(conversation, seq)
        if now is None:
            is_gone = self._archive.first_seq(conversation) > seq
            return b"" if is_gone else self.kept(conversation, seq, record)  # of another node
        if is_plain:
            # A home is not told what is rewritten of a group that has become big since.
            return self.shown(conversation, now) if rich.is_rich(now) else record
        is_hidden = self._is_hidden(conversation, seq)
        return self.shown(conversation, now, {seq} if is_hidden else _NOTHING)

    def kept(self, conversation: bytes, seq: int, record: bytes) -> bytes:
        """Return what is shown of an update that keeps all that is known here of its message."""
        said = codec.decode_record(record)
        if self._is_hidden(conversation, seq):
            return rich.encode(msgspec.structs.replace(tombstone(said), hidden=True))
        if said.act is None and is_over(said, self._now_wall_ms):
            return rich.encode(tombstone(said))
        return record

    def _is_hidden(self, conversation: bytes, seq: int) -> bool:
        user, concealed = self._user, self._archive.concealed
        return bool(user) and concealed.has(user, conversation, seq, self._is_home)
