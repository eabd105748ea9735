"""Where an update belongs, and whether the user wrote it."""

from __future__ import annotations

import pytest

from actorchat.client.message import Message, conversation_of, own_cid, peer_of
from actorchat.ids import group_address
from actorchat.protocol.ops import Deleted, Msg, Record
from tests.unit.client.playbook import CID

GROUP = group_address(CID)


def direct(sender: str, to: str | None = None) -> Msg:
    return Msg(1, Record(sender, 1, 5, CID, "x"), to)


def grouped(sender: str) -> Msg:
    return Msg(1, Record(sender, 1, 5, CID, "x", GROUP))


@pytest.mark.parametrize(
    ("op", "conversation", "cid"),
    [
        (direct("bob"), "bob", b""),
        (direct("ann", "bob"), "bob", CID),
        (direct("ann"), "ann", b""),  # to oneself: it is handed on
        (grouped("bob"), GROUP, b""),
        (grouped("ann"), GROUP, CID),
    ],
)
def test_update_belongs_to_a_conversation_and_may_be_the_users_own(
    op: Msg, conversation: str, cid: bytes
) -> None:
    assert conversation_of(op, "ann") == conversation
    assert own_cid(op, "ann") == cid
    record = op.msg
    message = Message(record.sender, 1, 5, CID, "x", 1, print, record.conv, None, op.to)
    assert message.conversation == conversation


@pytest.mark.parametrize(("user", "other"), [("ann", "bob"), ("bob", "ann")])
def test_moderators_deed_is_in_the_conversation_of_the_two(user: str, other: str) -> None:
    record = Record("robot", 9, 1, CID, "", act=Deleted([7], ["ann", "bob"]))
    op = Msg(1, record)
    assert (conversation_of(op, user), peer_of(op, user)) == (other, other)
    assert own_cid(op, user) == b""
    in_group = Msg(1, Record("robot", 9, 1, CID, "", "#g", act=Deleted([7])))
    assert (conversation_of(in_group, user), peer_of(in_group, user)) == ("#g", None)
