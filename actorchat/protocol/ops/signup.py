"""Knows the ops by which people make accounts themselves, and keep their tokens young.
Must not know how codes and tokens are kept.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from actorchat.limits import (
    INVITATION_CHARS_MAX,
    INVITATION_CHARS_MIN,
    INVITATION_USES_MAX,
    INVITATION_VALID_S_MAX,
    PASSWORD_CHARS_MIN,
    SECRET_CHARS_MAX,
    TITLE_CHARS_MAX,
)
from actorchat.protocol.ops.field import Agent, NewName, RequestId, Secret, Version

InvitationDeed = Literal["add", "revoke"]
OwnSecret = Annotated[str, Meta(min_length=PASSWORD_CHARS_MIN, max_length=SECRET_CHARS_MAX)]
Code = Annotated[str, Meta(max_length=INVITATION_CHARS_MAX)]
NewCode = Annotated[str, Meta(min_length=INVITATION_CHARS_MIN, max_length=INVITATION_CHARS_MAX)]
InvitationId = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]
InvitationTitle = Annotated[str, Meta(max_length=TITLE_CHARS_MAX)]
Uses = Annotated[int, Meta(ge=1, le=INVITATION_USES_MAX)]
ValidS = Annotated[int, Meta(ge=1, le=INVITATION_VALID_S_MAX)]


class SignUp(Struct, tag_field="op", tag="signup", gc=False, omit_defaults=True):
    """Ask for an account of `user`, and to sign in by it as `device`; in place of a hello.

    `code` is that of an invitation, where the server wants one. Answer: the welcome, with a token.
    Errors: `signup_closed`, `bad_invitation`, `exists`, `rate_limited`, `version`, `busy`,
    `unavailable`, `store_full`; the connection ends with each. Which names are taken is only told
    to who may sign up.
    """

    id: RequestId
    version: Version
    user: NewName
    device: NewName
    password: OwnSecret
    code: Code | None = None
    agent: Agent = ""


class Invitation(Struct, tag_field="op", tag="invitation", gc=False, omit_defaults=True):
    """Ask for something to be done to an invitation; for operators only.

    `add` wants the `code`, made by who asks and unguessable: it is good for `uses` accounts, for
    `valid_s` or for ever. `revoke` wants the `invitation`, its id. Answer: `{invitation}`, the id.
    Errors: `exists`, `too_many`, `no_such_invitation`, `bad_request`, `forbidden`, `busy`.
    """

    id: RequestId
    do: InvitationDeed
    code: NewCode | None = None
    title: InvitationTitle = ""
    uses: Uses = 1
    valid_s: ValidS | None = None
    invitation: InvitationId | None = None

    def __post_init__(self) -> None:
        if (self.code if self.do == "add" else self.invitation) is None:
            raise ValueError("`add` needs `code`, `revoke` needs `invitation`")


class Invitations(Struct, tag_field="op", tag="invitations", gc=False):
    """Ask for all invitations that are good; for operators only.

    Answer: `{invitations: [{invitation, title, uses, left, created, expires}…]}`, times in ms since
    1970, `expires` null where it never does.
    """

    id: RequestId


class Refresh(Struct, tag_field="op", tag="refresh", gc=False):
    """Ask for another token for the device that asks; `token` is the one that it has.

    `token` stays good until the new one has been used once, so that a lost answer locks nobody out;
    asked again, the answer before is void. Answer: `{token, lifetime?}`. Errors: `unauthenticated`
    where `token` is not the device's, `store_full`, `busy`.
    """

    id: RequestId
    token: Secret


INVITATION_OPS = (Invitation, Invitations)
