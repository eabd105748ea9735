"""Knows how to read what the log keeps, as the machines' words.
Must not know who asks, or write.
"""

from __future__ import annotations

from sys import maxsize
from typing import TYPE_CHECKING, TypeVar

import msgspec

from actorchat.broker.concealing import HiddenRows
from actorchat.chat.account import Account, Device
from actorchat.chat.act import asked_of
from actorchat.chat.change import digest_of as digest_of_change
from actorchat.chat.event import Conv, Pair, Prior, Row
from actorchat.chat.extra import digest_of, digest_of_record
from actorchat.chat.visibility import LEVELS
from actorchat.errors import MalformedFrame, StoreCorrupt
from actorchat.ids import direct_pair, other_of
from actorchat.protocol import codec, rich
from actorchat.protocol.ops import Edited, PrivacyLevel, Record
from actorchat.store import keys, kinds, values
from actorchat.store.engine import Engine

if TYPE_CHECKING:
    from actorchat.broker.reading import Reading

_RICH = codec.RICH_HEAD[0]
_SEQ_END = keys.SEQ_MAX
_ROWS_AT_ONCE = 32  # before their bytes are looked at: 8 MiB at the worst
_OUTBOX_END = b"\xff" * keys.OWNER_BYTES
_T = TypeVar("_T")


class Archive:
    """The read side of one node's store.

    What was appended and not yet applied is not seen: a machine that is built from the log calls
    `LogWriter.apply` first. Costs: a get 2 µs, a row of a scan 0.5 µs. `is_of_many` nodes, whose
    slots go from one to another: see `HiddenRows`.
    """

    __slots__ = ("_get", "_history", "_inbox", "_outbox", "_scan", "_sent", "_state", "concealed")

    def __init__(self, engine: Engine, is_of_many: bool = False) -> None:
        self.concealed = HiddenRows(engine, is_of_many)
        self._get = engine.get
        self._scan = engine.scan
        self._history = engine.family("history")
        self._inbox = engine.family("inbox")
        self._sent = engine.family("sent")
        self._outbox = engine.family("outbox")
        self._state = engine.family("state")

    # -- conversations -----------------------------------------------------------------------------
    def last_seq(self, conversation: bytes) -> int:
        """Return the last seq of a conversation, 0 if it has none."""
        start = keys.history_key(conversation, 0)
        stop = keys.history_key(conversation, _SEQ_END)
        rows = self._scan(self._history, start, stop, 1, True)
        return keys.parse_history_key(rows[0][0])[1] if rows else 0

    def first_seq(self, conversation: bytes) -> int:
        """Return the first seq that is still there; those before it were dropped for good."""
        value = self._get(keys.state_key(conversation, kinds.LEDGER), self._state)
        return 1 if value is None else values.unpack_ledger(value)[0]

    def owed(self, conversation: bytes) -> int | None:
        """Return where the fan-out marker stands."""
        value = self._get(keys.outbox_key(conversation), self._outbox)
        return None if value is None else keys.unpack_outbox(value)

    def owing(self, after: bytes, limit: int) -> list[bytes]:
        """Return the first `limit` conversations behind `after` that have a fan-out marker."""
        start = after + b"\0" if after else b""
        rows = self._scan(self._outbox, start, _OUTBOX_END, limit)
        return [keys.parse_outbox_key(key) for key, _ in rows]

    def members(self, conversation: bytes) -> Pair | None:
        """Return the users of a conversation, None if it has no message."""
        value = self._get(keys.state_key(conversation, kinds.MEMBERS), self._state)
        return None if value is None else values.unpack_members(value)

    def marks(self, conversation: bytes, user: str) -> tuple[int, int]:
        """Return (delivered, read) of a member."""
        key = keys.state_key(conversation, kinds.MARKS, user.encode())
        value = self._get(key, self._state)
        return (0, 0) if value is None else values.unpack_positions(value)

    def prior(self, conversation: bytes, id_key: bytes) -> Prior | None:
        """Return what is known of a client id (sender tag + id), for comparison with a resend."""
        value = self._get(conversation + id_key, self._sent)
        if value is None:
            return None
        seq, ts = keys.unpack_sent(value)
        return Prior(
            seq, ts, self._digest(conversation, codec.decode_record(self.record(conversation, seq)))
        )

    def _digest(self, conversation: bytes, record: Record) -> int | None:
        if record.change is not None:
            return digest_of_change(record.change)
        if record.act is None:
            return digest_of_record(record)
        target = None
        if isinstance(record.act, Edited):
            kept = self.find(conversation, record.act.ref)
            target = None if kept is None else codec.decode_record(kept)
        asked = asked_of(record, target)
        return None if asked is None else digest_of(*asked)

    def record(self, conversation: bytes, seq: int) -> bytes:
        """Return the record `seq`; it must be there."""
        value = self._get(keys.history_key(conversation, seq), self._history)
        if value is None:
            raise StoreCorrupt(f"history lacks seq {seq} of {conversation.hex()}")
        return keys.unpack_history(value)[1]

    def find(self, conversation: bytes, seq: int) -> bytes | None:
        """Return the record `seq`, None if there is none."""
        value = self._get(keys.history_key(conversation, seq), self._history)
        return None if value is None else keys.unpack_history(value)[1]

    def due(self, conversation: bytes, upto_wall_ms: int, limit: int) -> list[tuple[int, int]]:
        """Return (wall ms, seq) of the messages whose time is up, the first `limit`."""
        start = keys.state_key(conversation, kinds.EXPIRY)
        stop = keys.expiry_key(conversation, upto_wall_ms + 1, 0)
        rows = self._scan(self._state, start, stop, limit)
        return [keys.parse_expiry_id(key[len(start) :]) for key, _ in rows]

    def records(
        self,
        conversation: bytes,
        after: int,
        before: int,
        limit: int,
        newest: bool,
        bytes_max: int | None = None,
    ) -> list[tuple[int, bytes]]:
        """Return (seq, record) in (after, before), ascending; the newest of them if `newest`.

        With `bytes_max` no more is read once the records are longer than that together: then they
        are two at least, and one of them at least is too much.
        """
        left, rows_at_once = (bytes_max, _ROWS_AT_ONCE) if bytes_max is not None else (0, limit)
        found: list[tuple[int, bytes]] = []
        while limit > len(found):
            start = keys.history_key(conversation, after + 1)
            stop = keys.history_key(conversation, before)
            wanted = min(rows_at_once, limit - len(found))
            rows = self._scan(self._history, start, stop, wanted, newest)
            for key, value in rows:
                record = keys.unpack_history(value)[1]
                found.append((keys.parse_history_key(key)[1], record))
                left -= len(record)
            if len(rows) < wanted or (bytes_max is not None and left < 0):
                break
            if newest:
                before = found[-1][0]
            else:
                after = found[-1][0]
        if newest:
            found.reverse()
        return found

    # -- inboxes -----------------------------------------------------------------------------------
    def user_log(self, owner: bytes) -> tuple[int, int]:
        """Return (head, trimmed) as of the last checkpoint."""
        value = self._get(keys.state_key(owner, kinds.USER_LOG), self._state)
        return (0, 0) if value is None else values.unpack_positions(value)

    def cursors(self, owner: bytes) -> dict[str, int]:
        """Return each device's last acked update."""
        prefix = keys.state_key(owner, kinds.CURSOR)
        rows = self._scan(self._state, *keys.prefix_range(prefix))
        return {key[len(prefix) :].decode(): values.unpack_position(value) for key, value in rows}

    def received(self, owner: bytes, conversation: bytes) -> int:
        """Return the last delivery of a conversation, as of the last checkpoint."""
        value = self._get(keys.state_key(owner, kinds.RECEIVED, conversation), self._state)
        return 0 if value is None else values.unpack_position(value)

    def copies(
        self, owner: bytes, first: int, conversation: bytes, seqs: list[int]
    ) -> list[tuple[int, int]]:
        """Return (update, seq) of the updates from `first` on that keep these messages' texts."""
        rows = self._scan(
            self._inbox, keys.inbox_key(owner, first), keys.inbox_key(owner, _SEQ_END)
        )
        found = []
        for key, value in rows:
            row = keys.unpack_inbox(value)
            if row.record and row.conversation == conversation and row.seq in seqs:
                found.append((keys.parse_inbox_key(key)[1], row.seq))
        return found

    def inline(self, owner: bytes, upd: int) -> bytes:
        """Return the record that an update keeps; it must be there."""
        value = self._get(keys.inbox_key(owner, upd), self._inbox)
        assert value is not None, "it was found a moment ago"
        return keys.unpack_inbox(value).record

    def rows(
        self,
        user: str,
        owner: bytes,
        first: int,
        last: int | None = None,
        bytes_max: int | None = None,
        reading: Reading | None = None,
    ) -> list[Row]:
        """Return the updates `first` to `last` (None: all there are) of a user.

        With `reading` they are as they are shown to who reads. With `bytes_max` it stops before the
        row that would be too much, but never before the first.
        A row has no payload where it points to a record that retention has let go.
        """
        left = maxsize if bytes_max is None else bytes_max
        start = keys.inbox_key(owner, first)
        stop = keys.inbox_key(owner, _SEQ_END if last is None else last + 1)
        found: list[Row] = []
        rows = self._scan(self._inbox, start, stop)
        if last is not None:
            # The last may lie within a span, whose key is behind it.
            end = keys.parse_inbox_key(rows[-1][0])[1] if rows else first - 1
            if end < last:
                rows += self._scan(self._inbox, stop, keys.inbox_key(owner, _SEQ_END), 1)
        # What a span has done to messages that were told one by one before stands in history alone.
        spanned: set[bytes] = set()
        if reading is not None:
            spanned = keys.spanned(value for _, value in rows)
        for key, value in rows:
            upd = keys.parse_inbox_key(key)[1]
            row = keys.unpack_inbox(value)
            if row.kind == keys.SPAN:
                part = self._of_span(upd, row, first, upd if last is None else last, left)
                for each, kept in part:
                    seq, record = row.seq - upd + each, kept
                    if reading is not None and (reading.veiled or kept[:1] >= codec.RICH_HEAD):
                        record = reading.update(row.conversation, seq, kept)
                    left -= len(record)
                    if left < 0 and found:
                        return found
                    if record:
                        found.append(Row(*self._of_group(each, seq, record)))
                    else:
                        found.append(Row(each, self._conv_of(row.conversation), seq, b""))
                continue
            if last is not None and upd > last:
                break
            record = row.record
            if not record or (spanned and row.conversation in spanned):
                record = self._pointed(row.conversation, row.seq) or record
            if reading is not None and row.record and row.record[0] >= _RICH:
                record = reading.kept(row.conversation, row.seq, record)  # of another node
            elif record and reading is not None and self._may_be_old(row, record, reading):
                record = reading.update(row.conversation, row.seq, record)
            if not record:
                found.append(Row(upd, self._conv_of(row.conversation), row.seq, b""))
                continue
            left -= len(record)
            if left < 0 and found:
                break
            found.append(Row(upd, *self._update_of(upd, row, user, record)))
        return found

    def _may_be_old(self, row: keys.InboxRow, record: bytes, reading: Reading) -> bool:
        is_rich = bool(reading.veiled) or record[0] >= _RICH
        return is_rich or (bool(row.record) and codec.record_group(record) is not None)

    def _of_span(
        self, upd: int, row: keys.InboxRow, first: int, last: int, bytes_max: int
    ) -> list[tuple[int, bytes]]:
        """Return (update, record) of what a span, whose last is `upd`, has from `first` to `last`.

        It may end early, behind more than `bytes_max`. Where retention has let go of the first of
        them, an empty record stands for those, at the last of their updates.
        """
        ahead = upd - row.seq  # by so much an update's number is above its message's
        first, last = max(first, upd - row.updates + 1), min(last, upd)
        after, before, limit = first - ahead - 1, last - ahead + 1, last - first + 1
        if limit <= 0:
            return []
        conversation = row.conversation
        records = self.records(conversation, after, before, limit, False, max(0, bytes_max))
        if not records or records[0][0] > after + 1:
            gone = min(self.first_seq(conversation), before) - 1
            if gone <= after or (records and gone != records[0][0] - 1):
                raise StoreCorrupt(f"history lacks seq {after + 1} of {conversation.hex()}")
            records.insert(0, (gone, b""))
        return [(seq + ahead, record) for seq, record in records]

    def _of_group(self, upd: int, seq: int, record: bytes) -> tuple[int, Conv, int, bytes]:
        group = codec.record_group(record)
        if group is None:
            raise StoreCorrupt(f"update {upd} is of no group")
        return upd, group, seq, codec.encode_update(upd, record)

    def moved(self, owner: bytes) -> list[tuple[bytes, int, int, str]]:
        """Return (key, after, head, address) of the groups of which a user is to get (after, head].

        These have no update yet: they get one when a device of the user is here.
        """
        prefix = keys.state_key(owner, kinds.MOVED)
        rows = self._scan(self._state, *keys.prefix_range(prefix))
        return [(key[len(prefix) :], *values.unpack_moved(value)) for key, value in rows]

    def _pointed(self, conversation: bytes, seq: int) -> bytes:
        if seq < self.first_seq(conversation):
            return b""
        return self.record(conversation, seq)

    def _conv_of(self, conversation: bytes) -> Conv:
        """Return whose a key is: a pair, or the address of a group."""
        pair = self.members(conversation)
        if pair is not None:
            return pair
        value = self._get(keys.state_key(conversation, kinds.GROUP), self._state)
        if value is None:
            raise StoreCorrupt(f"nobody is in {conversation.hex()}, which has messages")
        return str(codec.decode(value)["address"])

    def _update_of(
        self, upd: int, row: keys.InboxRow, user: str, record: bytes
    ) -> tuple[Conv, int, bytes]:
        """Return the conversation, the seq and the payload of an update."""
        group = codec.record_group(record)
        if group is not None:
            return group, row.seq, codec.encode_update(upd, record)
        sender = codec.record_sender(record)
        if sender != user and not rich.is_act(record):
            return direct_pair(sender, user), row.seq, codec.encode_update(upd, record)
        # The user wrote it, on another device; or it is an act, perhaps of neither of the two.
        pair = self.members(row.conversation) or self._listed(user, row.conversation)
        if pair is None:
            raise StoreCorrupt(f"nobody is in {row.conversation.hex()}, which has messages")
        to = other_of(pair, user)
        if to == user or sender != user:
            return pair, row.seq, codec.encode_update(upd, record)
        return pair, row.seq, codec.encode_own_update(upd, to, record)

    def _listed(self, user: str, conversation: bytes) -> Pair | None:
        """Return the users of a conversation that is led elsewhere, from one's own list."""
        key = keys.state_key(keys.user_key(user), kinds.INDEX, conversation)
        other = self._get(key, self._state)
        return None if other is None else direct_pair(user, other.decode())

    # -- presence ----------------------------------------------------------------------------------
    def presence(self, user: str) -> tuple[int, PrivacyLevel]:
        """Return (last seen in wall ms, 0 for never; who may see the user)."""
        value = self._get(keys.state_key(keys.user_key(user), kinds.PRESENCE), self._state)
        if value is None:
            return (0, LEVELS[0])
        last_seen, level = values.unpack_presence(value)
        return (last_seen, LEVELS[level])

    # -- accounts ----------------------------------------------------------------------------------
    def account(self, user: str) -> Account | None:
        """Return an account, or None."""
        key = keys.state_key(keys.user_key(user), kinds.ACCOUNT)
        return self._read(key, Account)

    def account_of(self, owner: bytes) -> Account | None:
        """Return the account that an owner's rows are of; None if it is no user's."""
        return self._read(keys.state_key(owner, kinds.ACCOUNT), Account)

    def device(self, user: str, device: str) -> Device | None:
        """Return a device's right to sign in, or None."""
        key = keys.state_key(keys.user_key(user), kinds.DEVICE, device.encode())
        return self._read(key, Device)

    def has_device(self, user: str, device: str) -> bool:
        """Say whether a device may sign in."""
        key = keys.state_key(keys.user_key(user), kinds.DEVICE, device.encode())
        return self._get(key, self._state) is not None

    def has_account(self, user: str) -> bool:
        """Say whether there is such a user."""
        return (
            self._get(keys.state_key(keys.user_key(user), kinds.ACCOUNT), self._state) is not None
        )

    def _read(self, key: bytes, kind: type[_T]) -> _T | None:
        value = self._get(key, self._state)
        if value is None:
            return None
        try:
            return msgspec.convert(codec.decode(value), kind)
        except (MalformedFrame, msgspec.ValidationError) as error:
            raise StoreCorrupt(f"bad {kind.__name__.lower()} row {key.hex()}: {error}") from error
