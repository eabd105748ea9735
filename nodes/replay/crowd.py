"""Knows the people of a recording as real clients. Must not know what is right."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence

from actorchat.client import Chat, Message, connect
from actorchat.errors import ActorchatError, Refusal, Unavailable
from nodes.replay.door import Doors

DEVICE = "replay"
AT_ONCE = 64  # sign-ins, questions and goodbyes under way together
SIGN_IN_TIMEOUT_S = 60.0
AGAIN_S = 0.2
START_PATIENCE_S = 20.0  # with a server whose nodes have not all found each other
RECONNECT_CAP_S = 3.0  # the server is one's own and comes back at once
CLOSE_FLUSH_S = 0.0  # whatever is unanswered at the end was judged already

Failed = Callable[[str, ActorchatError], None]
Read = Callable[[str, Message], None]


async def each(users: Iterable[str], do: Callable[[str], Awaitable[None]]) -> None:
    """Do something for every user, for `AT_ONCE` of them at a time."""
    rest = iter(users)

    async def work() -> None:
        for user in rest:
            await do(user)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())


class Crowd:
    """Everybody who takes part; each has one device. Thread: the loop's."""

    def __init__(
        self,
        doors: Doors,
        *,
        window: int,
        on_read: Read,
        on_ended: Failed,
        may_go_elsewhere: bool = False,
    ) -> None:
        self._doors = doors
        self._may_go_elsewhere = may_go_elsewhere
        self._window = window
        self._on_read = on_read
        self._on_ended = on_ended
        self._tokens: dict[str, str] = {}
        self._chats: dict[str, Chat] = {}
        self._readers: dict[str, asyncio.Task[None]] = {}
        self._left: list[Chat] = []  # clients whose people came in anew, by another door

    def chat(self, user: str) -> Chat:
        """Return the client of a user who is signed in."""
        return self._chats[user]

    @property
    def reconnects(self) -> int:
        """How often sessions were taken up again."""
        return sum(chat.reconnects for chat in self._all())

    @property
    def refused_max_s(self) -> float:
        """The longest that anybody's send was tried again before it was stored."""
        return max((chat.refused_max_s for chat in self._all()), default=0.0)

    @property
    def updates_repeated(self) -> tuple[int, int]:
        """How many updates came over the wire again, and how many messages as new updates."""
        counts = [chat.updates_repeated for chat in self._all()]
        return sum(resent for resent, _ in counts), sum(rewritten for _, rewritten in counts)

    @property
    def updates_skipped(self) -> int:
        """How many updates the server had no more when somebody came back."""
        return sum(chat.updates_skipped for chat in self._all())

    def _all(self) -> Iterator[Chat]:
        yield from self._chats.values()
        yield from self._left

    async def provision(
        self, operator: Chat, users: Collection[str], on_done: Callable[[], None]
    ) -> None:
        """Make the accounts, and a token for a device of each."""

        async def make(user: str) -> None:
            token = await _patiently(lambda: operator.provision(user, device=DEVICE))
            assert token is not None
            self._tokens[user] = token
            on_done()

        await each(sorted(users), make)

    async def sign_in(self, users: Collection[str], on_done: Callable[[], None]) -> None:
        """Connect users, and read what they get."""

        async def enter(user: str) -> None:
            await self._enter(user, self._doors.ways(user), None)
            on_done()

        await each(sorted(users), enter)

    async def change_doors(self, on_done: Callable[[], None]) -> None:
        """Have everybody leave, and come in by another door, going on where they were."""

        async def change(user: str) -> None:
            chat = self._chats[user]
            await chat.close(CLOSE_FLUSH_S)
            await self._readers[user]
            self._left.append(chat)
            await self._enter(user, self._doors.ways(user, 1), chat.cursor)
            on_done()

        await each(sorted(self._chats), change)

    async def _enter(self, user: str, addresses: Sequence[str], resume: int | None) -> None:
        # Others than the first are for when its node has gone for good, and not while it is killed.
        chat = connect(
            addresses if self._may_go_elsewhere else addresses[0],
            user=user,
            device=DEVICE,
            token=self._tokens[user],
            resume=resume,
            window=self._window,
            unsent_max=2**31,  # the run bounds how many are under way
            sign_in_timeout_s=SIGN_IN_TIMEOUT_S,
            reconnect_cap_s=RECONNECT_CAP_S,
            agent="actorchat-replay",
        )
        self._chats[user] = await chat.__aenter__()
        name = f"reader of {user}"
        self._readers[user] = asyncio.create_task(self._read(user, chat), name=name)

    async def _read(self, user: str, chat: Chat) -> None:
        on_read = self._on_read
        try:
            async for message in chat.messages():
                on_read(user, message)
        except ActorchatError as error:
            self._on_ended(user, error)

    async def close(self) -> None:
        """Sign everybody out."""

        async def leave(user: str) -> None:
            await self._chats[user].close(CLOSE_FLUSH_S)

        await each(list(self._chats), leave)
        await asyncio.gather(*self._readers.values())


async def _patiently(ask: Callable[[], Awaitable[str | None]]) -> str | None:
    """Ask again while a part of the server can't be reached, as just after its start."""
    until_s = time.monotonic() + START_PATIENCE_S
    while True:
        try:
            return await ask()
        except (Unavailable, Refusal) as error:
            if error.retry != "after" or time.monotonic() >= until_s:
                raise
            await asyncio.sleep(AGAIN_S)
