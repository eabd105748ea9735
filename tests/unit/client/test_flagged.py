"""News of flags wait, the newest of each conversation, and not without end."""

from __future__ import annotations

import pytest

from actorchat.client import flagged
from actorchat.client.flagged import FlagBoard, Flagged
from actorchat.client.people import Flags
from actorchat.protocol.ops import FlagPush


async def test_newest_of_each_conversation_is_handed_out() -> None:
    board = FlagBoard()
    board.take(FlagPush("bob", True, False, False))
    board.take(FlagPush("cid", True, False, False))
    board.take(FlagPush("bob", False, True, False))
    board.close(None)
    found = [news async for news in board]
    assert found == [
        Flagged("bob", Flags(False, True, False)),
        Flagged("cid", Flags(True, False, False)),
    ]


async def test_oldest_goes_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flagged, "FLAGGED_MAX", 2)
    board = FlagBoard()
    for conv in ("bob", "cid", "dan"):
        board.take(FlagPush(conv, True, False, False))
    assert len(board) == 2
    assert (await anext(board)).conv == "cid"
