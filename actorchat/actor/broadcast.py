"""Knows how one message is told to many actors. Must not know who they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actorchat.actor.ref import IDLE, QUEUED, LocalRef
from actorchat.errors import MailboxFull

if TYPE_CHECKING:
    from collections.abc import Iterable


def tell_all(refs: Iterable[LocalRef], message: Any) -> int:
    """Tell every one of `refs`, in order; return how many were told. Any thread.

    It does what a loop of `ref.tell` does, without a call for each. A full mailbox that refuses
    keeps the message from nobody else; `system.dead_letters.refused` counts it.
    """
    told = 0
    for ref in refs:
        queue = ref._queue
        if len(queue) < ref._limit:
            ref._system.told += 1
            queue.append(message)
            if ref._state == IDLE:
                ref._state = QUEUED
                dispatcher = ref._dispatcher
                dispatcher.run_queue.append(ref)
                if not dispatcher.awake:
                    dispatcher.wake()
        else:
            try:
                ref.tell(message)
            except MailboxFull:
                continue
        told += 1
    return told
