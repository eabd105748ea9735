"""Knows how deliveries that are owed find somebody to see to them. Must not know how they are made.

A conversation sees to its own debts while it runs. After a restart of the node, or a crash of its
actor, nobody may tell it anything for days, and the recipient would wait as long.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from actorchat.actor import Actor
from actorchat.chat.event import ConfirmDue, Event
from actorchat.errors import MailboxFull
from actorchat.limits import FAN_OUT_SWEEP_ROWS, FAN_OUT_SWEEP_S, STORE_TICK_S

if TYPE_CHECKING:
    from actorchat.broker.context import Context


class Sweep(Event):
    """Time to look for markers."""


SWEEP = Sweep()


class FanOutKeeper(Actor):
    """Wakes conversations that have a fan-out marker in the log and do not run. One a node."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._after = b""

    def on_start(self) -> None:
        """Look soon: these debts are from before the restart, and those who sign in go first."""
        self.send_after(STORE_TICK_S, SWEEP, key=Sweep)

    def on_receive(self, message: object) -> None:
        """Look at the next markers; a conversation that is woken delivers what it owes."""
        context = self._context
        owing = context.archive.owing(self._after, FAN_OUT_SWEEP_ROWS)
        wake(context, owing)
        is_all = len(owing) < FAN_OUT_SWEEP_ROWS
        self._after = b"" if is_all else owing[-1]
        self.send_after(FAN_OUT_SWEEP_S, SWEEP, key=Sweep)


def wake(context: Context, owing: Iterable[bytes]) -> None:
    """Wake the conversations, or groups, with these keys that are led here and do not run."""
    for conversation in owing:
        conv = context.archive.members(conversation) or context.groups.address(conversation)
        if conv is not None and not context.router.runs(conv) and context.is_here(conv):
            try:
                context.router.conversation(conv).tell(ConfirmDue())
            except MailboxFull:
                break  # so much is under way that the next look is soon enough
