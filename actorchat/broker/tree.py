"""Knows which actors a chat node runs, and who restarts whom. Must not know settings or roles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from actorchat.actor import Actor, Child, Dispatcher, DynamicSupervisor, Supervisor
from actorchat.broker.act import bury_expired
from actorchat.broker.archive import Archive
from actorchat.broker.authenticator import AuthenticatorActor
from actorchat.broker.blocks import Blocks
from actorchat.broker.census import Census
from actorchat.broker.context import Context, Terms
from actorchat.broker.conversation import ConversationActor
from actorchat.broker.eraser import EraserActor
from actorchat.broker.fan_out import FanOutKeeper
from actorchat.broker.file import FilesActor
from actorchat.broker.firehose import FIREHOSE, Courier, FirehoseActor
from actorchat.broker.firehose_log import FirehoseLog
from actorchat.broker.group import GroupActor
from actorchat.broker.group_log import GroupLog
from actorchat.broker.handing_over import HANDOFF, TAKEOVER, HandoffActor, leaving
from actorchat.broker.hasher import HasherActor, Hashing, TokenReader
from actorchat.broker.invitations import Invitations
from actorchat.broker.inviting import INVITATIONS, InvitationsActor
from actorchat.broker.lodging import Lodging
from actorchat.broker.log_writer import LogWriter
from actorchat.broker.lookout import Lookout
from actorchat.broker.moderation import Moderators
from actorchat.broker.outlet import SessionInlet
from actorchat.broker.people import PeopleActor
from actorchat.broker.reach import Reach
from actorchat.broker.retention import RetentionLog
from actorchat.broker.router import Router
from actorchat.broker.rows import Rows
from actorchat.broker.search import IndexActor, SearchActor
from actorchat.broker.session import SessionActor
from actorchat.broker.shelf import Shelf
from actorchat.broker.sweeper import Chore, Sweeper
from actorchat.broker.taking_over import TakeoverActor
from actorchat.broker.tombs import Tombs
from actorchat.broker.tracker import PresenceTracker, Trackers
from actorchat.broker.user import UserActor
from actorchat.broker.veil import VeilLog
from actorchat.broker.whois import WhoIsActor
from actorchat.chat.event import Conv, Event
from actorchat.chat.file import FilePolicy
from actorchat.chat.retention import Policy
from actorchat.chat.signup import SignUpPolicy
from actorchat.limits import (
    DEVICES_MAX,
    EDIT_WINDOW_S,
    EVENTS_KEEP_DAYS,
    GROUP_INLINE_MEMBERS_MAX,
    GROUP_MEMBERS_MAX,
    HASHES_QUEUED_MAX,
    OFFLINE_AFTER_S,
    SOURCE_FAILURES_PER_MINUTE,
    STORE_TICK_S,
    SWEEP_EVERY_S,
)
from actorchat.store import keys

if TYPE_CHECKING:
    from actorchat.actor import ActorSystem
    from actorchat.broker.outlet import Connection
    from actorchat.clock import Clock
    from actorchat.store.committer import Syncer
    from actorchat.store.engine import Engine
    from actorchat.store.index import TextIndex

SESSIONS = "sessions"
ENTITIES = "entities"
TRACKERS = "trackers"


class Tick(Event):
    """Time for the log's small chores."""


TICK = Tick()


class LogKeeper(Actor):
    """Gives the log its beat: lazy appends reach the engine, a full store is probed."""

    def __init__(self, log: LogWriter) -> None:
        super().__init__()
        self._log = log

    def on_start(self) -> None:
        """Begin the beat."""
        self.send_after(STORE_TICK_S, TICK, key=Tick)

    def on_receive(self, message: object) -> None:
        """Do the chores; go on."""
        self._log.tick()
        self.send_after(STORE_TICK_S, TICK, key=Tick)


class NamedSupervisor(DynamicSupervisor):
    """A dynamic supervisor that is found by name, also after it was restarted itself."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def on_start(self) -> None:
        """Take the name."""
        self.system.names.register(self._name, self.ref)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a broker is built on: the seams between it and the world.

    `index` finds words, on a dispatcher of its own; None: this node has no search.
    `chores` are done for each conversation that the sweeper comes to.
    `hash_dispatchers` run the password hashers, one each. `on_fatal` is told of the error after
    which nothing may be acked any more. `courier` posts to hooks; None: nobody does.
    `token_reader` reads others' tokens; None: they sign nobody in. `makes_users`: they make
    accounts. `sign_up` says who else may; a token is good for `token_life_ms`, 0: for ever.
    `reach` leads to the other nodes; None: every slot is led here.
    """

    system: ActorSystem
    clock: Clock
    engine: Engine
    syncer: Syncer
    call_soon: Callable[[Callable[[], None]], object]
    hashing: Hashing
    hash_dispatchers: list[Dispatcher]
    operator_key: str
    hashes_queued_max: int = HASHES_QUEUED_MAX
    devices_max: int = DEVICES_MAX
    source_failures_per_minute: int = SOURCE_FAILURES_PER_MINUTE
    token_source: Callable[[], str]
    entity_idle_s: float
    group_members_max: int = GROUP_MEMBERS_MAX
    edit_window_s: float = EDIT_WINDOW_S
    group_inline_max: int = GROUP_INLINE_MEMBERS_MAX
    offline_after_s: float = OFFLINE_AFTER_S
    terms: Terms = field(default_factory=Terms)
    files: FilePolicy = field(default_factory=FilePolicy)
    token_reader: TokenReader | None = None
    makes_users: bool = False
    sign_up: SignUpPolicy = field(default_factory=SignUpPolicy)
    token_life_ms: int = 0
    courier: Courier | None = None
    events_keep_days: float = EVENTS_KEEP_DAYS
    policy: Policy = field(default_factory=Policy)
    sweep_every_s: float = SWEEP_EVERY_S
    chores: list[Chore] = field(default_factory=list)
    index: TextIndex | None = None
    index_dispatcher: Dispatcher | None = None
    reach: Reach | None = None
    on_fatal: Callable[[Exception], None]


class Broker:
    """The actors of one chat node."""

    def __init__(self, parts: Parts) -> None:
        system = parts.system
        log = LogWriter(parts.engine, parts.syncer, parts.call_soon, parts.on_fatal)
        archive = Archive(parts.engine, parts.reach is not None)
        groups = GroupLog(parts.engine)
        self.context = context = Context(
            system,
            parts.clock,
            log,
            archive,
            Rows(parts.engine),
            Census(parts.engine, archive),
            parts.token_source,
            parts.entity_idle_s,
            parts.terms,
            groups,
            Blocks(parts.engine),
            Tombs(parts.engine, parts.reach is not None),
            parts.group_members_max,
            parts.edit_window_s,
            parts.group_inline_max,
        )
        context.veils = VeilLog(parts.engine)
        context.reach = parts.reach
        context.router = Router(self._spawn_user, self._spawn_conversation, parts.reach)
        context.shelf = Shelf(parts.engine)
        context.moderators = Moderators(parts.engine)
        context.trackers = Trackers(self._spawn_tracker, parts.reach)
        context.firehose = FirehoseLog(parts.engine, archive)
        context.invitations = Invitations(parts.engine, parts.reach is not None)
        self._system = system
        self._parts = parts

    def _look_after(self, key: bytes, conv: Conv, now_wall_ms: int) -> int:
        buried = bury_expired(self.context, key, now_wall_ms)
        return buried + sum(chore(key, conv, now_wall_ms) for chore in self._parts.chores)

    def start(self) -> Any:
        """Start the tree; returns the ref of its top, whose end is the broker's."""
        parts, context = self._parts, self.context
        hashers = [
            self._system.spawn(
                HasherActor, parts.hashing, parts.token_reader, dispatcher=dispatcher
            )
            for dispatcher in parts.hash_dispatchers
        ]
        desk = (
            context,
            parts.operator_key,
            parts.hashes_queued_max,
            hashers,
            parts.devices_max,
            parts.token_reader is not None,
            parts.makes_users,
            parts.source_failures_per_minute,
            parts.sign_up,
            parts.token_life_ms,
        )
        index = None
        if parts.index is not None:
            dispatcher = parts.index_dispatcher
            index = self._system.spawn(IndexActor, parts.index, dispatcher=dispatcher)
        retention = RetentionLog(parts.engine, context.archive, context.groups)
        sweep = (context, retention, parts.policy, [self._look_after], parts.sweep_every_s)
        # Users and conversations are built from the log and sessions attach to them, so each may
        # be restarted alone. But when all of them go at once, nobody tells the sessions: then these
        # end, too, and their clients connect again.
        chat = [
            Child(ENTITIES, NamedSupervisor, (ENTITIES,)),
            Child(SESSIONS, NamedSupervisor, (SESSIONS,)),
        ]
        children = [
            Child("log-keeper", LogKeeper, (context.log,)),
            Child("authenticator", AuthenticatorActor, desk),
            Child(TRACKERS, NamedSupervisor, (TRACKERS,)),
            Child("people", PeopleActor, (context, context.census)),
            Child("files", FilesActor, (context, parts.files)),
            Child("chat", Supervisor, ("rest_for_one", 10, 10.0, chat)),
            Child("fan-out-keeper", FanOutKeeper, (context,)),
            Child(FIREHOSE, FirehoseActor, (context, parts.courier, parts.events_keep_days)),
            Child("eraser", EraserActor, (context,)),
            Child("sweeper", Sweeper, sweep),
            Child("search", SearchActor, (context, index)),
        ]
        if parts.reach is not None:
            # Before anybody can be started: who writes there might write what nobody will read.
            unsure = {slot for slot, _ in leaving(parts.engine)}
            parts.reach.held |= unsure
            parts.reach.closed |= unsure
            context.log.append_lazily(((parts.engine.family("state"), keys.CLUSTER_KEY, b""),))
            Lodging(context, self._sessions).open()
            children.append(Child("whois", WhoIsActor, (context,)))
            children.append(Child(HANDOFF, HandoffActor, (context, parts.engine)))
            children.append(Child(TAKEOVER, TakeoverActor, (context, parts.engine)))
            children.append(Child(INVITATIONS, InvitationsActor, (context,)))
            children.append(Child("lookout", Lookout, (parts.reach, self._sessions)))
        return self._system.spawn(Supervisor, "one_for_one", 10, 10.0, children, name="broker")

    def _sessions(self) -> list[Any]:
        supervisor = self._system.names.whereis(SESSIONS)
        actor = None if supervisor is None else supervisor._actor
        return [] if actor is None else list(actor.orphans())

    def open_session(self, connection: Connection) -> SessionInlet:
        """Start the session of a new connection; the gateways' `OpenSession`."""
        return SessionInlet(self._spawn(SESSIONS, SessionActor, self.context, connection))

    def counts(self) -> dict[str, int]:
        """Return the broker's counters."""
        log = self.context.log
        committer = log.committer
        messages, size, updates = self.context.swept
        return {
            **self.context.router.counts(),
            **self.context.trackers.counts(),
            "log_batches": committer.batches,
            "log_appends": committer.items,
            "log_bytes": committer.bytes,
            "log_failed_batches": committer.failed,
            "log_full": int(committer.is_full),
            "log_generation": committer.generation,
            "sweeps": self.context.sweeps,
            "swept_messages": messages,
            "swept_bytes": size,
            "swept_updates": updates,
        }

    def _spawn_user(self, user: str) -> Any:
        return self._spawn(ENTITIES, UserActor, self.context, user)

    def _spawn_conversation(self, conv: Conv) -> Any:
        cls = GroupActor if isinstance(conv, str) else ConversationActor
        return self._spawn(ENTITIES, cls, self.context, conv)

    def _spawn_tracker(self, number: int) -> Any:
        after_s = self._parts.offline_after_s
        return self._spawn(TRACKERS, PresenceTracker, self.context, number, after_s)

    def _spawn(self, supervisor: str, cls: type[Actor], *args: Any) -> Any:
        return self._system.names.whereis(supervisor).spawn(cls, *args)  # type: ignore[union-attr]
