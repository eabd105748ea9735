"""Knows how one node lives and dies in a simulation. Must not know clients or what is checked."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, cast

from actorchat.actor import ActorSystem, Crash, LocalRef, SeededDispatcher
from actorchat.broker.authenticator import AuthenticatorActor
from actorchat.broker.conversation import ConversationActor
from actorchat.broker.log_writer import LogWriter
from actorchat.broker.outlet import SessionInlet
from actorchat.broker.session import SessionActor
from actorchat.broker.sweeper import Sweeper
from actorchat.broker.tracker import PresenceTracker
from actorchat.broker.tree import ENTITIES, SESSIONS, Broker, Parts
from actorchat.broker.user import UserActor
from actorchat.chat.retention import Policy
from actorchat.errors import MailboxFull
from actorchat.limits import FRAME_BYTES_MAX, SWEEP_EVERY_S
from actorchat.protocol.codec import encode_error, encode_push
from actorchat.protocol.connection import Connection, frame
from actorchat.protocol.connection import Side as ConnectionSide
from actorchat.protocol.ops import Bye
from actorchat.testing.disk import Disk, SimSyncer
from actorchat.testing.journal import Journal
from actorchat.testing.net import FarSide, Wire

OPERATOR_KEY = "the operator's key"
VICTIMS = (UserActor, ConversationActor, SessionActor, AuthenticatorActor, PresenceTracker, Sweeper)
_ERROR_AT = 12  # an error reply says so within so many bytes: {re: u32, err: …}


class InjectedCrash(Exception):
    """What a handler raises because the seed wants it to."""


class Poison:
    """A message that no actor survives: looking at it raises."""

    @property
    def id(self) -> int:
        """Raise."""
        raise InjectedCrash("poison")


def is_injected(error: BaseException) -> bool:
    """Say whether an actor crashed because it was made to."""
    return isinstance(error, InjectedCrash) or (
        isinstance(error, KeyError) and error.args == (Poison,)
    )


class FlakyLog:
    """A log writer in front of the real one, whose appends may raise in the middle of a handler."""

    def __init__(self, log: LogWriter, fail_maybe: Callable[[], None]) -> None:
        self._log = log
        self._fail_maybe = fail_maybe

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def append(self, *args: Any) -> None:
        """Append, or raise before anything was done."""
        self._fail_maybe()
        self._log.append(*args)

    def append_lazily(self, ops: Any) -> None:
        """Append hints, or raise before anything was done."""
        self._fail_maybe()
        self._log.append_lazily(ops)


class FakeHashing:
    """A `Hashing` that does no work."""

    def hash(self, password: str) -> str:
        """Return something that only `fits` understands."""
        return f"hash of {password}"

    def fits(self, password_hash: str, password: str) -> bool:
        """Say whether that is the hash of `password`."""
        return password_hash == self.hash(password)


class SimOutlet(FarSide):
    """The node's end of a wire, as a gateway would be: real frames, ops in, payloads out."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._connection = Connection(ConnectionSide.SERVER)
        self._inlet: SessionInlet | None = None
        self._wire: Wire | None = None
        self._is_closing = False
        self.refused = 0  # requests answered by an error that invites to try again

    # -- the wire's calls ----------------------------------------------------------------------
    def opened(self, wire: Wire) -> None:
        """Start a session on a new wire."""
        self._wire = wire
        self._inlet = self._node.broker.open_session(self)

    def received(self, chunk: bytes) -> None:
        """Pass the ops on that `chunk` completes."""
        ops = self._connection.receive(chunk)
        for op in ops:
            if self._inlet is None:
                return
            try:
                self._inlet.receive(op)
            except MailboxFull as full:
                if hasattr(op, "id"):
                    self.reply(
                        encode_error(op.id, full.code, "behind", full.retry, full.outcome, 100)
                    )
        if (error := self._connection.error) is not None and not self._is_closing:
            self.reply(encode_error(None, error.code, str(error), error.retry, error.outcome))
            self._end("protocol", encode_push(Bye("protocol", "never")))

    def ended(self, reason: str) -> None:
        """Tell the session that its wire is gone."""
        self._is_closing = True
        self._let_go(reason)

    # -- the session's calls -------------------------------------------------------------------
    @property
    def in_flight(self) -> int:
        """How many requests have no answer yet; nobody asks where there is one node."""
        return 0

    @property
    def peer(self) -> str:
        """The wire's name."""
        return "nowhere" if self._wire is None else self._wire.label

    @property
    def source(self) -> str:
        """Nowhere."""
        return ""

    def push(self, payload: bytes) -> None:
        """Send what answers nothing."""
        wire = self._wire
        if wire is None or self._is_closing:
            return
        wire.down.write(frame(payload))
        if wire.down.unsent_bytes > self._node.outbox_bytes_max:
            self._node.journal.counts["slow_consumers"] += 1
            self._is_closing = True
            wire.abort_far()
            self._let_go("slow_consumer")

    def reply(self, payload: bytes) -> None:
        """Send the answer to one request."""
        if payload.find(b"\x63err", 0, _ERROR_AT) >= 0:
            self._node.journal.counts["refusals"] += 1
        self.push(payload)

    def admit(self) -> None:
        """Take longer frames from now on."""
        self._connection.frame_bytes_max = FRAME_BYTES_MAX

    def close(self, payload: bytes | None = None) -> None:
        """Send `payload` last, and close."""
        self._end("session", payload)

    def _end(self, reason: str, payload: bytes | None) -> None:
        wire = self._wire
        if self._is_closing or wire is None:
            return
        self._is_closing = True
        if payload is not None:
            wire.down.write(frame(payload))
        wire.finish_far()
        self._let_go(reason)

    def _let_go(self, reason: str) -> None:
        inlet, self._inlet = self._inlet, None
        if inlet is not None:
            inlet.closed(reason)


class Node:
    """The machine under test: each time the power comes on, a new broker over the same disk."""

    def __init__(
        self,
        dispatcher: SeededDispatcher,
        disk: Disk,
        rng: random.Random,
        journal: Journal,
        *,
        entity_idle_s: float,
        outbox_bytes_max: int,
        on_fatal: Callable[[], None],
    ) -> None:
        self.journal = journal
        self.disk = disk
        self.outbox_bytes_max = outbox_bytes_max
        self.is_on = False
        self.system: ActorSystem
        self.broker: Broker
        self._dispatcher = dispatcher
        self._rng = rng
        self.entity_idle_s = entity_idle_s
        self._on_fatal = on_fatal
        self.policy = Policy()
        self.sweep_every_s = SWEEP_EVERY_S
        self._syncer: SimSyncer
        self._life = 0
        self._appends_to_failure = 0

    @property
    def is_ready(self) -> bool:
        """Whether it takes connections."""
        names = self.system.names
        return self.is_on and None not in (names.whereis(SESSIONS), names.whereis(ENTITIES))

    def answer(self) -> Callable[[], FarSide] | None:
        """Return what accepts a new connection, if anything does."""
        return (lambda: SimOutlet(self)) if self.is_ready else None

    def power_on(self) -> None:
        """Start over what is on the disk."""
        self._life += 1
        life, rng = self._life, self._rng
        self.is_on = True
        self._appends_to_failure = 0
        self.system = system = ActorSystem(self._dispatcher, rng=random.Random(rng.random()))
        system.on_crash(self._on_crash)
        system.on_terminated(self._on_terminated)
        self._syncer = SimSyncer(self.disk)
        self.broker = Broker(
            Parts(
                system=system,
                clock=self._dispatcher.clock,
                engine=self.disk.engine,
                syncer=self._syncer,
                call_soon=lambda fn: self._dispatcher.call_soon(self._run_in_life, life, fn),
                hashing=FakeHashing(),
                hash_dispatchers=[self._dispatcher],
                operator_key=OPERATOR_KEY,
                token_source=lambda: rng.randbytes(16).hex(),
                entity_idle_s=self.entity_idle_s,
                policy=self.policy,
                sweep_every_s=self.sweep_every_s,
                on_fatal=self._fatal,
            )
        )
        context = self.broker.context
        context.log = cast("LogWriter", FlakyLog(context.log, self._fail_maybe))
        self.broker.start()
        self.journal.note("power on")

    def power_off(self, wires: list[Wire]) -> None:
        """Cut the power: nothing of this life runs again, and the disk loses what it may."""
        self.is_on = False
        self._syncer.close()
        for wire in wires:
            wire.die()
        for ref in reversed(list(self.system.refs())):
            self._dispatcher.kill(ref)
        self.check_accounts()
        self.disk.lose_power()
        self.journal.counts["crashes"] += 1
        self.journal.forget_marks()

    def check_accounts(self) -> None:
        """See that no message got lost between the mailboxes."""
        counts = self.system.counts()
        if counts["told"] != counts["handled"] + counts["dead"] + counts["queued"]:
            self.journal.violate("actors", f"the accounts do not add up: {counts}")

    # -- crashes of single actors --------------------------------------------------------------
    def poison(self) -> str | None:
        """Make one actor crash at its next message; return which kind."""
        victims = [ref for ref in self.system.refs() if issubclass(ref.actor_class, VICTIMS)]
        if not victims or not self.is_on:
            return None
        victim = self._rng.choice(victims)
        victim.tell(Poison())
        return victim.actor_class.__name__

    def heal(self) -> None:
        """Let no actor crash any more."""
        self._appends_to_failure = 0

    def fail_append(self) -> None:
        """Make an actor crash in the middle of a handler, at one of its next appends."""
        self._appends_to_failure = self._rng.randint(1, 20)

    def _fail_maybe(self) -> None:
        if self._appends_to_failure:
            self._appends_to_failure -= 1
            if not self._appends_to_failure:
                raise InjectedCrash("append")

    def _on_crash(self, ref: LocalRef, crash: Crash, traceback: str) -> None:
        self.journal.note(f"crash {ref.label}")
        self.journal.counts[f"crash {ref.actor_class.__name__}"] += 1
        if not is_injected(crash.error):
            self.journal.violate("actors", f"{ref.label} crashed by itself:\n{traceback}")

    def _on_terminated(self, ref: LocalRef, reason: object) -> None:
        if self.is_on:
            self.journal.violate("node", f"{ref.label} gave up: {reason}")

    # -- the node's own end --------------------------------------------------------------------
    def _run_in_life(self, life: int, fn: Callable[[], None]) -> None:
        if self.is_on and life == self._life:
            fn()

    def _fatal(self, error: Exception) -> None:
        self.journal.counts["fatal"] += 1
        self.journal.note(f"fatal {type(error).__name__}")
        # What a node does: not one more word, then exit.
        self._on_fatal()
