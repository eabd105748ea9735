"""Knows what a program without a loop can do with messages that are there.
Must not know how it is done.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from actorchat.client import aio
from actorchat.client.message import Entry, Message, Sent

Result = TypeVar("Result")


class BlockingActCalls:
    """The methods of `ActCalls`, each of which waits for its result."""

    _chat: aio.Chat

    def _run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        raise NotImplementedError

    def edit(self, conv: str, seq: int, text: str, *, cid: bytes | None = None) -> Sent:
        """Have the user's own message `seq` say `text`."""
        return self._run(self._chat.edit(conv, seq, text, cid=cid))

    def delete(self, conv: str, *seqs: int, cid: bytes | None = None) -> Sent:
        """Delete messages for everybody."""
        return self._run(self._chat.delete(conv, *seqs, cid=cid))

    def hide(self, conv: str, *seqs: int) -> None:
        """Delete messages for this user alone."""
        self._run(self._chat.hide(conv, *seqs))

    def react(
        self, conv: str, seq: int, emoji: str, on: bool = True, *, cid: bytes | None = None
    ) -> Sent:
        """Put an emoji at a message, or take it away."""
        return self._run(self._chat.react(conv, seq, emoji, on, cid=cid))

    def forward(
        self, message: Message | Entry, to: str, *, cid: bytes | None = None, named: bool = False
    ) -> Sent:
        """Pass a message on to user or group `to`."""
        return self._run(self._chat.forward(message, to, cid=cid, named=named))
