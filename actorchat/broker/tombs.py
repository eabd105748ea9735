"""Knows the rows of accounts that have ended, and which rows are still to go. Must not know why."""

from __future__ import annotations

import msgspec

from actorchat.chat.roster import Member
from actorchat.protocol import codec
from actorchat.store import keys, kinds, values
from actorchat.store.engine import Engine, Family, Op

Range = tuple[Family, bytes, bytes]

_LEFT = keys.NODE_OWNER + kinds.META + b"erase/"
_STATE_END = keys.NODE_OWNER


class Tombs:
    """The rows of deleted accounts in one node's store.

    A tomb stands in the user's own slot for ever, so that nobody gets the name again; beside it the
    node notes that the account is still to be taken away. Costs: a get 2 µs.
    """

    __slots__ = ("_families", "_get", "_scan", "_state")

    def __init__(self, engine: Engine) -> None:
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
            (self._state, _LEFT + user.encode(), b""),
        )

    def unfinished(self, limit: int) -> list[str]:
        """Return the first users of whom something is left."""
        rows = self._scan(self._state, *keys.prefix_range(_LEFT), limit)
        return [key[len(_LEFT) :].decode() for key, _ in rows]

    def finished_row(self, user: str) -> Op:
        """Return the change that says that nothing is left."""
        return (self._state, _LEFT + user.encode(), None)

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


def _tomb_key(user: str) -> bytes:
    return keys.state_key(keys.user_key(user), kinds.GONE)
