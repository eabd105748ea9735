"""Knows the rows by which retention goes, both ways: who owns what, how old, and what drops it.
Must not know how long anything is kept.
"""

from __future__ import annotations

from typing import NamedTuple

from actorchat.broker.archive import Archive
from actorchat.broker.group_log import GroupLog
from actorchat.chat.conversation import SENDER_TAGS
from actorchat.chat.event import Conv
from actorchat.chat.group import member_key
from actorchat.chat.retention import Ledger, Line
from actorchat.limits import SWEEP_RANGE_ROWS_MIN, SWEEP_ROWS
from actorchat.protocol import codec, rich
from actorchat.store import keys, kinds, values
from actorchat.store.engine import Engine, Op


class Owner(NamedTuple):
    """Whose rows stand together: of a user, of a conversation, or of neither."""

    key: bytes
    user: str | None = None
    conv: Conv | None = None


class Totals(NamedTuple):
    """What was let go since the store was made."""

    messages: int = 0
    size: int = 0
    updates: int = 0


class Drop(NamedTuple):
    """What lets the first records of a conversation go, all of it in one batch.

    `range` is (family, start, stop) of what is deleted as one; None where it is few rows.
    """

    ops: list[Op]
    range: tuple[object, bytes, bytes] | None


class RetentionLog:
    """What the sweep reads and writes of one node's store. Costs: an owner 10 µs, a row 2 µs."""

    __slots__ = ("_archive", "_get", "_groups", "_history", "_inbox", "_scan", "_sent", "_state")

    def __init__(self, engine: Engine, archive: Archive, groups: GroupLog) -> None:
        self._archive = archive
        self._groups = groups
        self._get = engine.get
        self._scan = engine.scan
        self._history = engine.family("history")
        self._inbox = engine.family("inbox")
        self._sent = engine.family("sent")
        self._state = engine.family("state")

    def next_owner(self, after: bytes) -> Owner | None:
        """Return the first owner behind `after`, empty for the very first; None at the end.

        Everybody has a row of state: users their account, conversations who is in them.
        """
        start = after + b"\xff" if after else b""
        rows = self._scan(self._state, start, keys.NODE_OWNER, 1)
        if not rows:
            return None
        key = rows[0][0][: keys.OWNER_BYTES]
        account = self._archive.account_of(key)
        if account is not None:
            return Owner(key, user=account.user)
        conv = self._archive.members(key) or self._groups.address(key)
        return Owner(key, conv=conv)

    # -- update logs -------------------------------------------------------------------------------
    def trimmed(self, owner: bytes) -> int:
        """Return the last update that is gone from a user's log."""
        return self._archive.user_log(owner)[1]

    def updates(self, owner: bytes, after: int, limit: int) -> list[Line]:
        """Return the first `limit` updates of a user behind `after`.

        One whose record is gone has the time 0: it has waited longer than any.
        """
        start = keys.inbox_key(owner, after + 1)
        stop = keys.inbox_key(owner, keys.SEQ_MAX)
        lines = []
        for key, value in self._scan(self._inbox, start, stop, limit):
            row = keys.unpack_inbox(value)
            record = row.record or self._record(row.conversation, row.seq)
            ts = codec.record_ts(record) if record else 0
            lines.append(Line(keys.parse_inbox_key(key)[1], ts, len(value)))
        return lines

    def _record(self, conversation: bytes, seq: int) -> bytes:
        value = self._get(keys.history_key(conversation, seq), self._history)
        return b"" if value is None else keys.unpack_history(value)[1]

    # -- histories ---------------------------------------------------------------------------------
    def ledger(self, conversation: bytes) -> Ledger:
        """Return where a history begins, and what is known of its length."""
        value = self._get(keys.state_key(conversation, kinds.LEDGER), self._state)
        return Ledger() if value is None else Ledger(*values.unpack_ledger(value))

    def ledger_row(self, conversation: bytes, ledger: Ledger) -> Op:
        """Return the row of a ledger."""
        value = values.pack_ledger(ledger.first, ledger.measured, ledger.kept_bytes)
        return (self._state, keys.state_key(conversation, kinds.LEDGER), value)

    def records(self, conversation: bytes, first: int, limit: int) -> list[tuple[Line, bytes]]:
        """Return the first `limit` records from seq `first` on, each with its line."""
        start = keys.history_key(conversation, first)
        stop = keys.history_key(conversation, keys.SEQ_MAX)
        found = []
        for key, value in self._scan(self._history, start, stop, limit):
            record = keys.unpack_history(value)[1]
            line = Line(keys.parse_history_key(key)[1], codec.record_ts(record), len(record))
            found.append((line, record))
        return found

    def strays(self, conversation: bytes, first: int) -> list[Op]:
        """Return what takes away records right below `first` that were let go of, and are there.

        An act that was under way meanwhile has put its message once more.
        """
        if first <= 1:
            return []
        start = keys.history_key(conversation, max(1, first - 2 * SWEEP_ROWS))
        rows = self._scan(self._history, start, keys.history_key(conversation, first))
        return [(self._history, key, None) for key, _ in rows]

    def drop(self, owner: Owner, records: list[tuple[Line, bytes]], ledger: Ledger) -> Drop:
        """Return what lets `records` go with their client ids, and keeps `ledger`.

        `records` are the first that there are, without a hole.
        """
        conversation = owner.key
        first, last = records[0][0].position, records[-1][0].position
        ops: list[Op] = [self.ledger_row(conversation, ledger)]
        ops += [
            (self._sent, conversation + id_key, None)
            for _, record in records
            if (id_key := _id_key(owner.conv, record)) is not None
        ]
        ops += [
            (self._state, keys.expiry_key(conversation, extra.exp, line.position), None)
            for line, record in records
            if rich.is_rich(record)
            and (extra := codec.decode_record(record).extra) is not None
            and extra.exp is not None
        ]
        start, stop = (keys.history_key(conversation, seq) for seq in (first, last + 1))
        if len(records) >= SWEEP_RANGE_ROWS_MIN:
            return Drop(ops, (self._history, start, stop))
        seqs = range(first, last + 1)
        ops += [(self._history, keys.history_key(conversation, seq), None) for seq in seqs]
        return Drop(ops, None)

    # -- the sweep itself --------------------------------------------------------------------------
    def progress(self) -> tuple[bytes, Totals]:
        """Return the last owner that was looked at, empty for none, and what was let go."""
        value = self._get(keys.SWEEP_KEY, self._state)
        if value is None:
            return b"", Totals()
        after, *totals = values.unpack_sweep(value)
        return after, Totals(*totals)

    def progress_row(self, after: bytes, totals: Totals) -> Op:
        """Return the row of how far the sweep is."""
        return (self._state, keys.SWEEP_KEY, values.pack_sweep(after, *totals))


def _id_key(conv: Conv | None, record: bytes) -> bytes | None:
    """Return what stands behind the conversation in the key of a record's client id."""
    sender, cid = codec.record_sender(record), codec.record_cid(record)
    if isinstance(conv, str):
        return member_key(sender, cid)
    if conv is None:
        return None
    if sender not in conv:
        return member_key(sender, cid)  # of a moderator
    return SENDER_TAGS[conv.index(sender)] + cid
