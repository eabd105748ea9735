"""Knows what other nodes call the entities of this one, and what becomes of what comes too late.
Must not know links or bytes.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from actorchat.broker.crossing import allow
from actorchat.broker.eraser import ERASER
from actorchat.broker.handing_over import HANDOFF, TAKEOVER, SlotsSeen
from actorchat.broker.inviting import INVITATIONS
from actorchat.broker.search import SEARCH
from actorchat.broker.turned_away import turn_away
from actorchat.broker.whois import WHOIS
from actorchat.chat.afar import TableTurned
from actorchat.errors import BUSY, MailboxFull, Unavailable
from actorchat.ids import SLOTS, is_group, is_name, slot_of
from actorchat.limits import MOVED_AFTER_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from actorchat.broker.context import Context

DESKS = (INVITATIONS, ERASER)  # which keep in mind what their slots have to be done
MOVED = "this part of the server is elsewhere now; try again"


class Lodging:
    """The entities of a node as other nodes find them: by name, started on demand.

    `user/NAME`, `direct/ONE/OTHER`, `group/#ADDRESS`, `tracker/NUMBER`, and `desk/NAME/SLOT`, the
    desk that answers for a slot. What is for an entity that is led elsewhere by a newer table than
    its sender's is passed on. One whose slot has come, but by no table yet, is there, and held.

    Args:
        sessions: Returns the refs of all sessions.
    """

    __slots__ = ("_context", "_reach", "_sessions")

    def __init__(self, context: Context, sessions: Callable[[], Iterable[Any]]) -> None:
        assert context.reach is not None
        self._context = context
        self._sessions = sessions
        self._reach = context.reach

    def open(self) -> None:
        """Let other nodes in."""
        self._reach.serve(allow, self.resolve, self.undelivered, self.turn, self._moves)

    def _moves(self, changed: list[int]) -> None:
        for name in (HANDOFF, TAKEOVER):
            desk = self._context.system.names.whereis(name)
            if desk is not None:
                desk.tell(SlotsSeen(changed))

    def turn(self, changed: list[int]) -> None:
        """Let go of what these slots have here, if another node leads them now."""
        context, slots = self._context, set(changed)
        for whose, ref, _ in context.router.entities():
            if slot_of(whose) in slots and not self._reach.is_here(whose):
                actor = ref._actor
                if actor is not None:
                    actor.leave()
        turned = TableTurned(frozenset(changed))
        context.trackers.leave(slots)
        for desk in map(context.system.names.whereis, (*DESKS, SEARCH)):
            if desk is not None:
                desk.tell(turned)
        for session in self._sessions():
            with suppress(MailboxFull):  # one that is so far behind looks anew when it watches
                session.tell(turned)

    def resolve(self, name: str) -> Any:
        """Return the ref of an entity; None: there is no such one, or it is led elsewhere."""
        kind, _, rest = name.partition("/")
        if kind == "tracker":
            return self._context.trackers.resolve(rest)
        if kind == "desk":
            desk, _, slot = rest.partition("/")
            is_open = slot.isdigit() and int(slot) < SLOTS and self._reach.is_open(int(slot))
            if is_open or desk in (*DESKS, WHOIS):  # these see for themselves what they may answer
                return self._context.system.names.whereis(desk)
            return None
        whose = _owner(kind, rest)
        if whose is None:
            return None
        if not self._reach.is_here(whose) and slot_of(whose) not in self._reach.held:
            return None
        router = self._context.router
        if kind == "user":
            return router.activate_user(rest)
        if kind == "group":
            return router.activate_conversation(rest)
        one, _, other = rest.partition("/")
        return router.activate_conversation((one, other))

    def undelivered(self, to: Any, message: object, epoch: int, why: str) -> None:
        """Pass on what is for another node; end a session that is behind; answer for others."""
        if not isinstance(to, str):
            if getattr(to.actor_class, "is_ephemeral", False):
                to.stop("overrun")  # what a session has lost its client would wait for
            return
        if why == MailboxFull.code:
            turn_away(message, why, BUSY)
            return
        slot = _slot_of(to)
        if slot is not None and self._reach.leader(slot) != self._reach.node:
            # Epochs grow from node to node, so nothing goes in a circle.
            if self._reach.slot(slot).epoch > epoch:
                with suppress(Unavailable):
                    self._reach.find(slot, to).tell(message)
                    return
        turn_away(message, Unavailable.code, MOVED, after_ms=MOVED_AFTER_MS)


def _slot_of(name: str) -> int | None:
    """Return the slot in which whoever is called `name` is; None: in none."""
    kind, _, rest = name.partition("/")
    if kind == "desk":
        number = rest.rpartition("/")[2]
        return int(number) if number.isdigit() and int(number) < SLOTS else None
    whose = _owner(kind, rest)
    return None if whose is None else slot_of(whose)


def _owner(kind: str, rest: str) -> str | None:
    """Return the name whose slot an entity is in; None: that is no entity's name."""
    if kind == "user" and is_name(rest):
        return rest
    if kind == "group" and is_group(rest):
        return rest
    one, _, other = rest.partition("/")
    if kind == "direct" and is_name(one) and is_name(other) and one <= other:
        return one
    return None
