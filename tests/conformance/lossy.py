"""Knows a proxy between an HTTP client and its server that loses requests and answers whole.

Must not know what they mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal
from urllib.parse import urlsplit

Fate = Literal["pass", "lose request", "lose answer"]


class LossyProxy:
    """Passes requests on; `fate` says of each, by its head, how far it gets."""

    def __init__(self, target: str, fate: Callable[[str], Fate]) -> None:
        where = urlsplit(target)
        self._target = (where.hostname, where.port)
        self._fate = fate
        self._tasks: set[asyncio.Task[None]] = set()
        self.fates: list[Fate] = []

    async def __aenter__(self) -> LossyProxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._target)
        try:
            while True:
                request = await _message(reader)
                fate = self._fate(request.partition(b"\r\n\r\n")[0].decode())
                self.fates.append(fate)
                if fate == "lose request":
                    return
                back.write(request)
                answer = await _message(there)
                if fate == "lose answer":
                    return
                writer.write(answer)
        finally:
            back.close()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """Return the next request or answer, with the body whose length it tells."""
    head = await reader.readuntil(b"\r\n\r\n")
    size = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            size = int(value)
    return head + await reader.readexactly(size)
