"""A line asks for one act with one message, or for nothing."""

from __future__ import annotations

from typing import Any, cast

import pytest

from actorchat.client import Chat, Entry, Page, Sent
from nodes.cli import acting


class FakeChat:
    """A client that notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        async def ask(*args: Any) -> Sent:
            self.asked.append((name, *args))
            return Sent(9, 0)

        return ask

    async def history(self, conv: str, **bounds: int) -> Page:
        assert bounds == {"after": 6, "before": 8, "limit": 1}
        return Page([Entry("bob", 7, 0, bytes(16), "hi")], 9, False, {})


@pytest.mark.parametrize(
    ("word", "rest", "expected"),
    [
        ("/edit", "7 a new text", ("edit", "bob", 7, "a new text")),
        ("/delete", "7", ("delete", "bob", 7)),
        ("/delete", "7 me", ("hide", "bob", 7)),
        ("/react", "7 x", ("react", "bob", 7, "x", True)),
        ("/react", "7 x off", ("react", "bob", 7, "x", False)),
        ("/forward", "7 cid", ("forward", Entry("bob", 7, 0, bytes(16), "hi"), "cid")),
    ],
)
async def test_a_line_is_one_act(word: str, rest: str, expected: tuple[Any, ...]) -> None:
    chat = FakeChat()
    assert await acting.act(cast(Chat, chat), "bob", word, rest)
    assert chat.asked == [expected]


@pytest.mark.parametrize(
    ("word", "rest"),
    [
        ("/edit", "7"),
        ("/edit", "x y"),
        ("/edit", "0 y"),
        ("/delete", ""),
        ("/delete", "7 all"),
        ("/react", "7"),
        ("/react", "7 x on"),
        ("/forward", "7"),
    ],
)
async def test_a_line_that_lacks_something_asks_for_nothing(word: str, rest: str) -> None:
    chat = FakeChat()
    assert await acting.act(cast(Chat, chat), "bob", word, rest) is None
    assert chat.asked == []
