"""Knows how to do what a presence tracker decides, and which tracker a user has.
Must not know connections.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from actorchat.actor import Actor, Mailbox
from actorchat.broker.log_writer import store_full
from actorchat.broker.place import Place
from actorchat.broker.reach import MOVING, NODE_DOWN
from actorchat.chat.event import Answer, Refused
from actorchat.chat.presence import Presence
from actorchat.chat.severed import farewells
from actorchat.chat.sighting import (
    AnswerLevel,
    Arrived,
    AskSettings,
    BlockChanged,
    Due,
    LevelChanged,
    SaveLevel,
    SaveSeen,
    SetPrivacy,
    Sighted,
    Subscribe,
    Tell,
    TrackerId,
    TrackerLost,
)
from actorchat.cluster.mesh import NodeDown, NodeUp
from actorchat.errors import LinkFull, MailboxFull, Unavailable
from actorchat.ids import SLOTS, slot_of
from actorchat.limits import ENTITY_MAILBOX_MAX, PRESENCE_TRACKERS, UNAVAILABLE_AFTER_MS

if TYPE_CHECKING:
    from actorchat.broker.context import Context
    from actorchat.broker.reach import Reach

DUE = Due()


class Trackers:
    """The presence trackers of a node: each has a range of slots, and starts when it is needed.

    A watcher gets at most one event of each in a flush, so few trackers make few events; a slot
    that moves to another node leaves its range and starts anew there.
    """

    __slots__ = ("_places", "_reach", "_refs", "_spawn", "pushes", "signals_dropped")

    def __init__(self, spawn: Callable[[int], Any], reach: Reach | None = None) -> None:
        self._spawn = spawn
        self._reach = reach
        self._refs: dict[int, Any] = {}
        self._places = [Place(self._activate, number) for number in range(PRESENCE_TRACKERS)]
        self.pushes = 0
        self.signals_dropped = 0

    @staticmethod
    def number_of(user: str) -> int:
        """Return the number of the tracker of `user`."""
        return slot_of(user) * PRESENCE_TRACKERS // SLOTS

    def id_of(self, user: str) -> TrackerId:
        """Return what tells the tracker of `user` from all others, of other nodes too."""
        number = self.number_of(user)
        return number if self._reach is None else f"{self._reach.home(user)}/{number}"

    def ids_at(self, node: str) -> list[TrackerId]:
        """Return the trackers of a node."""
        return [f"{node}/{number}" for number in range(PRESENCE_TRACKERS)]

    def place(self, id: TrackerId) -> Any:
        """Return the address of a tracker; for one use, if it is on another node.

        Raises:
            Unavailable: Its node can't be reached.
        """
        if isinstance(id, int):
            return self._places[id]
        node, _, number = id.partition("/")
        assert self._reach is not None
        if node == self._reach.node:
            return self._places[int(number)]
        if not self._reach.is_up(node):
            raise Unavailable(NODE_DOWN)
        return self._reach.named(node, f"tracker/{number}")

    def resolve(self, number: str) -> Any:
        """Return the ref of a tracker of this node by its number; None if it has no such one."""
        if number not in {str(known) for known in range(PRESENCE_TRACKERS)}:
            return None
        return self._places[int(number)].ref()

    def leave(self, slots: set[int]) -> None:
        """Stop the trackers here of which another node leads some slot now; those go on."""
        assert self._reach is not None
        here = self._reach.node
        gone = {slot for slot in slots if self._reach.leader(slot) != here}
        for number in {slot * PRESENCE_TRACKERS // SLOTS for slot in gone}:
            ref = self._refs.get(number)
            if ref is not None and ref.is_alive():
                ref.stop("moved")  # its sessions look for their trackers anew

    def is_online(self, user: str) -> bool:
        """Say whether the tracker of `user`, if it runs, has them as online; for the simulation."""
        ref = self._refs.get(self.number_of(user))
        actor = ref._actor if ref is not None and ref.is_alive() else None
        return actor is not None and bool(actor.is_online(user))

    def follow_block(self, changed: BlockChanged) -> None:
        """Have the tracker of a user follow a block, which the log has."""
        place = self._places[self.number_of(changed.user)]
        try:
            place.tell(changed)
        except MailboxFull:
            place.ref().stop("block missed")  # the next one reads it from the log

    def counts(self) -> dict[str, int]:
        """Return what sessions and trackers have counted."""
        online = watched = 0
        for ref in self._refs.values():
            actor = ref._actor if ref.is_alive() else None
            if actor is not None:
                here, looked_at = actor.counts()
                online, watched = online + here, watched + looked_at
        return {
            "presence_online": online,
            "presence_watched": watched,
            "presence_pushes": self.pushes,
            "presence_signals_dropped": self.signals_dropped,
        }

    def _activate(self, number: int) -> Any:
        ref = self._refs.get(number)
        if ref is None or not ref.is_alive():
            ref = self._refs[number] = self._spawn(number)
        return ref


class PresenceTracker(Actor):
    """The presence of the users of some slots.

    It is built from what sessions tell it: when it stops, they are told, and tell it all again.
    """

    mailbox: ClassVar[Mailbox] = Mailbox(limit=ENTITY_MAILBOX_MAX, overflow="fail")

    def __init__(self, context: Context, number: int, offline_after_s: float) -> None:
        super().__init__()
        archive = context.archive
        self._context = context
        reach = context.reach
        self._number: TrackerId = number if reach is None else f"{reach.node}/{number}"
        blocked = context.blocks.blocked
        self._machine = Presence(
            self._number, archive.presence, context.census.has_contact, offline_after_s, blocked
        )
        self._generation = context.log.committer.generation
        self._due_s: float | None = None

    def counts(self) -> tuple[int, int]:
        """Return (users online, users that are watched)."""
        return self._machine.counts()

    def is_online(self, user: str) -> bool:
        """Say whether `user` is online."""
        return self._machine.is_online(user)

    def on_start(self) -> None:
        """Make what the tracker before this one kept visible to reads."""
        self._context.log.apply()
        if self._context.reach is not None:
            self._context.reach.monitor_nodes(self.ref)

    def on_receive(self, event: Any) -> None:
        """Feed the machine; perform its effects; come back at its deadline."""
        context, machine = self._context, self._machine
        if self._generation != context.log.committer.generation:
            self._generation = context.log.committer.generation
            machine.reload()
        kind = type(event)
        if context.reach is not None and kind in {AskSettings, NodeDown, NodeUp}:
            self._look_elsewhere(event)
            return
        if kind is SetPrivacy and event.level is not None and context.log.is_full:
            event.session.tell(store_full(event.rid))
            return
        if event is DUE:
            self._due_s = None
        now_s = context.clock.monotonic_s()
        perform = self._PERFORM
        for effect in machine.handle(event, now_s, context.clock.wall_ms()):
            perform[type(effect)](self, effect)
        due_s = machine.deadline()
        if due_s is not None and (self._due_s is None or due_s < self._due_s):
            self._due_s = due_s
            self.send_after(max(0.0, due_s - now_s), DUE, key=Due)

    def _look_elsewhere(self, event: AskSettings | NodeDown | NodeUp) -> None:
        """Answer a session whose own node can't, or let go of those whose node is gone."""
        context = self._context
        if isinstance(event, AskSettings):
            context.log.apply()
            level = context.archive.presence(event.user)[1]
            blocked = frozenset(context.blocks.blocked(event.user))
            self._tell(Tell(event.session, LevelChanged(level, blocked)))
        elif isinstance(event, NodeDown):
            lost = event.node

            def is_gone(session: Any) -> bool:
                return bool(session.is_foreign) and session.node == lost

            for farewell in farewells(self._machine._entries, is_gone):
                self.on_receive(farewell)

    def failed(self, error: BaseException, reply: Any, message: Any) -> None:
        """Let the error end the actor; who told `message` tells it again."""
        super().failed(error, reply, message)
        self.discarded(message)

    def discarded(self, message: object) -> None:
        """Have those tell again whose message was not handled."""
        if isinstance(message, Arrived | Subscribe | AskSettings):
            self._tell_lost(message.session)
        elif isinstance(message, SetPrivacy):
            reason = "the server is recovering; ask again"
            message.session.tell(Refused(message.rid, "unavailable", reason, "now", "unknown"))

    def on_stop(self, reason: object) -> None:
        """Tell the sessions; keep who is here now, so that the next one shows nobody offline."""
        for session in self._machine.sessions():
            self._tell_lost(session)
        for effect in self._machine.last_words(self._context.clock.wall_ms()):
            self._PERFORM[type(effect)](self, effect)

    def _tell_lost(self, session: Any) -> None:
        try:
            session.tell(TrackerLost(self._number))
        except LinkFull:
            pass  # its node is told of nothing now
        except MailboxFull:
            session.stop("presence lost")  # so far behind that it must sign in again

    # -- effects -----------------------------------------------------------------------------------
    def _tell(self, effect: Tell) -> None:
        try:
            effect.session.tell(effect.event)
        except Unavailable:
            if isinstance(effect.event, Sighted):
                self._machine.untold(effect.event.states)

    def _save_seen(self, effect: SaveSeen) -> None:
        if self._may_write(effect.user):
            rows = self._context.rows.presence(effect.user, effect.last_seen, effect.level)
            self._context.log.append_lazily(rows)

    def _may_write(self, user: str) -> bool:
        reach = self._context.reach
        return reach is None or reach.is_open(slot_of(user))

    def _save_level(self, effect: SaveLevel) -> None:
        if not self._may_write(effect.user):
            after = (effect.rid, Unavailable.code, MOVING)
            effect.session.tell(Refused(*after, "after", "none", UNAVAILABLE_AFTER_MS))
            return
        rows = self._context.rows.presence(effect.user, effect.last_seen, effect.level)
        answer = Answer(effect.rid, {"level": effect.level})
        self._context.log.append(rows, effect.session.tell, answer)

    def _answer_level(self, effect: AnswerLevel) -> None:
        effect.session.tell(Answer(effect.rid, {"level": effect.level}))

    _PERFORM: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        Tell: _tell,
        SaveSeen: _save_seen,
        SaveLevel: _save_level,
        AnswerLevel: _answer_level,
    }
