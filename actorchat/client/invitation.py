"""Knows what operators do with invitations to sign up. Must not know how one asks."""

from __future__ import annotations

import secrets

from msgspec import Struct

from actorchat.client import event
from actorchat.client.people import read
from actorchat.protocol import ops

CODE_BYTES = 16


class InvitationInfo(Struct, frozen=True):
    """An invitation that is good: so many of its `uses` are `left`. Times in ms since 1970.

    `expires` is None where it never does.
    """

    invitation: str
    title: str
    uses: int
    left: int
    created: int
    expires: int | None


class Invited(Struct, frozen=True):
    """An invitation that was made: its `code` is for who is invited, `invitation` is its id."""

    code: str
    invitation: str


class InvitationAnswer(Struct):
    """The server's answer to `invitation`."""

    invitation: str


class InvitationsAnswer(Struct):
    """The server's answer to `invitations`."""

    invitations: list[InvitationInfo]


class InvitationCalls:
    """What `Chat` can do with invitations, for operators. All raise `Refusal` and `InvalidOp`."""

    async def _ask(self, request: event.Request) -> dict[str, object]:
        raise NotImplementedError

    async def add_invitation(
        self, title: str = "", *, uses: int = 1, valid_s: int | None = None, code: str | None = None
    ) -> Invited:
        """Have `uses` accounts be made by a code, within `valid_s` or for ever.

        The server keeps no code: it is in the answer alone. A `code` of one's own has 16 to 64
        characters that nobody can guess.

        Raises:
            Refusal: `exists`, `too_many`. ConnectionLost: Whether it was done is unknown.
        """
        code = secrets.token_urlsafe(CODE_BYTES) if code is None else code
        asked = ops.Invitation(0, "add", code, title, uses, valid_s)
        return Invited(code, read(await self._ask(asked), InvitationAnswer).invitation)

    async def invitations(self) -> list[InvitationInfo]:
        """Return the invitations that are good, the oldest first."""
        return read(await self._ask(ops.Invitations(0)), InvitationsAnswer).invitations

    async def revoke_invitation(self, invitation: str) -> None:
        """Have no more accounts be made by the invitation with this id.

        Raises:
            Refusal: `no_such_invitation`: it was revoked or used up.
        """
        await self._ask(ops.Invitation(0, "revoke", invitation=invitation))
