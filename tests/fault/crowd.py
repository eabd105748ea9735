"""Knows users who talk to each other through a node that comes and goes, and what must be true of
it afterwards. Must not know why the node went.
"""

from __future__ import annotations

import asyncio
import contextlib
from random import Random

from tests.fault.node import POLL_S, Device, Node, Operator, until

RECONNECT_S = 0.05


class Talker:
    """One user: sends numbered messages to the others, each again with its id until it is acked."""

    def __init__(self, device: Device, peers: list[str], rng: Random) -> None:
        self.device = device
        self.acked: dict[tuple[str, bytes], int] = {}  # (peer, cid) -> seq
        self.refusals: list[str] = []
        self.resent = 0
        self._peers = peers
        self._rng = rng
        self._tasks: list[asyncio.Task[None]] = []
        self._is_leaving = False

    def start(self, in_flight: int) -> None:
        """Connect, and go on talking until `hush`."""
        self._is_leaving = False
        self._tasks = [asyncio.create_task(self._talk()) for _ in range(in_flight)]
        self._keeper = asyncio.create_task(self._keep())

    async def hush(self) -> None:
        """Say no more; return when all that was said is acked."""
        self._is_leaving = True
        await asyncio.gather(*self._tasks)
        if self._keeper.done():
            self._keeper.result()

    async def leave(self) -> None:
        for task in (self._keeper, *self._tasks):
            task.cancel()
        await asyncio.gather(self._keeper, *self._tasks, return_exceptions=True)
        await self.device.leave()

    async def _keep(self) -> None:
        """Be connected."""
        while True:
            if not self.device.is_open:
                with contextlib.suppress(ConnectionError):
                    await self.device.sign_in()
            await asyncio.sleep(RECONNECT_S)

    async def _talk(self) -> None:
        while not self._is_leaving:
            peer, cid = self._rng.choice(self._peers), self._rng.randbytes(16)
            await self._say(peer, cid)

    async def _say(self, peer: str, cid: bytes) -> None:
        body = cid.hex() + "." * self._rng.choice((0, 30, 600))
        while True:
            try:
                reply = await self.device.send(peer, body, cid)
            except (ConnectionError, TimeoutError):
                self.resent += 1
            else:
                if "ok" in reply:
                    self.acked[peer, cid] = reply["ok"]["seq"]
                    return
                self.refusals.append(reply["err"]["code"])
                assert reply["err"]["retry"] in {"now", "after"}
            await asyncio.sleep(RECONNECT_S)


class Crowd:
    """A few users, all of whom talk to all."""

    def __init__(self, talkers: list[Talker]) -> None:
        self.talkers = talkers

    @classmethod
    async def gather(cls, node: Node, count: int, seed: int) -> Crowd:
        operator = await Operator.sign_in(node)
        users = [f"talker-{number}" for number in range(count)]
        talkers = []
        for number, user in enumerate(users):
            peers = [peer for peer in users if peer != user]
            device = Device(node, user, await operator.token(user))
            talkers.append(Talker(device, peers, Random(seed + number)))
        await operator.close()
        return cls(talkers)

    def start(self, in_flight: int = 8) -> None:
        for talker in self.talkers:
            talker.start(in_flight)

    @property
    def acked(self) -> int:
        return sum(len(talker.acked) for talker in self.talkers)

    async def more_acked(self, count: int, timeout_s: float = 30.0) -> None:
        """Wait until `count` more messages are acked."""
        goal = self.acked + count
        await until(lambda: self.acked >= goal, timeout_s)

    async def hush(self) -> None:
        async with asyncio.timeout(60):
            await asyncio.gather(*(talker.hush() for talker in self.talkers))

    async def leave(self) -> None:
        for talker in self.talkers:
            await talker.leave()

    async def check(self) -> int:
        """See that all is well once nobody talks any more; return how many messages there are.

        Every acked message is in history exactly once, at the seq of its ack; every history is
        dense; everybody has got each message to them exactly once, in the order of the history.
        """
        total = 0
        users = {talker.device.user: talker for talker in self.talkers}
        histories = {}
        for user, talker in users.items():
            for peer in users:
                if user < peer:
                    await until(lambda device=talker.device: device.is_open)
                    histories[user, peer] = await talker.device.history(peer)
        for (user, peer), history in histories.items():
            total += len(history)
            assert [record["seq"] for record in history] == list(range(1, len(history) + 1))
            cids = {(record["from"], record["cid"]): record["seq"] for record in history}
            assert len(cids) == len(history), "a message is in history twice"
            for sender, receiver in ((user, peer), (peer, user)):
                said = {
                    cid: seq for (to, cid), seq in users[sender].acked.items() if to == receiver
                }
                stored = {cid: seq for (name, cid), seq in cids.items() if name == sender}
                assert stored == said, "what was acked is not what is stored"
                await self._got(users[receiver], sender, stored)
        for talker in self.talkers:
            assert talker.device.gaps == 0
            assert len(talker.device.messages) == sum(
                record["from"] != talker.device.user
                for pair, history in histories.items()
                if talker.device.user in pair
                for record in history
            )
        return total

    async def _got(self, receiver: Talker, sender: str, stored: dict[bytes, int]) -> None:
        def got() -> list[tuple[bytes, int]]:
            messages = receiver.device.messages
            return [(m["cid"], m["seq"]) for m in messages if m["from"] == sender]

        await until(lambda: len(got()) >= len(stored))
        assert got() == sorted(stored.items(), key=lambda item: item[1])


async def pause(duration_s: float) -> None:
    """Let the load go on for a random while; not a wait for anything."""
    await asyncio.sleep(max(POLL_S, duration_s))
