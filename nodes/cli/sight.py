"""Knows how it is shown who is online and who is typing. Must not know commands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from actorchat.errors import ActorchatError
from actorchat.ids import is_group
from nodes.cli.terminal import visible

if TYPE_CHECKING:
    from actorchat.client import Chat, Presence, Signal

TYPING_SHOWN_EVERY_S = 6.0


def presence_line(sight: Presence) -> str:
    """Return one user's presence as people read it."""
    name = visible(sight.user)
    if sight.online:
        return f"{name} is online"
    if sight.last_seen is None:
        return f"{name} is offline"
    when = datetime.fromtimestamp(sight.last_seen / 1000).astimezone()
    today = datetime.now().astimezone().date() == when.date()
    return f"{name} was last seen {when.strftime('%H:%M' if today else '%Y-%m-%d %H:%M')}"


class Sight:
    """The presence of the one whom somebody talks with, and of others; `say` prints a line."""

    def __init__(self, client: Chat, say: Callable[[str], None]) -> None:
        self._client = client
        self._say = say
        self._other: str | None = None
        self._also: set[str] = set()
        self._typing_shown_s = 0.0

    async def turn_to(self, other: str) -> None:
        """Look at `other`, a user, and not at the last one any more.

        A server that does not tell is no failure; at a group there is nothing to be seen.
        """
        before = self._other
        if before is not None and before != other and before not in self._also:
            self._client.unwatch(before)
        self._other = None if is_group(other) else other
        self._typing_shown_s = 0.0
        if self._other is None:
            return
        try:
            for sight in await self._client.watch(other):
                self._say(f"  {presence_line(sight)}")
        except ActorchatError:
            self._other = None

    async def see(self, names: Sequence[str]) -> None:
        """Look at others too, whomever one turns to.

        Raises:
            ActorchatError: The server does not tell.
        """
        for sight in await self._client.watch(*names):
            self._say(f"  {presence_line(sight)}")
        self._also.update(names)

    def unsee(self, names: Sequence[str]) -> None:
        """Look at others no more, unless one talks with them."""
        self._also.difference_update(names)
        if away := [name for name in names if name != self._other]:
            self._client.unwatch(*away)

    async def watch(self) -> None:
        """Show what changes, until the session ends."""
        async for sight in self._client.presence():
            if sight.user == self._other or sight.user in self._also:
                self._say(f"  {presence_line(sight)}")

    async def listen(self) -> None:
        """Show who is typing, until the session ends."""
        async for signal in self._client.signals():
            self._on_signal(signal, asyncio.get_running_loop().time())

    def _on_signal(self, signal: Signal, now_s: float) -> None:
        if signal.user != self._other:
            return
        if signal.kind == "stopped":
            self._typing_shown_s = 0.0
        elif now_s < signal.until_s and now_s >= self._typing_shown_s:
            self._typing_shown_s = now_s + TYPING_SHOWN_EVERY_S
            self._say(f"  {visible(signal.user)} is {signal.kind}…")
