"""Knows what the home of a deleted account still does: nothing is kept, nobody waits for it.
Must not know rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actorchat.chat.block import HiddenRecord
from actorchat.chat.effect import AppendRecord, Effect, Push
from actorchat.chat.event import Attach, Confirm, Conv, Deliver, Ended, FannedOut, Record
from actorchat.chat.inbox import Inbox
from actorchat.chat.moved import Moved


class Strayed(Effect):
    """A conversation has told something up to `seq`: if it is elsewhere, it may not know."""

    conv: Conv
    seq: int


class GoneHome(Inbox):
    """The home of an account that has ended: what comes is confirmed and dropped.

    Records of conversations that live here are stored for the other one.
    """

    __slots__ = ()

    def _on_last_record(self, event: Record, now_wall_ms: int) -> list[Effect]:
        have = self.recorded[event.pair]  # the shell has filled it in from the log
        if event.seq != have + 1:
            return self._out_of_order(event, have)
        self.recorded[event.pair] = event.seq
        return [AppendRecord(event, 0, None, False)]

    def _on_dropped(self, event: Deliver | Moved, now_wall_ms: int) -> list[Effect]:
        return []

    def _on_asked(self, event: Confirm, now_wall_ms: int) -> list[Effect]:
        answer = Push(event.conversation, FannedOut(self.user, event.seq))
        return [answer, Strayed(event.pair, event.seq)]

    def _on_comer(self, event: Attach, now_wall_ms: int) -> list[Effect]:
        return [Push(event.session, Ended("revoked", "never"))]

    HANDLERS: dict[type, Callable[[Any, Any, int], list[Effect]]] = {
        **Inbox.HANDLERS,
        Record: _on_last_record,
        HiddenRecord: _on_last_record,
        Deliver: _on_dropped,
        Moved: _on_dropped,
        Confirm: _on_asked,
        Attach: _on_comer,
    }
