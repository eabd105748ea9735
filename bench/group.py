"""Knows the bench of durable group messages. Must not know how a server works inside.

`python -m bench group` starts a node on one core and the load on the other: a group of `--members`,
each with one device that acks what it gets, of whom `--senders` keep `--window` posts in flight.
A copy is one message in one member's log and on its device; the sender's own is one, too. With more
than 256 members the node tells them of the head (`group_inline_max`), and a log entry is of all
that came at once. That every member gets every message once and in one dense order, and that all
acks arrived, is checked.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import secrets
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import uvloop

from actorchat.ids import group_address
from actorchat.limits import GROUP_INLINE_MEMBERS_MAX, GROUP_NAMED_MAX
from bench.group_load import Member
from bench.load import Tally
from bench.operator import Operator, operator_key
from bench.process import LOAD_CORES, ServerProcess
from bench.report import Figure, middle, percentile, print_table, write_json

_WARM_UP_S = 1.0
_DRAIN_S = 20.0


@dataclass(slots=True)
class Round:
    """One measured stretch."""

    cpu_us: float
    per_s: float
    tally: Tally


class Bench:
    """A node, and the accounts of a group's members."""

    def __init__(self, server: ServerProcess, tokens: dict[str, str]) -> None:
        self.server = server
        self._tokens = tokens

    async def round(self, options: argparse.Namespace) -> Round:
        """Make a new group, load it, measure after the warm-up, verify everything."""
        tally = Tally()
        members = await self._connect(tally)
        group, made = await self._make_group(members)
        for sender in members[: options.senders]:
            sender.window = options.window
            sender.post_many(options.window)
        await asyncio.sleep(_WARM_UP_S)
        tally.ack_ns.clear()
        received, cpu_s, began_s = tally.received, self.server.cpu_s(), time.perf_counter()
        await asyncio.sleep(options.seconds)
        count = tally.received - received
        cpu_s, took_s = self.server.cpu_s() - cpu_s, time.perf_counter() - began_s
        samples = list(tally.ack_ns)
        for member in members:
            member.window = 0
        await self._drain(members, made)
        await _check(tally, members, group, made)
        tally.ack_ns = samples
        for member in members:
            member.leave()
        return Round(cpu_s / max(1, count) * 1e6, count / took_s, tally)

    async def _connect(self, tally: Tally) -> list[Member]:
        loop = asyncio.get_running_loop()
        members: list[Member] = []
        for user, token in self._tokens.items():

            def make(user: str = user, token: str = token) -> Member:
                return Member(tally, user, token)

            _, member = await loop.create_connection(make, "127.0.0.1", self.server.port)
            members.append(member)
        await asyncio.gather(*(member.ready for member in members))
        return members

    async def _make_group(self, members: list[Member]) -> tuple[str, int]:
        """Return a group of all and its head: one change names only so many."""
        name = secrets.token_bytes(16)
        group = group_address(name)
        owner, *others = [member.user for member in members]
        changes: list[dict[str, object]] = [
            {"kind": "add", "users": others[at : at + GROUP_NAMED_MAX]}
            for at in range(0, len(others), GROUP_NAMED_MAX)
        ]
        changes[:1] = [{"kind": "create", "name": "bench", "members": others[:GROUP_NAMED_MAX]}]
        for number, change in enumerate(changes):
            cid = secrets.token_bytes(16) if number else name
            answer = await members[0].ask(
                {"op": "change", "conv": group, "cid": cid, "change": change}
            )
            if "err" in answer:
                raise SystemExit(f"no group: {answer['err']}")
        await asyncio.sleep(0.5)
        for member in members:
            member.enter(group, len(owner))
            member.head = len(changes)
        return group, len(changes)

    async def _drain(self, members: list[Member], made: int) -> None:
        until_s = time.perf_counter() + _DRAIN_S
        while time.perf_counter() < until_s:
            await asyncio.sleep(0.1)
            sent = sum(member.sent for member in members)
            if all(member.head == sent + made for member in members):
                break
        await asyncio.sleep(1.0)  # the last acks and marks


async def _check(tally: Tally, members: list[Member], group: str, made: int) -> None:
    """Hold what members saw against each other, and the node's marks against what they acked."""
    own = sorted(seq for member in members for seq in member.seqs_own)
    head = len(own) + made
    if own != list(range(made + 1, head + 1)):
        tally.fail("the senders' seqs are not dense")
    for member in members:
        tally.lost += max(0, head - member.head)
    marks: dict[str, dict[str, int]] = {}
    after, more = None, True
    while more:
        answer = await members[0].ask({"op": "receipts", "conv": group, "after": after})
        marks |= answer["ok"]["marks"]
        after, more = max(marks), answer["ok"].get("more", False)
    behind = [user for user, mark in marks.items() if mark["delivered"] != head]
    if behind or len(marks) != len(members):
        tally.fail(f"acks of {len(behind)} members are not known, as of {behind[:1]}")


async def run(options: argparse.Namespace) -> tuple[dict[str, Figure], list[str]]:
    """Take all figures."""
    scratch = Path(tempfile.mkdtemp(prefix="bench-", dir=options.data))
    rounds: list[Round] = []
    try:
        inline = f"chat.group_inline_max={options.inline_max}"
        command = ["-m", "bench.node", str(scratch / "node"), inline]
        server = ServerProcess(command, r"^ready (\d+)")
        try:
            operator = await Operator.sign_in(server.port, operator_key(scratch / "node"))
            users = [f"user{number:06d}" for number in range(options.members)]
            bench = Bench(server, await operator.tokens(users))
            await operator.leave()
            rounds.extend([await bench.round(options) for _ in range(options.rounds)])
        finally:
            server.stop()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    acks = [ns for each in rounds for ns in each.tally.ack_ns]
    errors = [error for each in rounds for error in each.tally.errors]
    copies = middle([each.per_s for each in rounds])
    figures: dict[str, Figure] = {
        "members": options.members,
        "server_cpu_us_per_copy": middle([each.cpu_us for each in rounds]),
        "copies_per_s": round(copies),
        "messages_per_s": round(copies / options.members),
        "ack_ms_p50": percentile(acks, 0.5),
        "ack_ms_p99": percentile(acks, 0.99),
        "copies_checked": sum(each.tally.received for each in rounds),
        "lost": sum(each.tally.lost for each in rounds),
        "duplicated": sum(each.tally.duplicated for each in rounds),
        "errors": len(errors),
    }
    return figures, errors


def parse(args: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench group", description=__doc__)
    parser.add_argument("--members", type=int, default=100)
    parser.add_argument("--senders", type=int, default=4, help="of the members")
    parser.add_argument("--window", type=int, default=8, help="posts in flight, of each sender")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measured stretch")
    parser.add_argument("--rounds", type=int, default=3, help="stretches, each with a new group")
    parser.add_argument(
        "--inline-max",
        type=int,
        default=GROUP_INLINE_MEMBERS_MAX,
        help="the node's group_inline_max: with more members one log entry is of many messages",
    )
    parser.add_argument("--data", help="directory for scratch data, on the disk to be measured")
    parser.add_argument("--json", help="file for the figures")
    options = parser.parse_args(args)
    if not 1 <= options.senders <= options.members:
        parser.error("--senders must be some of the members")
    return options


def main(args: list[str]) -> int:
    """Run the bench; 1 if a promise was broken on the way."""
    options = parse(args)
    os.sched_setaffinity(0, LOAD_CORES)
    gc.set_threshold(100_000, 20, 50)
    figures, errors = uvloop.run(run(options))
    title = f"one group of {options.members}, {options.senders} senders, {options.window} in flight"
    print_table(f"{title}, every copy durable and acked", list(figures.items()))
    for error in errors[:5]:
        print(f"  {error}")
    write_json(options.json, figures)
    return 1 if errors or figures["lost"] or figures["duplicated"] else 0
