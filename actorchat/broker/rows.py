"""Knows which rows each change of the chat is. Must not know how rows are written."""

from __future__ import annotations

from collections.abc import Callable

from actorchat.chat.account import Account, Device
from actorchat.chat.event import Conv, Pair
from actorchat.chat.visibility import LEVELS
from actorchat.limits import INBOX_INLINE_BYTES_MAX
from actorchat.protocol import codec
from actorchat.protocol.ops import PrivacyLevel
from actorchat.store import keys, kinds, values
from actorchat.store.engine import Engine, Op
from actorchat.store.keys import INLINE, POINTER, history_key, inbox_key, pack_inbox, pack_sent

# The epoch of the leader that writes; one node leads all slots for ever.
EPOCH = 1
_RICH = codec.RICH_HEAD[0]
_EPOCH = keys.pack_history(EPOCH, b"")  # what stands before the record in every history row


class Rows:
    """The write side of one node's store: changes in the chat's words to rows of the engine."""

    __slots__ = ("_history", "_inbox", "_outbox", "_sent", "_state")

    def __init__(self, engine: Engine) -> None:
        self._history = engine.family("history")
        self._inbox = engine.family("inbox")
        self._sent = engine.family("sent")
        self._outbox = engine.family("outbox")
        self._state = engine.family("state")

    def message(
        self, conversation: bytes, seq: int, record: bytes, id_key: bytes, ts: int, owes: bool
    ) -> tuple[Op, ...]:
        """Return the rows of a message: itself, its client id, and the marker if it is owed."""
        history = (self._history, history_key(conversation, seq), _EPOCH + record)
        sent = (self._sent, conversation + id_key, pack_sent(seq, ts))
        if not owes:
            return (history, sent)
        outbox = (self._outbox, keys.outbox_key(conversation), keys.pack_outbox(seq))
        return (history, sent, outbox)

    def history(self, conversation: bytes, seq: int, record: bytes) -> Op:
        """Return the row of a message that is written anew."""
        return (self._history, keys.history_key(conversation, seq), _EPOCH + record)

    def expiry(self, conversation: bytes, at_wall_ms: int, seq: int, due: bool = True) -> Op:
        """Return the row that says when a message's time is up; not `due` deletes it."""
        key = keys.expiry_key(conversation, at_wall_ms, seq)
        return (self._state, key, b"" if due else None)

    def members(self, conversation: bytes, pair: Pair) -> Op:
        """Return the row that names a conversation's users, which its key does not."""
        return (self._state, keys.state_key(conversation, kinds.MEMBERS), values.pack_members(pair))

    def update(self, owner: bytes, upd: int, conversation: bytes, seq: int, record: bytes) -> Op:
        """Return the row of an update of a plain record: inline, or a pointer if it is long."""
        if len(record) <= INBOX_INLINE_BYTES_MAX:
            value = pack_inbox(INLINE, EPOCH, conversation, seq) + record
        else:
            value = pack_inbox(POINTER, EPOCH, conversation, seq)
        return (self._inbox, inbox_key(owner, upd), value)

    def inline_update(
        self, owner: bytes, upd: int, conversation: bytes, seq: int, record: bytes
    ) -> Op:
        """Return the row of an update of which there is no history here, however long it is."""
        value = pack_inbox(INLINE, EPOCH, conversation, seq) + record
        return (self._inbox, inbox_key(owner, upd), value)

    def pointer(self, owner: bytes, upd: int, conversation: bytes, seq: int) -> Op:
        """Return the row of an update that is read from history."""
        value = pack_inbox(POINTER, EPOCH, conversation, seq)
        return (self._inbox, inbox_key(owner, upd), value)

    def update_value(self, conversation: bytes, seq: int, record: bytes) -> bytes:
        """Return the value of an update's row, which is the same for all who get it.

        A rich record is pointed to, however short: what may change or go is kept once.
        """
        if len(record) <= INBOX_INLINE_BYTES_MAX and record[0] < _RICH:
            return pack_inbox(INLINE, EPOCH, conversation, seq) + record
        return pack_inbox(POINTER, EPOCH, conversation, seq)

    def shared_update(self, owner: bytes, upd: int, value: bytes) -> Op:
        """Return the row of an update whose value was made for many."""
        return (self._inbox, inbox_key(owner, upd), value)

    def span(self, owner: bytes, upd: int, conversation: bytes, seq: int, count: int) -> Op:
        """Return the row of `count` updates up to `upd`: the messages up to `seq`."""
        value = keys.pack_span(EPOCH, conversation, seq, count)
        return (self._inbox, keys.inbox_key(owner, upd), value)

    def moved(self, owner: bytes, group: bytes, address: str, after: int, head: int) -> Op:
        """Return the row of a head that moved from `after` to `head`; none if it did not."""
        value = values.pack_moved(after, head, address) if head > after else None
        return (self._state, keys.state_key(owner, kinds.MOVED, group), value)

    def marker(self, conversation: bytes, seq: int | None) -> tuple[Op, ...]:
        """Return the fan-out marker's row; None deletes it."""
        value = None if seq is None else keys.pack_outbox(seq)
        return ((self._outbox, keys.outbox_key(conversation), value),)

    def marks(self, conversation: bytes, user: str, delivered: int, read: int) -> tuple[Op, ...]:
        """Return the row of a member's marks."""
        key = keys.state_key(conversation, kinds.MARKS, user.encode())
        return ((self._state, key, values.pack_positions(delivered, read)),)

    def checkpoint(
        self,
        owner: bytes,
        head: int,
        trimmed: int,
        received: dict[Conv, int],
        conversation_key: Callable[[Conv], bytes],
    ) -> tuple[Op, ...]:
        """Return the rows from which a user's machine is built without reading its whole log."""
        rows: list[Op] = [
            (
                self._state,
                keys.state_key(owner, kinds.RECEIVED, conversation_key(pair)),
                values.pack_position(seq),
            )
            for pair, seq in received.items()
        ]
        log_key = keys.state_key(owner, kinds.USER_LOG)
        rows.append((self._state, log_key, values.pack_positions(head, trimmed)))
        return tuple(rows)

    def cursor(self, owner: bytes, device: str, upd: int | None) -> tuple[Op, ...]:
        """Return the row of a device's position; None deletes it."""
        value = None if upd is None else values.pack_position(upd)
        return ((self._state, keys.state_key(owner, kinds.CURSOR, device.encode()), value),)

    def presence(self, user: str, last_seen_wall_ms: int, level: PrivacyLevel) -> tuple[Op, ...]:
        """Return the row of when a user was last seen, and who may see them."""
        key = keys.state_key(keys.user_key(user), kinds.PRESENCE)
        value = values.pack_presence(last_seen_wall_ms, LEVELS.index(level))
        return ((self._state, key, value),)

    def trimmed(self, owner: bytes, after: int, upto: int) -> tuple[object, bytes, bytes]:
        """Return (family, start, stop) of the updates (after, upto]."""
        return (self._inbox, inbox_key(owner, after + 1), inbox_key(owner, upto + 1))

    def account(self, account: Account) -> Op:
        """Return the row of an account."""
        key = keys.state_key(keys.user_key(account.user), kinds.ACCOUNT)
        fields: dict[str, object] = {
            "user": account.user,
            "created_at_wall_ms": account.created_at_wall_ms,
            "password_hash": account.password_hash,
        }
        if account.is_bot:
            fields["is_bot"] = True
        return (self._state, key, codec.encode(fields))

    def no_account(self, user: str) -> Op:
        """Return the change that takes an account's row away."""
        return (self._state, keys.state_key(keys.user_key(user), kinds.ACCOUNT), None)

    def device(self, user: str, device: Device) -> Op:
        """Return the row of a device's right to sign in."""
        key = keys.state_key(keys.user_key(user), kinds.DEVICE, device.device.encode())
        fields: dict[str, object] = {
            "device": device.device,
            "token_sha256": device.token_sha256,
            "created_at_wall_ms": device.created_at_wall_ms,
        }
        if device.next_sha256:
            fields["next_sha256"] = device.next_sha256
            fields["next_at_wall_ms"] = device.next_at_wall_ms
        return (self._state, key, codec.encode(fields))

    def no_device(self, user: str, device: str) -> Op:
        """Return the change that takes a device's right to sign in away."""
        key = keys.state_key(keys.user_key(user), kinds.DEVICE, device.encode())
        return (self._state, key, None)
