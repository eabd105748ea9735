"""Knows the rows of invitations to sign up, both ways. Must not know who is invited."""

from __future__ import annotations

from actorchat.chat.invitation import Invitation, invitation_id
from actorchat.store import keys, kinds, values
from actorchat.store.engine import Engine, Op

_PREFIX = keys.NODE_OWNER + kinds.INVITATION


class Invitations:
    """The invitations in one node's store: a row each, while it has uses left.

    Costs: a get 2 µs.
    """

    __slots__ = ("_get", "_scan", "_state")

    def __init__(self, engine: Engine) -> None:
        self._get = engine.get
        self._scan = engine.scan
        self._state = engine.family("state")

    def of_code(self, code: str) -> Invitation | None:
        """Return the invitation that `code` is of, or None."""
        digest = invitation_id(code)
        value = self._get(_PREFIX + digest, self._state)
        return None if value is None else _read(digest, value)

    def all(self) -> list[Invitation]:
        """Return all that are kept, expired ones too."""
        rows = self._scan(self._state, *keys.prefix_range(_PREFIX))
        return [_read(key[len(_PREFIX) :], value) for key, value in rows]

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
        return (self._state, _PREFIX + invitation.id, value)

    def no_row(self, invitation: Invitation) -> Op:
        """Return the change that takes an invitation away."""
        return (self._state, _PREFIX + invitation.id, None)


def _read(digest: bytes, value: bytes) -> Invitation:
    uses, left, created, expires, title = values.unpack_invitation(value)
    return Invitation(digest, title, uses, left, created, expires)
