"""Knows how files come in and go out: from a ticket to a file on disk that is somebody's.
Must not know sockets or HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from actorchat import logs
from actorchat.broker.file import FILES
from actorchat.chat.event import Answer, Refused
from actorchat.chat.file import Abandoned, Admit, Arrived, Claimed, Pass
from actorchat.errors import MailboxFull, Refusal, StoreFull, Unavailable
from actorchat.limits import CALL_TIMEOUT_S, FILE_TRANSFERS_MAX, FILE_TRANSFERS_USER_MAX

if TYPE_CHECKING:
    from actorchat.broker.context import Context
    from actorchat.store.blobs import Partial

log = logs.logger(__name__)
Result = TypeVar("Result")

BUSY = "so many transfers at once are not taken"


class Shelves(Protocol):
    """Where files are kept; `store.blobs.Blobs`, whose methods block."""

    def begin(self, size: int) -> Partial:
        """Return a new file, of which `size` bytes are expected."""
        ...

    def path(self, sha256: bytes) -> Path:
        """Return where the file with this hash is, if it is."""
        ...


# Runs a function off the loop's thread; ends with its result, or what it raised.
Offload = Callable[..., Awaitable[Any]]


class Outgoing(NamedTuple):
    """A file that may be fetched."""

    path: Path
    size: int
    type: str


class _Letter:
    """Waits for one answer of an actor."""

    __slots__ = ("_future",)

    def __init__(self) -> None:
        self._future: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    def tell(self, event: object) -> None:
        """Take the answer."""
        if not self._future.done():
            self._future.set_result(event)

    async def read(self, timeout_s: float) -> Any:
        """Return it.

        Raises:
            Refusal: It is one, or none came in time: then the outcome is unknown.
        """
        try:
            event = await asyncio.wait_for(self._future, timeout_s)
        except TimeoutError:
            raise Refusal("unavailable", "no answer in time", "after", "unknown", 1_000) from None
        if isinstance(event, Refused):
            raise Refusal(event.code, event.reason, event.retry, event.outcome, event.after_ms)
        return event


class Depot:
    """Takes files in and gives them out. Thread: the loop's; the disk is another thread's.

    At most `transfers_max` files are under way at once, `transfers_user_max` of one user, and each
    has at most one job with the threads: so these never have more jobs than that waiting.
    """

    def __init__(
        self,
        context: Context,
        blobs: Shelves,
        offload: Offload,
        transfers_max: int = FILE_TRANSFERS_MAX,
        transfers_user_max: int = FILE_TRANSFERS_USER_MAX,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        self._context = context
        self._blobs = blobs
        self._offload = offload
        self._transfers_max = transfers_max
        self._transfers_user_max = transfers_user_max
        self._timeout_s = timeout_s
        self._by_user: dict[str, int] = {}
        self.transfers = 0
        self.received = self.sent = self.refused = 0

    @contextlib.asynccontextmanager
    async def upload(self, ticket: str, sha256: bytes) -> AsyncIterator[Upload]:
        """Let who has `ticket` bring the file; it is thrown away unless `Upload.finish` was called.

        Raises:
            Refusal: `unauthenticated`: the ticket is not good. `busy`, `unavailable`: not now.
        """
        async with self._transfer(Claimed(_Letter(), sha256, True, ticket)) as granted:
            upload = Upload(self, granted)
            try:
                yield upload
            finally:
                await upload.end()

    @contextlib.asynccontextmanager
    async def download(
        self, sha256: bytes, ticket: str, user: str = "", device: str = "", token: str = ""
    ) -> AsyncIterator[Outgoing]:
        """Let somebody fetch the file with this hash, by a ticket or as a device.

        Raises:
            Refusal: `unauthenticated`, `no_such_file`, `busy`, `unavailable`.
        """
        claim = Claimed(_Letter(), sha256, False, ticket, user, device, token)
        async with self._transfer(claim) as granted:
            path = self._blobs.path(sha256)
            if not await self._offload(path.is_file):
                log.error("a file is missing", path=str(path))
                raise Refusal("no_such_file", "the file is gone")
            self.sent += 1
            yield Outgoing(path, granted.size, granted.type)

    def counts(self) -> dict[str, int]:
        """Return the counters."""
        return {
            "file_transfers": self.transfers,
            "files_received": self.received,
            "files_sent": self.sent,
            "files_refused": self.refused,
        }

    @contextlib.asynccontextmanager
    async def _transfer(self, claim: Claimed) -> AsyncIterator[Pass]:
        if self.transfers >= self._transfers_max:
            self.refused += 1
            raise Refusal("busy", BUSY, "after", "none", 1_000)
        self.transfers += 1
        granted: Pass | None = None
        try:
            granted = await self._claim(claim)
            under_way = self._by_user.get(granted.user, 0)
            self._by_user[granted.user] = under_way + 1
            if under_way >= self._transfers_user_max:
                raise Refusal("busy", BUSY, "after", "none", 1_000)
            yield granted
        except Refusal:
            self.refused += 1
            raise
        finally:
            self.transfers -= 1
            if granted is not None:
                left = self._by_user.pop(granted.user) - 1
                if left:
                    self._by_user[granted.user] = left
                if granted.reserved:
                    self._tell(Abandoned(granted))

    async def _claim(self, claim: Claimed) -> Pass:
        letter = claim.reply
        assert isinstance(letter, _Letter)
        if not self._tell(claim):
            raise Refusal("busy", BUSY, "after", "none", 1_000)
        admitted = await letter.read(self._timeout_s)
        assert isinstance(admitted, Admit)
        return admitted.pass_

    def _tell(self, event: object) -> bool:
        desk = self._context.system.names.whereis(FILES)
        if desk is None:
            return False
        try:
            desk.tell(event)
        except MailboxFull:
            return False
        return True

    # -- for uploads -------------------------------------------------------------------------------
    async def run(self, work: Callable[..., Result], *args: Any) -> Result:
        """Do `work` off the loop; the disk's errors become refusals.

        Raises:
            Refusal: `store_full` or `unavailable`; nothing was done.
        """
        try:
            result: Result = await self._offload(work, *args)
        except StoreFull as error:
            raise Refusal(error.code, str(error), "after", "none", 1_000) from error
        except Unavailable as error:
            log.error("the disk of the files fails", reason=str(error))
            raise Refusal(error.code, str(error), "after", "none", 1_000) from error
        return result

    async def begin(self, size: int) -> Partial:
        """Return a new file of `size` bytes, in which nothing is yet."""
        return await self.run(self._blobs.begin, size)

    async def record(self, granted: Pass) -> Answer:
        """Make the file, which is on disk, the user's; return when that is durable.

        Raises:
            Refusal: It is not; `outcome` says whether it may be.
        """
        letter = _Letter()
        if not self._tell(Arrived(letter, granted)):
            raise Refusal("busy", BUSY, "after", "none", 1_000)
        answer = await letter.read(self._timeout_s)
        assert isinstance(answer, Answer)
        self.received += 1
        return answer


class Upload:
    """One file on its way in."""

    __slots__ = ("_depot", "_job", "_partial", "granted")

    def __init__(self, depot: Depot, granted: Pass) -> None:
        self.granted = granted
        self._depot = depot
        self._partial: Partial | None = None
        self._job: asyncio.Future[Any] | None = None  # with the threads

    @property
    def size(self) -> int:
        """How many bytes were declared."""
        return self.granted.size

    @property
    def type(self) -> str:
        """Which media type was declared."""
        return self.granted.type

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes.

        Raises:
            Refusal: `size_mismatch`: they are too many; `store_full`, `unavailable`.
        """
        partial = self._partial
        if partial is None:
            partial = self._partial = await self._do(self._depot.begin, self.size)
        if partial.size + len(chunk) > self.size:
            raise Refusal("size_mismatch", f"more than {self.size} bytes came")
        await self._do(self._depot.run, partial.write, chunk)

    async def finish(self) -> Answer:
        """Put the file in its place, and make it the user's; return when both are durable.

        Raises:
            Refusal: `size_mismatch`, `hash_mismatch`: it is not what was declared; and others.
        """
        if self._partial is None:
            await self.write(b"")
        partial = self._partial
        assert partial is not None
        if partial.size != self.size:
            reason = f"{partial.size} bytes came where {self.size} were declared"
            raise Refusal("size_mismatch", reason)
        if partial.digest() != self.granted.sha256:
            raise Refusal("hash_mismatch", "what came has another SHA-256 than was declared")
        await self._do(self._depot.run, partial.keep)
        return await self._depot.record(self.granted)

    async def end(self) -> None:
        """Throw away what is not in its place."""
        # Not to be stopped half way: whoever brought it may be gone, and its task cancelled.
        await asyncio.shield(asyncio.ensure_future(self._end()))

    async def _do(self, work: Callable[..., Awaitable[Result]], *args: Any) -> Result:
        """Do one thing at a time; what was begun is not stopped, and `end` waits for it."""
        job = self._job = asyncio.ensure_future(work(*args))
        return await asyncio.shield(job)

    async def _end(self) -> None:
        job, partial = self._job, self._partial
        self._partial = None
        if job is not None:
            await asyncio.wait({job})
            begun = None if job.cancelled() or job.exception() else job.result()
            if partial is None and hasattr(begun, "drop"):
                partial = begun  # it was cancelled just then
        if partial is not None:
            await self._depot.run(partial.drop)
