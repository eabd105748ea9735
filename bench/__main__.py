"""Knows the benches by name: `python -m bench NAME [OPTIONS]`.
Must not know how any of them works.
"""

from __future__ import annotations

import sys

from bench import (
    actors,
    cluster,
    connections,
    direct,
    gateways,
    group,
    link,
    offline,
    placement,
    presence,
)

BENCHES = {
    "actors": (
        actors.main,
        "CPU and memory of actors, beside asyncio, pykka, xoscar, thespian and Erlang",
    ),
    "cluster": (
        cluster.main,
        "messages a core where every pair is on two nodes, beside one node; extra latency",
    ),
    "connections": (
        connections.main,
        "200,000 signed-in connections that ping, and what they do to everybody else",
    ),
    "direct": (
        direct.main,
        "CPU, latency and memory of durable direct messages, beside the ceiling server",
    ),
    "gateways": (
        gateways.main,
        "the closed loop of direct through every gateway, beside TCP; memory of idle sessions",
    ),
    "group": (
        group.main,
        "CPU of a durable copy in a group: one message, all members, every device's ack",
    ),
    "placement": (
        placement.main,
        "the slot table of a thousand nodes: time, balance, what a lost node moves; --plan",
    ),
    "link": (
        link.main,
        "CPU, latency and bytes a second between actors of two nodes, over ipc and CURVE",
    ),
    "offline": (
        offline.main,
        "messages to people who are away: how fast they are stored, and drained at sign-in",
    ),
    "presence": (
        presence.main,
        "heartbeats of 10,000 users, and storms of all of them; what they do to a control pair",
    ),
}


def main() -> int:
    """Run the bench that is named first."""
    if len(sys.argv) < 2 or sys.argv[1] not in BENCHES:
        print("usage: python -m bench NAME [--help]\n")
        for name, (_, what) in BENCHES.items():
            print(f"  {name:12} {what}")
        return 2
    run, _ = BENCHES[sys.argv[1]]
    return run(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
