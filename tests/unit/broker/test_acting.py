"""Each op that changes what was said is one event, for the conversation or for one's home."""

from __future__ import annotations

import pytest

from actorchat.broker.acting import acting
from actorchat.chat.act import Hide
from actorchat.chat.event import Post
from actorchat.chat.session import Session
from actorchat.protocol import ops

CID = bytes(16)
GROUP = "#AAECAwQFBgcICQoLDA0ODw"


class Nobody:
    def tell(self, event: object) -> None:
        raise AssertionError


@pytest.mark.parametrize(
    ("op", "body", "act"),
    [
        (ops.Edit(3, "bob", CID, 7, "ho"), "ho", ops.Edited(7)),
        (ops.Delete(3, "bob", CID, [7]), "", ops.Deleted([7])),
        (ops.React(3, "bob", CID, 7, "x", False), "", ops.Reacted(7, "x", False)),
    ],
)
def test_what_is_for_all_is_posted(
    op: ops.Edit | ops.Delete | ops.React, body: str, act: ops.AnyAct
) -> None:
    session = Session()
    session.user, session.has_company = "ann", True
    post = acting(session, Nobody(), op)
    assert isinstance(post, Post)
    assert (post.sender, post.rid, post.cid, post.body) == ("ann", 3, CID, body)
    assert post.has_company
    assert post.more is not None
    assert post.more.act == act  # type: ignore[union-attr]


@pytest.mark.parametrize(("conv", "named"), [("bob", ("ann", "bob")), (GROUP, GROUP)])
def test_what_is_for_oneself_goes_home(conv: str, named: object) -> None:
    session = Session()
    session.user = "ann"
    hide = acting(session, Nobody(), ops.Delete(3, conv, CID, [7], "me"))
    assert isinstance(hide, Hide)
    assert (hide.pair, hide.seqs, hide.rid) == (named, [7], 3)
