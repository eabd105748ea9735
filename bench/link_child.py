"""Knows a node at the far end of a link: actors that count, and one that answers.

Must not know what is measured. `python -m bench.link_child DIRECTORY NAME HAS_CURVE`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import msgspec
import uvloop

from actorchat.actor import Actor, ActorSystem, LoopDispatcher, Ref
from actorchat.cluster.link import PeerAddress
from actorchat.cluster.link_key import read_node_key, write_node_key
from actorchat.cluster.link_zmq import ZmqTransport
from actorchat.cluster.mesh import Mesh
from bench.process import LOAD_CORES, SERVER_CORES

NEAR, FAR = "near", "far"
COUNTERS = 1_000
POLL_S = 0.01


class Words(msgspec.Struct, gc=False):
    """A message such as chat actors tell each other: about 100 bytes on the wire."""

    sender: str
    conv: tuple[str, str]
    seq: int
    ts: int
    cid: bytes
    body: str


class Blob(msgspec.Struct, gc=False):
    """Bytes in bulk."""

    body: bytes


class Ask(msgspec.Struct, gc=False):
    """Asks for the ref of an actor."""

    number: int


class Found(msgspec.Struct, gc=False):
    """Is the answer."""

    ref: Ref


MESSAGES = {64: Words, 65: Blob, 66: Ask, 67: Found}


class Counter(Actor):
    """Counts what it gets."""

    total = 0

    def on_receive(self, message: object) -> None:
        del message
        Counter.total += 1


class Desk(Actor):
    """Answers: with what came; with a counter's ref; `cpu`: seconds used; `total`: as counted."""

    def __init__(self) -> None:
        self.counters = [self.system.spawn(Counter) for _ in range(COUNTERS)]

    def on_receive(self, message: object) -> object:
        if isinstance(message, Ask):
            return Found(self.counters[message.number])
        if message == "cpu":
            return time.process_time()
        if message == "total":
            return Counter.total
        return message


def mesh_of(folder: Path, name: str, has_curve: bool) -> Mesh:
    """Return the started mesh of one of the two nodes; the other is found through `folder`."""
    key = None
    if has_curve:
        write_node_key(folder / f"{name}.key")
        key = read_node_key(folder / f"{name}.key")
    where = "tcp://127.0.0.1:0" if has_curve else f"ipc://{folder}/{name}.sock"
    transport = ZmqTransport(where, key)

    def peers() -> dict[str, PeerAddress]:
        found = {}
        for path in folder.glob("*.node"):
            endpoint, _, public = path.read_text().partition(" ")
            found[path.stem] = PeerAddress(endpoint, public or None)
        return found

    mesh = Mesh(ActorSystem(LoopDispatcher()), name, os.getpid(), transport, peers)
    for code, cls in MESSAGES.items():
        mesh.codec.allow(code, cls)
    mesh.start()
    draft = folder / f"{name}.draft"
    draft.write_text(f"{transport.endpoint} {key.public if key else ''}".rstrip())
    draft.rename(folder / f"{name}.node")
    return mesh


async def serve(folder: Path, has_curve: bool) -> None:
    """Run the far node until the near one is gone."""
    mesh = mesh_of(folder, FAR, has_curve)
    mesh.system.spawn(Desk, name="desk")
    while NEAR not in mesh.nodes():  # noqa: ASYNC110  # a bench may poll
        await asyncio.sleep(POLL_S)
    while NEAR in mesh.nodes():  # noqa: ASYNC110
        await asyncio.sleep(POLL_S)
    await mesh.close()
    await mesh.system.stop()


def pin(is_far: bool) -> None:
    """Keep this process on its core."""
    os.sched_setaffinity(0, SERVER_CORES if is_far else LOAD_CORES)


if __name__ == "__main__":
    pin(is_far=True)
    uvloop.run(serve(Path(sys.argv[1]), sys.argv[2] == "curve"))
