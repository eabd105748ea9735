"""A whole conversation is read without a hole, however its pages are cut."""

from __future__ import annotations

from typing import cast

import pytest

from actorchat.client import Chat, Entry, Page
from nodes.history import last_entries, stretches


class FakeChat:
    """A server with one conversation, whose pages also end after `budget` messages."""

    def __init__(self, seqs: list[int], budget: int = 1_000) -> None:
        self.seqs = seqs
        self.budget = budget
        self.asked = 0

    async def history(
        self, conv: str, *, before: int | None = None, after: int = 0, limit: int = 50
    ) -> Page:
        assert conv == "bob"
        assert before is not None
        self.asked += 1
        inside = [seq for seq in self.seqs if after < seq < before]
        seqs = inside[-min(limit, self.budget) :]
        entries = [Entry("bob", seq, 0, bytes(16), str(seq)) for seq in seqs]
        return Page(entries, self.seqs[-1] if self.seqs else 0, len(seqs) < len(inside), {})


async def read(fake: FakeChat, after: int = 0) -> list[int]:
    found = []
    async for entries, head in stretches(cast(Chat, fake), "bob", after):
        found += [entry.seq for entry in entries]
        assert head == (fake.seqs[-1] if fake.seqs else 0)
    return found


@pytest.mark.parametrize("size", [0, 1, 199, 200, 201, 400, 401, 999])
@pytest.mark.parametrize("budget", [7, 1_000])
async def test_every_message_comes_once_and_in_order(size: int, budget: int) -> None:
    seqs = list(range(1, size + 1))
    assert await read(FakeChat(seqs, budget)) == seqs


async def test_reading_begins_after_a_seq() -> None:
    assert await read(FakeChat(list(range(1, 500))), after=250) == list(range(251, 500))


async def test_a_hole_stays_a_hole() -> None:
    seqs = [*range(1, 190), *range(460, 700)]
    assert await read(FakeChat(seqs)) == seqs


async def test_the_last_messages_come_oldest_first() -> None:
    fake = FakeChat(list(range(1, 1_000)), budget=30)
    entries = await last_entries(cast(Chat, fake), "bob", 250)
    assert [entry.seq for entry in entries] == list(range(750, 1_000))


async def test_the_last_messages_before_a_seq() -> None:
    fake = FakeChat(list(range(1, 100)))
    entries = await last_entries(cast(Chat, fake), "bob", 5, before=4)
    assert [entry.seq for entry in entries] == [1, 2, 3]
