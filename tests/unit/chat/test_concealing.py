"""A conversation, of whatever kind, keeps what somebody in another slot hides of it."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.chat.concealing import Conceal, KeepConcealed
from actorchat.chat.conversation import Conversation
from actorchat.chat.group import Group


class Nobody:
    def tell(self, event: object, /) -> None:
        raise AssertionError(event)


@pytest.mark.parametrize("machine", [Conversation(("ann", "bob")), Group("#a", None)])
def test_what_is_hidden_is_to_be_kept(machine: Any) -> None:
    asked = Conceal("bob", [1, 2], Nobody(), 7)
    assert machine.handle(asked, 0) == [KeepConcealed(asked)]
