"""Knows the processes of a cluster together: started in order, kept alive, ended in order.
Must not know how that is asked for or shown.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from actorchat.errors import Unavailable
from nodes.boot import EXIT_CONFIG, write_private
from nodes.cluster.child import Child, ChildFailed, Hear, actorchat
from nodes.cluster.desk import DESK, Desk, Refused
from nodes.cluster.layout import HOST, Layout, Place, Ports, Wish, lay_out, with_one_more
from nodes.cluster.network import REGISTRY, Groups, Network, NetworkFailed
from nodes.cluster.network import described as network_described
from nodes.cluster.zookeeper import zookeeper_answers, zookeeper_command

SUPERVISOR = "cluster"
DESCRIPTION = "cluster.json"
AGAIN_S = 1.0  # before what ended by itself is started again, doubled each time ...
AGAIN_MAX_S = 15.0
ZOOKEEPER_PORT = 2181


class TownFailed(Unavailable):
    """A process of the cluster could not be started."""

    code = "cluster_failed"


class Town:
    """A registry, or a ZooKeeper of its own, and nodes. Use it once; thread: the loop's.

    Args:
        has_zookeeper: Whether a ZooKeeper is started for it.
        hear: Is called with each line that any of them logs, and with the supervisor's own.
        network: Has a namespace for each of them; None: all are in the host's network.
    """

    def __init__(
        self,
        folder: Path,
        wish: Wish,
        hear: Hear,
        *,
        has_zookeeper: bool,
        network: Network | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._hear = hear
        self._wish = wish
        self.network = network
        if network is not None:
            wish.address_of = network.address
        keeper = self._zookeeper(folder.resolve() / "zookeeper") if has_zookeeper else None
        self.layout: Layout = lay_out(folder, wish)
        if self.layout.registry_config is not None:
            command = actorchat(
                "registry", "up", "--json", "--config", str(self.layout.registry_config)
            )
            keeper = Child(REGISTRY, self._within(REGISTRY, command), hear)
        self.keeper = keeper
        self.nodes = [self._child(place) for place in self.layout.places]
        self._desk = Desk(self.layout.links / DESK, self._answer)
        self._changing = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_ending = False

    def _zookeeper(self, folder: Path) -> Child:
        wish, host = self._wish, HOST
        if self.network is not None:
            host, port = self.network.address(REGISTRY), ZOOKEEPER_PORT
        else:
            port = Ports(is_usual=wish.has_usual_ports).take(ZOOKEEPER_PORT)
        wish.zookeeper = f"{host}:{port}"
        command = self._within(REGISTRY, zookeeper_command(folder, port, host))
        return Child(REGISTRY, command, self._hear, lambda: zookeeper_answers(port, host))

    def _child(self, place: Place) -> Child:
        command = actorchat("node", "--json", "--config", str(place.config))
        return Child(place.name, self._within(place.name, command), self._hear)

    def _within(self, name: str, command: list[str]) -> list[str]:
        return command if self.network is None else self.network.within(name, command)

    @property
    def children(self) -> list[Child]:
        """All processes, the registry first."""
        return [*([self.keeper] if self.keeper is not None else []), *self.nodes]

    async def start(self) -> None:
        """Start all, and keep them alive from now on.

        Raises:
            TownFailed: One could not be started; nothing is left running.
        """
        try:
            if self.network is not None:
                names = [child.name for child in self.children]
                await asyncio.to_thread(self.network.open, names)
            if self.keeper is not None:
                await self.keeper.start()
            await asyncio.gather(*(node.start() for node in self.nodes))
            await self._desk.open()
        except (ChildFailed, NetworkFailed, OSError) as error:
            await self.stop()
            raise TownFailed(str(error)) from error
        except BaseException:
            await self.stop()
            raise
        self.describe()
        self._tasks = [asyncio.create_task(self._keep(child)) for child in self.children]

    async def _keep(self, child: Child) -> None:
        wait_s = AGAIN_S
        while True:
            status = await child.ended()
            if self._is_ending or child not in self.children:
                return
            self.describe()
            if status == EXIT_CONFIG:
                self._hear(SUPERVISOR, f"{child.name} can't run (status {status}): left alone")
                return
            self._hear(
                SUPERVISOR, f"{child.name} ended with status {status}; again in {wait_s:g} s"
            )
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, AGAIN_MAX_S)
            try:
                await child.start()
                wait_s = AGAIN_S
            except ChildFailed as error:
                self._hear(SUPERVISOR, str(error))
            self.describe()

    # -- more and fewer nodes ----------------------------------------------------------------------
    async def add(self) -> Child:
        """Start one more node, and keep it alive; return it when it is ready.

        Raises:
            TownFailed: It could not be started.
            SettingsError: What its settings would be can't be.
        """
        async with self._changing:
            before = self.layout
            try:
                self.layout = with_one_more(before, self._wish)
                child = self._child(self.layout.places[-1])
                self.nodes.append(child)
                if self.network is not None:
                    await asyncio.to_thread(self.network.add, child.name)
                await child.start()
            except (ChildFailed, NetworkFailed, OSError) as error:
                if len(self.nodes) > len(before.places):
                    await self.nodes.pop().stop()
                self.layout = before
                raise TownFailed(str(error)) from error
            self._tasks.append(asyncio.create_task(self._keep(child)))
            self.describe()
            return child

    async def remove(self, name: str) -> None:
        """Stop a node, and do not start it again; its files stay.

        Raises:
            Refused: There is no such node.
        """
        async with self._changing:
            found = [node for node in self.nodes if node.name == name]
            if not found:
                raise Refused("no_such_node", f"there is no {name!r}")
            self.nodes.remove(found[0])
            await found[0].stop()
            self.describe()

    async def partition(self, groups: Groups) -> dict[str, Any]:
        """Cut groups of processes from each other; with none everybody reaches everybody.

        Raises:
            Refused: They are all in one network.
            NotCut: They are no groups of those that are there.
            NetworkFailed: It can't be done.
        """
        network = self.network
        if network is None:
            raise Refused("unsupported", "all nodes share one network")
        async with self._changing:
            if groups:
                await asyncio.to_thread(network.partition, groups)
            else:
                await asyncio.to_thread(network.heal)
            self.describe()
            return dict(network_described(network))

    async def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        match request:
            case {"do": "add"}:
                child = await self.add()
                region = self.layout.places[-1].region
                addresses = addresses_of(child.described)
                return {"name": child.name, "region": region, "addresses": addresses}
            case {"do": "remove", "name": str(name)}:
                await self.remove(name)
                return {"name": name}
            case {"do": "partition", "groups": list(groups)}:
                return await self.partition(groups)
        raise Refused("bad_request", "the supervisor does not know how to do that")

    async def stop(self) -> None:
        """End all: the nodes first, the registry when they have left it."""
        self._is_ending = True
        await self._desk.close()
        await asyncio.gather(*(node.stop() for node in self.nodes))
        if self.keeper is not None:
            await self.keeper.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.network is not None:
            try:
                await asyncio.to_thread(self.network.sweep)
            except NetworkFailed as error:
                self._hear(SUPERVISOR, f"namespaces are left: {error}")
        (self.layout.folder / DESCRIPTION).unlink(missing_ok=True)

    def describe(self) -> None:
        """Write `cluster.json`, by which other commands find the processes."""
        regions = {place.name: place.region for place in self.layout.places}
        described = {
            "pid": os.getpid(),
            "registry": self.layout.registry,
            "desk": str(self.layout.links / DESK),
            **network_described(self.network),
            "processes": [
                {
                    "name": child.name,
                    "pid": child.pid,
                    "starts": child.starts,
                    "region": regions.get(child.name, ""),
                    "addresses": addresses_of(child.described),
                }
                for child in self.children
            ],
        }
        write_private(self.layout.folder / DESCRIPTION, json.dumps(described) + "\n")


def addresses_of(described: dict[str, Any]) -> dict[str, str]:
    """Return the gateways' addresses of what a node says when it is ready."""
    return {name: str(at) for name, at in described.items() if "://" in str(at)}


def read_town(folder: Path) -> dict[str, Any] | None:
    """Return what the cluster over `folder` wrote about itself, if it runs."""
    try:
        described: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        os.kill(int(described["pid"]), 0)
    except (OSError, ValueError, KeyError):
        return None
    return described
