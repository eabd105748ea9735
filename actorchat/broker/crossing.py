"""Knows which messages cross between nodes, each by its code, and how those cross that can't as
they are. Must not know links, or what is done about them.

A code, once given, is its message's for ever: nodes of two versions talk to each other. Fields are
added at the end, with defaults.
"""

from __future__ import annotations

from typing import Any

import msgspec

from actorchat.chat import (
    act,
    afar,
    block,
    concealing,
    erasure,
    event,
    group_event,
    moderating,
    people,
    reservation,
    search,
    sighting,
    signin_event,
)
from actorchat.chat.acting import Acting
from actorchat.chat.event import Address
from actorchat.cluster import handoff
from actorchat.cluster.link_codec import MessageCodec
from actorchat.protocol.ops import AnyAct, Extra
from actorchat.protocol.ops.group import AnyChange


class PostTwin(msgspec.Struct, gc=False):
    """A post, without what its conversation fills in."""

    sender: str
    session: Address
    rid: int
    cid: bytes
    body: str
    has_company: bool
    extra: Extra | None = None
    act: AnyAct | None = None

    @classmethod
    def of(cls, post: event.Post) -> PostTwin:
        """Make the twin of a post."""
        more = post.more
        extra = more if isinstance(more, Extra) else None
        act = more.act if isinstance(more, Acting) else None
        about = (post.sender, post.session, post.rid, post.cid, post.body, post.has_company)
        return cls(*about, extra, act)

    def back(self) -> event.Post:
        """Make the post."""
        more = self.extra if self.act is None else Acting(self.act)
        about = (self.sender, self.session, self.rid, self.cid, self.body)
        return event.Post(*about, None, b"", self.has_company, more)


class AttemptTwin(msgspec.Struct, gc=False):
    """An attempt to sign in, without what the desk looks up."""

    session: Address
    user: str
    device: str
    mech: str
    secret: str
    source: str

    @classmethod
    def of(cls, attempt: signin_event.Attempt) -> AttemptTwin:
        """Make the twin of an attempt."""
        who = (attempt.session, attempt.user, attempt.device)
        return cls(*who, attempt.mech, attempt.secret, attempt.source)

    def back(self) -> signin_event.Attempt:
        """Make the attempt."""
        attempt = signin_event.Attempt(self.session, self.user, self.device, self.mech, self.secret)
        attempt.source = self.source
        return attempt


class EnrolmentTwin(msgspec.Struct, gc=False):
    """What somebody who has no account asks, without what the desk looks up."""

    session: Address
    user: str
    device: str
    password: str
    code: str | None
    source: str

    @classmethod
    def of(cls, asked: signin_event.Enrolment) -> EnrolmentTwin:
        """Make the twin of what is asked."""
        who = (asked.session, asked.user, asked.device)
        return cls(*who, asked.password, asked.code, asked.source)

    def back(self) -> signin_event.Enrolment:
        """Make what is asked."""
        who = (self.session, self.user, self.device)
        return signin_event.Enrolment(*who, self.password, self.code, self.source)


class RevocationTwin(msgspec.Struct, gc=False):
    """A revocation, without what the desk looks up."""

    session: Address
    rid: int
    user: str
    device: str

    @classmethod
    def of(cls, asked: signin_event.Revocation) -> RevocationTwin:
        """Make the twin of a revocation."""
        return cls(asked.session, asked.rid, asked.user, asked.device)

    def back(self) -> signin_event.Revocation:
        """Make the revocation."""
        return signin_event.Revocation(self.session, self.rid, self.user, self.device)


class PasswordTwin(msgspec.Struct, gc=False):
    """A change of a password, without what the desk looks up."""

    session: Address
    rid: int
    user: str
    device: str
    secret: str
    password: str
    revokes_others: bool
    keep: list[str]

    @classmethod
    def of(cls, asked: signin_event.PasswordChange) -> PasswordTwin:
        """Make the twin of a change."""
        who = (asked.session, asked.rid, asked.user, asked.device)
        return cls(*who, asked.secret, asked.password, asked.revokes_others, asked.keep)

    def back(self) -> signin_event.PasswordChange:
        """Make the change."""
        who = (self.session, self.rid, self.user, self.device)
        rest = (self.secret, self.password, self.revokes_others)
        change = signin_event.PasswordChange(*who, *rest)
        change.keep = self.keep
        return change


class RenewalTwin(msgspec.Struct, gc=False):
    """What a device asks in place of its token, without what the desk looks up."""

    session: Address
    rid: int
    user: str
    device: str
    secret: str

    @classmethod
    def of(cls, asked: signin_event.Renewal) -> RenewalTwin:
        """Make the twin of what is asked."""
        return cls(asked.session, asked.rid, asked.user, asked.device, asked.secret)

    def back(self) -> signin_event.Renewal:
        """Make what is asked."""
        who = (self.session, self.rid, self.user, self.device)
        return signin_event.Renewal(*who, self.secret)


class ProvisioningTwin(msgspec.Struct, gc=False):
    """What an operator asks of an account, without what the desk looks up."""

    session: Address
    rid: int
    user: str
    password: str | None
    device: str | None

    @classmethod
    def of(cls, asked: signin_event.Provisioning) -> ProvisioningTwin:
        """Make the twin; a bot's can't cross."""
        if asked.bot_kinds is not None:
            raise TypeError("a bot is made at its home")
        return cls(asked.session, asked.rid, asked.user, asked.password, asked.device)

    def back(self) -> signin_event.Provisioning:
        """Make what was asked."""
        about = (self.session, self.rid, self.user, self.password, self.device)
        return signin_event.Provisioning(*about)


class AskedTwin(msgspec.Struct, gc=False):
    """What a session asks of the people desk, without what the desk looks up."""

    session: Address
    user: str
    device: str
    op: people.PeopleOp

    @classmethod
    def of(cls, asked: people.Asked) -> AskedTwin:
        """Make the twin of what is asked."""
        return cls(asked.session, asked.user, asked.device, asked.op)

    def back(self) -> people.Asked:
        """Make what is asked."""
        return people.Asked(self.session, self.user, self.device, self.op)


class ChangingTwin(msgspec.Struct, gc=False):
    """A change of a group, without what its group fills in."""

    sender: str
    session: Address
    rid: int
    cid: bytes
    change: AnyChange

    @classmethod
    def of(cls, asked: group_event.Changing) -> ChangingTwin:
        """Make the twin of what is asked."""
        return cls(asked.sender, asked.session, asked.rid, asked.cid, asked.change)

    def back(self) -> group_event.Changing:
        """Make what is asked."""
        return group_event.Changing(self.sender, self.session, self.rid, self.cid, self.change)


CODES: dict[int, tuple[type[msgspec.Struct], type[Any] | None]] = {
    # of an operator to a user's home
    96: (afar.Where, None),
    # to a conversation
    1: (event.Post, PostTwin),
    2: (event.Reached, None),
    3: (event.Fetch, None),
    4: (event.FannedOut, None),
    5: (event.Missing, None),
    6: (afar.Known, None),
    7: (block.Blocking, None),
    8: (group_event.Changing, ChangingTwin),
    9: (group_event.Describe, None),
    10: (group_event.AskReceipts, None),
    11: (afar.AboutThem, None),
    # to a user's home
    16: (event.Deliver, None),
    17: (event.Confirm, None),
    18: (event.Acked, None),
    19: (event.Attach, None),
    20: (event.Detach, None),
    21: (event.Aware, None),
    22: (event.Marked, None),
    23: (afar.Listed, None),
    # to a tracker
    24: (sighting.Arrived, None),
    25: (sighting.Departed, None),
    26: (sighting.Subscribe, None),
    27: (sighting.Unsubscribe, None),
    28: (sighting.Signalled, None),
    29: (sighting.SetPrivacy, None),
    30: (sighting.AskSettings, None),
    # to a user's home
    31: (act.Hide, None),
    # to a session
    32: (event.Accepted, None),
    33: (event.Refused, None),
    34: (event.Update, None),
    35: (event.Page, None),
    36: (event.Answer, None),
    37: (event.Attached, None),
    38: (event.Company, None),
    39: (event.Ended, None),
    40: (event.HomeLost, None),
    41: (event.SignedIn, None),
    42: (event.SignInRefused, None),
    43: (sighting.Watched, None),
    44: (sighting.Sighted, None),
    45: (sighting.SignalSeen, None),
    46: (sighting.LevelChanged, None),
    47: (sighting.TrackerLost, None),
    # between those who hand slots over and take them
    112: (handoff.TakeOver, None),
    113: (handoff.Began, None),
    114: (handoff.Piece, None),
    115: (handoff.Took, None),
    116: (handoff.Kept, None),
    # to a desk
    64: (signin_event.Attempt, AttemptTwin),
    65: (signin_event.Revocation, RevocationTwin),
    66: (signin_event.PasswordChange, PasswordTwin),
    67: (signin_event.Provisioning, ProvisioningTwin),
    68: (people.Asked, AskedTwin),
    69: (afar.WhoIs, None),
    70: (afar.BlockKept, None),
    71: (afar.AskFacts, None),
    72: (afar.FactsGiven, None),
    73: (afar.AskAbout, None),
    74: (signin_event.Renewal, RenewalTwin),
    # to a conversation, and to a user's home behind it
    200: (concealing.Conceal, None),
    201: (concealing.Concealed, None),
    # to the sign-in desk, and between that and the desk of invitations
    202: (signin_event.Enrolment, EnrolmentTwin),
    203: (reservation.Reserve, None),
    204: (reservation.Reserved, None),
    205: (reservation.AskSettled, None),
    206: (reservation.Settled, None),
    207: (reservation.Closed, None),
    208: (reservation.InvitationWanted, None),
    209: (reservation.AskInvitations, None),
    210: (reservation.InvitationsGiven, None),
    # to a conversation, of a user whose account has ended
    211: (erasure.PeerGone, None),
    # between desks of search
    212: (search.SearchPart, None),
    213: (search.PartFound, None),
    # of an operator to the sign-in desk; of a bot to the people desk, and from there
    214: (moderating.BotWanted, None),
    215: (moderating.Moderate, None),
    216: (moderating.Moderated, None),
}


def allow(codec: MessageCodec) -> None:
    """Let all of these cross."""
    for code, (cls, twin) in CODES.items():
        codec.allow(code, cls, twin)
