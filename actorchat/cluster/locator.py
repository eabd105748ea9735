"""Knows how nodes tell each other how loaded they are, and keeps what they said.
Must not know what is made of it.

Told over the links and not through the registry, which is to be written when something changes and
not when somebody connects; so what is known here is about nodes that can be reached from here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from actorchat.actor import Actor
from actorchat.cluster.load import LOAD_CODE, Load
from actorchat.cluster.mesh import Mesh, NodeDown, NodeUp
from actorchat.limits import LOAD_BEAT_S, LOAD_TOLD_SHARE

LOCATOR = "locator"


class Beat(msgspec.Struct, gc=False):
    """Time to look how loaded this node is."""


class Locator(Actor):
    """Tells all nodes this one's load, when it has changed enough, and hears theirs.

    Args:
        own: Returns this node's.
        loads: What is known, by node; without this one.
        on_nodes: Is called when a node came or went.
    """

    def __init__(
        self,
        mesh: Mesh,
        own: Callable[[], Load],
        loads: dict[str, Load],
        on_nodes: Callable[[], object],
    ) -> None:
        self._mesh = mesh
        self._own = own
        self._loads = loads
        self._on_nodes = on_nodes
        self._told: Load | None = None

    def on_start(self) -> None:
        self._loads.clear()
        for node in self._mesh.monitor_nodes(self.ref):
            self._tell(node)
        self._on_nodes()
        self.send_after(LOAD_BEAT_S, Beat(), key=Beat)

    def on_receive(self, message: Any) -> None:
        match message:
            case Load():
                if message.node in self._mesh.peers:
                    self._loads[message.node] = message
            case NodeUp():
                self._tell(message.node)
                self._on_nodes()
            case NodeDown():
                self._loads.pop(message.node, None)
                self._on_nodes()
            case Beat():
                self._beat()
                self.send_after(LOAD_BEAT_S, Beat(), key=Beat)

    def _beat(self) -> None:
        now, told = self._own(), self._told
        if told is None or _differs(now, told):
            self._told = now
            for node in self._mesh.nodes():
                self._tell(node, now)

    def _tell(self, node: str, load: Load | None = None) -> None:
        # A full link has more to carry than this; what is told next says as much.
        self._mesh.tell_all([self._mesh.named(node, LOCATOR)], load or self._own())


def _differs(now: Load, told: Load) -> bool:
    if (now.clients, now.is_open, now.region) != (told.clients, told.is_open, told.region):
        return True
    return abs(now.sessions - told.sessions) > max(1.0, told.sessions * LOAD_TOLD_SHARE)


def allow_load(mesh: Mesh) -> None:
    """Let loads cross the links of `mesh`."""
    mesh.codec.allow(LOAD_CODE, Load)
