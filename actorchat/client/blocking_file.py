"""Knows what a program without a loop can do with files. Must not know how it is done."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from actorchat.client import aio
from actorchat.client.file import DroppedFile, OwnFiles
from actorchat.client.message import Sent
from actorchat.client.transfer import Progress
from actorchat.protocol.ops import FileRef

Result = TypeVar("Result")


class BlockingFileCalls:
    """The file methods of the asyncio `Chat`, each of which waits for its result.

    `on_progress` is called on the client's own thread.
    """

    _chat: aio.Chat

    def _run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        raise NotImplementedError

    def send_file(
        self,
        to: str,
        path: str | Path,
        text: str = "",
        *,
        type: str | None = None,
        cid: bytes | None = None,
        on_progress: Progress | None = None,
    ) -> Sent:
        """Bring the file at `path` to the server, and send a message that refers to it."""
        sending = self._chat.send_file(to, path, text, type=type, cid=cid, on_progress=on_progress)
        return self._run(sending)

    def upload(
        self, path: str | Path, *, type: str | None = None, on_progress: Progress | None = None
    ) -> FileRef:
        """Bring the file at `path` to the server, unless it has it; return what to refer to."""
        return self._run(self._chat.upload(path, type=type, on_progress=on_progress))

    def download(
        self, file: FileRef | bytes, path: str | Path, *, on_progress: Progress | None = None
    ) -> int:
        """Fetch `file`, as a message refers to it, to `path`; return its size in bytes."""
        return self._run(self._chat.download(file, path, on_progress=on_progress))

    def files(self) -> OwnFiles:
        """Return all files that are the user's, and what counts against the quota."""
        return self._run(self._chat.files())

    def drop_file(self, sha256: bytes) -> DroppedFile:
        """Have a file be the user's no more; doing so again changes nothing."""
        return self._run(self._chat.drop_file(sha256))
