"""Knows how the registry's machine is fed, kept on disk and heard. Must not know sockets.

All that a turn brings goes into one batch: one frame, one sync on a thread, then what may be said
is said. While a sync runs the next batch gathers.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from actorchat import logs
from actorchat.actor import Actor, Crash
from actorchat.cluster.journal import Folder, Journal
from actorchat.cluster.registry_machine import (
    Arrived,
    Event,
    Gone,
    Hang,
    Keep,
    RegistryMachine,
    Said,
    Say,
    Tick,
)
from actorchat.cluster.registry_wire import Message
from actorchat.limits import REGISTRY_TIMEOUT_MAX_S, REGISTRY_TIMEOUT_MIN_S
from actorchat.store.committer import Syncer

log = logs.logger(__name__)

REGISTRY = "registry"  # the actor's local name


class Peer(Protocol):
    """A connection, as the registry sees it."""

    def say(self, message: Message) -> None:
        """Send a message; never blocks."""
        ...

    def hang(self, reason: str) -> None:
        """End the connection when what was said is sent."""
        ...


class Plan(msgspec.Struct, gc=False):
    """What a registry is made of. `syncer` is made anew with each start, for the journal's sync."""

    folder: Callable[[], Folder]
    syncer: Callable[[Callable[[], None]], Syncer]
    key: bytes = b""
    timeout_min_s: float = REGISTRY_TIMEOUT_MIN_S
    timeout_max_s: float = REGISTRY_TIMEOUT_MAX_S
    tick_s: float = 0.1
    chance: Callable[[int], bytes] = secrets.token_bytes
    open: list[Callable[[], None]] = []  # ends what a predecessor that was killed has left open


class Came(msgspec.Struct, frozen=True, gc=False):
    """A peer connected; the registry speaks to it through `peer`."""

    conn: int
    peer: Any


class Synced(msgspec.Struct, frozen=True, gc=False):
    """A sync has ended."""

    error: Exception | None


class Counted(msgspec.Struct, frozen=True, gc=False):
    """A call that asks for the counters."""


class RegistryActor(Actor):
    """The registry: entries and sessions, in memory and in a journal."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._peers: dict[int, Peer] = {}
        self._records: list[Message] = []  # to be written with the next batch
        self._said: list[Say | Hang] = []  # to be said when that is synced
        self._syncing: list[Say | Hang] | None = None  # and when the one under way is
        self._journal: Journal
        self._machine: RegistryMachine
        self._syncer: Syncer

    def on_start(self) -> None:
        while self._plan.open:
            self._plan.open.pop()()
        folder = self._plan.folder()
        try:
            self._journal = Journal(folder)
        except Exception:
            folder.close()
            raise
        if self._journal.cut_bytes:
            log.info("registry cut off a torn batch", size=self._journal.cut_bytes)
        self._syncer = self._plan.syncer(self._journal.sync)
        self._plan.open += [self._journal.close, self._syncer.close]
        plan = self._plan
        self._machine = RegistryMachine(
            self._journal.tree,
            self.now_s(),
            plan.chance,
            plan.key,
            timeout_min_s=plan.timeout_min_s,
            timeout_max_s=plan.timeout_max_s,
            tick_s=plan.tick_s,
        )
        self.send_after(plan.tick_s, Tick(), key="tick")

    def on_receive(self, message: Any) -> Any:
        match message:
            case Said() | Gone():
                if isinstance(message, Gone):
                    self._peers.pop(message.conn, None)
                self._feed(message)
            case Came(conn, peer):
                self._peers[conn] = peer
                self._feed(Arrived(conn))
            case Tick():
                self.send_after(self._plan.tick_s, message, key="tick")
                self._feed(message)
            case Synced(error):
                self._on_synced(error)
            case Counted():
                return self._counts()
        return None

    def on_stop(self, reason: object) -> None:
        """Write and sync what is left, so that a clean stop leaves nothing to be cut off."""
        self._syncer.close()
        try:
            if not isinstance(reason, Crash):
                if self._syncing is not None:
                    self._journal.sync()
                if self._records:
                    self._journal.write(self._records)
                    self._journal.sync()
                self._utter([*(self._syncing or ()), *self._said])
        finally:
            for peer in self._peers.values():
                peer.hang("the registry stops")
            self._plan.open.clear()
            self._journal.close()

    def _feed(self, event: Event) -> None:
        effects = self._machine.handle(event, self.now_s())
        if not effects:
            return
        for effect in effects:
            if isinstance(effect, Keep):
                self._records.append(effect.record)
            else:
                self._said.append(effect)
        self._kick()

    def _kick(self) -> None:
        if self._syncing is not None:
            return
        if not self._records:
            said, self._said = self._said, []
            self._utter(said)
            return
        records, self._records = self._records, []
        self._syncing, self._said = self._said, []
        self._journal.write(records)
        ref = self.ref
        self._syncer.start(lambda error: ref.tell(Synced(error)))

    def _on_synced(self, error: Exception | None) -> None:
        if error is not None:
            raise error
        said, self._syncing = self._syncing or [], None
        self._utter(said)
        # The tree may be ahead of the disk by what has gathered; a snapshot holds all of it.
        if self._journal.wants_snapshot:
            self._journal.snapshot(self._machine.tree)
            self._records.clear()
        self._kick()

    def _utter(self, said: list[Say | Hang]) -> None:
        for effect in said:
            peer = self._peers.get(effect.conn)
            if peer is None:
                continue
            if isinstance(effect, Say):
                peer.say(effect.message)
            else:
                del self._peers[effect.conn]
                peer.hang(effect.reason)

    def _counts(self) -> dict[str, int]:
        tree = self._machine.tree
        return {
            **self._machine.counters,
            "entries": len(tree),
            "sessions": len(tree.sessions),
            "connections": len(self._peers),
            "revision": tree.revision,
            "journal_records": self._journal.records,
        }
