"""Knows which runtimes the bench of actors compares, in what, and at what sizes.

Must not know how a figure is taken.

Sizes are chosen so that one figure takes about a second of CPU: what costs a thousand times more
is done a thousand times less often. Where a runtime can't do something at a useful size the
reason stands in place of the size.
"""

from __future__ import annotations

from dataclasses import dataclass

OURS = "ours"


@dataclass(frozen=True, slots=True)
class Size:
    """`count` operations among `live` actors.

    Of a hop `live` are pairs, of a fan-out receivers, of memory those that are there before, so
    that holes which the start left in the heap are not mistaken for memory that costs nothing.
    """

    count: int
    live: int = 1

    def quick(self) -> Size:
        """Return a size that only shows that the bench works."""
        live = min(self.live, 20)
        if self.count < self.live:  # an end of some, which others outlive
            return Size(live // 2, live)
        return Size(min(self.count, max(live, self.count // 2_000)), live)


Plan = dict[str, "Size | str"]

# In the order of the table; what the JSON calls them.
FIGURES = {
    "hop_us": "tell hop, 1 pair (µs)",
    "hop_us_1000_pairs": "tell hop, 1000 pairs (µs)",
    "call_us": "call, actor to actor (µs)",
    "spawn_us": "spawn (µs)",
    "stop_us_100k": "stop, of 100 k live (µs)",
    "fanout_us": "fan-out 1 -> 1000, each (µs)",
    "bytes_per_actor_10k": "bytes an actor, 10 k",
    "bytes_per_actor_1m": "bytes an actor, 1 M",
}

PROCESS_EACH = "a process an actor"
THREADS = "a thread an actor"

PLANS: dict[str, Plan] = {
    OURS: {
        "hop_us": Size(2_000_000),
        "hop_us_1000_pairs": Size(2_000_000, 1_000),
        "call_us": Size(200_000),
        "spawn_us": Size(100_000),
        "stop_us_100k": Size(50_000, 100_000),
        "fanout_us": Size(3_000_000, 1_000),
        "bytes_per_actor_10k": Size(10_000, 10_000),
        "bytes_per_actor_1m": Size(1_000_000, 10_000),
    },
    "asyncio": {
        "hop_us": Size(300_000),
        "hop_us_1000_pairs": Size(300_000, 1_000),
        "call_us": Size(100_000),
        "spawn_us": Size(50_000),
        "stop_us_100k": Size(50_000, 100_000),
        "fanout_us": Size(500_000, 1_000),
        "bytes_per_actor_10k": Size(10_000, 10_000),
        "bytes_per_actor_1m": Size(1_000_000, 10_000),
    },
    "threading": {
        "hop_us": Size(50_000),
        "hop_us_1000_pairs": Size(50_000, 1_000),
        "call_us": Size(20_000),
        "spawn_us": Size(3_000),
        "stop_us_100k": THREADS,
        "fanout_us": Size(50_000, 1_000),
        "bytes_per_actor_10k": Size(10_000, 100),
        "bytes_per_actor_1m": THREADS,
    },
    "xoscar": {
        "hop_us": Size(20_000),
        "hop_us_1000_pairs": Size(20_000, 1_000),
        "call_us": Size(10_000),
        "spawn_us": Size(5_000),
        "stop_us_100k": Size(5_000, 100_000),
        "fanout_us": Size(20_000, 1_000),
        "bytes_per_actor_10k": Size(10_000, 10_000),
        "bytes_per_actor_1m": "spawning 1 M takes a minute",
    },
    "thespian": {
        "hop_us": Size(2_000),
        "hop_us_1000_pairs": PROCESS_EACH,
        "call_us": Size(1_000),
        "spawn_us": Size(20),
        "stop_us_100k": PROCESS_EACH,
        "fanout_us": PROCESS_EACH,
        "bytes_per_actor_10k": PROCESS_EACH,
        "bytes_per_actor_1m": PROCESS_EACH,
    },
    "thespian_simple": {
        "hop_us": Size(100_000),
        "hop_us_1000_pairs": Size(100_000, 1_000),
        "call_us": Size(50_000),
        "spawn_us": Size(10_000),
        "stop_us_100k": Size(2_000, 100_000),
        "fanout_us": Size(200_000, 1_000),
        "bytes_per_actor_10k": Size(10_000, 10_000),
        "bytes_per_actor_1m": "spawning 1 M takes a minute",
    },
    "erlang": {
        "hop_us": Size(2_000_000),
        "hop_us_1000_pairs": Size(2_000_000, 1_000),
        "call_us": Size(1_000_000),
        "spawn_us": Size(200_000),
        "stop_us_100k": Size(50_000, 100_000),
        "fanout_us": Size(2_000_000, 1_000),
        "bytes_per_actor_10k": Size(10_000, 10_000),
        "bytes_per_actor_1m": Size(1_000_000, 10_000),
    },
    "erlang_raw": {
        "hop_us": Size(5_000_000),
        "hop_us_1000_pairs": Size(5_000_000, 1_000),
        "call_us": Size(2_000_000),
        "spawn_us": Size(500_000),
        "stop_us_100k": Size(50_000, 100_000),
        "fanout_us": Size(5_000_000, 1_000),
        "bytes_per_actor_10k": Size(10_000, 10_000),
        "bytes_per_actor_1m": Size(1_000_000, 10_000),
    },
}

# What the runs of the garbage collector's pauses differ in, by the ending of the JSON's names.
COLLECTORS = {
    "": "as Python has it",
    "_tuned": "frozen after start, higher thresholds",
    "_collector": "as a node has it, with actor.collector: frozen again as actors come",
}
COLLECTED = Size(300_000, 1_000_000)


def plan_for(runtime: str, is_quick: bool) -> Plan:
    """Return what is measured of `runtime`, at which sizes."""
    plan = PLANS[runtime]
    if not is_quick:
        return plan
    return {name: s if isinstance(s, str) else s.quick() for name, s in plan.items()}


def json_name(runtime: str, figure: str) -> str:
    """Return the name of a figure in the JSON: ours have no prefix."""
    return figure if runtime == OURS else f"{runtime}_{figure}"
