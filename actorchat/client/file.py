"""Knows what an application can do with files. Must not know how a file travels."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import Awaitable, Callable
from pathlib import Path

from msgspec import Struct, structs

from actorchat.client import event
from actorchat.client.message import Sent
from actorchat.client.people import read
from actorchat.client.transfer import (
    UNKNOWN_TYPE,
    Broken,
    Door,
    Grant,
    Progress,
    bring,
    fetch,
    hash_of,
)
from actorchat.errors import ConnectionLost, Refusal
from actorchat.limits import FILE_TRIES_MAX, RECONNECT_BASE_S
from actorchat.protocol import ops
from actorchat.protocol.ops import Extra, FileRef


class OwnFile(Struct, frozen=True):
    """A file that is the user's: its SHA-256, bytes, media type, and since when (ms)."""

    sha256: bytes
    size: int
    type: str
    created: int


class OwnFiles(Struct, frozen=True):
    """The user's files, by hash; `used` bytes of `count` files count against `quota`."""

    files: list[OwnFile]
    used: int
    count: int
    quota: int
    more: bool = False  # of a page of it: files follow


class DroppedFile(Struct, frozen=True):
    """Whether the file was the user's, and what counts against the quota now."""

    dropped: bool
    used: int
    count: int


class FileCalls:
    """What `Chat` can do with files.

    A file travels over HTTP, beside the messages. What got lost on the way is brought again from
    its beginning, and fetched again from where it broke off, up to 5 times.
    """

    async def _ask(self, request: event.Request) -> dict[str, object]:
        raise NotImplementedError

    def _door(self) -> Door:
        raise NotImplementedError

    async def send(
        self, to: str, text: str, *, cid: bytes | None = None, extra: Extra | None = None
    ) -> Sent:
        """Send a message."""
        raise NotImplementedError

    async def send_file(
        self,
        to: str,
        path: str | Path,
        text: str = "",
        *,
        type: str | None = None,
        cid: bytes | None = None,
        on_progress: Progress | None = None,
    ) -> Sent:
        """Bring the file at `path` to the server, and send a message that refers to it.

        Args:
            to: A user, or a group.
            text: What stands beside it.
            cid: Of the message; to repeat it with the same file and text is always safe.
        Raises: as `upload`, and as `send`.
        """
        file = await self.upload(path, type=type, on_progress=on_progress)
        return await self.send(to, text, cid=cid, extra=Extra(kind="file", files=[file]))

    async def upload(
        self, path: str | Path, *, type: str | None = None, on_progress: Progress | None = None
    ) -> FileRef:
        """Bring the file at `path` to the server, unless it has it; return what to refer to it by.

        Args:
            type: The media type; by default the one that the name suggests.
            on_progress: Called with (bytes that went out, bytes in all), on the client's thread.
        Raises:
            OSError: The file can't be read.
            Refusal: `too_large`, `quota_exceeded`, `store_full`, `unsupported`, … `size_mismatch`
                and `hash_mismatch`: it was changed meanwhile.
            ConnectionLost: It did not get through; bringing it again is safe.
        """
        source = Path(path)
        sha256, size = await asyncio.to_thread(hash_of, source)
        media_type = type or mimetypes.guess_type(source.name)[0] or UNKNOWN_TYPE

        async def once() -> None:
            grant = read(await self._ask(ops.Upload(0, sha256, size, media_type)), Grant)
            if not grant.stored:
                await bring(self._door(), grant, source, size, media_type, on_progress)
            elif on_progress is not None:
                on_progress(size, size)

        await _persist(once)
        return FileRef(sha256, size, media_type, source.name)

    async def download(
        self, file: FileRef | bytes, path: str | Path, *, on_progress: Progress | None = None
    ) -> int:
        """Fetch `file`, as a message refers to it, to `path`; return its size in bytes.

        Its SHA-256 alone will do: who knows that may have the file.

        What stands there is replaced once all is here and has that hash; until then the bytes are
        in `path` with `.part` behind it, where they stay when it breaks off, for the next time.

        Raises:
            OSError: The file can't be written.
            Refusal: `no_such_file`, `unsupported`, …
            ConnectionLost: It did not get through.
        """
        sha256 = file if isinstance(file, bytes) else file.hash
        size = 0

        async def once() -> None:
            nonlocal size
            grant = read(await self._ask(ops.Download(0, sha256)), Grant)
            size = grant.size
            await fetch(self._door(), grant, sha256, Path(path), on_progress)

        await _persist(once)
        return size

    async def files(self) -> OwnFiles:
        """Return all files that are the user's, and what counts against the quota.

        Raises:
            Refusal: `busy`.
        """
        page = found = read(await self._ask(ops.Files(0)), OwnFiles)
        while page.more and page.files:
            page = read(await self._ask(ops.Files(0, page.files[-1].sha256)), OwnFiles)
            found.files.extend(page.files)
        return structs.replace(page, files=found.files, more=False)

    async def drop_file(self, sha256: bytes) -> DroppedFile:
        """Have a file be the user's no more; doing so again changes nothing.

        Messages that refer to it do so still.

        Raises:
            Refusal: `store_full`, `busy`.
        """
        return read(await self._ask(ops.DropFile(0, sha256)), DroppedFile)


async def _persist(once: Callable[[], Awaitable[None]]) -> None:
    """Do `once` until it is through, but not for ever.

    A ticket is good once, so one that got lost with its answer is asked for again.

    Raises:
        ConnectionLost: It broke each time.
        Refusal: The server does not want it.
    """
    reason = ""
    for failures in range(FILE_TRIES_MAX):
        wait_s = RECONNECT_BASE_S * (2**failures - 1)
        try:
            await once()
            return
        except Broken as error:
            reason = str(error)
        except Refusal as error:
            may_change = error.retry in {"now", "after"} or error.code == "unauthenticated"
            if not may_change or failures == FILE_TRIES_MAX - 1:
                raise
            wait_s = max(wait_s, (error.after_ms or 0) / 1000)
        await asyncio.sleep(wait_s)
    raise ConnectionLost(f"the file did not get through: {reason}")
