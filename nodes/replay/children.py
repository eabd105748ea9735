"""Knows a cluster of child processes, of which one at a time is killed. Must not know chat."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import subprocess
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from actorchat.cluster.registry import Registry
from actorchat.settings.cluster import MemberSettings, member_contradictions
from actorchat.settings.loader import gather
from nodes.cluster.layout import Place, Ports, Wish, lay_out, with_one_more
from nodes.cluster.zookeeper import zookeeper_answers, zookeeper_command
from nodes.replay.child import START_TIMEOUT_S, ChildProcess, NodeFailed
from nodes.roles.membership import make_registry

SESSION_TIMEOUT_S = 2.0  # what was killed must be given up before it can come back
LOCAL = "local"


class ChildKeeper(ChildProcess):
    """A ZooKeeper as a child process."""

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__((), folder.parent / "zookeeper.log")
        self._port = port
        self._command = zookeeper_command(folder, port)

    def start(self) -> None:
        """Start it; return when it takes sessions.

        Raises:
            NodeFailed: It does not in `START_TIMEOUT_S`.
        """
        assert self._process is None
        with self._words.open("ab") as words:
            self._process = subprocess.Popen(  # noqa: S603 - Debian's program, and made-up paths
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=words,
                process_group=0,
            )
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while not zookeeper_answers(self._port):
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                self._end(self._process)
                raise NodeFailed(f"ZooKeeper is not ready{self._last_words()}")
            time.sleep(0.1)


class ChildCluster:
    """A registry and nodes as child processes. All calls block; thread: any, one at a time.

    It is killed as one node is: `kill` ends one of them, another each time, the registry too, and
    `start` starts what does not run.

    Args:
        zookeeper: `local` for one of its own, the hosts of a running one, or empty for none.
    """

    def __init__(
        self,
        folder: Path,
        count: int,
        places: Iterable[str] = (),
        group_inline_max: int | None = None,
        zookeeper: str = "",
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        opened = ["tcp", *(place for place in places if place != "tcp")]
        more: dict[str, object] = {"cluster.session_timeout_s": SESSION_TIMEOUT_S}
        if group_inline_max is not None:
            more["chat.group_inline_max"] = group_inline_max
        self._folder = folder
        self._wish = wish = Wish(count, zookeeper=zookeeper, gateways=opened, more=more)
        self.keeper: ChildProcess | None = None
        if zookeeper == LOCAL:
            port = Ports().take(0)
            self.keeper = ChildKeeper(folder / "zookeeper", port)
            wish.zookeeper = f"127.0.0.1:{port}"
        self._retired: list[ChildProcess] = []
        self._layout = layout = lay_out(folder, wish)
        if layout.registry_config is not None:
            arguments = ["registry", "up", "--json", "--config", str(layout.registry_config)]
            self.keeper = ChildProcess(arguments, folder / "registry.log")
        self.names = [place.name for place in layout.places]
        self.nodes = [self._child(place) for place in layout.places]
        self.data = layout.places[0].data
        self._victims = itertools.cycle(self._all())

    def _child(self, place: Place) -> ChildProcess:
        arguments = ["node", "--json", "--config", str(place.config)]
        return ChildProcess(arguments, self._folder / f"{place.name}.log")

    @property
    def kills(self) -> int:
        """Return how often one of them was killed."""
        return sum(child.kills for child in self._all())

    def _all(self) -> Sequence[ChildProcess]:
        return [*self.nodes, *([self.keeper] if self.keeper is not None else [])]

    def doors(self, places: Iterable[str]) -> list[str]:
        """Return the addresses of some gateways of all nodes that are not retired."""
        return [str(node.described[place]) for place in places for node in self.nodes]

    def start(self) -> None:
        """Start what does not run; return when all are ready.

        Raises:
            NodeFailed: One is not, in `START_TIMEOUT_S`.
        """
        if self.keeper is not None and self.keeper.pid is None:
            self.keeper.start()
        # Together: a node is ready when all are there.
        with ThreadPoolExecutor(len(self.nodes), "start") as threads:
            waiting = [node for node in self.nodes if node.pid is None]
            for started in [threads.submit(node.start) for node in waiting]:
                started.result()

    def kill(self) -> None:
        """End the next of them by SIGKILL, and wait until it is gone."""
        next(self._victims).kill()

    # -- more and fewer nodes ----------------------------------------------------------------------
    def open_registry(self) -> Registry:
        """Return the registry of the cluster, which is to be started."""
        config = self._layout.places[0].config
        settings, _ = gather(MemberSettings, member_contradictions, config, {})
        return make_registry(settings.cluster)

    def join(self) -> str:
        """Start one more node; return its name when it is ready.

        Raises:
            NodeFailed: It is not, in `START_TIMEOUT_S`.
        """
        self._layout = with_one_more(self._layout, self._wish)
        place = self._layout.places[-1]
        child = self._child(place)
        child.start()
        self.nodes.append(child)
        self.names.append(place.name)
        return place.name

    def retire(self, name: str) -> None:
        """Stop a node for good.

        Raises:
            NodeFailed: It did not end in order.
        """
        at = self.names.index(name)
        del self.names[at]
        child = self.nodes.pop(at)
        self._retired.append(child)
        status = child.stop()
        if status:
            raise NodeFailed(f"{name} ended with status {status}{child.words()}")

    def stop(self) -> None:
        """Stop all in order, the registry last."""
        with ThreadPoolExecutor(len(self.nodes), "stop") as threads:
            list(threads.map(lambda node: node.stop(), self.nodes))
        if self.keeper is not None:
            self.keeper.stop()
        if self._layout.links.parent != self._layout.folder:
            with contextlib.suppress(OSError):
                shutil.rmtree(self._layout.links)

    def words(self) -> str:
        """Return the end of what each of them logged."""
        children = [*self._all(), *self._retired]
        return "\n".join(words for child in children if (words := child.words()))
