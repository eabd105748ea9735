"""Knows the bench of slots: how long a table takes, what moves, what the registry has to write.
Must not know how places are chosen.

`python -m bench placement --nodes 1000 --slots 16384` computes a table for so many nodes; then one
node is lost, and one joins. The same is done once more through the controller over a registry in
memory, whose transactions are counted. `--plan` works out what a number of daily users takes.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence

from actorchat.actor import ActorSystem, LocalRef, LoopDispatcher
from actorchat.cluster.controller import Controller, Copied
from actorchat.cluster.controller_actor import ControllerActor
from actorchat.cluster.member import Registration
from actorchat.cluster.memory_registry import MemoryRegistry, MemoryStore
from actorchat.cluster.place import place
from actorchat.cluster.slots import Member, SlotTable, empty_table
from actorchat.cluster.table_cache import TableCache
from actorchat.limits import REPLICAS
from bench.placement_plan import Demand, plan
from bench.report import Figure, print_table, write_json

_TABLE_S_MAX = 2.0
_SETTLE_S = 60.0
_CANDIDATES = 3


def members_of(nodes: int, zones: int) -> list[Member]:
    """Return so many nodes of equal capacity, spread over the zones."""
    return [Member(f"node-{n:04}", zone=f"zone-{n % zones}") for n in range(nodes)]


def timed(members: Sequence[Member], table: SlotTable, replicas: int) -> tuple[SlotTable, float]:
    """Return the next table and the seconds that it took."""
    began_s = time.perf_counter()
    placed = place(members, table, replicas)
    return placed, time.perf_counter() - began_s


def moved(old: SlotTable, new: SlotTable) -> dict[str, int]:
    """Count the slots that changed at all, the copies that are new, the leaders that changed."""
    pairs = list(zip(old.slots, new.slots, strict=True))
    return {
        "slots": sum(set(a.replicas) != set(b.replicas) or a.leader != b.leader for a, b in pairs),
        "copies": sum(len(set(b.replicas) - set(a.replicas)) for a, b in pairs),
        "leaders": sum(a.leader != b.leader for a, b in pairs),
    }


def balance(members: Sequence[Member], table: SlotTable) -> dict[str, int]:
    """Return the least and most that a node carries, and the slots with two copies in a zone."""
    zone = {member.name: member.zone for member in members}
    copies = Counter(dict.fromkeys(zone, 0))
    copies.update(name for slot in table.slots for name in slot.replicas)
    leaders = Counter(dict.fromkeys(zone, 0))
    leaders.update(slot.leader for slot in table.slots)
    return {
        "copies_min": min(copies.values()),
        "copies_max": max(copies.values()),
        "leaders_min": min(leaders.values()),
        "leaders_max": max(leaders.values()),
        "zone_shared": sum(
            len({zone[name] for name in slot.replicas}) < len(slot.replicas) for slot in table.slots
        ),
    }


def place_figures(options: argparse.Namespace) -> dict[str, Figure]:
    """Compute tables alone: fresh, after a loss, after a join."""
    members = members_of(options.nodes, options.zones)
    table, fresh_s = timed(members, empty_table(options.slots), options.replicas)
    lost = members[len(members) // 2].name
    share = sum(lost in slot.replicas for slot in table.slots)
    led = sum(slot.leader == lost for slot in table.slots)
    after_loss, loss_s = timed([m for m in members if m.name != lost], table, options.replicas)
    new = Member("node-new", zone="zone-0")
    after_join, join_s = timed([*members, new], table, options.replicas)
    partners = {n for s in table.slots if lost in s.replicas for n in s.replicas} - {lost}
    figures: dict[str, Figure] = {
        "table_s": round(fresh_s, 3),
        "loss_s": round(loss_s, 3),
        "join_s": round(join_s, 3),
        **{f"balance_{name}": count for name, count in balance(members, table).items()},
        "lost_share_copies": share,
        "lost_share_leaders": led,
        **{f"loss_moved_{name}": count for name, count in moved(table, after_loss).items()},
        "loss_partners": len(partners),
        "join_share_copies": round(options.slots * options.replicas / (options.nodes + 1), 1),
        **{f"join_moved_{name}": count for name, count in moved(table, after_join).items()},
    }
    return figures


class Cluster:
    """Nodes that register, candidates that control, and one cache that looks on."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.store = MemoryStore()
        self._options = options
        self._system = ActorSystem(LoopDispatcher())
        self._sessions: dict[str, MemoryRegistry] = {}
        self._registrations: list[Registration] = []
        self._candidates: list[LocalRef] = []
        self.cache: TableCache

    async def start(self, members: Sequence[Member]) -> None:
        """Start all nodes at once, then the candidates."""
        for member in members:
            session = self._sessions[member.name] = self.store.client()
            await session.start()
            registration = Registration(session, member, lambda _: None)
            registration.start()
            self._registrations.append(registration)
        await _until(lambda: len(self._here()) == len(members))
        for member in members[:_CANDIDATES]:
            session = self._sessions[member.name]
            controller = Controller(self._options.slots, self._options.replicas, gone_s=0.05)
            candidate = self._system.spawn(ControllerActor, session, member.name, controller)
            self._candidates.append(candidate)
        self.cache = TableCache(self._sessions[members[-1].name])
        self.cache.start()
        await self.settle()

    def _here(self) -> list[str]:
        if self.store.tree.get("/members") is None:
            return []
        return self.store.tree.children("/members")

    async def settle(self) -> int:
        """Have all copies made that are announced, until nothing changes; return how many."""
        copied, quiet = 0, 0
        deadline_s = time.monotonic() + _SETTLE_S
        while quiet < 20 and time.monotonic() < deadline_s:
            version = self.cache.table.version
            for number, slot in enumerate(self.cache.table.slots):
                for node in slot.coming:
                    copied += 1
                    self._tell(Copied(number, slot.epoch, node))
            await asyncio.sleep(0.02)
            is_changing = version != self.cache.table.version or not version
            quiet = 0 if is_changing else quiet + 1
        return copied

    def _tell(self, copied: Copied) -> None:
        for ref in self._candidates:
            ref.tell(copied)

    async def lose(self, name: str) -> None:
        """Have a node's session end."""
        await self._sessions[name].close()

    async def stop(self) -> None:
        """Stop everything."""
        for registration in self._registrations:
            await registration.close()
        await self.cache.close()
        await self._system.stop()


async def _until(condition: Callable[[], bool]) -> None:
    for _ in range(int(_SETTLE_S * 100)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError("what the bench waited for did not come")


async def registry_figures(options: argparse.Namespace) -> dict[str, Figure]:
    """Count what the registry writes when a cluster starts and when it loses a node."""
    members = members_of(options.nodes, options.zones)
    cluster = Cluster(options)
    await cluster.start(members)
    started, begun = cluster.store.writes, cluster.cache.table
    size = sum(len(row.value) for row in cluster.store.tree.rows())
    lost = members[len(members) // 2].name
    await cluster.lose(lost)
    await _until(lambda: cluster.cache.table.version != begun.version)
    copied = await cluster.settle()
    table = cluster.cache.table
    figures: dict[str, Figure] = {
        "registry_entries": len(cluster.store.tree),
        "registry_bytes": size,
        "registry_start_writes": started,
        "registry_loss_writes": cluster.store.writes - started,
        "registry_loss_copies": copied,
        "registry_left_at_lost": sum(lost in slot.replicas for slot in table.slots),
    }
    await cluster.stop()
    return figures


def main(arguments: Sequence[str]) -> int:
    """Run the bench; 1 if the table takes too long, or more moves than was lost."""
    parser = argparse.ArgumentParser(prog="python -m bench placement", description=__doc__)
    parser.add_argument("--nodes", type=int, default=1_000)
    parser.add_argument("--slots", type=int, default=16_384)
    parser.add_argument("--replicas", type=int, default=REPLICAS)
    parser.add_argument("--zones", type=int, default=3)
    parser.add_argument("--plan", action="store_true", help="what --users daily users take")
    parser.add_argument("--users", type=int, default=50_000_000)
    parser.add_argument("--messages", type=int, default=40, help="of one user a day")
    parser.add_argument("--online", type=float, default=0.5, help="share that is on at the peak")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    options = parser.parse_args(arguments)
    if options.plan:
        demand = Demand(options.users, options.messages, options.online, options.replicas)
        rows, figures = plan(demand)
        print_table(f"{options.users:,} daily users", rows)
        write_json(options.json, figures)
        return 0
    figures = place_figures(options)
    figures |= asyncio.run(registry_figures(options))
    print_table(f"{options.nodes} nodes, {options.slots} slots", list(figures.items()))
    write_json(options.json, figures)
    is_quick = float(figures["table_s"] or 0) < _TABLE_S_MAX
    is_small = int(figures["loss_moved_slots"] or 0) <= int(figures["lost_share_copies"] or 0)
    return 0 if is_quick and is_small else 1
