"""A node that a test can kill, stop or wedge: `python -m tests.fault.link_node DIR NAME BIND`.

Nodes of one `DIR` find each other by the files there. It answers calls to `desk`, and tells
`monitor` on the node that asked what it sees of others, on its standard output.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

from actorchat.actor import Actor, ActorSystem, LoopDispatcher
from actorchat.cluster.link import PeerAddress
from actorchat.cluster.link_key import read_node_key, write_node_key
from actorchat.cluster.link_zmq import ZmqTransport
from actorchat.cluster.mesh import Mesh, NodeDown, NodeUp


class Desk(Actor):
    """Answers with what came; `wedge`: computes for ever; `cpu`: seconds used."""

    def on_receive(self, message: Any) -> Any:
        if message == "wedge":
            while True:
                sum(range(10**6))
        if message == "cpu":
            return time.process_time()
        return message


class Lookout(Actor):
    """Prints who comes and goes."""

    def on_receive(self, event: Any) -> None:
        if isinstance(event, NodeUp):
            print("up", event.node, event.incarnation, flush=True)
        elif isinstance(event, NodeDown):
            print("down", event.node, event.incarnation, event.reason, flush=True)


def mesh_in(folder: Path, name: str, bind: str) -> Mesh:
    """Return a started mesh; over TCP with CURVE if `bind` is an address, else over ipc."""
    key = None
    if bind != "ipc":
        path = folder / f"{name}.key"
        if not path.exists():
            write_node_key(path)
        key = read_node_key(path)
    transport = ZmqTransport(f"ipc://{folder}/{name}.sock" if key is None else bind, key)

    def peers() -> dict[str, PeerAddress]:
        found = {}
        for path in folder.glob("*.node"):
            endpoint, _, public = path.read_text().partition(" ")
            found[path.stem] = PeerAddress(endpoint, public or None)
        return found

    count = folder / f"{name}.incarnation"
    incarnation = int(count.read_text()) + 1 if count.exists() else 1
    count.write_text(str(incarnation))
    mesh = Mesh(ActorSystem(LoopDispatcher()), name, incarnation, transport, peers)
    mesh.start()
    mesh.system.spawn(Desk, name="desk")
    mesh.monitor_nodes(mesh.system.spawn(Lookout))
    draft = folder / f"{name}.draft"
    draft.write_text(f"{transport.endpoint} {key.public if key else ''}".rstrip())
    draft.rename(folder / f"{name}.node")
    return mesh


async def run(folder: Path, name: str, bind: str) -> None:
    """Serve until standard input ends, then say goodbye."""
    mesh = mesh_in(folder, name, bind)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await mesh.close()
    await mesh.system.stop()


if __name__ == "__main__":
    uvloop.run(run(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
