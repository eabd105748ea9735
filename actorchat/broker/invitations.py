"""Knows the rows of invitations to sign up, both ways. Must not know who is invited."""

from __future__ import annotations

from collections.abc import Iterable

from actorchat.chat.invitation import Invitation, invitation_id
from actorchat.chat.reservation import Reservation
from actorchat.ids import slot_of
from actorchat.store import keys, kinds, values
from actorchat.store.engine import Engine, Op, Row

_ID_BYTES = keys.INVITATION_ID_BYTES


class Invitations:
    """The invitations in one node's store: a row each, while it has uses left.

    One of several nodes has them in the slots of their digests, and beside each the uses that are
    taken and not counted yet. Costs: a get 2 µs.
    """

    __slots__ = ("_get", "_is_of_many", "_scan", "_state")

    def __init__(self, engine: Engine, is_of_many: bool = False) -> None:
        self._get = engine.get
        self._scan = engine.scan
        self._state = engine.family("state")
        self._is_of_many = is_of_many

    def of_code(self, code: str) -> Invitation | None:
        """Return the invitation that `code` is of, or None."""
        return self.find(invitation_id(code))

    def find(self, digest: bytes) -> Invitation | None:
        """Return the invitation of a code's digest, or None."""
        value = self._get(self._key(digest), self._state)
        return None if value is None else _read(digest, value)

    def all(self, slots: Iterable[int] = ()) -> list[Invitation]:
        """Return all that are kept, expired ones too; of one of several nodes those in `slots`."""
        rows = self._rows(slots)
        return [_read(row, value) for row, value in rows if len(row) == _ID_BYTES]

    def row(self, invitation: Invitation) -> Op:
        """Return the row of an invitation; with no use left it is deleted."""
        if not invitation.left:
            return self.no_row(invitation)
        value = values.pack_invitation(
            invitation.uses,
            invitation.left,
            invitation.created_at_wall_ms,
            invitation.expires_at_wall_ms,
            invitation.title,
        )
        return (self._state, self._key(invitation.id), value)

    def no_row(self, invitation: Invitation) -> Op:
        """Return the change that takes an invitation away."""
        return (self._state, self._key(invitation.id), None)

    # -- uses that are taken -----------------------------------------------------------------------
    def taken(self, digest: bytes) -> int:
        """Return how many uses of an invitation are taken and not counted yet."""
        start, stop = keys.prefix_range(self._key(digest))
        return len(self._scan(self._state, start + b"\0", stop))

    def is_taken(self, reservation: Reservation) -> bool:
        """Say whether this use is."""
        return self._get(self._taken_key(reservation), self._state) is not None

    def all_taken(self, slots: Iterable[int]) -> list[Reservation]:
        """Return those of all invitations in `slots`."""
        rows = self._rows(slots)
        return [
            Reservation(row[:_ID_BYTES], row[_ID_BYTES:], value.decode())
            for row, value in rows
            if len(row) > _ID_BYTES
        ]

    def taken_row(self, reservation: Reservation, is_taken: bool = True) -> Op:
        """Return the row of a use that is taken; not taken: that takes it away."""
        value = reservation.user.encode() if is_taken else None
        return (self._state, self._taken_key(reservation), value)

    def owes(self, reservation: Reservation) -> bool:
        """Say whether its user's account was made by it, and that may not be counted yet."""
        return self._get(_owed_key(reservation), self._state) is not None

    def owed_row(self, reservation: Reservation, is_owed: bool = True) -> Op:
        """Return the row that says so, in the user's slot."""
        return (self._state, _owed_key(reservation), b"" if is_owed else None)

    # -- keys --------------------------------------------------------------------------------------
    def _rows(self, slots: Iterable[int]) -> list[Row]:
        found = []
        owners = map(keys.slot_owner, slots) if self._is_of_many else (keys.NODE_OWNER,)
        for owner in owners:
            prefix = owner + kinds.INVITATION
            rows = self._scan(self._state, *keys.prefix_range(prefix))
            found += [(key[len(prefix) :], value) for key, value in rows]
        return found

    def _key(self, digest: bytes) -> bytes:
        owner = keys.slot_owner(slot_of(digest.hex())) if self._is_of_many else keys.NODE_OWNER
        return owner + kinds.INVITATION + digest

    def _taken_key(self, reservation: Reservation) -> bytes:
        return self._key(reservation.digest) + reservation.id


def _owed_key(reservation: Reservation) -> bytes:
    owner = keys.user_key(reservation.user)
    return keys.state_key(owner, kinds.INVITATION, reservation.digest + reservation.id)


def _read(digest: bytes, value: bytes) -> Invitation:
    uses, left, created, expires, title = values.unpack_invitation(value)
    return Invitation(digest, title, uses, left, created, expires)
