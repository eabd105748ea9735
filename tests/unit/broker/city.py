"""Several brokers in one thread: each with its own store, linked, on one virtual time."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from actorchat.actor import Actor, ActorSystem, SeededDispatcher
from actorchat.broker.reach import Reach
from actorchat.broker.tree import Broker, Parts
from actorchat.chat.signup import SignUpPolicy
from actorchat.cluster.controller import Copied
from actorchat.cluster.controller_actor import CONTROLLER, allow_copied
from actorchat.cluster.link import PeerAddress
from actorchat.cluster.mesh import Mesh
from actorchat.cluster.slots import Slot
from actorchat.ids import SLOTS, slot_of
from actorchat.store.index import TextIndex
from actorchat.testing.link_net import LinkNet, LinkWeather
from tests.unit.broker.stage import (
    OPERATOR_KEY,
    SYNC_S,
    Device,
    PlainHashing,
    Stage,
    SteppedSyncer,
)

UP_S = 2.0  # by then all links are up
DOWN_S = 12.0  # by then a node that is silent has been given up


class CitySyncer(SteppedSyncer):
    """What is left of a node's log when the power goes never runs."""

    is_over = False
    sync_s = SYNC_S

    def start(self, done: Callable[[Exception | None], object]) -> None:
        def finish() -> None:
            if not self.is_over:
                self._engine.sync()
                done(None)

        if self.is_held:
            self._waiting.append(finish)
        else:
            self._dispatcher.call_later(self.sync_s, finish)

    def call_soon(self, fn: Callable[[], None]) -> None:
        self._dispatcher.call_soon(lambda: None if self.is_over else fn())


class Clerk(Actor):
    """A controller's ear on each node."""

    def __init__(self, city: City) -> None:
        self.city = city

    def on_start(self) -> None:
        self.system.names.register(CONTROLLER, self.ref)

    def on_receive(self, message: Any) -> None:
        self.city.on_copied(message)


class Quarter(Stage):
    """One node of a city: a stage whose time and links are the city's."""

    def __init__(self, city: City, name: str, seed: int, **options: Any) -> None:
        self.city = city
        self.name = name
        self.incarnation = 0
        self.table: list[Slot] = list(city.table)
        self.version = 0
        self.is_on = False
        self.syncer: CitySyncer
        self._options = options
        super().__init__(seed, idle_s=options.get("idle_s", 120.0))

    def start(self) -> None:
        """Start a broker over the engine as it is."""
        city = self.city
        self.is_on = True
        self.incarnation += 1
        self.dispatcher = city.dispatcher
        seed = self._seed * 1_000 + self.incarnation
        self.system = ActorSystem(self.dispatcher, rng=random.Random(seed))
        self.system.on_crash(lambda ref, crash, text: self.crashes.append(text))
        transport = city.net.transport(f"sim://{self.name}", f"key of {self.name}")
        self.mesh = Mesh(
            self.system, self.name, self.incarnation, transport, lambda: city.addresses
        )
        self.reach = Reach(self.mesh, lambda slot: self.table[slot])
        self.syncer = CitySyncer(self.dispatcher, self.engine)
        self.syncer.sync_s = self._options.get("sync_s", SYNC_S)
        self.broker = Broker(self.parts())
        self.top = self.broker.start()
        allow_copied(self.mesh)
        self.system.spawn(Clerk, city)
        self.mesh.start()

    def parts(self) -> Parts:
        return Parts(
            system=self.system,
            clock=self.dispatcher.clock,
            engine=self.engine,
            syncer=self.syncer,
            call_soon=self.syncer.call_soon,
            hashing=PlainHashing(),
            hash_dispatchers=[self.dispatcher],
            operator_key=OPERATOR_KEY,
            token_source=lambda: self.rng.randbytes(16).hex(),
            entity_idle_s=self.idle_s,
            group_inline_max=self._options.get("group_inline_max", self.group_inline_max),
            on_fatal=self.failures.append,
            index=TextIndex(None) if self._options.get("search") else None,
            index_dispatcher=self.dispatcher,
            sign_up=self._options.get("sign_up", SignUpPolicy()),
            reach=self.reach,
        )

    def run(self, seconds: float = 0.5) -> None:
        """Let virtual time pass, for all nodes."""
        super().run(seconds)

    def power_off(self) -> None:
        """Lose what was not synced, everything in memory, and all links and connections."""
        if not self.is_on:
            return
        self.is_on = False
        self.mesh.transport.die()  # type: ignore[attr-defined]
        if self.mesh._timer is not None:
            self.mesh._timer.cancel()
        self.syncer.is_over = True
        for ref in reversed(list(self.system.refs())):
            self.dispatcher.kill(ref)
        self.engine.crash(self.rng)
        self.engine.reopen()

    def turn(self, table: list[Slot]) -> None:
        """Give the node a newer table."""
        changed = [slot for slot in range(SLOTS) if self.table[slot].leader != table[slot].leader]
        changes = [slot for slot in range(SLOTS) if self.table[slot] != table[slot]]
        self.table = list(table)
        self.reach.on_table(changed)
        self.reach.on_moves(changes)


class City:
    """Nodes `a`, `b` and `c`, and who is at home where; all other slots are led by the first."""

    def __init__(
        self,
        homes: dict[str, str],
        *,
        nodes: str = "abc",
        seed: int = 1,
        weather: LinkWeather | None = None,
        **options: Any,
    ) -> None:
        self.dispatcher = SeededDispatcher(seed)
        self.net = LinkNet(self.dispatcher, random.Random(f"net {seed}"), weather)
        self.table = table_of(homes, nodes[0])
        self.version = 0
        self.sight_s: Callable[[], float] = lambda: 0.01  # until a node sees a change of the table
        self.addresses = {name: PeerAddress(f"sim://{name}", f"key of {name}") for name in nodes}
        self.homes = homes
        self.nodes = {
            name: Quarter(self, name, seed * 10 + number, **options)
            for number, name in enumerate(nodes)
        }
        self.run(UP_S)
        for user, node in homes.items():
            if user[0] != "#":
                self.nodes[node].add_users(user)

    def __getitem__(self, name: str) -> Quarter:
        return self.nodes[name]

    def run(self, seconds: float = 0.5) -> None:
        self.dispatcher.run(until=self.dispatcher.now_s() + seconds)

    def hello(self, user: str, node: str, device: str = "phone", **more: Any) -> Device:
        """Sign in at a node, wherever the user's home is."""
        return self.nodes[node].hello(user, device, **more)

    # -- slots that move ---------------------------------------------------------------------------
    def announce(self, name: str, to: str) -> None:
        """Have the slot of a name copied to another node; the table turns when that is said."""
        slot = slot_of(name)
        where = self.table[slot]
        assert where.leader != to
        self.write(slot, Slot(where.leader, where.epoch, where.replicas, where.in_sync, (to,)))

    def give_up(self, name: str) -> None:
        """Have the slot of a name stay where it is."""
        slot = slot_of(name)
        where = self.table[slot]
        if where.coming:
            self.write(slot, Slot(where.leader, where.epoch + 1, where.replicas, where.in_sync))

    def on_copied(self, said: Copied) -> None:
        """Do what a controller does, who believes nothing that is out of date."""
        where = self.table[said.slot]
        if said.node in where.coming and said.epoch == where.epoch:
            to = said.node
            self.write(said.slot, Slot(to, where.epoch + 1, (to,), (to,)))

    def write(self, slot: int, where: Slot) -> None:
        """Change the table; each node sees that when it does, and never goes back."""
        self.table[slot] = where
        version = list(self.table)
        self.version += 1
        number = self.version
        for node in self.nodes.values():
            self.dispatcher.call_later(self.sight_s(), self._show, node, number, version)

    def _show(self, node: Quarter, number: int, version: list[Slot]) -> None:
        if node.version < number:
            node.version = number
            if node.is_on:
                node.turn(version)
            else:
                node.table = version

    def cut(self, one: str, other: str) -> None:
        """Let nothing pass between two nodes."""
        self.net.partition(f"sim://{one}", f"sim://{other}")

    @property
    def crashes(self) -> list[str]:
        return [text for node in self.nodes.values() for text in node.crashes]


def table_of(homes: dict[str, str], rest: str, epoch: int = 1) -> list[Slot]:
    """Return a table in which each name is at home on its node."""
    table = [Slot(rest, epoch, (rest,), (rest,))] * SLOTS
    for name, node in homes.items():
        slot = slot_of(name)
        assert table[slot].leader in (rest, node), f"{name} shares its slot with another"
        table[slot] = Slot(node, epoch, (node,), (node,))
    return table
