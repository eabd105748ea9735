"""Knows a broker, a disk for files and people who bring them, in one thread from one seed.
Must not know real disks or real time.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter
from pathlib import Path
from typing import Any

from actorchat.broker.depot import Depot
from actorchat.broker.file import FILES
from actorchat.broker.file_sweep import survey, sweep
from actorchat.chat.event import Answer
from actorchat.chat.file import Asked, Usage
from actorchat.errors import Refusal, StoreFull
from actorchat.protocol import ops
from actorchat.store.blobs import BlobInfo
from actorchat.store.memory import Fault
from actorchat.store.verify import verify
from tests.unit.broker.stage import Stage

USERS = ("ann", "bob", "cat")
BODIES = [bytes([number]) * (1 + 700 * number) for number in range(12)]
HASHES = {hashlib.sha256(body).digest(): body for body in BODIES}


class FakeDisk:
    """Files that a power cut takes: what is renamed and whose directory is not synced may go."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.partials = 0
        self.whole: dict[bytes, bytes] = {}  # for good
        self.renamed: dict[bytes, bytes] = {}  # not yet
        self.is_full = False

    def begin(self, size: int) -> FakePartial:
        if self.is_full:
            raise StoreFull("full")
        self.partials += 1
        return FakePartial(self)

    def path(self, sha256: bytes) -> Path:
        return Path(sha256.hex())

    def infos(self) -> list[BlobInfo]:
        files = {**self.renamed, **self.whole}
        return [BlobInfo(sha256, len(body), 0) for sha256, body in files.items()]

    def remove(self, sha256: bytes) -> None:
        self.whole.pop(sha256, None)

    def cut(self) -> None:
        """Lose power, and what half uploads left is cleared at the start."""
        for sha256, body in self.renamed.items():
            if self.rng.random() < 0.5:
                self.whole[sha256] = body
        self.renamed.clear()
        self.partials = 0


class FakePartial:
    """A file that is coming."""

    def __init__(self, disk: FakeDisk) -> None:
        self._disk = disk
        self._body = b""
        self._is_open = True

    @property
    def size(self) -> int:
        return len(self._body)

    def write(self, chunk: bytes) -> None:
        if self._disk.is_full:
            raise StoreFull("full")
        self._body += chunk

    def digest(self) -> bytes:
        return hashlib.sha256(self._body).digest()

    def keep(self) -> None:
        self._disk.renamed[self.digest()] = self._body
        self.drop()

    def sync(self) -> None:
        body = self._disk.renamed.pop(self.digest(), None)
        if body is not None:
            self._disk.whole[self.digest()] = body

    def drop(self) -> None:
        if self._is_open:
            self._is_open = False
            self._disk.partials -= 1


class Letter:
    """Keeps the one answer."""

    event: object = None

    def tell(self, event: object) -> None:
        self.event = event


class FileWorld:
    """People bring files, right and wrong ones, while the power goes and disks fill up."""

    def __init__(self, seed: int, trouble: bool = True) -> None:
        self.rng = random.Random(seed)
        self.stage = Stage(seed)
        self.stage.add_users(*USERS)
        self.disk = FakeDisk(self.rng)
        self.acked: dict[str, set[bytes]] = {user: set() for user in USERS}
        self.problems: list[str] = []
        self.counts: Counter[str] = Counter()
        self._trouble = trouble
        self._epoch = 0
        self._open()

    def _open(self) -> None:
        context = self.stage.broker.context
        context.files_base = lambda: "http://h"
        self.depot = Depot(context, self.disk, self._offload, 6, 3, timeout_s=0.05)

    async def _offload(self, work: Any, *args: Any) -> Any:
        epoch = self._epoch
        await self._wait(self.rng.randrange(4))
        self._live(epoch)
        result = work(*args)
        if getattr(work, "__name__", "") == "keep":
            # The directory is synced before the answer; the power may go before that.
            await self._wait(self.rng.randrange(4))
            self._live(epoch)
            work.__self__.sync()
        return result

    async def _wait(self, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)

    def _live(self, epoch: int) -> None:
        if epoch != self._epoch:
            raise asyncio.CancelledError

    async def run(self, turns: int = 1_500) -> None:
        """Let people bring files for so many turns, with trouble; then check."""
        tasks: list[asyncio.Task[None]] = []
        for _ in range(turns):
            if len(tasks) < 8 and self.rng.random() < 0.3:
                tasks.append(asyncio.create_task(self._bring(self.rng.choice(USERS))))
            self.stage.run(self.rng.choice((0.0005, 0.002)))
            await asyncio.sleep(0)
            tasks = [task for task in tasks if not task.done()]
            if self._trouble:
                await self._break_something(tasks)
        self.disk.is_full = False
        for _ in range(2_000):
            if not any(not task.done() for task in tasks):
                break
            self.stage.run(0.01)
            await asyncio.sleep(0)
        else:
            self.problems.append("a transfer never ends")
        self.check()

    async def _break_something(self, tasks: list[asyncio.Task[None]]) -> None:
        chance = self.rng.random()
        if chance < 0.006:
            await self._cut(tasks)
        elif chance < 0.02:
            self.disk.is_full = not self.disk.is_full
        elif chance < 0.03:
            self.stage.engine.inject(Fault("write", StoreFull("full")))
        elif chance < 0.04 and tasks:
            self.rng.choice(tasks).cancel()  # a peer that goes
        elif chance < 0.045:
            desk = self.stage.system.names.whereis(FILES)
            if desk is not None:
                desk.tell("nonsense")  # it crashes, and what it held is forgotten

    async def _cut(self, tasks: list[asyncio.Task[None]]) -> None:
        self.counts["cuts"] += 1
        self._epoch += 1
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        tasks.clear()
        self.disk.cut()
        self.stage.crash()
        self._open()
        self.check()

    async def _bring(self, user: str) -> None:
        epoch = self._epoch
        sha256, body = self.rng.choice(sorted(HASHES.items()))
        sent = body
        if self.rng.random() < 0.2:
            sent = self.rng.choice((body[:-1], body + b"x", b"y" + body[1:]))
        granted = await self._grant(user, ops.Upload(1, sha256, len(body), "a/b"))
        if granted is None:
            self.counts["no ticket"] += 1
            return
        if granted["stored"]:
            self.acked[user].add(sha256)
            self.counts["stored"] += 1
        try:
            async with self.depot.upload(str(granted["ticket"]), sha256) as upload:
                for at in range(0, len(sent), 1_000):
                    await upload.write(sent[at : at + 1_000])
                await upload.finish()
                self._live(epoch)
                if sent != body:
                    self.problems.append("a wrong file was taken")
                self.acked[user].add(sha256)
                self.counts["acked"] += 1
        except Refusal as error:
            self.counts[error.code] += 1

    async def _grant(self, user: str, op: ops.Upload) -> dict[str, object] | None:
        """Ask the desk for a ticket; None if there is none."""
        letter = Letter()
        desk = self.stage.system.names.whereis(FILES)
        if desk is not None:
            desk.tell(Asked(letter, user, "phone", op))
        for _ in range(200):
            if letter.event is not None:
                return letter.event.ok if isinstance(letter.event, Answer) else None
            await asyncio.sleep(0)
        return None

    def check(self) -> None:
        """See that what was acked is there, and that rows, files and sums agree."""
        self.stage.run(0.5)
        shelf = self.stage.broker.context.shelf
        files = {**self.disk.whole, **self.disk.renamed}
        for sha256, body in files.items():
            if HASHES.get(sha256) != body:
                self.problems.append("a file is not what its name says")
        for user, hashes in self.acked.items():
            for sha256 in hashes:
                if shelf.own(user, sha256) is None or sha256 not in self.disk.whole:
                    self.problems.append(f"{user} lost {sha256.hex()[:8]}")
        self.problems += map(str, verify(self.stage.engine).problems)
        found = survey(self.stage.engine, self.disk)  # type: ignore[arg-type]
        self.problems += [f"{sha256.hex()[:8]} is missing" for sha256 in found.missing]

    def sweep(self) -> None:
        """Take everything away that no record names, which is all there is."""
        self.stage.crash()  # a node is stopped before its files are swept
        engine, disk = self.stage.engine, self.disk
        found = survey(engine, disk)  # type: ignore[arg-type]
        sweep(engine, disk, found, found.unreferenced(2**60))  # type: ignore[arg-type]
        shelf = self.stage.broker.context.shelf
        if self.disk.whole or any(shelf.usage(user) != Usage() for user in USERS):
            self.problems.append("something is left after a sweep")
        self.problems += map(str, verify(self.stage.engine).problems)
