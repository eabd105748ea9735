"""Knows what a node needs to take and give files. Must not know HTTP, or what a message is."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from actorchat import logs
from actorchat.broker.context import Context
from actorchat.broker.depot import Depot
from actorchat.chat.file import FilePolicy
from actorchat.limits import CLOSE_LINGER_S, FILE_THREADS, FILE_TRANSFERS_USER_MAX
from actorchat.settings import Settings
from actorchat.store.blobs import Blobs

log = logs.logger(__name__)

DIRECTORY = "files"
CLEAR_UP_S = 0.01  # how often it is looked whether all transfers have ended


class FileRoom:
    """The files of one node: a directory beside the store, threads that write, and the depot.

    The threads' queue is bounded by the depot: each transfer has one job at most.
    """

    def __init__(self, settings: Settings, data: Path, context: Context) -> None:
        self._context = context
        self._base_url = settings.files.base_url
        self._blobs = Blobs(data / DIRECTORY, settings.files.disk_free_bytes_min)
        self._threads = ThreadPoolExecutor(FILE_THREADS, "files")
        transfers_max = settings.files.transfers_max
        self.depot = Depot(
            context,
            self._blobs,
            self._offload,
            transfers_max,
            min(transfers_max, FILE_TRANSFERS_USER_MAX),
        )

    async def start(self, http_address: Callable[[], str]) -> None:
        """Throw away what was half there.

        Raises:
            StoreFull, Unavailable: The disk does not let us.
        """
        left = await self._offload(self._blobs.start)
        if left:
            log.info("half uploads thrown away", files=left)
        self._context.files_base = lambda: self._base_url or http_address()

    async def close(self) -> None:
        """Let transfers that were cut clear up behind them, and the threads end what they do."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_LINGER_S):
                while self.depot.transfers:  # noqa: ASYNC110 (once in a node's life, at its end)
                    await asyncio.sleep(CLEAR_UP_S)
        await asyncio.to_thread(self._threads.shutdown)

    def _offload(self, work: Callable[..., Any], *args: Any) -> Awaitable[Any]:
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._threads, functools.partial(work, *args))


def file_policy_of(settings: Settings) -> FilePolicy:
    """Return what is granted by these settings; without HTTP the desk grants nothing."""
    files = settings.files
    return FilePolicy(files.file_bytes_max, files.quota_bytes, files.ticket_s)
