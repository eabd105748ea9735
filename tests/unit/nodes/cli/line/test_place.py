"""A group is found by the beginning of its name or address; a user's name stands for itself."""

from __future__ import annotations

import pytest

from nodes.cli.line.command import Unclear
from nodes.cli.line.place import resolve
from tests.unit.nodes.cli.line.seat import GROUP, FakeSeat


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("bob", "bob"),
        (GROUP, GROUP),
        ("#friends", GROUP),
        ("#Fri", GROUP),
        ("#AAAA", GROUP),
        ("#french", "#BAAAAAAAAAAAAAAAAAAAAA"),
    ],
)
async def test_conversation_is_found(text: str, found: str) -> None:
    assert await resolve(FakeSeat().client, text) == found


@pytest.mark.parametrize(
    ("text", "said"), [("#hikers", "in no group #hikers"), ("#fr", "2 of your groups"), ("#", "2 ")]
)
async def test_what_is_none_or_several_is_said(text: str, said: str) -> None:
    with pytest.raises(Unclear, match=said):
        await resolve(FakeSeat().client, text)
