"""Knows how the supervisor of a cluster is asked for something by another command, and answers.
Must not know what can be asked.

A line of JSON each way, over a socket in a folder that only its owner can enter.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from actorchat.errors import ActorchatError, Unavailable

DESK = "supervisor"  # beside the nodes' own sockets, which are called as the nodes are
LINE_BYTES_MAX = 65_536
ANSWER_TIMEOUT_S = 90.0  # a node that is started is waited for

Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class Refused(ActorchatError):
    """The supervisor did not do it; `code` says why."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code  # type: ignore[misc]


class DeskAway(Unavailable):
    """Nobody answers there."""

    code = "not_running"


class Desk:
    """Where the supervisor is asked. Thread: the loop's.

    Args:
        answer: Does what a request asks for; an ActorchatError that it raises is the answer.
    """

    def __init__(self, path: Path, answer: Answer) -> None:
        self._path = path
        self._answer = answer
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen; whoever listened there before has ended."""
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(
            self._serve, self._path, limit=LINE_BYTES_MAX
        )

    async def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            said = await self._said(await reader.readline())
            writer.write(json.dumps(said).encode() + b"\n")
            await writer.drain()
        except (OSError, ValueError):
            pass  # it has gone, or is no command of ours
        finally:
            writer.close()

    async def _said(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
        except ValueError:
            request = None
        if not isinstance(request, dict):
            return {"code": "bad_request", "text": "no request"}
        try:
            return await self._answer(request)
        except ActorchatError as error:
            return {"code": error.code, "text": str(error)}


async def ask(path: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Return what the supervisor that listens at `path` answers.

    Raises:
        DeskAway: Nobody listens there, or it ended before it answered.
        Refused: It did not do it.
    """
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            reader, writer = await asyncio.open_unix_connection(path, limit=LINE_BYTES_MAX)
            try:
                writer.write(json.dumps(request).encode() + b"\n")
                line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        raise DeskAway(f"the cluster's supervisor does not answer: {error}") from None
    if not line:
        raise DeskAway("the cluster's supervisor ended before it answered")
    said: dict[str, Any] = json.loads(line)
    if "code" in said:
        raise Refused(str(said["code"]), str(said["text"]))
    return said
