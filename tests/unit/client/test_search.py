"""What the server found, as values."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.client.search import SearchCalls
from actorchat.errors import InvalidOp
from actorchat.protocol.ops import Search
from tests.vectors.example import SERVER_EXAMPLES


class Server(SearchCalls):
    def __init__(self, ok: dict[str, object]) -> None:
        self.ok = ok
        self.asked: list[Any] = []

    async def _ask(self, request: Any) -> dict[str, object]:
        self.asked.append(request)
        return self.ok


async def test_hits_are_entries_with_their_conversation() -> None:
    server = Server(SERVER_EXAMPLES["reply-hits"].op.ok)  # type: ignore[attr-defined]
    (hit,) = await server.search("see", conv="bob", before=9, limit=3)
    assert (hit.conv, hit.entry.seq, hit.entry.text) == ("bob", 7, "Grüße 👋")
    assert server.asked == [Search(0, "see", "bob", 9, 3)]


async def test_answer_without_sense_is_refused() -> None:
    with pytest.raises(InvalidOp):
        await Server({"hits": 1}).search("see")
