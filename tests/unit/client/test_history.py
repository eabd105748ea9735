"""How a history is read from one end to the other."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.client.history import HistoryCalls
from actorchat.errors import InvalidOp
from actorchat.protocol.ops import History

CID = bytes(16)


class Server(HistoryCalls):
    """Answers from a conversation of 1 to `head`, at most 3 records a page."""

    def __init__(self, head: int, first: int = 1) -> None:
        self.head = head
        self.first = first
        self.asked: list[History] = []

    async def _ask(self, request: Any) -> dict[str, object]:
        self.asked.append(request)
        inside = [
            seq
            for seq in range(self.first, self.head + 1)
            if request.after < seq < (request.before or self.head + 1)
        ]
        shown = inside[:3] if request.forward else inside[-3:]
        events = [{"from": "ann", "seq": s, "ts": 1, "cid": CID, "body": "m"} for s in shown]
        more = len(shown) < len(inside)
        answer: dict[str, object] = {"events": events, "head": self.head, "more": more, "marks": {}}
        if request.kinds:
            seqs = [s for s in shown if s % 5 == 0]
            answer["events"] = [event for event in events if event["seq"] in seqs]
            if more:
                answer["next"] = shown[-1] if request.forward else shown[0]
        return answer


async def seqs(server: Server, **how: Any) -> list[int]:
    return [entry.seq async for entry in server.history_entries("bob", **how)]


async def test_everything_comes_once_from_either_end() -> None:
    assert await seqs(Server(8)) == [8, 7, 6, 5, 4, 3, 2, 1]
    assert await seqs(Server(8), forward=True) == list(range(1, 9))
    assert await seqs(Server(8, first=5), forward=True) == [5, 6, 7, 8]
    assert await seqs(Server(8), after=2, before=7) == [6, 5, 4, 3]
    assert await seqs(Server(0)) == []


async def test_pages_that_show_nothing_are_passed_over() -> None:
    assert await seqs(Server(17), kinds=["change"]) == [15, 10, 5]
    assert await seqs(Server(17), kinds=["change"], forward=True) == [5, 10, 15]


async def test_what_is_asked_for_is_asked() -> None:
    server = Server(3)
    page = await server.history("bob", around=2, bytes_max=9)
    assert (page.first, page.next) == (1, None)
    assert server.asked == [History(0, "bob", around=2, bytes=9)]


async def test_page_without_sense_is_refused() -> None:
    server = Server(1)

    async def nonsense(request: Any) -> dict[str, object]:
        return {"events": 3}

    server._ask = nonsense  # type: ignore[method-assign]
    with pytest.raises(InvalidOp):
        await server.history("bob")
