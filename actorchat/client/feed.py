"""Knows how news waits for the application to fetch it. Must not know where it comes from."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from actorchat.client.message import Message, Progress

News = TypeVar("News")
PROGRESS_MAX = 1_024  # coalesced marks that wait; they are hints, so the oldest may go


class Feed(Generic[News]):
    """An async iterator over news; ends, or raises, when it is closed and all was fetched."""

    def __init__(self) -> None:
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._is_closed = False
        self._error: Exception | None = None

    def __len__(self) -> int:
        raise NotImplementedError

    def _pop(self) -> News:
        raise NotImplementedError

    def __aiter__(self) -> Feed[News]:
        return self

    async def __anext__(self) -> News:
        while not len(self):
            if self._is_closed:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except BaseException:
                # Cancelled. If it had been woken, the news is for the next who waits.
                if waiter.cancelled():
                    self._waiters.remove(waiter)
                elif len(self):
                    self._wake()
                raise
        return self._pop()

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def close(self, error: Exception | None) -> None:
        """End the iteration once all was fetched: by raising `error`, if there is one."""
        self._is_closed = True
        self._error = error
        while self._waiters:
            self._wake()


class Inbox(Feed[Message]):
    """The messages that the application has not fetched.

    `size_max` bounds what counts as held: of the messages beyond it nothing is acked, so that the
    server stops sending when its window is full.
    """

    def __init__(self, size_max: int, on_fetched: Callable[[], None]) -> None:
        super().__init__()
        self._messages: deque[Message] = deque()
        self._size_max = size_max
        self._on_fetched = on_fetched
        self._last = 0

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def is_full(self) -> bool:
        """Say whether the application is behind by as much as it may be."""
        return len(self._messages) >= self._size_max

    @property
    def is_half_empty(self) -> bool:
        """Say whether it is worth while to read on."""
        return len(self._messages) <= self._size_max // 2

    def put(self, message: Message) -> None:
        """Add a message and wake one who waits."""
        self._messages.append(message)
        self._last = message.upd
        if self._waiters:
            self._wake()

    def held(self) -> int:
        """Return the last update that counts as held; 0 before the first."""
        if len(self._messages) <= self._size_max:
            return self._last
        return self._messages[self._size_max - 1].upd

    def _pop(self) -> Message:
        message = self._messages.popleft()
        self._on_fetched()
        return message


class ProgressBoard(Feed[Progress]):
    """The newest marks of each user in each conversation that the application has not fetched."""

    def __init__(self) -> None:
        super().__init__()
        self._newest: dict[tuple[str, str], Progress] = {}

    def __len__(self) -> int:
        return len(self._newest)

    def put(self, progress: Progress) -> None:
        """Put up a mark in place of the same user's older one, and wake one who waits."""
        key = (progress.conv, progress.user)
        if key not in self._newest and len(self._newest) >= PROGRESS_MAX:
            del self._newest[next(iter(self._newest))]
        self._newest[key] = progress
        if self._waiters:
            self._wake()

    def _pop(self) -> Progress:
        return self._newest.pop(next(iter(self._newest)))
