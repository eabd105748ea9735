"""Knows how an application reads a conversation, page by page. Must not know how it is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import msgspec

from actorchat.client import event
from actorchat.client.message import Entry, Page, PageAnswer
from actorchat.errors import InvalidOp
from actorchat.limits import HISTORY_PAGE_MESSAGES_MAX, POSITION_MAX
from actorchat.protocol import ops
from actorchat.protocol.ops.message import RecordKind


class HistoryCalls:
    """What `Chat` can do with the history of a conversation, direct or of a group."""

    async def _ask(self, request: event.Request) -> dict[str, object]:
        raise NotImplementedError

    async def history(
        self,
        conv: str,
        *,
        before: int | None = None,
        after: int = 0,
        limit: int = 50,
        around: int | None = None,
        forward: bool = False,
        bytes_max: int | None = None,
        kinds: Iterable[RecordKind] = (),
    ) -> Page:
        """Return a page of the conversation with `conv`: the newest messages.

        With `after`, the first above it; with `before`, the last below it, but none up to `after`.
        With `around` a seq, as many before it as behind it; with `forward`, the first above
        `after`. `bytes_max` bounds the page, `kinds` leaves other records out.
        """
        asked = ops.History(0, conv, after, before, limit, around, forward, bytes_max, list(kinds))
        answer = await self._ask(asked)
        try:
            return msgspec.convert(answer, PageAnswer).page()
        except msgspec.ValidationError as error:
            raise InvalidOp(f"the server's page makes no sense: {error}") from error

    async def history_pages(
        self,
        conv: str,
        *,
        after: int = 0,
        before: int | None = None,
        forward: bool = False,
        limit: int = HISTORY_PAGE_MESSAGES_MAX,
        bytes_max: int | None = None,
        kinds: Iterable[RecordKind] = (),
    ) -> AsyncIterator[Page]:
        """Iterate over the pages in (after, before): from the newest back, or `forward`.

        Each page has its records by ascending seq. What is written meanwhile ends a way forward.
        """
        kinds, more = list(kinds), True
        below = POSITION_MAX if before is None else before
        while more and after + 1 < below:
            page = await self.history(
                conv,
                after=after,
                before=below,
                limit=limit,
                forward=forward,
                bytes_max=bytes_max,
                kinds=kinds,
            )
            more = page.more
            if page.events:
                yield page
            elif page.next is None:
                return
            if forward:
                after = page.events[-1].seq if page.next is None else page.next
            else:
                below = page.events[0].seq if page.next is None else page.next

    async def history_entries(
        self,
        conv: str,
        *,
        after: int = 0,
        before: int | None = None,
        forward: bool = False,
        kinds: Iterable[RecordKind] = (),
    ) -> AsyncIterator[Entry]:
        """Iterate over what is in (after, before), one by one: from the newest, or `forward`."""
        pages = self.history_pages(conv, after=after, before=before, forward=forward, kinds=kinds)
        async for page in pages:
            for entry in page.events if forward else reversed(page.events):
                yield entry
