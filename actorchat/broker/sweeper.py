"""Knows how the store is gone through for what has been kept long enough, in small steps.
Must not know what is long enough.

A step looks at a few owners and at a few of their rows, takes about 1 ms, and is followed by a
pause; so the sweep takes 2 % of a core at most, and nobody waits for it. How far it is stands in
the log with what it let go, so that a restart goes on there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from actorchat import logs
from actorchat.actor import Actor
from actorchat.broker.retention import Owner, RetentionLog, Totals
from actorchat.chat.event import Conv, Event
from actorchat.chat.retention import (
    Expire,
    Policy,
    droppable,
    dropped,
    expired_upto,
    measure,
)
from actorchat.errors import MailboxFull
from actorchat.limits import (
    STORE_TICK_S,
    SWEEP_EVERY_S,
    SWEEP_OWNERS,
    SWEEP_PAUSE_S,
    SWEEP_ROWS,
    SWEEP_SAVE_STEPS,
)
from actorchat.store import keys

if TYPE_CHECKING:
    from actorchat.broker.context import Context

log = logs.logger(__name__)

# What else is done for each conversation that a pass comes to: it is given the conversation's key
# in the log, who it is, and the time (wall ms); returns about how many rows it looked at.
Chore = Callable[[bytes, Conv, int], int]


class SweepDue(Event):
    """Time for the next step."""


SWEEP_DUE = SweepDue()


class Sweeper(Actor):
    """Lets go what was kept long enough. One a node; started again, it goes on where it was.

    Args:
        chores: Called for each conversation; whoever has one appends it before the start.
        every_s: The pause between two passes.
    """

    def __init__(
        self,
        context: Context,
        rows: RetentionLog,
        policy: Policy,
        chores: list[Chore],
        every_s: float = SWEEP_EVERY_S,
    ) -> None:
        super().__init__()
        self._context = context
        self._rows = rows
        self._policy = policy
        self._chores = chores
        self._every_s = every_s
        self._after = b""
        self._saved = b""
        self._totals = Totals()
        self._seen = 0  # what is known to go of the user that is being looked at
        self._steps = 0
        self._left = 0  # rows that this step may still look at
        self._is_idle = True  # this pass has let nothing go so far

    def on_start(self) -> None:
        """See how far the sweep was."""
        self._after, self._totals = self._rows.progress()
        self._saved = self._after
        self._context.swept = self._totals
        self.send_after(STORE_TICK_S, SWEEP_DUE, key=SweepDue)

    def on_receive(self, message: object) -> None:
        """Take a step; go on after a pause."""
        is_end = False
        if not self._context.log.is_full:
            # What the last step let go is to be seen as gone.
            self._context.log.apply()
            is_end = self._step()
        self.send_after(self._every_s if is_end else SWEEP_PAUSE_S, SWEEP_DUE, key=SweepDue)

    def _step(self) -> bool:
        """Look at the next owners; say whether they were the last."""
        self._left = SWEEP_ROWS
        now = self._context.clock.wall_ms()
        for _ in range(SWEEP_OWNERS):
            owner = self._rows.next_owner(self._after)
            if owner is None:
                self._end_pass()
                return True
            if self._is_done_with(owner, now):
                self._after = owner.key
            if self._left <= 0:
                break
        self._steps += 1
        if self._steps % SWEEP_SAVE_STEPS == 0:
            self._save()
        return False

    def _end_pass(self) -> None:
        self._after = b""
        if self._saved or not self._is_idle:
            self._save()
        if not self._is_idle:
            messages, size, updates = self._totals
            log.info("swept", messages=messages, bytes=size, updates=updates)
        self._is_idle = True
        self._context.sweeps += 1

    def _is_done_with(self, owner: Owner, now: int) -> bool:
        """Let go what may; say whether there is nothing more of this owner to look at."""
        reach = self._context.reach
        if reach is not None and not reach.is_open(keys.slot_in(owner.key)):
            self._left -= 1  # what moves, or is another node's already
            return True
        if owner.user is not None:
            return self._sweep_updates(owner.key, owner.user, now)
        if owner.conv is None:
            self._left -= 1
            return True
        is_done = not self._policy.drops_history or self._sweep_history(owner, now)
        if is_done:
            for chore in self._chores:
                self._left -= chore(owner.key, owner.conv, now)
        return is_done

    def _sweep_updates(self, key: bytes, user: str, now: int) -> bool:
        """Have a home let its first updates go that may; say whether all of them were found."""
        trimmed = self._rows.trimmed(key)
        seen = max(trimmed, self._seen)
        lines = self._rows.updates(key, seen, SWEEP_ROWS)
        self._left -= 1 + len(lines)
        upto = expired_upto(self._policy, lines, now) or seen
        if len(lines) == SWEEP_ROWS and upto == lines[-1].position:
            self._seen = upto
            return False
        self._seen = 0
        if upto > trimmed:
            # If its mailbox is full, the next pass is soon enough.
            with contextlib.suppress(MailboxFull):
                self._context.router.user(user).tell(Expire(upto))
                self._let_go(0, 0, upto - trimmed)
                self._save()
        return True

    def _sweep_history(self, owner: Owner, now: int) -> bool:
        """Let the first records go that may; say whether no more of them are to be looked at."""
        rows, policy, conversation = self._rows, self._policy, owner.key
        ledger = rows.ledger(conversation)
        if strays := rows.strays(conversation, ledger.first):
            self._context.log.append_lazily(strays)
        before = ledger.measured
        is_measured = True
        if policy.history_bytes_max is not None:
            news = rows.records(conversation, max(ledger.measured + 1, ledger.first), SWEEP_ROWS)
            measure(ledger, (line for line, _ in news))
            self._left -= len(news)
            is_measured = len(news) < SWEEP_ROWS
        archive = self._context.archive
        head, owed = archive.last_seq(conversation), archive.owed(conversation)
        page = rows.records(conversation, ledger.first, 1)
        self._left -= 2
        if droppable(policy, ledger, (line for line, _ in page), head, owed, now):
            page = rows.records(conversation, ledger.first, SWEEP_ROWS)
            self._left -= len(page)
        lines = [line for line, _ in page]
        count = droppable(policy, ledger, lines, head, owed, now)
        if count:
            gone = lines[:count]
            drop = rows.drop(owner, page[:count], dropped(ledger, gone))
            self._let_go(count, sum(line.size for line in gone), 0)
            progress = rows.progress_row(self._after, self._totals)
            # One batch: a client id that is known is that of a message which is there.
            self._context.log.append_lazily([*drop.ops, progress])
            if drop.range is not None:
                self._context.log.delete_range(*drop.range)
        elif ledger.measured != before:
            self._context.log.append_lazily((rows.ledger_row(conversation, ledger),))
        return is_measured and count < SWEEP_ROWS

    def _let_go(self, messages: int, size: int, updates: int) -> None:
        was = self._totals
        self._totals = Totals(was.messages + messages, was.size + size, was.updates + updates)
        self._context.swept = self._totals
        self._is_idle = False

    def _save(self) -> None:
        self._saved = self._after
        row = self._rows.progress_row(self._after, self._totals)
        self._context.log.append_lazily((row,))
