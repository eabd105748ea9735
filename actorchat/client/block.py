"""Knows what an application can do to keep others away. Must not know how questions are asked."""

from __future__ import annotations

from msgspec import Struct

from actorchat.client import event
from actorchat.client.people import read
from actorchat.protocol import ops


class BlocksAnswer(Struct):
    """The server's answer to `blocks`."""

    blocks: list[str]


class BlockCalls:
    """What `Chat` can do with blocks. All raise `Refusal`."""

    async def _ask(self, request: event.Request) -> dict[str, object]:
        raise NotImplementedError

    async def block(self, user: str) -> None:
        """Have nothing more of `user` reach this user; `user` can't tell."""
        await self._ask(ops.Block(0, user))

    async def unblock(self, user: str) -> None:
        """Let `user` reach this user again; what was sent meanwhile stays hidden."""
        await self._ask(ops.Block(0, user, on=False))

    async def blocks(self) -> list[str]:
        """Return those whom this user blocks, by name."""
        return read(await self._ask(ops.Blocks(0)), BlocksAnswer).blocks
