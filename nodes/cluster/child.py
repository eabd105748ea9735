"""Knows one process of a cluster: how it is started, heard, and ended.
Must not know when, or what it is for.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
LINE_BYTES_MAX = 1_048_576
ROOT = Path(__file__).resolve().parents[2]

Hear = Callable[[str, str], None]  # name, line


class ChildFailed(Exception):
    """It ended before it was ready."""


def actorchat(*arguments: str) -> list[str]:
    """Return the command line of one of this program's own commands."""
    return [sys.executable, "-m", "nodes.cli", *arguments]


class Child:
    """One process at a time. Thread: the loop's.

    Args:
        hear: Is called with each line of its log.
        answers: Says whether a program that is not ours is ready; None: it prints JSON when it is.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        hear: Hear,
        answers: Callable[[], bool] | None = None,
    ) -> None:
        self.name = name
        self.described: dict[str, Any] = {}
        self.starts = 0
        self._command = list(command)
        self._hear = hear
        self._answers = answers
        self._process: asyncio.subprocess.Process | None = None
        self._ears: list[asyncio.Task[None]] = []

    @property
    def pid(self) -> int | None:
        """The process's id while it runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Start it; return when it is ready.

        Raises:
            ChildFailed: It has ended, or is not ready in time.
        """
        self.starts += 1
        command = self._command
        if (setpriv := shutil.which("setpriv")) is not None:
            # Should the supervisor be killed, nobody is left behind.
            command = [setpriv, "--pdeathsig", "TERM", *command]
        kept = {name: value for name, value in os.environ.items() if "ACTORCHAT_" not in name}
        self._process = process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=ROOT,
            env=kept,
            process_group=0,  # Ctrl-C is for the supervisor
            limit=LINE_BYTES_MAX,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        self._ears = [asyncio.create_task(self._listen(process.stderr))]
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                await self._wait_ready(process)
        except TimeoutError:
            raise ChildFailed(f"{self.name} is not ready in {READY_TIMEOUT_S:g} s") from None
        self._ears.append(asyncio.create_task(self._listen(process.stdout)))

    async def _wait_ready(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        if self._answers is None:
            line = await process.stdout.readline()
            if not line:
                status = await process.wait()
                raise ChildFailed(f"{self.name} ended with status {status}")
            self.described = json.loads(line)
            return
        while not await asyncio.to_thread(self._answers):
            if process.returncode is not None:
                raise ChildFailed(f"{self.name} ended with status {process.returncode}")
            await asyncio.sleep(0.1)

    async def _listen(self, stream: asyncio.StreamReader) -> None:
        with contextlib.suppress(ValueError):  # a line of more than a MiB
            while line := await stream.readline():
                self._hear(self.name, line.decode(errors="replace").rstrip("\n"))

    async def ended(self) -> int:
        """Wait until it has ended; return its status, negative if a signal ended it."""
        assert self._process is not None
        status = await self._process.wait()
        await asyncio.gather(*self._ears, return_exceptions=True)
        return status

    def signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        process = self._process
        if process is not None and process.returncode is None:
            process.send_signal(number)

    async def stop(self) -> None:
        """End it in order, by force if that takes too long."""
        if self._process is None:
            return
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self.ended()
        except TimeoutError:
            self.signal(signal.SIGKILL)
            await self.ended()
