"""What the server says of devices and conversations, as values."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.client.message import Marks
from actorchat.client.people import (
    ContactsAnswer,
    ConversationsAnswer,
    DeviceInfo,
    DevicesAnswer,
    Flags,
    Profile,
    read,
)
from actorchat.errors import InvalidOp
from tests.vectors.example import SERVER_EXAMPLES


def answer(name: str) -> dict[str, Any]:
    ok: dict[str, Any] = SERVER_EXAMPLES[name].op.ok  # type: ignore[attr-defined]
    return ok


def test_devices_are_read() -> None:
    first, second = read(answer("reply-devices"), DevicesAnswer).devices
    assert first == DeviceInfo("phone", "Anns Telefon", first.created, first.seen, 4, True)
    assert second.cursor is None


def test_conversations_are_read() -> None:
    page = read(answer("reply-conversations"), ConversationsAnswer)
    line, group = page.conversations
    shown = line.conversation()
    assert (shown.conv, shown.head, shown.unread) == ("bob", 8, 1)
    assert (shown.last.sender, shown.last.seq, shown.last.text) == ("bob", 8, "")
    assert shown.marks["bob"] == Marks(8, 7)
    assert shown.flags == Flags(muted=True, archived=False, pinned=False)
    assert (shown.title, shown.role, shown.size) == (None, None, None)
    shown = group.conversation()
    assert (shown.title, shown.role, shown.size) == ("friends", "owner", 2)


def test_answer_that_is_none_is_named() -> None:
    with pytest.raises(InvalidOp, match="makes no sense"):
        read({"devices": 1}, DevicesAnswer)


def test_profile_and_contacts_are_read() -> None:
    assert read(answer("reply-card"), Profile) == Profile("ann", "Ann", "Grüße 👋")
    assert read(answer("reply-contacts"), ContactsAnswer).contacts == ["bob", "eve"]
    assert read(answer("reply-card-gone"), Profile).gone
