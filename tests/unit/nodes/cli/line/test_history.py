"""Lines read a conversation from where one wants to, find things in it, and tell who got them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from actorchat.client import Entry, Marks, Page
from actorchat.client.search import Hit
from nodes.cli.line.command import Unclear
from tests.unit.nodes.cli.line.seat import GROUP, FakeSeat


class Reader(FakeSeat):
    """A seat whose conversation has messages 1 to 50."""

    def __init__(self) -> None:
        super().__init__()
        self.client.history = self._history  # type: ignore[method-assign,assignment]
        self.client.history_entries = self._entries  # type: ignore[method-assign,assignment]

    async def _history(self, _: str, **bounds: Any) -> Page:
        self.asked.append(("history", bounds))
        if around := bounds.get("around"):
            return Page([_entry(seq) for seq in range(around - 1, around + 2)], 50, False, {})
        before, limit = bounds["before"], bounds["limit"]
        return Page([_entry(seq) for seq in range(1, min(before, 51))][-limit:], 50, False, {})

    async def _entries(self, _: str, **bounds: Any) -> AsyncIterator[Entry]:
        self.asked.append(("entries", bounds))
        way = range(bounds["after"] + 1, 51) if bounds.get("forward") else range(50, 0, -1)
        for seq in way:
            yield _entry(seq)


def _entry(seq: int) -> Entry:
    return Entry("bob", seq, 0, bytes(16), f"text {seq}")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("/history", range(31, 51)),
        ("/history 3", range(48, 51)),
        ("/history 3 messages changes", range(48, 51)),
        ("/more", range(31, 51)),
        ("/around 20", range(19, 22)),
        ("/around #20 3", range(19, 22)),
        ("/after 7", range(8, 28)),
        ("/after 7 2", range(8, 10)),
    ],
)
async def test_what_was_said_is_shown(line: str, shown: range) -> None:
    seat = Reader()
    await seat.type(line)
    assert seat.shown == list(shown)


async def test_kinds_are_asked_for_as_the_protocol_calls_them() -> None:
    seat = Reader()
    await seat.type("/history acts")
    assert seat.asked == [("entries", {"kinds": ["act"]})]


async def test_more_goes_on_from_what_was_shown() -> None:
    seat = Reader()
    seat.earliest = 31
    await seat.type("/more 5")
    assert seat.shown == [26, 27, 28, 29, 30]
    seat.earliest = 1
    await seat.type("/more")
    assert "nothing is before" in seat.said[-1]


async def test_hits_are_shown_oldest_first_with_where_they_are() -> None:
    seat = FakeSeat()
    seat.fake.answers["search"] = [Hit("bob", _entry(9)), Hit("bob", _entry(2))]
    await seat.type("/search text")
    assert ["text 2" in seat.said[0], "text 9" in seat.said[1]] == [True, True]
    await seat.type("/searchall some text")
    assert seat.said[2].startswith("bob: ")
    assert seat.asked == [
        ("search", "text", {"conv": "bob"}),
        ("search", "some text", {"conv": None}),
    ]
    seat.fake.answers["search"] = []
    await seat.type("/search text")
    assert "/searchall text" in seat.said[-1]


async def test_it_is_told_who_got_how_far() -> None:
    seat = FakeSeat(GROUP)
    seat.fake.answers["receipts"] = {"ann": Marks(9, 9), "bob": Marks(7, 3)}
    await seat.type("/receipts")
    assert seat.said == ["bob has got up to #7 and read up to #3"]
    seat = FakeSeat("bob")
    seat.fake.answers["history"] = Page([], 9, False, {"bob": Marks(8, 8)})
    await seat.type("/receipts")
    assert seat.said == ["bob has got up to #8 and read up to #8"]
    seat.fake.answers["history"] = Page([], 0, False, {})
    await seat.type("/receipts")
    assert "nobody else" in seat.said[-1]


@pytest.mark.parametrize(
    "line",
    [
        "/history x",
        "/history 0",
        "/history 3 stickers",
        "/more x",
        "/around",
        "/around x",
        "/around 1 2 3",
        "/after 1 2 3",
        "/after",
        "/search",
        "/searchall",
        "/receipts now",
    ],
)
async def test_a_line_that_lacks_something_asks_for_nothing(line: str) -> None:
    seat = FakeSeat()
    with pytest.raises(Unclear):
        await seat.type(line)
    assert (seat.asked, seat.shown) == ([], [])
