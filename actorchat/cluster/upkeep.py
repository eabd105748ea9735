"""Knows how something is brought about in a registry and kept so, through all that may go wrong.
Must not know what.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from actorchat import logs
from actorchat.cluster.registry import RegistryAway, RegistryRefusal

log = logs.logger(__name__)

RETRY_S = 0.5


class Upkeep:
    """Runs `work` whenever poked, one run at a time; once more if poked meanwhile.

    `work` looks at how things are and does what is missing, so that running it again is harmless.
    What a registry out of reach or another's change has spoiled is tried again after `retry_s`.
    Belongs to a loop's thread.
    """

    def __init__(
        self, name: str, work: Callable[[], Awaitable[None]], retry_s: float = RETRY_S
    ) -> None:
        self.failures = 0
        self._name = name
        self._work = work
        self._retry_s = retry_s
        self._poked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def poke(self, *_: object) -> None:
        """Have it run soon; takes whatever a callback is given."""
        self._poked.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=self._name)

    async def close(self) -> None:
        """Run no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._poked.wait()
            self._poked.clear()
            try:
                await self._work()
            except (RegistryAway, RegistryRefusal) as error:
                self.failures += 1
                log.debug("will be tried again", what=self._name, code=error.code)
                await asyncio.sleep(self._retry_s)
                self._poked.set()
