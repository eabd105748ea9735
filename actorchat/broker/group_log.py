"""Knows which rows keep a group's members, settings and links, both ways.
Must not know what they mean for who asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec

from actorchat.chat.roster import Member, Profile, Roster, Touched
from actorchat.errors import MalformedFrame, StoreCorrupt
from actorchat.protocol import codec
from actorchat.store import keys, kinds, values
from actorchat.store.engine import Engine, Op

_T = TypeVar("_T")


class GroupRow(Profile):
    """A group's own row: its address, which its key does not tell, and its profile."""

    address: str


class GroupLog:
    """The state rows of groups in one node's store; records and marks are those of any sequence."""

    __slots__ = ("_get", "_scan", "_state")

    def __init__(self, engine: Engine) -> None:
        self._get = engine.get
        self._scan = engine.scan
        self._state = engine.family("state")

    def has(self, address: str) -> bool:
        """Say whether there is such a group."""
        return self._get(_own_key(keys.group_key(address)), self._state) is not None

    def has_member(self, group: bytes, user: str) -> bool:
        """Say whether `user` is in a group now."""
        value = self._get(keys.state_key(group, kinds.MEMBER, user.encode()), self._state)
        return value is not None and _read(value, Member, group).since > 0

    def address(self, group: bytes) -> str | None:
        """Return the address of the group with this key; None if there is none."""
        row = self._row(group)
        return None if row is None else row.address

    def roster(self, group: bytes) -> Roster | None:
        """Return who is in a group, its settings and links; None if there is no such group."""
        row = self._row(group)
        if row is None:
            return None
        fields = Profile.__struct_fields__
        profile = Profile(**{field: getattr(row, field) for field in fields})
        members = {
            user: _read(value, Member, group) for user, value in self._rows_of(group, kinds.MEMBER)
        }
        return Roster(profile, members, (link for link, _ in self._rows_of(group, kinds.LINK)))

    def profile(self, group: bytes) -> Profile | None:
        """Return what a group is called, and its settings."""
        return self._row(group)

    def member(self, group: bytes, user: str) -> Member | None:
        """Return the row of one who is, or was, a member."""
        value = self._get(keys.state_key(group, kinds.MEMBER, user.encode()), self._state)
        return None if value is None else _read(value, Member, group)

    def first_readable(self, group: bytes, user: str) -> int:
        """Return the first seq that a member may read; 0 for who is in the group no more."""
        member, profile = self.member(group, user), self._row(group)
        if member is None or profile is None or not member.since:
            return 0
        return member.since if profile.history == "since_join" else 1

    def is_counted(self, group: bytes) -> bool:
        """Say whether the group is in its members' lists; a store may have been begun without."""
        return self._get(keys.state_key(group, kinds.SIZE), self._state) is not None

    def size(self, group: bytes) -> int:
        """Return how many are in a group."""
        value = self._get(keys.state_key(group, kinds.SIZE), self._state)
        if value is not None:
            return values.unpack_position(value)
        rows = self._rows_of(group, kinds.MEMBER)
        return sum(_read(value, Member, group).since > 0 for _, value in rows)

    def listed(
        self, group: bytes, address: str, size: int, joined: Iterable[str], left: Iterable[str] = ()
    ) -> list[Op]:
        """Return the rows by which a group is in its members' lists, and how many they are."""
        ops: list[Op] = [
            (self._state, keys.state_key(keys.user_key(user), kinds.INDEX, group), value)
            for users, value in ((joined, address.encode()), (left, None))
            for user in users
        ]
        ops.append((self._state, keys.state_key(group, kinds.SIZE), values.pack_position(size)))
        return ops

    def marks(self, group: bytes) -> dict[str, tuple[int, int]]:
        """Return (delivered, read) of all who ever got something."""
        return {
            user: values.unpack_positions(value)
            for user, value in self._rows_of(group, kinds.MARKS)
        }

    def index_row(self, group: bytes, address: str, user: str, is_in: bool) -> Op:
        """Return the row by which a group is in a user's list; not to be in it deletes it."""
        key = keys.state_key(keys.user_key(user), kinds.INDEX, group)
        return (self._state, key, address.encode() if is_in else None)

    def changed(
        self,
        group: bytes,
        address: str,
        roster: Roster,
        touched: Touched,
        is_here: Callable[[str], bool] | None = None,
    ) -> list[Op]:
        """Return the rows of a change; of users' lists only those of whom `is_here`."""
        ops = self.members(group, roster, touched.users)
        if touched.joined or touched.left:
            size = len(roster.members)
            joined, left = filter(is_here, touched.joined), filter(is_here, touched.left)
            ops += self.listed(group, address, size, joined, left)
        if touched.profile:
            profile = roster.profile
            fields = {field: getattr(profile, field) for field in profile.__struct_fields__}
            value = codec.encode({"address": address, **fields})
            ops.append((self._state, _own_key(group), value))
        if touched.link is not None:
            key = keys.state_key(group, kinds.LINK, touched.link.encode())
            ops.append((self._state, key, b"" if touched.link in roster.links else None))
        return ops

    def members(self, group: bytes, roster: Roster, users: Iterable[str]) -> list[Op]:
        """Return the rows of these users: what they are now, or a deletion."""
        return [
            (
                self._state,
                keys.state_key(group, kinds.MEMBER, user.encode()),
                None if (row := roster.rows.get(user)) is None else codec.encode(row),
            )
            for user in users
        ]

    def _row(self, group: bytes) -> GroupRow | None:
        value = self._get(_own_key(group), self._state)
        return None if value is None else _read(value, GroupRow, group)

    def _rows_of(self, group: bytes, kind: bytes) -> list[tuple[str, bytes]]:
        prefix = keys.state_key(group, kind)
        rows = self._scan(self._state, *keys.prefix_range(prefix))
        return [(key[len(prefix) :].decode(), value) for key, value in rows]


def _own_key(group: bytes) -> bytes:
    return keys.state_key(group, kinds.GROUP)


def _read(value: bytes, kind: type[_T], group: bytes) -> _T:
    try:
        return msgspec.convert(codec.decode(value), kind)
    except (MalformedFrame, msgspec.ValidationError) as error:
        what = kind.__name__.lower()
        raise StoreCorrupt(f"bad {what} row of group {group.hex()}: {error}") from error
