"""Knows the face of a client for programs without a loop. Must not know how the other one works.

Each client has a thread with a loop of its own. Its methods may be called from any thread.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from types import TracebackType
from typing import Any, Literal, TypeVar

from actorchat.client import aio
from actorchat.client.blocking_act import BlockingActCalls
from actorchat.client.blocking_block import BlockingBlockCalls
from actorchat.client.blocking_bot import BlockingBotCalls
from actorchat.client.blocking_export import BlockingExportCalls
from actorchat.client.blocking_file import BlockingFileCalls
from actorchat.client.blocking_group import BlockingGroupCalls
from actorchat.client.event import State
from actorchat.client.feed import Feed
from actorchat.client.flagged import Flagged
from actorchat.client.locate import Located, Whereabouts
from actorchat.client.locate import locate as aio_locate
from actorchat.client.message import Entry, Message, Page, Progress, Sent
from actorchat.client.people import Conversation, DeviceInfo, Flags, Profile
from actorchat.client.presence import Presence, Signal
from actorchat.client.search import Hit
from actorchat.errors import CallTimeout
from actorchat.protocol import ops

Result = TypeVar("Result")
News = TypeVar("News")


def connect(address: str | Sequence[str], *, user: str, device: str, **options: Any) -> Chat:
    """Return a client; `with` connects it, signs in, and closes it.

    The options are those of the asyncio face: `token`, `password` or `operator`, and the rest.
    """
    return Chat(aio.connect(address, user=user, device=device, **options))


def locate(address: str, user: str, **options: Any) -> Located:
    """Return which node `user` is best served by, as the asyncio face does."""
    return asyncio.run(aio_locate(address, user, **options))


class Chat(
    BlockingGroupCalls,
    BlockingActCalls,
    BlockingFileCalls,
    BlockingBotCalls,
    BlockingBlockCalls,
    BlockingExportCalls,
):
    """The asyncio `Chat`, method for method, but that each call waits for its result."""

    def __init__(self, chat: aio.Chat) -> None:
        self._chat = chat
        self._loop: asyncio.AbstractEventLoop
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Chat:
        """Start the thread, connect and sign in; raises as the asyncio face does."""
        self._loop = asyncio.new_event_loop()
        name = "actorchat-client"
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()
        try:
            self._run(self._chat.__aenter__())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close; unless an exception is on its way, wait shortly for what was posted."""
        self.close(aio.CLOSE_TIMEOUT_S if kind is None else 0)

    def close(self, flush_timeout_s: float = aio.CLOSE_TIMEOUT_S) -> None:
        """Close the client and join its thread; a second time does nothing."""
        if self._thread is not None:
            try:
                self._run(self._chat.close(flush_timeout_s))
            finally:
                self._stop()

    def _stop(self) -> None:
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        thread.join()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        # One more turn lets the cancelled ones end, whoever waits for them.
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def _submit(self, coroutine: Coroutine[Any, Any, Result]) -> concurrent.futures.Future[Result]:
        if self._thread is None:
            coroutine.close()
            raise RuntimeError("the client is not open")
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def _run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        future = self._submit(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # the caller was interrupted
            raise

    @property
    def state(self) -> State:
        """Where the client stands now."""
        return self._chat.state

    @property
    def token(self) -> str | None:
        """The token that signs this device in; keep it instead of the password."""
        return self._chat.token

    @property
    def cursor(self) -> int | None:
        """The last update that the application took, with all before it; None before the first."""
        return self._chat.cursor

    def wait_signed_in(self, timeout_s: float | None = None) -> None:
        """Return when the session is open; raises as the asyncio face does."""
        self._run(self._chat.wait_signed_in(timeout_s))

    def flush(self, timeout_s: float | None = None) -> None:
        """Return when everything that was posted has been answered."""
        self._run(self._chat.flush(timeout_s))

    def send(
        self, to: str, text: str, *, cid: bytes | None = None, extra: ops.Extra | None = None
    ) -> Sent:
        """Send `text` to user, or group, `to`; return when it is durable."""
        return self._run(self._chat.send(to, text, cid=cid, extra=extra))

    def post(
        self, to: str, text: str, *, cid: bytes | None = None, extra: ops.Extra | None = None
    ) -> concurrent.futures.Future[Sent]:
        """Send without waiting; the future has the answer, or what was wrong with the send."""
        return self._submit(self._chat.send(to, text, cid=cid, extra=extra))

    def receive(self, timeout_s: float | None = None) -> Message | None:
        """Return the next message; None when the client was closed.

        Raises:
            CallTimeout: None came in time.
        """
        coming = self._next(self._chat.messages(), timeout_s)
        return self._run(coming)

    def messages(self) -> Iterator[Message]:
        """Iterate over what is delivered to this device, until the client is closed."""
        while (message := self.receive()) is not None:
            yield message

    def marks(self) -> Iterator[Progress]:
        """Iterate over how far others got, until the client is closed."""
        while True:
            coming = self._next(self._chat.marks(), None)
            if (progress := self._run(coming)) is None:
                return
            yield progress

    def flagged(self) -> Iterator[Flagged]:
        """Iterate over flags that the user's other devices set, until the client is closed."""
        while True:
            coming = self._next(self._chat.flagged(), None)
            if (news := self._run(coming)) is None:
                return
            yield news

    def watch(self, *users: str) -> list[Presence]:
        """Return who of `users` is online; `presence` has what changes."""
        return self._run(self._chat.watch(*users))

    def unwatch(self, *users: str) -> None:
        """Say that `users` are not looked at any more."""
        self._run(self._call(self._chat.unwatch, *users))

    def presence(self) -> Iterator[Presence]:
        """Iterate over changes of watched users, until the client is closed."""
        while True:
            coming = self._next(self._chat.presence(), None)
            if (sight := self._run(coming)) is None:
                return
            yield sight

    def signals(self) -> Iterator[Signal]:
        """Iterate over who is typing to this user, until the client is closed."""
        while True:
            coming = self._next(self._chat.signals(), None)
            if (signal := self._run(coming)) is None:
                return
            yield signal

    def signal(self, to: str, kind: ops.SignalKind = "typing") -> None:
        """Show `to` that a message is being made; may get lost."""
        self._run(self._call(self._chat.signal, to, kind))

    def privacy(self, level: ops.PrivacyLevel | None = None) -> ops.PrivacyLevel:
        """Set who may see when this user is online, and whom they see; return the setting."""
        return self._run(self._chat.privacy(level))

    async def _next(self, feed: Feed[News], timeout_s: float | None) -> News | None:
        try:
            async with asyncio.timeout(timeout_s):
                async for news in feed:
                    return news
        except TimeoutError:
            raise CallTimeout(f"nothing came in {timeout_s:g} s") from None
        return None

    def ack(self, upd: int) -> None:
        """Tell the server that everything up to `upd` is safe; for `ack="manual"`."""
        self._run(self._call(self._chat.ack, upd))

    def mark_read(self, conv: str, seq: int) -> None:
        """Tell the server that the user read the conversation with `conv` up to `seq`."""
        self._run(self._call(self._chat.mark_read, conv, seq))

    async def _call(self, method: Callable[..., None], *args: object) -> None:
        method(*args)

    def history(
        self,
        conv: str,
        *,
        before: int | None = None,
        after: int = 0,
        limit: int = 50,
        around: int | None = None,
        **options: Any,
    ) -> Page:
        """Return a page of the conversation with `conv`, as the asyncio face does."""
        options |= {"before": before, "after": after, "limit": limit, "around": around}
        return self._run(self._chat.history(conv, **options))

    def history_pages(self, conv: str, **options: Any) -> Iterator[Page]:
        """Iterate over pages, as the asyncio face does and with its options."""
        pages = self._chat.history_pages(conv, **options)
        while (page := self._run(_following(pages))) is not None:
            yield page

    def history_entries(self, conv: str, **options: Any) -> Iterator[Entry]:
        """Iterate over what was written, as the asyncio face does and with its options."""
        entries = self._chat.history_entries(conv, **options)
        while (entry := self._run(_following(entries))) is not None:
            yield entry

    def search(
        self, text: str, *, conv: str | None = None, before: int | None = None, limit: int = 20
    ) -> list[Hit]:
        """Return the newest messages that have all words of `text`, as the asyncio face does."""
        return self._run(self._chat.search(text, conv=conv, before=before, limit=limit))

    def conversations(self) -> list[Conversation]:
        """Return all conversations of the user, in an order of the server's."""
        return self._run(self._chat.conversations())

    def flag(
        self,
        conv: str,
        *,
        muted: bool | None = None,
        archived: bool | None = None,
        pinned: bool | None = None,
    ) -> Flags:
        """Set the user's flags of the conversation with `conv`; return them as they are now."""
        return self._run(self._chat.flag(conv, muted=muted, archived=archived, pinned=pinned))

    def devices(self) -> list[DeviceInfo]:
        """Return the user's devices."""
        return self._run(self._chat.devices())

    def rename(self, device: str, title: str) -> None:
        """Have the user's own `device` shown as `title`."""
        self._run(self._chat.rename(device, title))

    def profile(self, user: str) -> Profile:
        """Return what `user` says of oneself."""
        return self._run(self._chat.profile(user))

    def describe(self, title: str | None = None, about: str | None = None) -> Profile:
        """Say of oneself what others may read; None leaves a text as it is."""
        return self._run(self._chat.describe(title, about))

    def contacts(self) -> list[str]:
        """Return the user's contacts, by name."""
        return self._run(self._chat.contacts())

    def add_contact(self, user: str) -> None:
        """Make `user` one of the user's contacts."""
        self._run(self._chat.add_contact(user))

    def remove_contact(self, user: str) -> None:
        """Drop `user` from the user's contacts."""
        self._run(self._chat.remove_contact(user))

    def delete_account(self, password: str) -> None:
        """End the user's account for good, as the asyncio face does."""
        self._run(self._chat.delete_account(password))

    def change_password(
        self, old: str, new: str, *, revoke_others: bool = False, keep: Sequence[str] = ()
    ) -> None:
        """Change the user's password, as the asyncio face does."""
        self._run(self._chat.change_password(old, new, revoke_others=revoke_others, keep=keep))

    def revoke(self, device: str) -> None:
        """Make the token of the user's own `device` void and end its session."""
        self._run(self._chat.revoke(device))

    def provision(
        self, user: str, *, password: str | None = None, device: str | None = None
    ) -> str | None:
        """Make an account, or a token for a device of it, which is returned; for operators."""
        return self._run(self._chat.provision(user, password=password, device=device))

    def status(self) -> dict[str, int | str]:
        """Return the node's counters; for operators."""
        return self._run(self._chat.status())

    def whereis(self, user: str) -> Whereabouts:
        """Return where a user is; for operators."""
        return self._run(self._chat.whereis(user))

    def actors(
        self,
        view: Literal["tree", "top", "info"] = "tree",
        *,
        by: Literal["queue", "reductions", "memory"] = "queue",
        count: int = 10,
        who: str | None = None,
    ) -> dict[str, Any]:
        """Return what the node's actors are doing, as the asyncio face does; for operators."""
        return self._run(self._chat.actors(view, by=by, count=count, who=who))


async def _following(iterator: AsyncIterator[News]) -> News | None:
    return await anext(iterator, None)
