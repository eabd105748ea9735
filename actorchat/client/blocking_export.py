"""Knows how a program without a loop fetches all that is one's own. Must not know how."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, TypeVar

from actorchat.client import aio
from actorchat.client.export import Fact

Result = TypeVar("Result")


class BlockingExportCalls:
    """The methods of the asyncio `Chat` that fetch everything, each of which waits."""

    _chat: aio.Chat

    def _run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        raise NotImplementedError

    def export(self) -> Iterator[Fact]:
        """Iterate over all that is the user's own, as the asyncio face does."""
        facts = self._chat.export()
        while (fact := self._run(_following(facts))) is not None:
            yield fact


async def _following(facts: AsyncIterator[Fact]) -> Fact | None:
    return await anext(facts, None)
