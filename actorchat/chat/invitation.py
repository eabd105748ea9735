"""Knows what an invitation to sign up is, which ones are good, and how a use of it is counted.
Must not know who signs up, rows or randomness.
"""

from __future__ import annotations

from hashlib import sha256

import msgspec

from actorchat.chat.event import Address, Answer, Refused
from actorchat.limits import INVITATIONS_MAX
from actorchat.protocol import ops

ID_BYTES = 16

_TOO_MANY = "there are as many invitations as may be; revoke one first"


class Invitation(msgspec.Struct, frozen=True):
    """So many more accounts may be made by a code, of which only the digest is kept.

    `id` are the first 16 bytes of its SHA-256: a code is unguessable, so neither salt nor work is
    needed. `left` of `uses` are to be had, until `expires_at_wall_ms`; 0: for ever.
    """

    id: bytes
    title: str
    uses: int
    left: int
    created_at_wall_ms: int
    expires_at_wall_ms: int = 0


class InvitationAsked(msgspec.Struct, gc=False):
    """An operator asks for `op`; the shell fills in all invitations that are kept."""

    session: Address
    op: ops.Invitation | ops.Invitations
    invitations: list[Invitation] = []


class KeepInvitation(msgspec.Struct, gc=False):
    """Effect: keep `invitation` and forget `expired`; when synced, answer."""

    session: Address
    rid: int
    invitation: Invitation
    expired: list[Invitation]


class DropInvitation(msgspec.Struct, gc=False):
    """Effect: forget an invitation; when synced, answer."""

    session: Address
    rid: int
    invitation: Invitation


class TellInvitations(msgspec.Struct, gc=False):
    """Effect: answer when all that was appended before is synced."""

    session: Address
    answer: Answer


class RefuseInvitation(msgspec.Struct, gc=False):
    """Effect: tell the session that it is refused."""

    session: Address
    refused: Refused


def invitation_id(code: str) -> bytes:
    """Return what is kept of a code."""
    return sha256(code.encode("utf-8", "surrogatepass")).digest()[:ID_BYTES]


def is_good(invitation: Invitation | None, now_wall_ms: int) -> bool:
    """Say whether one more account may be made by it."""
    if invitation is None or invitation.left < 1:
        return False
    return not invitation.expires_at_wall_ms or now_wall_ms < invitation.expires_at_wall_ms


def used_once(invitation: Invitation) -> Invitation:
    """Return what is left of it; with none left it is to be forgotten."""
    return msgspec.structs.replace(invitation, left=invitation.left - 1)


def answer_operator(event: InvitationAsked, now_wall_ms: int) -> object:
    """Return what must be done for an operator: one effect."""
    session, op = event.session, event.op
    good = [one for one in event.invitations if is_good(one, now_wall_ms)]
    if isinstance(op, ops.Invitations):
        shown = [_shown(one) for one in sorted(good, key=lambda one: one.created_at_wall_ms)]
        return TellInvitations(session, Answer(op.id, {"invitations": shown}))
    if op.do == "revoke":
        wanted = bytes.fromhex(op.invitation or "")
        found = next((one for one in event.invitations if one.id == wanted), None)
        if found is None:
            reason = "no invitation has this id; it may be used up"
            return RefuseInvitation(session, Refused(op.id, "no_such_invitation", reason))
        return DropInvitation(session, op.id, found)
    made = _made(op, now_wall_ms)
    if any(one.id == made.id for one in good):
        reason = "there is such an invitation"
        return RefuseInvitation(session, Refused(op.id, "exists", reason))
    if len(good) >= INVITATIONS_MAX:
        return RefuseInvitation(session, Refused(op.id, "too_many", _TOO_MANY))
    expired = [one for one in event.invitations if one not in good and one.id != made.id]
    return KeepInvitation(session, op.id, made, expired)


def _made(op: ops.Invitation, now_wall_ms: int) -> Invitation:
    expires = 0 if op.valid_s is None else now_wall_ms + op.valid_s * 1000
    return Invitation(
        invitation_id(op.code or ""), op.title, op.uses, op.uses, now_wall_ms, expires
    )


def _shown(one: Invitation) -> dict[str, object]:
    return {
        "invitation": one.id.hex(),
        "title": one.title,
        "uses": one.uses,
        "left": one.left,
        "created": one.created_at_wall_ms,
        "expires": one.expires_at_wall_ms or None,
    }
