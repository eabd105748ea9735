"""Knows the rows of accounts that have ended, and which rows are still to go. Must not know why."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from actorchat.chat.roster import Member
from actorchat.ids import slot_of
from actorchat.protocol import codec
from actorchat.store import keys, kinds, values
from actorchat.store.engine import Engine, Family, Op

Range = tuple[Family, bytes, bytes]

_LEFT = kinds.META + b"erase/"
_STATE_END = keys.NODE_OWNER


class Tombs:
    """The rows of deleted accounts in one node's store.

    A tomb stands in the user's own slot for ever, so that nobody gets the name again; beside it the
    node, or on several nodes its slot, notes that the account is still to be taken away; there a
    conversation of another slot notes, too, that one of its users is gone. Costs: a get 2 µs.
    """

    __slots__ = ("_families", "_get", "_is_of_many", "_scan", "_state")

    def __init__(self, engine: Engine, is_of_many: bool = False) -> None:
        self._is_of_many = is_of_many
        self._get = engine.get
        self._scan = engine.scan
        self._state = engine.family("state")
        self._families = [engine.family(name) for name in ("history", "sent", "outbox", "state")]
        self._families.append(engine.family("inbox"))

    def has(self, user: str) -> bool:
        """Say whether there was an account of this name, which has ended."""
        return self._get(_tomb_key(user), self._state) is not None

    def new_rows(self, user: str, at_wall_ms: int) -> tuple[Op, ...]:
        """Return the rows that say that an account has ended, and that it is to be taken away."""
        return (
            (self._state, _tomb_key(user), values.pack_position(at_wall_ms)),
            (self._state, self._left_key(user), b""),
        )

    def unfinished(self, limit: int, slots: Iterable[int] = ()) -> list[str]:
        """Return the first users of whom something is left; of several nodes, those in `slots`."""
        found: list[str] = []
        for owner in map(keys.slot_owner, slots) if self._is_of_many else (keys.NODE_OWNER,):
            rows = self._scan(self._state, *keys.prefix_range(owner + _LEFT), limit - len(found))
            found += [key[len(owner + _LEFT) :].decode() for key, _ in rows]
            if len(found) == limit:
                break
        return found

    def finished_row(self, user: str) -> Op:
        """Return the change that says that nothing is left."""
        return (self._state, self._left_key(user), None)

    def _left_key(self, user: str) -> bytes:
        owner = keys.slot_owner(slot_of(user)) if self._is_of_many else keys.NODE_OWNER
        return owner + _LEFT + user.encode()

    def is_noted(self, conversation: bytes, user: str) -> bool:
        """Say whether a conversation knows that the account of a user in another slot has ended."""
        return self._get(_noted_key(conversation, user), self._state) is not None

    def noted_row(self, conversation: bytes, user: str, at_wall_ms: int) -> Op:
        """Return the row that says so."""
        return (self._state, _noted_key(conversation, user), values.pack_position(at_wall_ms))

    def groups(self, user: str, after: bytes, limit: int) -> tuple[list[bytes], bytes]:
        """Return the groups in which `user` is, of the next `limit` rows, and where to go on.

        Every row of state has to be looked at: only a group knows who is in it.
        """
        name = user.encode()
        rows = self._scan(self._state, after, _STATE_END, limit)
        found = []
        for key, value in rows:
            owner, kind, member = keys.parse_state_key(key)
            if kind == kinds.MEMBER and member == name:
                if msgspec.convert(codec.decode(value), Member).since:
                    found.append(owner)
        return found, rows[-1][0] + b"\0" if len(rows) == limit else b""

    def home_ranges(self, user: str) -> list[Range]:
        """Return what the home of `user` has, and what they wrote to oneself.

        All but the tomb, and the use of an invitation that may not be counted yet.
        """
        owner, notes = keys.user_key(user), keys.conversation_key(user, user)
        *_, inbox = self._families
        tomb = _tomb_key(user)
        ranges: list[Range] = [
            (inbox, owner, owner + b"\xff" * 9),
            (self._state, owner, tomb),
            (self._state, tomb + b"\0", owner + kinds.INVITATION),
            (self._state, owner + kinds.INVITATION + b"\xff" * 33, owner + b"\xff"),
        ]
        end = notes + b"\xff" * keys.OWNER_BYTES
        return [*ranges, *((family, notes, end) for family in self._families[:-1])]


def _noted_key(conversation: bytes, user: str) -> bytes:
    return keys.state_key(conversation, kinds.GONE, user.encode())


def _tomb_key(user: str) -> bytes:
    return keys.state_key(keys.user_key(user), kinds.GONE)
