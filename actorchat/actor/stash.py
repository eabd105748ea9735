"""Knows how a message is put aside and comes back. Must not know what it waits for.

After Akka's Stash (https://doc.akka.io/libraries/akka-core/current/actors.html#stash).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actorchat.actor import kit as kits
from actorchat.actor.defer import ReplyTo
from actorchat.actor.lifecycle import ASIDE, Suspended
from actorchat.actor.mailbox import Call
from actorchat.errors import NoMessage, StashFull

if TYPE_CHECKING:
    from actorchat.actor.future import Reply
    from actorchat.actor.ref import LocalRef

STASH, RELEASE = "stash", "release"


class Aside(Suspended):
    """What the handler under way wants done with its message once it returns or pauses.

    A handler does not know the envelope of its message, and to note that for each would cost
    all actors. So the wish waits in `ref._task`, where the dispatcher looks anyway.
    """

    __slots__ = ("is_settled", "is_spent", "plan", "reply_to")

    def __init__(self, is_spent: bool = False) -> None:
        super().__init__(None, None, None, None, ASIDE)
        self.is_settled = False
        self.is_spent = is_spent  # the message was put aside, or its answer put off
        self.plan: list[str] = []
        self.reply_to: ReplyTo | None = None


def put(ref: LocalRef, limit: int) -> None:
    """Put the message that is being handled aside.

    Raises:
        NoMessage: None is being handled, or it was put aside, or its answer put off, already.
        StashFull: `limit` messages lie there.
    """
    mark = _mark(ref)
    if mark.is_spent:
        msg = f"{ref.label} has put this message aside, or its answer off, already"
        raise NoMessage(msg)
    kit = kits.need(ref)
    if RELEASE not in mark.plan and len(kit.stash) - kit.releasing >= limit:
        msg = f"{ref.label} has put {limit} messages aside"
        raise StashFull(msg)
    mark.is_spent = True
    mark.plan.append(STASH)


def unstash_all(ref: LocalRef) -> None:
    """Put all that was put aside back at the front of the mailbox, in the old order."""
    kit, task = kits.look(ref), ref._task
    if (kit is not None and kit.stash) or (type(task) is Aside and task.plan):
        _mark(ref).plan.append(RELEASE)


def defer(ref: LocalRef) -> ReplyTo:
    """Put off the answer to the call that is being handled.

    Raises:
        NoMessage: None is being handled, or it was put aside, or its answer put off, already.
    """
    mark = _mark(ref)
    if mark.reply_to is None:
        if mark.is_spent:
            msg = f"{ref.label} has put this message aside, or its answer off, already"
            raise NoMessage(msg)
        mark.is_spent = True
        mark.reply_to = ReplyTo()
    return mark.reply_to


def _mark(ref: LocalRef) -> Aside:
    task = ref._task
    if type(task) is Aside:
        return task
    if task is not None or not ref._dispatcher.is_here():
        msg = f"{ref.label} is not handling a message here"
        raise NoMessage(msg)
    mark = ref._task = Aside()
    return mark


# -- for the dispatcher --------------------------------------------------------------------------


def settle(ref: LocalRef, message: Any, reply: Reply[Any] | None) -> Reply[Any] | None:
    """Do what the handler asked for, if it did; return the reply if it still owes the answer.

    Called when the handler has returned, failed, or pauses; doing it twice changes nothing.
    What is to go back into the mailbox waits for `release`, when the mailbox is whole again.
    """
    mark = ref._task
    if type(mark) is not Aside:
        return reply
    kit = kits.look(ref)
    if not mark.is_settled:
        mark.is_settled = True
        for step in mark.plan:
            kit = kits.need(ref)
            if step == RELEASE:
                kit.releasing = len(kit.stash)
            else:
                kit.stash.append(message if reply is None else Call(message, reply))
                reply = None
                ref._handled -= 1
                if kit.overlap is not None:
                    kit.overlap.scanned -= 1
        if mark.reply_to is not None:
            mark.reply_to.bind(kits.need(ref).owed, reply)
            reply = None
    if kit is None or not kit.releasing:
        ref._task = None
    return reply


def is_over(ref: LocalRef, message: Any) -> bool:
    """Do what the handler of a told message asked for; say whether the next may follow at once."""
    settle(ref, message, None)
    return ref._task is None and ref._exit is None


def release(ref: LocalRef) -> None:
    """Put back what the handler let go; nothing if it did not."""
    kit = kits.look(ref)
    if kit is None or not kit.releasing:
        return
    items = kit.stash[: kit.releasing]
    del kit.stash[: kit.releasing]
    kit.releasing = 0
    ref._queue[:0] = items
    if kit.overlap is not None:
        kit.overlap.scanned = 0
