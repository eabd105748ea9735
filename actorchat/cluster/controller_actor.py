"""Knows how the controller is fed from a registry and performs there.
Must not know what it decides.

The registry's callbacks only tell this actor. What it asks of the registry runs as tasks beside
it, one of a kind at a time, whose results are told to it as well: it never waits.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import msgspec

from actorchat import logs
from actorchat.actor import Actor
from actorchat.cluster.controller import (
    COPIED_CODE,
    Controller,
    Copied,
    Deposed,
    Elected,
    Event,
    Load,
    Loaded,
    Present,
    Refused,
    Tick,
    Write,
    Written,
)
from actorchat.cluster.drained import DRAINED, read_drained
from actorchat.cluster.election import Election
from actorchat.cluster.member import MEMBERS, read_members
from actorchat.cluster.mesh import Mesh
from actorchat.cluster.registry import Registry, RegistryAway, RegistryRefusal, ensure
from actorchat.cluster.table_store import load_table, save_table
from actorchat.cluster.upkeep import RETRY_S, Upkeep

log = logs.logger(__name__)

CONTROLLERS = "/controllers"
CONTROLLER = "controller"  # what each candidate is registered as, on its node


class ControllerActor(Actor):
    """A candidate for the controller of one cluster, and the controller while it is elected.

    Takes `Copied` from the nodes' leaders, and answers a call of `"moves"` with what is under way.
    """

    def __init__(self, registry: Registry, name: str, controller: Controller) -> None:
        self._registry = registry
        self._name = name
        self._controller = controller
        self._is_watching = False
        self._election: Election
        self._members: Upkeep

    def on_start(self) -> None:
        ref = self.ref
        self._members = Upkeep("members", self._read_members)
        self._election = Election(
            self._registry,
            CONTROLLERS,
            self._name,
            lambda is_elected: ref.tell(Elected() if is_elected else Deposed()),
        )
        self._registry.on_event(self._members.poke)
        self._election.start()
        self._members.poke()

    def on_receive(self, message: Any) -> Any:
        if message == "moves":
            return self._controller.moves()
        self._feed(message)
        return None

    async def on_stop(self, reason: object) -> None:
        await self.spawn_task(self._members.close())
        try:
            await self.spawn_task(self._election.close())
        except (RegistryAway, RegistryRefusal) as error:
            log.debug("the candidate goes with its session", code=error.code)

    def _feed(self, event: Event) -> None:
        if isinstance(event, Elected | Deposed):
            log.info("controller", node=self._name, elected=isinstance(event, Elected))
        for effect in self._controller.handle(event, self.now_s()):
            match effect:
                case Load():
                    self._spawn(self._load())
                case Write():
                    self._spawn(self._write(effect))
        deadline_s = self._controller.deadline()
        if deadline_s is not None and not isinstance(event, Copied):
            self.send_after(max(0.0, deadline_s - self.now_s()), Tick(), key="deadline")

    def _spawn(self, coro: Coroutine[Any, Any, None]) -> None:
        self.spawn_task(coro)

    async def _read_members(self) -> None:
        if not self._is_watching:
            await ensure(self._registry, MEMBERS)
            await ensure(self._registry, DRAINED)
            await self._registry.watch(MEMBERS, self._members.poke, children=True)
            await self._registry.watch(DRAINED, self._members.poke, children=True)
            self._is_watching = True
        drained = await read_drained(self._registry)
        members = [
            msgspec.structs.replace(member, capacity=0.0) if member.name in drained else member
            for member in await read_members(self._registry)
            if member.leads
        ]
        self.ref.tell(Present(tuple(members)))

    async def _load(self) -> None:
        try:
            table, entry = await load_table(self._registry)
        except (RegistryAway, RegistryRefusal) as error:
            self._refused(error.code)
        else:
            self.ref.tell(Loaded(table, entry))

    async def _write(self, write: Write) -> None:
        guard = [self._election.guard]
        try:
            entry = await save_table(self._registry, write.table, write.old, write.entry, guard)
        except (RegistryAway, RegistryRefusal) as error:
            self._refused(error.code)
        else:
            self.ref.tell(Written(entry))

    def _refused(self, code: str) -> None:
        """Have the table read again, after a moment in which whoever else writes may be done."""
        log.info("slot table was not written or read", code=code)
        self.send_after(RETRY_S, Refused(), key="refused")


def allow_copied(mesh: Mesh) -> None:
    """Let leaders tell the candidates of other nodes that a slot is copied."""
    mesh.codec.allow(COPIED_CODE, Copied)
