"""Knows what a number of daily users takes, by arithmetic from measured costs.
Must not know how they were measured.

Each cost says where it comes from: the README's tables, or that it is assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from bench.report import Figure

DAY_S = 86_400
PEAK = 4.0  # times the mean: the day's highest hour
KIB, GIB = 1_024, 1_024**3

DIRECT_US = 55.0  # CPU of a durable direct message, one in flight a user (README)
DIRECT_BUSY_US = 28.0  # the same with eight in flight
FOLLOW_US = 9.9  # of a copy: no more than the smallest honest server takes (README's ceiling)
CROSSING = 0.6  # share of the single node's rate that is left when every pair crosses nodes: aim
PING_US = 53.0  # 0.051 of a core less 200 messages at 55 us, by 756 pings a second (README)
PING_S = 25.0
SESSION_BYTES = 5.5 * KIB  # idle, signed in (README)
ACTOR_BYTES = 464  # of the runtime, without what it holds (actor bench)
ENTITY_IDLE_S = 120.0  # how long a user or conversation stays in memory without work
BODY_BYTES = 100
YEARS = 10

BUSY = 0.5  # of a core at the peak: the rest is for a zone that fails
NODE_BYTES = 4 * GIB  # memory for sessions and actors, of a node that is one core
NODE_CONNECTIONS = 100_000  # 262,144 are allowed, 18,900 were held at once (README)
ZNODE_BYTES = 620  # heap of ZooKeeper for an entry, measured
RECONNECT_S = 1_800.0  # a phone comes back so often


@dataclass(frozen=True)
class Demand:
    """Who uses it, and how."""

    users: int
    messages: int
    online: float
    replicas: int


def plan(demand: Demand) -> tuple[list[tuple[str, Figure]], dict[str, Figure]]:
    """Return the rows to show, and the figures by their short names."""
    mean = demand.users * demand.messages / DAY_S
    peak = mean * PEAK
    online = demand.users * demand.online
    pings = online / PING_S
    message_us = DIRECT_US / CROSSING + (demand.replicas - 1) * FOLLOW_US
    message_busy_us = DIRECT_BUSY_US / CROSSING + (demand.replicas - 1) * FOLLOW_US
    message_cores, ping_cores = peak * message_us / 1e6, pings * PING_US / 1e6
    entities = min(peak * ENTITY_IDLE_S * 2, demand.users * 2.0)  # a user and a conversation each
    memory = online * SESSION_BYTES + entities * ACTOR_BYTES
    by_cpu = ceil((message_cores + ping_cores) / BUSY)
    by_memory = ceil(memory / NODE_BYTES)
    by_connections = ceil(online / NODE_CONNECTIONS)
    nodes = max(by_cpu, by_memory, by_connections)
    stored = demand.users * demand.messages * BODY_BYTES * demand.replicas
    naive_writes = 2 * online / RECONNECT_S
    figures: dict[str, Figure] = {
        "messages_mean_s": round(mean),
        "messages_peak_s": round(peak),
        "online": round(online),
        "pings_s": round(pings),
        "message_us": round(message_us, 1),
        "message_busy_us": round(message_busy_us, 1),
        "message_cores": round(message_cores, 1),
        "ping_cores": round(ping_cores, 1),
        "memory_gib": round(memory / GIB, 1),
        "nodes_by_cpu": by_cpu,
        "nodes_by_memory": by_memory,
        "nodes_by_connections": by_connections,
        "nodes": nodes,
        "links_a_node": nodes - 1,
        "links": nodes * (nodes - 1) // 2,
        "envelopes_a_node_s": round(peak * (1 + demand.replicas) / nodes),
        "stored_a_day_gb": round(stored / 1e9),
        "stored_a_node_a_year_gb": round(stored * 365 / nodes / 1e9),
        "stored_in_all_tb": round(stored * 365 * YEARS / 1e12),
        "registry_beats_s": round(nodes * 6 / 6.0),
        "naive_registry_gib": round(demand.users * ZNODE_BYTES / GIB, 1),
        "naive_registry_writes_s": round(naive_writes),
    }
    return _rows(figures), figures


def _rows(figures: dict[str, Figure]) -> list[tuple[str, Figure]]:
    said = {
        "messages_mean_s": "messages a second, mean",
        "messages_peak_s": f"messages a second, peak (x {PEAK:g})",
        "online": "sessions at the peak",
        "pings_s": f"pings a second, one each {PING_S:g} s",
        "message_us": f"us CPU a message: {DIRECT_US:g} / {CROSSING:g}, {FOLLOW_US:g} a copy",
        "message_busy_us": f"  the same at {DIRECT_BUSY_US:g} us, eight in flight",
        "message_cores": "cores busy with messages at the peak",
        "ping_cores": f"cores busy with pings, {PING_US:g} us each",
        "memory_gib": "GiB for sessions and actors",
        "nodes_by_cpu": f"nodes by CPU, {BUSY:.0%} busy",
        "nodes_by_memory": f"nodes by memory, {NODE_BYTES // GIB} GiB each",
        "nodes_by_connections": f"nodes by connections, {NODE_CONNECTIONS:,} each",
        "nodes": "nodes, one core each",
        "links_a_node": "links a node",
        "links": "links in all",
        "envelopes_a_node_s": "envelopes a node and second at the peak, at most",
        "stored_a_day_gb": "GB stored a day, all copies",
        "stored_a_node_a_year_gb": "GB stored a node and year",
        "stored_in_all_tb": f"TB in {YEARS} years",
        "registry_beats_s": "heartbeats a second at the registry",
        "naive_registry_gib": "GiB of heap if each user were an entry of ZooKeeper",
        "naive_registry_writes_s": "writes a second there if it kept who is where",
    }
    return [(said[name], value) for name, value in figures.items()]
