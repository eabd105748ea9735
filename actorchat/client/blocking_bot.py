"""Knows the calls of bots and hooks for programs without a loop. Must not know how one waits."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, Literal, TypeVar

from actorchat.client import aio
from actorchat.client.bot import EVERY_KIND, EventPage, HookInfo
from actorchat.client.message import Sent
from actorchat.limits import EVENTS_PAGE_MAX
from actorchat.protocol.ops.firehose import EventKind

Result = TypeVar("Result")


class BlockingBotCalls:
    """The calls of `BotCalls`, each of which waits for its result."""

    _chat: aio.Chat

    def _run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        raise NotImplementedError

    def events(
        self, after: int | None = None, *, limit: int = EVENTS_PAGE_MAX, wait_s: float = 0.0
    ) -> EventPage:
        """Return what was stored behind position `after`, as the asyncio face does."""
        return self._run(self._chat.events(after, limit=limit, wait_s=wait_s))

    def make_bot(
        self,
        user: str,
        device: str,
        events: Sequence[EventKind] = (),
        *,
        moderates: bool = False,
    ) -> str:
        """Make a bot, or grant it other things; return a new token of `device`; for operators."""
        return self._run(self._chat.make_bot(user, device, events, moderates=moderates))

    def moderate(
        self, conv: str, *seqs: int, of: str | None = None, cid: bytes | None = None
    ) -> Sent:
        """Delete messages of others for everybody, as a bot that was granted to moderate."""
        return self._run(self._chat.moderate(conv, *seqs, of=of, cid=cid))

    def add_hook(
        self, name: str, url: str, secret: str, kinds: Sequence[EventKind] = EVERY_KIND
    ) -> None:
        """Have events of `kinds` posted to `url`, signed with `secret`; for operators."""
        self._run(self._chat.add_hook(name, url, secret, kinds))

    def change_hook(self, name: str, deed: Literal["remove", "pause", "resume"]) -> None:
        """Remove a hook, pause it, or have it go on where it was; for operators."""
        self._run(self._chat.change_hook(name, deed))

    def test_hook(self, name: str) -> tuple[int, str]:
        """Have a test posted; return the answer's status, 0 for none, and why; for operators."""
        return self._run(self._chat.test_hook(name))

    def hooks(self) -> list[HookInfo]:
        """Return all hooks, by name; for operators."""
        return self._run(self._chat.hooks())
