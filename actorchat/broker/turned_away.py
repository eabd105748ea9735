"""Knows who is told what when a message could not be brought to whom it was for.
Must not know why, beyond a code, or how messages travel.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from actorchat.chat import signin_event
from actorchat.chat.act import Hide
from actorchat.chat.afar import BlockKept
from actorchat.chat.block import Blocking
from actorchat.chat.concealing import Conceal, Concealed
from actorchat.chat.event import Attach, Ended, Fetch, Post, Refused, SignInRefused
from actorchat.chat.group_event import AskReceipts, Changing, Describe
from actorchat.chat.moderating import BotWanted, Moderate, Moderated
from actorchat.chat.people import Asked
from actorchat.chat.reservation import InvitationWanted
from actorchat.errors import Retry, Unavailable
from actorchat.limits import UNAVAILABLE_AFTER_MS

_ASKED = (
    *(Post, Fetch, Hide, Conceal, Moderate, Moderated, Blocking, Changing, Describe, AskReceipts),
    *(signin_event.Revocation, signin_event.PasswordChange, signin_event.Provisioning),
    *(signin_event.Renewal, signin_event.Erasing),
)
_PARTLY = (Concealed, BlockKept)  # of which the conversation has its part
_WANTED = (Asked, InvitationWanted, BotWanted)


def turn_away(
    message: Any,
    code: str,
    reason: str,
    retry: Retry = "after",
    after_ms: int = UNAVAILABLE_AFTER_MS,
) -> None:
    """Answer, instead of who can't be reached, that nothing was done.

    What nobody waits for is left: it is found missing and told again, or was a hint.
    """
    answer: object
    if isinstance(message, _ASKED):
        answer = Refused(message.rid, code, reason, retry, "none", after_ms)
    elif isinstance(message, _PARTLY):
        answer = Refused(message.rid, code, reason, retry, "unknown", after_ms)
    elif isinstance(message, _WANTED):
        answer = Refused(message.op.id, code, reason, retry, "none", after_ms)
    elif isinstance(message, signin_event.Attempt | signin_event.Enrolment):
        answer = SignInRefused(code, reason, retry, after_ms)
    elif isinstance(message, Attach):
        answer = Ended("drain", "after")
    else:
        return
    with suppress(Unavailable):
        message.session.tell(answer)
