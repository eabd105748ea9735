"""A moderator's request is told from a member's, and is for deleting alone."""

from __future__ import annotations

from typing import Any, cast

import pytest

from actorchat.chat.acting import Acting
from actorchat.chat.conversation import Conversation
from actorchat.chat.effect import Refuse, Store
from actorchat.chat.event import Post
from actorchat.chat.moderation import is_moderating
from actorchat.protocol.ops import AnyAct, Deleted, Edited, Extra, Reacted, Record

SESSION = cast(Any, object())


def post(more: Extra | Acting | None, sender: str = "robot") -> Post:
    return Post(sender, SESSION, 1, bytes(16), "", more=more)


def test_a_grant_is_noted_in_the_request_alone() -> None:
    assert is_moderating(post(Acting(Deleted([1]), moderates=True)))
    assert not any(map(is_moderating, (post(None), post(Extra(re=1)), post(Acting(Deleted([1]))))))


def asked(act: AnyAct, *, moderates: bool) -> Any:
    target = Record("ann", 1, 0, bytes(16), "text")
    acting = Acting(act, {1: target}, moderates=moderates)
    (effect, *_) = Conversation(("ann", "bob"), 1).handle(post(acting), 5)
    return effect


@pytest.mark.parametrize("act", [Edited(1), Reacted(1, "x")])
def test_moderator_that_edits_or_reacts_is_refused(act: AnyAct) -> None:
    effect = asked(act, moderates=True)
    assert isinstance(effect, Refuse)
    assert effect.refused.code == "forbidden"


def test_moderator_deletes_and_nobody_else_who_is_neither_of_the_two() -> None:
    effect = asked(Deleted([1], ["ann", "bob"]), moderates=True)
    assert isinstance(effect, Store)
    assert (effect.seq, effect.is_away) == (2, True)
    assert effect.post.more.rewrites[0].gone  # type: ignore[union-attr]
    effect = asked(Deleted([1], ["ann", "bob"]), moderates=False)
    assert isinstance(effect, Refuse)
    assert effect.refused.code == "forbidden"
