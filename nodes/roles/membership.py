"""Knows how a node comes to be one of several, and how it leaves. Must not know what it is for.

    registry ──► entry, incarnation ──► mesh ──► (actors) ──► links, table ──► (gateways)

A node whose registry is out of reach waits for it at its start, and never later: then it goes on
with the table and the neighbours that it knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from actorchat import ids, logs
from actorchat.actor import ActorSystem, Child, LocalRef, Supervisor
from actorchat.broker.reach import Reach
from actorchat.cluster.backend import open_registry
from actorchat.cluster.controller import Controller
from actorchat.cluster.controller_actor import CONTROLLER, ControllerActor, allow_copied
from actorchat.cluster.leading import Leading
from actorchat.cluster.link_key import NodeKey, read_node_key
from actorchat.cluster.link_zmq import ZmqTransport
from actorchat.cluster.load import Load, choose
from actorchat.cluster.locator import LOCATOR, Locator, allow_load
from actorchat.cluster.member import Registration
from actorchat.cluster.mesh import Mesh
from actorchat.cluster.neighbours import Neighbours
from actorchat.cluster.registry import NotAllowed, Registry, RegistryAway
from actorchat.cluster.slots import Member, Slot, SlotTable
from actorchat.cluster.table_cache import TableCache
from actorchat.errors import SettingsError
from actorchat.limits import MEMBER_ENTER_S
from actorchat.settings.cluster import IPC, ClusterSection, MemberSettings
from actorchat.settings.networks import parse_regions, region_of
from nodes.roles.registry import read_key

log = logs.logger(__name__)

REPLICAS = 1  # no log is copied yet: a dead node's slots wait for it
RETRY_S = 1.0  # between two attempts to reach the registry at the start


class Membership:
    """One node's part in its cluster: `enter`, then the actors, `join`, then the gateways.

    What is declared here is there once it has entered. Thread: the loop's.
    """

    registry: Registry
    table: TableCache
    leading: Leading
    neighbours: Neighbours
    mesh: Mesh
    reach: Reach

    def __init__(
        self,
        settings: MemberSettings,
        system: ActorSystem,
        open_registry: Callable[[], Registry] | None = None,
        seat: str = "",
    ) -> None:
        """Say who the node is, by the `seat` of its data if that is locked.

        `open_registry` returns the registry, which is to be started: anew for each attempt, that of
        the settings unless given.

        Raises:
            SettingsError: A key can't be read, or what an address needs is not installed.
        """
        self.system = system
        self._settings = settings
        self._name = settings.node.name
        self._seat = seat
        cluster = settings.cluster
        self._key: NodeKey | None = None
        if not cluster.listen.startswith(IPC):
            self._key = read_node_key(Path(cluster.key_file).expanduser())
        self._open_registry = open_registry or (lambda: make_registry(cluster))
        self._entered: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._news = asyncio.Event()
        self.loads: dict[str, Load] = {}
        self._regions = parse_regions(cluster.regions)
        self._clients = ""
        self._slots: tuple[Slot, ...] = ()  # as the broker knows them
        self._sessions: Callable[[], int] = int
        self._root: LocalRef | None = None
        self._is_left = False

    def _member(self) -> Member:
        node, cluster = self._settings.node, self._settings.cluster
        return Member(
            node.name,
            zone=node.zone,
            region=node.region,
            capacity=cluster.capacity,
            address=cluster.advertise or cluster.listen,
            key="" if self._key is None else self._key.public,
            leads=cluster.role == "chat",
            seat=self._seat,
        )

    # -- coming ----------------------------------------------------------------------------------
    async def enter(self) -> None:
        """Get a session and an incarnation, however long that takes; make the links' ends.

        Raises:
            SettingsError: The registry has another secret.
        """
        registry = self.registry = await self._reach_registry()
        self._registration = Registration(registry, self._member(), self._on_registered)
        self.table = TableCache(registry, self._on_table)
        now_s = self.system.dispatcher.now_s
        self.leading = Leading(self._name, registry, lambda: self.table.table, now_s)
        self.neighbours = Neighbours(registry, self._is_needed, self._on_neighbours)
        self._registration.start()
        incarnation = await self._entered
        transport = ZmqTransport(self._settings.cluster.listen, self._key)
        addresses = self.neighbours.addresses
        self.mesh = Mesh(self.system, self._name, incarnation, transport, addresses)
        allow_load(self.mesh)
        allow_copied(self.mesh)
        self.reach = Reach(self.mesh, self.leading.slot)
        log.info("node is a member", node=self._name, incarnation=incarnation)

    async def _reach_registry(self) -> Registry:
        while True:
            registry = self._open_registry()
            try:
                await registry.start()
                return registry
            except NotAllowed as error:
                why = str(error) or "it has another secret"
                text = f"cluster.registry_key_file: the registry does not let this node in: {why}"
                raise SettingsError([text]) from None
            except RegistryAway as error:
                log.warning("registry is out of reach", code=error.code, reason=str(error))
                await asyncio.sleep(RETRY_S)

    async def join(self) -> None:
        """Link up with the others; return when there is a table, and a link to all who are there.

        The actors must run: others may tell them something from now on. A link that is not up in
        `MEMBER_ENTER_S` is done without.

        Raises:
            SettingsError: It can't listen where it is to.
        """
        self.mesh.start()
        heard = (self.mesh, self._load, self.loads, self._on_nodes)
        children = [Child(LOCATOR, Locator, heard, name=LOCATOR)]
        if self._settings.cluster.role == "chat":
            told = (self.registry, self._settings)
            children.append(Child("candidate", Candidate, told, name=CONTROLLER))
        self._root = self.system.spawn(Supervisor, "one_for_one", 10, 10.0, children, name="member")
        self.neighbours.start()
        self.table.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None) as patience:
                while missing := self._missing():
                    if self.table.is_ready and patience.when() is None:
                        patience.reschedule(asyncio.get_running_loop().time() + MEMBER_ENTER_S)
                    log.debug("not ready", missing=missing)
                    await self._hear()
        if missing := self._missing():
            log.warning("goes on without", missing=missing)

    def open(self, addresses: Mapping[str, str], sessions: Callable[[], int]) -> None:
        """Tell the others where clients reach this node, and how many have."""
        self._clients = self._settings.cluster.clients or clients_of(addresses.values())
        self._sessions = sessions

    async def _hear(self) -> None:
        await self._news.wait()
        self._news.clear()

    def _missing(self) -> str:
        """Say what there must be before clients may come; empty if it is there."""
        if not self.table.is_ready:
            return "no table of slots yet"
        up = {*self.mesh.nodes(), self._name}
        names = [member.name for member in self.neighbours.up() if member.name not in up]
        return f"no link to {', '.join(names)}" if names else ""

    # -- going -----------------------------------------------------------------------------------
    async def leave(self) -> None:
        """Let the others have all that was told to them, then be none of them."""
        if self._is_left:
            return
        self._is_left = True
        self._clients = ""
        if hasattr(self, "mesh"):
            await self.mesh.close()
        if self._root is not None:
            self._root.stop("shutdown")
            with contextlib.suppress(Exception):
                await self._root.ended()
        if hasattr(self, "registry"):
            for part in (self.neighbours, self.table, self._registration):
                await part.close()
            await self.registry.close()

    # -- what others ask ---------------------------------------------------------------------------
    def why_not_ready(self) -> str:
        """Say why no client should be sent here now; empty when one should."""
        return "" if self.table.is_ready else "no table of slots yet"

    def numbers(self) -> dict[str, int]:
        """Return what is counted here."""
        slots = self.table.table.slots
        up = {*self.mesh.nodes(), self._name}
        counts = self.mesh.counts()
        return {
            "slots_led": self.leading.count(),
            **self.reach.counts,
            "slots_leaving": sum(s.leader == self._name and bool(s.coming) for s in slots),
            "slots_coming": sum(self._name in slot.coming for slot in slots),
            "slots_waiting": sum(slot.leader not in up for slot in slots),
            "table_version": self.table.table.version,
            "members": len(self.neighbours.up()),
            "drained": int(self._name in self.neighbours.drained),
            "links_up": counts["up"],
            "registry_connected": int(self.registry.state == "connected"),
            "messages_dropped": sum(n for name, n in counts.items() if name.startswith("dropped")),
            "frames_refused": sum(n for name, n in counts.items() if name.startswith("refused")),
        }

    def report(self) -> dict[str, int | str]:
        """Return how it stands, as an operator sees it."""
        up = {*self.mesh.nodes(), self._name}
        waits = sorted(self.leading.names() - up)
        return {
            "cluster_role": self._settings.cluster.role,
            "cluster_region": self._settings.node.region,
            **{f"cluster_{name}": number for name, number in self.numbers().items()},
            "cluster_registry": self.leading.standing(),
            "cluster_links": " ".join(sorted(self.mesh.nodes())),
            "cluster_waits_for": " ".join(waits),
            "cluster_drained_nodes": " ".join(sorted(self.neighbours.drained)),
        }

    def home(self, user: str) -> tuple[int, str, int]:
        """Return the slot of a user, who leads it, and at which epoch."""
        number = ids.slot_of(user)
        slot = self.leading.slot(number)
        return number, slot.leader, slot.epoch

    def best(self, user: str, region: str) -> Load | None:
        """Return the node that a client is best sent to; None if none takes any."""
        return choose([*self.loads.values(), self._load()], region, self.home(user)[1], user)

    def locate(self, user: str, region: str, source: str) -> dict[str, object]:
        """Answer a client that asks which node to go to; `source` is where it comes from."""
        wanted = region or region_of(source, self._regions) or self._settings.node.region
        best, (_, home, _) = self.best(user, wanted), self.home(user)
        if best is None:
            return {"node": "", "region": "", "home": home, "addresses": []}
        addresses = best.clients.split()
        return {"node": best.node, "region": best.region, "home": home, "addresses": addresses}

    def _load(self) -> Load:
        return Load(
            self._name,
            self._settings.node.region,
            self._clients,
            self._sessions(),
            self._settings.limits.connections_max,
            bool(self._clients),
        )

    # -- news --------------------------------------------------------------------------------------
    def _ring(self) -> None:
        self._news.set()

    def _on_nodes(self) -> None:
        self.neighbours.poke()  # who was only kept for its link may be let go
        self._ring()

    def _on_registered(self, incarnation: int) -> None:
        if not self._entered.done():
            self._entered.set_result(incarnation)
        log.info("entry in the registry", node=self._name, revision=incarnation)

    def _on_table(self, table: SlotTable, changed: list[int]) -> None:
        old, self._slots = self._slots or (Slot(),) * len(table.slots), table.slots
        moved = [n for n in changed if table.slots[n].leader != old[n].leader]
        if moved:
            self.reach.on_table(moved)
        elif any(table.slots[n].epoch != old[n].epoch for n in changed):
            # A hand-over was given up: nobody goes anywhere, but what is told carries the epoch.
            self.reach.turn += 1
        self.reach.on_moves(changed)
        self.neighbours.poke()
        self._ring()

    def _on_neighbours(self) -> None:
        self.mesh.refresh()
        self._ring()

    def _is_needed(self, name: str) -> bool:
        return name in self.mesh.nodes() or name in self.leading.names()


def clients_of(addresses: Iterable[str]) -> str:
    """Return the addresses that a client elsewhere can use: where a gateway listens, as a rule."""
    found = []
    for address in addresses:
        if "://0.0.0.0:" in address or "://[::]:" in address:
            log.warning("clients are not sent here: set cluster.clients", address=address)
        else:
            found.append(address)
    return " ".join(found)


class Candidate(ControllerActor):
    """A controller whose rules are made anew with each start: what they knew may be at fault."""

    is_ephemeral = True  # what it is told when it has ended is no loss

    def __init__(self, registry: Registry, settings: MemberSettings) -> None:
        rules = Controller(ids.SLOTS, REPLICAS, members_min=settings.cluster.members_min)
        super().__init__(registry, settings.node.name, rules)


def make_registry(cluster: ClusterSection) -> Registry:
    """Return the registry of these settings, which is to be started.

    Raises:
        SettingsError: A file can't be used, or the address needs what is not installed.
    """
    context = None
    if cluster.registry_ca_file:
        try:
            context = ssl.create_default_context(cafile=cluster.registry_ca_file)
        except OSError as error:
            text = f"cluster.registry_ca_file: {cluster.registry_ca_file}: {error}"
            raise SettingsError([text]) from None
    return open_registry(
        cluster.registry,
        key=read_key(cluster.registry_key_file),
        timeout_s=cluster.session_timeout_s,
        context=context,
    )
