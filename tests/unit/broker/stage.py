"""A whole broker in one thread: seeded scheduling, virtual time, the in-memory engine."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from actorchat.actor import ActorSystem, SeededDispatcher
from actorchat.broker.outlet import SessionInlet
from actorchat.broker.sweeper import Chore
from actorchat.broker.tree import Broker, Parts
from actorchat.chat.account import token_digest
from actorchat.chat.retention import Policy
from actorchat.chat.signup import SignUpPolicy
from actorchat.errors import StoreFull
from actorchat.limits import GROUP_INLINE_MEMBERS_MAX, MARK_DELAY_S
from actorchat.protocol import codec, ops
from actorchat.store.index import TextIndex
from actorchat.store.memory import MemoryEngine

OPERATOR_KEY = "operator-key"
SYNC_S = 0.001
SWEEP_EVERY_S = 1.0


class PlainHashing:
    """A hash that costs nothing, so that tests need not wait."""

    def hash(self, password: str) -> str:
        return f"hash of {password}"

    def fits(self, password_hash: str, password: str) -> bool:
        return password_hash == f"hash of {password}"


class SteppedSyncer:
    """Syncs after a little virtual time; `hold` keeps all of them back."""

    def __init__(self, dispatcher: SeededDispatcher, engine: MemoryEngine) -> None:
        self._dispatcher = dispatcher
        self._engine = engine
        self.is_held = False
        self._waiting: list[Callable[[], None]] = []

    def start(self, done: Callable[[Exception | None], object]) -> None:
        def finish() -> None:
            error: Exception | None = None
            try:
                self._engine.sync()
            except StoreFull as full:
                error = full
            done(error)

        if self.is_held:
            self._waiting.append(finish)
        else:
            self._dispatcher.call_later(SYNC_S, finish)

    def release(self) -> None:
        self.is_held = False
        waiting, self._waiting = self._waiting, []
        for finish in waiting:
            self._dispatcher.call_later(SYNC_S, finish)

    def close(self) -> None:
        pass


class FakeConnection:
    """What the session's peer would have been sent."""

    def __init__(self) -> None:
        self.replies: dict[int, dict[str, Any]] = {}
        self.pushes: list[dict[str, Any]] = []
        self.is_admitted = False
        self.is_closed = False
        self.bye: dict[str, Any] | None = None
        self.inlet: SessionInlet
        self.source = "127.0.0.1"
        self.asked: set[int] = set()

    @property
    def in_flight(self) -> int:
        return len(self.asked.difference(self.replies))

    def push(self, payload: bytes) -> None:
        if not self.is_closed:
            self.pushes.append(codec.decode(payload))

    def reply(self, payload: bytes) -> None:
        if not self.is_closed:
            reply = codec.decode(payload)
            assert reply["re"] not in self.replies, "answered twice"
            self.replies[reply["re"]] = reply

    def admit(self) -> None:
        self.is_admitted = True

    def close(self, payload: bytes | None = None) -> None:
        if not self.is_closed:
            self.is_closed = True
            self.bye = None if payload is None else codec.decode(payload)
            self.inlet.closed("session")


class Device:
    """A client's connection: asks, and what came back."""

    def __init__(self, stage: Stage, connection: FakeConnection) -> None:
        self._stage = stage
        self.connection = connection
        self._rid = 0

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [push for push in self.connection.pushes if push["op"] == "msg"]

    @property
    def bodies(self) -> list[str]:
        return [push["msg"]["body"] for push in self.messages]

    @property
    def marks(self) -> list[dict[str, Any]]:
        return [push for push in self.connection.pushes if push["op"] == "mark"]

    def tell(self, op: Any) -> None:
        if hasattr(op, "id"):
            self.connection.asked.add(op.id)
        self.connection.inlet.receive(op)

    def ask(self, make: Callable[[int], object]) -> dict[str, Any]:
        """Ask, run until quiet, return the reply."""
        rid = self.start(make)
        self._stage.run()
        return self.connection.replies[rid]

    def start(self, make: Callable[[int], object]) -> int:
        self._rid += 1
        self.tell(make(self._rid))
        return self._rid

    def send(self, to: str, body: str, cid: bytes | None = None) -> dict[str, Any]:
        cid = self._stage.new_cid() if cid is None else cid
        return self.ask(lambda rid: ops.Send(rid, to, cid, body))

    def ack(self, upd: int | None = None) -> None:
        self.tell(ops.Ack(self.messages[-1]["upd"] if upd is None else upd))
        self._stage.run(2 * MARK_DELAY_S)

    def leave(self) -> None:
        self.connection.is_closed = True
        self.connection.inlet.closed("eof")
        self._stage.run(0.01)


class Stage:
    """A broker, its engine, and the devices that talk to it."""

    def __init__(
        self,
        seed: int = 1,
        idle_s: float = 120.0,
        courier: Any = None,
        keep_days: float = 7.0,
        group_inline_max: int = GROUP_INLINE_MEMBERS_MAX,
        policy: Policy | None = None,
        sign_up: SignUpPolicy | None = None,
        token_life_ms: int = 0,
    ) -> None:
        self.engine = MemoryEngine()
        self.group_inline_max = group_inline_max
        self.policy = policy or Policy()
        self.sign_up = sign_up or SignUpPolicy()
        self.token_life_ms = token_life_ms
        self.chores: list[Chore] = []
        self.index: TextIndex | None = None
        self.idle_s = idle_s
        self.courier = courier
        self.keep_days = keep_days
        self.failures: list[Exception] = []
        self.crashes: list[str] = []
        self.rng = random.Random(seed)
        self._seed = seed
        self.start()

    def start(self) -> None:
        """Start a broker over the engine as it is."""
        self._seed += 1
        self.dispatcher = SeededDispatcher(self._seed)
        self.system = ActorSystem(self.dispatcher, rng=random.Random(self._seed))
        self.system.on_crash(lambda ref, crash, text: self.crashes.append(text))
        self.syncer = SteppedSyncer(self.dispatcher, self.engine)
        self.broker = Broker(
            Parts(
                system=self.system,
                clock=self.dispatcher.clock,
                engine=self.engine,
                syncer=self.syncer,
                call_soon=self.dispatcher.call_soon,
                hashing=PlainHashing(),
                hash_dispatchers=[self.dispatcher],
                operator_key=OPERATOR_KEY,
                token_source=lambda: self.rng.randbytes(16).hex(),
                entity_idle_s=self.idle_s,
                courier=self.courier,
                events_keep_days=self.keep_days,
                group_inline_max=self.group_inline_max,
                policy=self.policy,
                sign_up=self.sign_up,
                token_life_ms=self.token_life_ms,
                sweep_every_s=SWEEP_EVERY_S,
                chores=self.chores,
                index=self.index,
                index_dispatcher=self.dispatcher,
                on_fatal=self.failures.append,
            )
        )
        self.broker.start()
        self.run(0.01)

    def crash(self) -> None:
        """Lose what was not synced, and everything in memory; start again."""
        self.engine.crash(self.rng)
        self.engine.reopen()
        self.start()

    def run(self, seconds: float = 0.05) -> None:
        """Let virtual time pass."""
        self.dispatcher.run(until=self.dispatcher.now_s() + seconds)

    def new_cid(self) -> bytes:
        return self.rng.randbytes(16)

    def add_users(self, *users: str) -> None:
        """Make accounts with a token `token of NAME` for the device `phone`."""
        from actorchat.chat.account import Account
        from actorchat.chat.account import Device as Known

        rows = self.broker.context.rows
        changes = []
        for user in users:
            changes.append(rows.account(Account(user, 0, f"hash of {user}")))
            for device in ("phone", "laptop"):
                digest = token_digest(f"token of {user} {device}")
                changes.append(rows.device(user, Known(device, digest, 0)))
        self.broker.context.log.append(changes)
        self.run()

    def add_file(self, user: str, file: ops.FileRef) -> None:
        """Make a file the user's, as if it had been brought; no user has more than one of these."""
        from actorchat.chat.file import FileFacts, Usage

        facts, usage = FileFacts(file.size, file.type, 0), Usage(file.size, 1)
        context = self.broker.context
        context.log.append(context.shelf.rows(user, file.hash, facts, usage, True))
        self.run()

    def connect(self) -> Device:
        connection = FakeConnection()
        connection.inlet = self.broker.open_session(connection)
        return Device(self, connection)

    def hello(self, user: str, device: str = "phone", resume: int | None = None) -> Device:
        """Connect and sign in by token."""
        peer = self.connect()
        secret = f"token of {user} {device}"
        reply = peer.ask(lambda rid: ops.Hello(rid, 1, user, device, "token", secret, resume))
        assert "ok" in reply, reply
        return peer

    def operator(self) -> Device:
        peer = self.connect()
        reply = peer.ask(lambda rid: ops.Hello(rid, 1, "operator", "cli", "operator", OPERATOR_KEY))
        assert "ok" in reply, reply
        return peer

    def rows(self, family: str) -> list[tuple[bytes, bytes]]:
        """Return all rows of a family, lazily appended ones included."""
        self.broker.context.log.apply()
        return self.engine.scan(self.engine.family(family), b"", b"\xff" * 64)
