"""Knows how a conversation is read from one end to the other. Must not know what it is read for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from actorchat.limits import HISTORY_PAGE_MESSAGES_MAX, POSITION_MAX

if TYPE_CHECKING:
    from actorchat.client import Chat, Entry


async def stretches(
    chat: Chat, other: str, after: int = 0
) -> AsyncIterator[tuple[list[Entry], int]]:
    """Yield the messages above seq `after`, oldest first, each time with the head as it was then.

    Every question has both bounds, so that a seq that is missing shows as a hole.
    """
    head = POSITION_MAX
    while after < head:
        before = min(after + HISTORY_PAGE_MESSAGES_MAX + 1, POSITION_MAX)
        entries, head = await _stretch(chat, other, after, before)
        yield entries, head
        after = before - 1


async def _stretch(chat: Chat, other: str, after: int, before: int) -> tuple[list[Entry], int]:
    """Return what is between two seqs; long texts can take several pages, the last comes first."""
    entries: list[Entry] = []
    while True:
        page = await chat.history(
            other, after=after, before=before, limit=HISTORY_PAGE_MESSAGES_MAX
        )
        entries[:0] = page.events
        if not page.events or page.events[0].seq <= after + 1:
            return entries, page.head
        before = page.events[0].seq


async def last_entries(
    chat: Chat, other: str, limit: int, before: int | None = None
) -> list[Entry]:
    """Return the last `limit` messages of a conversation, below seq `before`; oldest first."""
    entries: list[Entry] = []
    below = POSITION_MAX if before is None else before
    while len(entries) < limit and below > 1:
        wanted = min(HISTORY_PAGE_MESSAGES_MAX, limit - len(entries))
        page = await chat.history(other, before=below, limit=wanted)
        if not page.events:
            break
        entries[:0] = page.events
        below = page.events[0].seq
    return entries


async def first_entries(
    chat: Chat, other: str, limit: int, after: int, before: int | None = None
) -> list[Entry]:
    """Return the first `limit` messages above seq `after` and below `before`; oldest first."""
    entries: list[Entry] = []
    async for entry in chat.history_entries(other, after=after, before=before, forward=True):
        entries.append(entry)
        if len(entries) == limit:
            break
    return entries


async def entries_around(chat: Chat, other: str, limit: int, around: int) -> list[Entry]:
    """Return at most `limit` messages on both sides of seq `around`; oldest first.

    More than a page are those of one page, which is as much as a server gives at once.
    """
    limit = min(limit, HISTORY_PAGE_MESSAGES_MAX)
    return (await chat.history(other, around=around, limit=limit)).events
