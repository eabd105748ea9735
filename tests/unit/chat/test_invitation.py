"""Which invitations are good, and what operators do with them."""

from __future__ import annotations

import pytest

from actorchat.chat.event import Answer, Refused
from actorchat.chat.invitation import (
    ID_BYTES,
    DropInvitation,
    Invitation,
    InvitationAsked,
    KeepInvitation,
    RefuseInvitation,
    TellInvitations,
    answer_operator,
    invitation_id,
    is_good,
    used_once,
)
from actorchat.limits import INVITATIONS_MAX
from actorchat.protocol import ops
from tests.unit.chat.cast import Peer

SESSION = Peer("session")
CODE = "0123456789abcdef"
ONE = Invitation(invitation_id(CODE), "school", 2, 2, 5, 1_000)


def asked(op: ops.Invitation | ops.Invitations, *kept: Invitation, now: int = 10) -> object:
    return answer_operator(InvitationAsked(SESSION, op, list(kept)), now)


def refused(code: str, effect: object) -> bool:
    assert isinstance(effect, RefuseInvitation)
    assert isinstance(effect.refused, Refused)
    return effect.refused.code == code


@pytest.mark.parametrize(
    ("invitation", "now", "good"),
    [
        (None, 0, False),
        (ONE, 999, True),
        (ONE, 1_000, False),
        (Invitation(b"i", "", 2, 0, 5), 10, False),
        (Invitation(b"i", "", 2, 1, 5), 10**15, True),
    ],
)
def test_invitation_is_good_while_uses_and_time_are_left(
    invitation: Invitation | None, now: int, good: bool
) -> None:
    assert is_good(invitation, now) is good


def test_use_is_counted() -> None:
    assert used_once(ONE) == Invitation(ONE.id, "school", 2, 1, 5, 1_000)


def test_code_is_not_kept() -> None:
    assert len(ONE.id) == ID_BYTES
    assert CODE.encode() not in ONE.id
    assert invitation_id("\ud800") != ONE.id


def test_operator_makes_an_invitation() -> None:
    op = ops.Invitation(7, "add", CODE, "school", 2, 1)
    made = Invitation(ONE.id, "school", 2, 2, 10, 1_010)
    assert asked(op) == KeepInvitation(SESSION, 7, made, [])
    for_ever = asked(ops.Invitation(7, "add", CODE))
    assert for_ever == KeepInvitation(SESSION, 7, Invitation(ONE.id, "", 1, 1, 10), [])


def test_code_that_is_in_use_is_refused_and_an_old_one_is_not() -> None:
    op = ops.Invitation(7, "add", CODE)
    assert refused("exists", asked(op, ONE))
    effect = asked(op, ONE, now=1_000)
    assert isinstance(effect, KeepInvitation)
    assert effect.expired == []


def test_what_has_expired_goes_when_another_is_made() -> None:
    old = Invitation(b"o" * 16, "", 1, 1, 1, 2)
    effect = asked(ops.Invitation(7, "add", CODE), old)
    assert isinstance(effect, KeepInvitation)
    assert effect.expired == [old]


def test_there_are_not_more_than_a_list_can_hold() -> None:
    many = [Invitation(n.to_bytes(16, "big"), "", 1, 1, 1) for n in range(INVITATIONS_MAX)]
    assert refused("too_many", asked(ops.Invitation(7, "add", CODE), *many))
    old = Invitation(b"o" * 16, "", 1, 1, 1, 2)
    effect = asked(ops.Invitation(7, "add", CODE), *many[1:], old)
    assert isinstance(effect, KeepInvitation)


def test_revoked_invitation_is_dropped_and_an_unknown_one_refused() -> None:
    op = ops.Invitation(7, "revoke", invitation=ONE.id.hex())
    assert asked(op, ONE) == DropInvitation(SESSION, 7, ONE)
    assert refused("no_such_invitation", asked(op))


def test_list_has_what_is_good_the_oldest_first() -> None:
    newer = Invitation(b"n" * 16, "", 1, 1, 9)
    old = Invitation(b"o" * 16, "", 1, 1, 1, 2)
    effect = asked(ops.Invitations(7), newer, ONE, old)
    shown = [
        {
            "invitation": ONE.id.hex(),
            "title": "school",
            "uses": 2,
            "left": 2,
            "created": 5,
            "expires": 1_000,
        },
        {
            "invitation": (b"n" * 16).hex(),
            "title": "",
            "uses": 1,
            "left": 1,
            "created": 9,
            "expires": None,
        },
    ]
    assert effect == TellInvitations(SESSION, Answer(7, {"invitations": shown}))
