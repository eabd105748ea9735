"""Changes of a group read as what somebody did."""

from __future__ import annotations

import pytest

from actorchat.client import Entry
from actorchat.protocol.ops.group import (
    Add,
    Alter,
    AnyChange,
    Assign,
    Create,
    Enter,
    Invite,
    Leave,
    Remove,
    Uninvite,
)
from nodes.cli.change import text_of

LINK = "t" * 22


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (Create("g"), "* made the group 'g'"),
        (Create("g", ["bob", "cid"]), "* made the group 'g' with bob, cid"),
        (Alter("h", post="admins"), "* set name to 'h', post to 'admins'"),
        (Add(["bob"]), "* added bob"),
        (Add(["bob"], "reader"), "* added bob as readers"),
        (Add([f"u{n}" for n in range(10)]), "* added u0, u1, u2, u3, u4, u5, u6, u7 and 2 others"),
        (Remove("bob"), "* removed bob"),
        (Leave(), "* left"),
        (Leave("bob"), "* left; bob is the owner now"),
        (Assign("bob", "admin"), "* made bob admin"),
        (Invite(link=LINK), "* made an invite link"),
        (Uninvite(LINK), "* made an invite link void"),
        (Enter(link=LINK), "* joined by a link"),
    ],
)
def test_change_reads_as_what_somebody_did(change: AnyChange, text: str) -> None:
    assert text_of(Entry("ann", 1, 2, bytes(16), "", change)) == text


def test_message_reads_as_its_text() -> None:
    assert text_of(Entry("ann", 1, 2, bytes(16), "hi")) == "hi"
