"""A society spread over nodes whose links lose, break and part, and who notices broken promises.

As `actor_society`, over `testing.link_net`: G1 to G7 stand in `actorchat/actor/README.md`, as far
as they hold between nodes: what a node tells another while one link lasts is a prefix of what it
was told to, and a new link begins with the Downs of the old one.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import msgspec

from actorchat.actor import Actor, ActorSystem, Down, LocalRef, Ref, Reply, SeededDispatcher
from actorchat.cluster.link import PeerAddress
from actorchat.cluster.mesh import Mesh, NodeDown, NodeUp
from actorchat.cluster.remote import RemoteRef
from actorchat.errors import ActorDead, CallTimeout
from actorchat.testing.link_net import LinkNet, LinkWeather

NODES = ("a", "b", "c")
ACTIONS = {
    "tell": 40, "call": 8, "monitor": 8, "demonitor": 2, "spawn": 3, "nap": 8, "leave": 1,
    "crash": 1, "spread": 3,
}  # fmt: skip
CALM_S = 60.0


class Said(msgspec.Struct, gc=False):
    """The sender's `number`th word to this receiver."""

    sender: Ref
    number: int


class Question(msgspec.Struct, gc=False):
    """Is answered with what it holds."""

    number: int


class LinkSociety:
    """The world of one seed, and what was seen in it."""

    def __init__(self, seed: int, weather: LinkWeather, budget: int = 600) -> None:
        self.rng = random.Random(seed)
        self.dispatcher = SeededDispatcher(seed)
        self.net = LinkNet(self.dispatcher, self.rng, weather)
        self.book = {node: PeerAddress(f"sim://{node}") for node in NODES}
        self.meshes: dict[str, Mesh] = {}
        self.members: list[tuple[Mesh, LocalRef]] = []
        self.budget = budget
        self.asked = 0
        self.calls: list[Reply[Any]] = []
        self.done: Counter[str] = Counter()
        self.breaches: list[str] = []
        for node in NODES:
            self.start(node, 1)

    def start(self, node: str, incarnation: int) -> None:
        system = ActorSystem(self.dispatcher, rng=self.rng)
        system.on_crash(lambda *_: None)
        mesh = Mesh(
            system, node, incarnation, self.net.transport(f"sim://{node}"), lambda: self.book
        )
        for code, cls in ((64, Said), (65, Question)):
            mesh.codec.allow(code, cls)
        self.meshes[node] = mesh
        mesh.start()
        for _ in range(3):
            self.spawn(mesh)

    def spawn(self, mesh: Mesh) -> None:
        self.members.append((mesh, mesh.system.spawn(Member, self, mesh)))

    def live(self) -> None:
        """Run, with disasters, until the budget is spent; then calm down and look at the books."""
        self.run(2.0)
        while self.budget > 0:
            for mesh, ref in self.members:
                if self.meshes.get(mesh.node) is mesh:
                    ref.tell("go")
            self.run(self.rng.random())
            self.disaster()
        self.net.heal()
        self.net.weather.loss = self.net.weather.breaks = 0.0
        self.run(CALM_S)
        for mesh in self.meshes.values():
            if len(mesh.nodes()) != len(NODES) - 1:
                self.breach(f"{mesh.node} never found the others again: {mesh.nodes()}")
        if not all(reply.done() for reply in self.calls):
            self.breach("G6: a call never ended")
        for _, ref in self.members:
            ref.stop()
        self.run(CALM_S)
        for mesh in self.meshes.values():
            counts = mesh.counts()
            for kind in ("calls", "watches", "watched", "waiting_bytes"):
                if counts[kind]:
                    self.breach(f"{mesh.node} keeps {counts[kind]} {kind}")
            books = mesh.system.counts()
            if books["told"] != books["handled"] + books["dead"] + books["queued"]:
                self.breach(f"G7: the books are off: {books}")

    def disaster(self) -> None:
        chance = self.rng.random()
        one, other = self.rng.sample(NODES, 2)
        if chance < 0.05:
            self.net.partition(f"sim://{one}", f"sim://{other}")
        elif chance < 0.08:
            self.net.blocked.add((f"sim://{one}", f"sim://{other}"))
        elif chance < 0.2:
            self.net.heal()
        elif chance < 0.24:
            self.done["kill"] += 1
            mesh = self.meshes.pop(one)
            mesh.transport.die()  # type: ignore[attr-defined]
            mesh._timer.cancel()
            for home, ref in self.members:
                if home is mesh:
                    ref.kill()
            self.run(0.0)
            self.start(one, mesh.incarnation + 1)
        if chance > 0.9:
            self.run(self.rng.random() * 12)

    def run(self, seconds: float) -> None:
        self.dispatcher.run(until=self.dispatcher.now_s() + seconds)

    def breach(self, what: str) -> None:
        self.breaches.append(f"{self.dispatcher.now_s():.3f} s: {what}")

    def refs_from(self, mesh: Mesh) -> list[Any]:
        """Return all members as they are reached from `mesh`."""
        return [
            ref if home is mesh else mesh._find_ref(home._pack_ref(ref))
            for home, ref in self.members[-40:]
        ]


class Member(Actor):
    """Says and asks at random; keeps account of what each other member said."""

    def __init__(self, society: LinkSociety, mesh: Mesh) -> None:
        self.society = society
        self.mesh = mesh
        self.said: Counter[Any] = Counter()
        self.last: dict[Any, tuple[int, int]] = {}  # era of the link, number
        self.eras: Counter[str] = Counter()  # of nodes: how often each came or went
        self.mine: dict[int, Any] = {}
        self.gone: set[tuple[Any, int]] = set()

    def on_start(self) -> None:
        self.mesh.monitor_nodes(self.ref)

    def era(self, ref: Any) -> int:
        """Return which link to the home of `ref` this is, as the mailbox told it."""
        return self.eras[ref.node] if isinstance(ref, RemoteRef) else 0

    async def on_receive(self, message: Any) -> Any:
        society = self.society
        if isinstance(message, Question):
            return message.number
        if isinstance(message, Said):
            self.hear(message)
        elif isinstance(message, NodeUp | NodeDown):
            self.eras[message.node] += 1
        elif isinstance(message, Down):
            if self.mine.pop(message.mref, None) != message.ref:
                society.breach("G4: a Down came twice, or of another")
            if message.reason != "noconnection":
                self.gone.add((message.ref, self.era(message.ref)))
        if message == "go" and society.budget > 0:
            society.budget -= 1
            await self.act()
        return None

    def hear(self, said: Said) -> None:
        era = self.era(said.sender)
        was, number = self.last.get(said.sender, (-1, 0))
        if said.number <= number:
            self.society.breach("G1, G2: a message came twice or out of order")
        if said.number != number + 1 and era == was:
            self.society.breach("G3: messages are missing though the link never was down")
        if (said.sender, era) in self.gone:
            self.society.breach("G4: a message came after its sender's Down")
        self.last[said.sender] = era, said.number
        self.society.done["heard"] += isinstance(said.sender, RemoteRef)

    async def act(self) -> None:
        society, rng = self.society, self.society.rng
        action = rng.choices(list(ACTIONS), list(ACTIONS.values()))[0]
        peers = society.refs_from(self.mesh)
        peer = rng.choice(peers)
        society.done[action] += 1
        if action == "tell":
            for _ in range(rng.randrange(1, 6)):
                self.say(peer)
        elif action == "call":
            await self.ask(peer)
        elif action == "monitor":
            self.mine[self.monitor(peer)] = peer
        elif action == "demonitor" and self.mine:
            mref, _ = self.mine.popitem()
            self.demonitor(mref)
        elif action == "spawn":
            society.spawn(self.mesh)
        elif action == "nap":
            await self.sleep(rng.random())
        elif action == "leave":
            self.say(peer)
            self.stop("left")
        elif action == "crash":
            self.say(peer)
            raise ZeroDivisionError
        elif action == "spread":
            self.mesh.tell_all(rng.sample(peers, min(5, len(peers))), "hello all")

    def say(self, peer: Any) -> None:
        self.said[peer] += 1
        peer.tell(Said(self.ref, self.said[peer]))

    async def ask(self, peer: Any) -> None:
        society = self.society
        society.asked += 1
        number, timeout_s = society.asked, society.rng.choice([0.1, 3.0, 20.0])
        until_s = self.now_s() + timeout_s
        reply = peer.call(Question(number), timeout_s=timeout_s)
        society.calls.append(reply)
        try:
            if await reply != number:
                society.breach("G6: a call got another's answer")
        except ActorDead:
            society.done["dead"] += 1
        except CallTimeout:
            if self.now_s() < until_s:
                society.breach("G6: a call timed out early")
