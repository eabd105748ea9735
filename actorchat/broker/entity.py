"""Knows what users and conversations have in common as actors.
Must not know what either decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from actorchat.actor import Actor, Mailbox
from actorchat.broker.turned_away import turn_away
from actorchat.chat.act import Hide
from actorchat.chat.afar import Hold, Leave
from actorchat.chat.block import Blocking
from actorchat.chat.concealing import Conceal, Concealed
from actorchat.chat.event import (
    Attach,
    Event,
    Fetch,
    HomeLost,
    Join,
    OutOfOrder,
    Post,
    Record,
    Refused,
    Repeat,
)
from actorchat.chat.group_event import AskReceipts, Changing, Describe
from actorchat.chat.moderating import Moderated
from actorchat.errors import BUSY, MailboxFull, StashFull, Unavailable, Unsendable
from actorchat.limits import ENTITY_MAILBOX_MAX, MOVED_AFTER_MS

if TYPE_CHECKING:
    from actorchat.broker.context import Context
    from actorchat.broker.place import Place


# Who asked one of these waits for an answer.
_ASKED = (
    *(Post, Fetch, Hide, Changing, Describe, AskReceipts, Blocking),
    *(Conceal, Concealed, Moderated),
)


class IdleCheck(Event):
    """Time to see whether this entity has had nothing to do."""


IDLE_CHECK = IdleCheck()
HELD = -3  # the generation of an entity that is held: it puts aside what comes
LEFT = -2  # the generation of an entity that is led elsewhere now, which its next event finds
ELSEWHERE = "this part of the server is elsewhere now; try again"


class EntityActor(Actor):
    """An actor for something that lives in the log: built from it, and put away when idle.

    A subclass has a machine that `_build` makes from the log. If the log has lost what the machine
    knows, because a batch could not be written, the machine is built anew before the next event.
    """

    mailbox: ClassVar[Mailbox] = Mailbox(limit=ENTITY_MAILBOX_MAX, overflow="fail")
    stash_max: ClassVar[int] = ENTITY_MAILBOX_MAX

    def __init__(self, context: Context, place: Place) -> None:
        super().__init__()
        self._context = context
        self._log = context.log
        self._committer = context.log.committer
        self._place = place
        self._generation = -1
        self._is_active = False
        self._is_passivated = False

    def on_start(self) -> None:
        """Build the machine from the log, and start looking whether it is used."""
        if not self._begins_apart():
            self._rebuild()
        self._watch_idle()

    def _begins_apart(self) -> bool:
        """Say whether the log is not to be read: this entity's slot is held, or led elsewhere."""
        reach = self._context.reach
        if reach is None:
            return False
        if self._place.slot in reach.held:
            self.hold()
        elif self._place.node != reach.node:
            self._generation = LEFT  # since it was to be started
        else:
            return False
        return True

    def failed(self, error: BaseException, reply: Any, message: Any) -> None:
        """Let the error end the actor; who waits for an answer to `message` gets one."""
        super().failed(error, reply, message)
        self.discarded(message)

    def discarded(self, message: object) -> None:
        """Bring a message to the next actor, or say that its outcome is unknown.

        Messages that were waiting when the actor crashed are not told again: one of them may be
        the cause. Who waits for an answer gets one; what conversations and homes tell each other
        is found missing and told again.
        """
        if message is IDLE_CHECK:
            return
        if self._is_passivated and not self._stays(message):
            try:
                self._place.tell(message)
            except (Unavailable, Unsendable):
                turn_away(message, Unavailable.code, ELSEWHERE, after_ms=MOVED_AFTER_MS)
        elif isinstance(message, _ASKED):
            message.session.tell(_recovering(message.rid))
        elif isinstance(message, Record | Repeat):
            message.session.tell(_recovering(message.ack.rid))
            if isinstance(message, Record):
                # Its conversation has given out what is lost here, and may never post again.
                message.conversation.tell(OutOfOrder(message.seq - 1))
        elif isinstance(message, Attach):
            message.session.tell(HomeLost())
        elif isinstance(message, Join):
            message.conversation.tell(HomeLost())

    @property
    def is_held(self) -> bool:
        """Whether all that comes is put aside."""
        return self._generation == HELD

    def hold(self) -> None:
        """Put aside all that comes from now on; between two turns of this actor, or in its own."""
        self._generation = HELD

    def _on_hold(self, event: Hold) -> bool:
        """Be held, unless that is over by now; nothing is to be done besides."""
        reach = self._context.reach
        if reach is not None and self._place.slot in reach.held:
            self.hold()
        return False

    def go_on(self) -> None:
        """Have an entity that is held take up what it put aside, or pass it on."""
        self.ref._enqueue(Leave())  # whether its mailbox is full or not

    def leave(self) -> None:
        """Have the next event find that this entity is led by another node now."""
        if self._generation != HELD:  # else what was put aside goes first
            self._generation = LEFT
        self.go_on()

    def _moves_on(self, event: object) -> bool:
        """Put `event` aside while this entity is held; end if another node leads it now.

        `event`, and what waits, goes there. Says whether it was either.
        """
        if self._generation == HELD:
            self._put_aside(event)
            return True
        if self._generation != LEFT:
            return type(event) is Leave  # let go twice: it goes on already
        self._is_passivated = True
        self.stop("moved")
        self.discarded(event)
        return True

    def _put_aside(self, event: object) -> None:
        if type(event) is not Leave:
            try:
                if type(event) is not Hold:
                    self.stash()
            except StashFull:
                turn_away(event, MailboxFull.code, BUSY)
            return
        reach = self._context.reach
        assert reach is not None
        if self._place.node == reach.node:
            if self._place.slot not in reach.held:  # else it has been held again since
                self._generation = -1
                self.unstash_all()
        else:
            self._generation = LEFT
            self._is_passivated = True
            self.stop("moved")

    def _stays(self, message: object) -> bool:
        """Say whether a message can't follow an entity to another node: it was in no log yet."""
        return self._generation == LEFT and isinstance(message, Record | Repeat | Join)

    def _rebuild(self) -> None:
        # What was appended but not written yet must be seen by the reads that follow.
        self._log.apply()
        self._generation = self._committer.generation
        self._build()

    def _build(self) -> None:
        raise NotImplementedError

    def _is_settled(self) -> bool:
        raise NotImplementedError

    def _passivate(self) -> None:
        """End; what waits in the mailbox goes to the next actor behind the same place."""
        self._is_passivated = True
        self.stop("idle")

    def _watch_idle(self) -> None:
        self.send_after(self._context.entity_idle_s, IDLE_CHECK, key=IdleCheck)

    def _check_idle(self) -> None:
        if self._generation != HELD and not self._is_active and self._is_settled():
            self._passivate()
            return
        self._is_active = False
        self._watch_idle()


def _recovering(rid: int) -> Refused:
    reason = "the server is recovering; send again"
    return Refused(rid, "unavailable", reason, "now", "unknown")
