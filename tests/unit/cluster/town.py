"""Nodes of one seeded world, their links, and actors to talk to."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from actorchat.actor import Actor, ActorSystem, LocalRef, Ref, Reply, SeededDispatcher
from actorchat.cluster.link import PeerAddress
from actorchat.cluster.mesh import Mesh
from actorchat.testing.link_net import LinkNet, LinkWeather


class Note(msgspec.Struct, gc=False):
    """A message with a ref in it."""

    text: str
    back: Ref | None = None


class Blob(msgspec.Struct, gc=False):
    """As many bytes as a test likes."""

    body: bytes


class Scribe(Actor):
    """Writes down what it gets; `answer` says what calls are answered with."""

    def __init__(self, answer: Any = None) -> None:
        self.heard: list[Any] = []
        self.answer = answer

    def on_receive(self, message: Any) -> Any:
        self.heard.append(message)
        if message == "crash":
            raise ZeroDivisionError("as asked")
        if message == "stop":
            self.stop("asked")
        if isinstance(message, Note) and message.back is not None:
            message.back.tell(Note(f"re: {message.text}"))
        if callable(self.answer):
            return self.answer(self, message)
        return message if self.answer is None else self.answer


class Town:
    """Nodes that know each other, in one thread and one virtual time."""

    def __init__(
        self, *names: str, seed: int = 1, weather: LinkWeather | None = None, up: bool = True
    ) -> None:
        self.dispatcher = SeededDispatcher(seed)
        self.net = LinkNet(self.dispatcher, random.Random(seed), weather)
        self.seed = seed
        self.book = {name: PeerAddress(f"sim://{name}", f"key of {name}") for name in names}
        self.nodes: dict[str, Mesh] = {}
        for name in names:
            self.start(name)
        if up:
            self.run(2.0)

    def start(self, name: str, incarnation: int = 1, key: str | None = None) -> Mesh:
        system = ActorSystem(self.dispatcher, rng=random.Random(self.seed))
        system.on_crash(lambda *_: None)
        transport = self.net.transport(f"sim://{name}", key or f"key of {name}")
        mesh = Mesh(system, name, incarnation, transport, lambda: self.book)
        mesh.codec.allow(64, Note)
        mesh.codec.allow(65, Blob)
        mesh.start()
        self.nodes[name] = mesh
        return mesh

    def __getitem__(self, name: str) -> Mesh:
        return self.nodes[name]

    def scribe(self, node: str, name: str | None = None, answer: Any = None) -> LocalRef:
        return self[node].system.spawn(Scribe, answer, name=name)

    def run(self, seconds: float = 1.0) -> None:
        self.dispatcher.run(until=self.dispatcher.now_s() + seconds)

    def partition(self, one: str, other: str) -> None:
        self.net.partition(f"sim://{one}", f"sim://{other}")

    def kill(self, name: str) -> None:
        """End a node as a power cut does."""
        mesh = self.nodes.pop(name)
        mesh.transport.die()  # type: ignore[attr-defined]
        mesh._timer.cancel()


def heard(ref: LocalRef) -> list[Any]:
    actor: Any = ref._actor
    return list(actor.heard)


def outcome(reply: Reply[Any]) -> Any:
    """Return what a call that is over gave, or the error."""
    error = reply.exception()
    return reply.result() if error is None else error
