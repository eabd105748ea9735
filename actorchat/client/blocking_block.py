"""Knows what a program without a loop can do to keep others away. Must not know how it is done."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from actorchat.client import aio

Result = TypeVar("Result")


class BlockingBlockCalls:
    """The methods about blocks of the asyncio `Chat`, each of which waits for its result."""

    _chat: aio.Chat

    def _run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        raise NotImplementedError

    def block(self, user: str) -> None:
        """Have nothing more of `user` reach this user; `user` can't tell."""
        self._run(self._chat.block(user))

    def unblock(self, user: str) -> None:
        """Let `user` reach this user again; what was sent meanwhile stays hidden."""
        self._run(self._chat.unblock(user))

    def blocks(self) -> list[str]:
        """Return those whom this user blocks, by name."""
        return self._run(self._chat.blocks())
