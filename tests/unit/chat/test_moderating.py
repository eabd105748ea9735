"""What a moderator asks of a conversation on another node is a post as from this one."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.chat.acting import Acting
from actorchat.chat.conversation import Conversation
from actorchat.chat.event import Post
from actorchat.chat.group import Group
from actorchat.chat.moderating import Moderated, TakeAs
from actorchat.chat.moderation import is_moderating
from actorchat.protocol.ops import Deleted
from tests.unit.chat.cast import Peer

SESSION = Peer("session")


@pytest.mark.parametrize(
    ("machine", "conv", "between"),
    [
        (Conversation(("ann", "bob")), ("ann", "bob"), ["ann", "bob"]),
        (Group("#a", None), "#a", []),
    ],
)
def test_it_is_taken_as_the_post_of_a_moderator(machine: Any, conv: Any, between: Any) -> None:
    (effect,) = machine.handle(Moderated("robot", SESSION, 7, b"cid", conv, [1, 2]), 0)
    act = Acting(Deleted([1, 2], between), moderates=True)
    assert effect == TakeAs(Post("robot", SESSION, 7, b"cid", "", more=act))
    assert is_moderating(effect.post)
