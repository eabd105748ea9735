"""Knows a conversation in lines, on a terminal or through pipes. Must not know the protocol."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from actorchat.errors import ActorchatError
from actorchat.ids import is_group
from actorchat.protocol.ops import Extra
from nodes.cli import acting
from nodes.cli.attachment import free_path
from nodes.cli.failure import explain
from nodes.cli.file import files_of
from nodes.cli.said import is_shown, text_of
from nodes.cli.sight import Sight
from nodes.cli.terminal import message_line, note, visible
from nodes.history import last_entries

if TYPE_CHECKING:
    from actorchat.client import Chat, Message, Progress, Sent

SHOWN_AT_START = 10
HISTORY_SHOWN = 20
FLUSH_S = 10.0
HELP = (
    "/with NAME  talk with another    /history [N]  show the last N messages\n"
    "/who        whom you talk with   /quit         leave (or end of input)\n"
    "/file PATH  send a file              /get SEQ      fetch the files of a message\n"
    "/block      keep the other away  /unblock      let them reach you again\n"
    "/groups     the groups you are in\n"
    "/search WORDS  find messages, in this conversation or in all of yours\n"
    "//text      send a text that begins with /\n"
    f"{acting.HELP}"
)


async def lines_of_stdin() -> AsyncIterator[str]:
    """Yield the lines of standard input, whatever it is, without holding up the loop.

    A thread reads the descriptor itself: a regular file can't be waited for on a loop, making a
    terminal non-blocking would do so to the shell, and a thread inside `sys.stdin` would hold its
    lock when the process ends.
    """
    loop = asyncio.get_running_loop()
    chunks: asyncio.Queue[bytes] = asyncio.Queue()
    descriptor = sys.stdin.fileno()

    def work() -> None:
        chunk = b"more"
        while chunk:
            try:
                chunk = os.read(descriptor, 65_536)
            except OSError:
                chunk = b""
            try:
                loop.call_soon_threadsafe(chunks.put_nowait, chunk)
            except RuntimeError:  # the loop was closed: nobody listens
                return

    threading.Thread(target=work, name="stdin", daemon=True).start()
    rest = b""
    while chunk := await chunks.get():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace").removesuffix("\r")
    if rest:
        yield rest.decode(errors="replace")


class Talk:
    """A line mode conversation of `user`; `say` prints a line."""

    def __init__(self, client: Chat, user: str, say: Callable[[str], None]) -> None:
        self._client = client
        self._user = user
        self._say = say
        self._other: str | None = None
        self._shown: dict[str, int] = {}  # the last seq that was printed, by conversation
        self._sent: dict[str, int] = {}  # the last seq of ours, by conversation
        self._told: dict[tuple[str, str, str], int] = {}  # ticks that were printed
        self._files: set[asyncio.Future[Sent]] = set()  # on their way
        self._is_good = True
        self._sight = Sight(client, self._dim)

    async def run(self, other: str | None, lines: AsyncIterator[str]) -> bool:
        """Talk until the input ends or /quit; say whether every message was stored.

        Raises:
            ActorchatError: The session ended, or the first history can't be read.
        """
        if other is not None:
            await self._turn_to(other)
        else:
            self._say("Choose whom to talk with: /with NAME; /help shows more.")
        coming = [self._listen(), self._watch(), self._sight.watch(), self._sight.listen()]
        listeners = [asyncio.create_task(one) for one in (*coming, self._watch_flags())]
        reading = asyncio.create_task(self._read(lines))
        try:
            await asyncio.wait([reading, *listeners], return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                await reading
                await asyncio.gather(*self._files, return_exceptions=True)
                await self._client.flush(FLUSH_S)
                await asyncio.sleep(0)  # the last ticks are printed by callbacks
            for task in listeners:
                if task.done():
                    await task
        finally:
            for task in [reading, *listeners]:
                task.cancel()
            await asyncio.gather(reading, *listeners, return_exceptions=True)
        return self._is_good

    # -- what comes --------------------------------------------------------------------------------
    async def _listen(self) -> None:
        async for message in self._client.messages():
            self._on_message(message)
            message.ack()

    def _on_message(self, message: Message) -> None:
        conv = message.conversation
        if message.seq > self._shown.get(conv, 0):
            self._shown[conv] = message.seq
            if not is_shown(message):
                self._client.mark_read(conv, message.seq)
                return
            line = message_line(
                message.sender, message.seq, message.ts, text_of(message), message.to
            )
            self._say(line)
            if conv != self._other and not message.own:
                self._dim(f"  /with {conv} to answer")
        if conv == self._other and not message.own:
            self._client.mark_read(conv, message.seq)

    async def _watch(self) -> None:
        async for progress in self._client.marks():
            self._on_progress(progress)

    def _on_progress(self, progress: Progress) -> None:
        if progress.user == self._user:
            return
        # With a group, `conv` is its address; with a user it may be either of the two.
        conv = progress.conv if is_group(progress.conv) else progress.user
        other, sent = progress.user, self._sent.get(conv, 0)
        for word, reached in (("delivered to", progress.delivered), ("read by", progress.read)):
            seq = min(reached, sent)
            if seq > self._told.get((word, conv, other), 0):
                self._told[word, conv, other] = seq
                self._dim(f"  ✓✓ {word} {other} up to #{seq}")

    async def _watch_flags(self) -> None:
        async for news in self._client.flagged():
            flags = news.flags
            names = [name for name in flags.__struct_fields__ if getattr(flags, name)]
            self._dim(f"  {news.conv} is {' and '.join(names) or 'as usual'} now")

    # -- what is typed -----------------------------------------------------------------------------
    async def _read(self, lines: AsyncIterator[str]) -> None:
        async for line in lines:
            if line.startswith("/") and not line.startswith("//"):
                word, _, rest = line.partition(" ")
                if word == "/quit":
                    return
                try:
                    await self._command(word, rest.strip())
                except (ActorchatError, OSError) as error:
                    self._fail(error)
            elif line.strip():
                self._post(line.removeprefix("/") if line.startswith("//") else line)

    async def _command(self, word: str, rest: str) -> None:
        match word:
            case "/with" if rest:
                await self._turn_to(rest)
            case "/history":
                await self._show(int(rest) if rest.isdigit() and int(rest) else HISTORY_SHOWN)
            case "/search" if rest:
                for hit in reversed(await self._client.search(rest, conv=self._other)):
                    one = hit.entry
                    line = message_line(one.sender, one.seq, one.ts, text_of(one))
                    self._say(f"{hit.conv}: {line}")
            case "/who":
                whom = f"talks with {self._other}" if self._other else "talks with nobody yet"
                self._say(f"{self._user} {whom}; {self._client.state.value}")
            case "/file" if rest:
                self._send_file(Path(rest).expanduser())
            case "/get" if rest.isdigit() and self._other is not None:
                await self._get(self._other, int(rest))
            case "/reply":
                number, _, text = rest.partition(" ")
                if number.isdecimal() and int(number) and text.strip():
                    self._post(text.strip(), int(number))
                else:
                    self._say("/reply N TEXT")
            case _ if word in acting.WORDS and self._other is not None:
                await self._client.flush(FLUSH_S)  # it may be about what is on its way
                done = await acting.act(self._client, self._other, word, rest)
                self._dim(f"  ✓ {done}") if done else self._say(HELP)
            case "/block" | "/unblock" if self._other is not None:
                await self._block(self._other, word == "/block")
            case "/groups":
                await self._show_groups()
            case "/help":
                self._say(HELP)
            case _:
                self._say(f"{word}: no such command, or something is missing; /help shows all")

    async def _block(self, other: str, on: bool) -> None:
        await (self._client.block(other) if on else self._client.unblock(other))
        self._dim(f"  {other} is {'blocked' if on else 'not blocked'}")

    async def _show_groups(self) -> None:
        for one in sorted(await self._client.groups(), key=lambda one: one.title.casefold()):
            unread = f", {one.unread} unread" if one.unread else ""
            title = visible(one.title)
            self._say(f"{one.conv} {title}: {one.size} members, you are {one.role}{unread}")

    async def _turn_to(self, other: str) -> None:
        before, self._other = self._other, other
        try:
            await self._show(SHOWN_AT_START)
        except ActorchatError:
            self._other = before
            raise
        await self._sight.turn_to(other)

    async def _show(self, limit: int) -> None:
        if self._other is None:
            self._say("Choose whom to talk with first: /with NAME")
            return
        other = self._other
        entries = await last_entries(self._client, other, limit)
        for entry in filter(is_shown, entries):
            self._say(message_line(entry.sender, entry.seq, entry.ts, text_of(entry)))
        if entries:
            self._shown[other] = max(self._shown.get(other, 0), entries[-1].seq)
            self._client.mark_read(other, entries[-1].seq)

    def _send_file(self, path: Path) -> None:
        other = self._other
        if other is None or not path.is_file():
            self._say(f"{path}: no such file" if other else "Choose whom to talk with first: /with")
            self._is_good = False
            return
        task = asyncio.ensure_future(self._client.send_file(other, path))
        self._files.add(task)
        task.add_done_callback(self._files.discard)
        task.add_done_callback(lambda done: self._on_answer(other, done))

    async def _get(self, other: str, seq: int) -> None:
        for file in await files_of(self._client, other, seq):
            path = free_path(Path(), file.name)
            await self._client.download(file, path)
            self._dim(f"  {visible(str(path))}")

    def _post(self, text: str, reply: int | None = None) -> None:
        other = self._other
        if other is None:
            self._say("Choose whom to talk with first: /with NAME")
            self._is_good = False
            return
        try:
            extra = None if reply is None else Extra(re=reply)
            future = self._client.post(other, text, extra=extra)
        except ActorchatError as error:
            self._fail(error)
            return
        future.add_done_callback(lambda done: self._on_answer(other, done))

    def _on_answer(self, other: str, future: asyncio.Future[Sent]) -> None:
        if future.cancelled():
            return
        error = future.exception()
        if isinstance(error, ActorchatError | OSError):
            self._fail(error)
        elif error is None:
            seq = future.result().seq
            self._sent[other] = max(self._sent.get(other, 0), seq)
            if other == self._user:
                self._shown[other] = max(self._shown.get(other, 0), seq)
            self._dim(f"  ✓ #{seq}")

    def _fail(self, error: Exception) -> None:
        self._is_good = False
        with contextlib.suppress(ActorchatError):
            failure = explain(error)
            hint = f" ({failure.hint})" if failure.hint else ""
            note(f"{failure.code}: {failure}{hint}")

    def _dim(self, text: str) -> None:
        self._say(typer.style(text, dim=True))
