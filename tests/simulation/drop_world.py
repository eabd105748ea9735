"""The world of files, in which people also drop what they have brought.

What was acked as dropped is not theirs any more, and does not count, after any crash.
"""

from __future__ import annotations

import asyncio

from actorchat.broker.file import FILES
from actorchat.chat.event import Answer
from actorchat.chat.own_file import AskedOwn
from actorchat.protocol import ops
from tests.simulation.file_world import HASHES, USERS, FileWorld, Letter

DROPS = 0.4  # of all that people do


class DropWorld(FileWorld):
    """People bring files and drop them, not both at the same time."""

    def __init__(self, seed: int, trouble: bool = True) -> None:
        self.dropped: dict[str, set[bytes]] = {user: set() for user in USERS}
        self._busy = dict.fromkeys(USERS, 0)
        super().__init__(seed, trouble)

    async def _bring(self, user: str) -> None:
        if self.rng.random() < DROPS:
            if not self._busy[user] and self.acked[user]:
                await self._drop(user, self.rng.choice(sorted(self.acked[user])))
            return
        if self._busy[user] < 0:
            return
        before = self.rng.getstate()
        sha256, _ = self.rng.choice(sorted(HASHES.items()))  # as it will be chosen
        self.rng.setstate(before)
        self.dropped[user].discard(sha256)
        self._busy[user] += 1
        try:
            await super()._bring(user)
        finally:
            self._busy[user] -= 1

    async def _drop(self, user: str, sha256: bytes) -> None:
        self.acked[user].discard(sha256)  # from here on it may be either
        self._busy[user] = -1
        try:
            letter = Letter()
            desk = self.stage.system.names.whereis(FILES)
            if desk is not None:
                desk.tell(AskedOwn(letter, user, ops.DropFile(1, sha256)))
            for _ in range(200):
                if letter.event is not None:
                    break
                await asyncio.sleep(0)
            if isinstance(letter.event, Answer):
                if not letter.event.ok["dropped"]:
                    self.problems.append(f"{user} had not {sha256.hex()[:8]}, which was acked")
                self.dropped[user].add(sha256)
                self.counts["dropped"] += 1
        finally:
            self._busy[user] = 0

    def check(self) -> None:
        """See that what was dropped is gone, too."""
        super().check()
        shelf = self.stage.broker.context.shelf
        for user, hashes in self.dropped.items():
            self.counts["seen dropped"] += len(hashes)
            for sha256 in hashes:
                if shelf.own(user, sha256) is not None:
                    self.problems.append(f"{user} has {sha256.hex()[:8]} again")
