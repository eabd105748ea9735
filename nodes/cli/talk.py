"""Knows a conversation in lines, on a terminal or through pipes. Must not know the protocol."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import typer

from actorchat.errors import ActorchatError, InvalidOp
from actorchat.ids import is_group, is_name
from nodes.cli.failure import explain
from nodes.cli.line.command import NAME_RULE, Unclear, other_of
from nodes.cli.line.place import resolve
from nodes.cli.line.table import find
from nodes.cli.people import flags_of
from nodes.cli.said import is_shown, text_of
from nodes.cli.sight import Sight
from nodes.cli.terminal import message_line, note, unseen, visible
from nodes.history import last_entries

if TYPE_CHECKING:
    from pathlib import Path

    from actorchat.client import Chat, Entry, Message, Progress, Sent
    from actorchat.protocol.ops import Extra

SHOWN_AT_START = 10
FLUSH_S = 10.0
LEAVE_S = 1.0


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
    """A line mode conversation of `user`, and the seat of its commands; `say` prints a line.

    Args:
        kept_devices: Those by which this machine is signed in.
        forget: Called when it is not any more.
    """

    def __init__(
        self,
        client: Chat,
        user: str,
        say: Callable[[str], None],
        kept_devices: Sequence[str] = (),
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        self.client = client
        self.user = user
        self.other: str | None = None
        self.kept_devices = kept_devices
        self.say = say
        self._forget = forget
        self._lines: AsyncIterator[str] | None = None
        self._shown: dict[str, int] = {}  # the last seq that was printed, by conversation
        self._earliest: dict[str, int] = {}  # the lowest seq that was printed, since turned to
        self._read: dict[str, int] = {}  # the last seq that was marked as read
        self._sent: dict[str, int] = {}  # the last seq of ours, by conversation
        self._told: dict[tuple[str, str, str], int] = {}  # ticks that were printed
        self._files: set[asyncio.Future[Sent]] = set()  # on their way
        self._titles: dict[str, str] = {}  # of groups
        self._hinted = ""  # the conversation whose answering was explained last
        self._is_good = True
        self._is_busy = False  # with a command
        self._is_over = self._is_gone = False
        self._sight = Sight(client, self.tell)

    async def run(self, other: str | None, lines: AsyncIterator[str]) -> bool:
        """Talk until the input ends or /quit; say whether every message was stored.

        Raises:
            ActorchatError: The session ended, or the first history can't be read.
        """
        if other is not None:
            try:
                await self.turn_to(other)
            except Unclear as unclear:
                raise InvalidOp(str(unclear)) from None
        else:
            self.say("Choose whom to talk with: /with NAME; /list shows whom; /help shows more.")
        coming = [self._listen(), self._watch(), self._sight.watch(), self._sight.listen()]
        listeners = [asyncio.create_task(one) for one in (*coming, self._watch_flags())]
        reading = asyncio.create_task(self._take(lines))
        try:
            await asyncio.wait([reading, *listeners], return_when=asyncio.FIRST_COMPLETED)
            if self._is_busy:
                await asyncio.wait([reading], timeout=LEAVE_S)  # it may be what ends the session
            if reading.done() and not self._is_gone:
                await reading
                await asyncio.gather(*self._files, return_exceptions=True)
                await self.client.flush(FLUSH_S)
                await asyncio.sleep(0)  # the last ticks are printed by callbacks
            for task in listeners:
                if task.done() and not self._is_gone:
                    await task
        finally:
            for task in [reading, *listeners]:
                task.cancel()
            await asyncio.gather(reading, *listeners, return_exceptions=True)
        return self._is_good

    # -- what comes --------------------------------------------------------------------------------
    async def _listen(self) -> None:
        async for message in self.client.messages():
            if message.group is not None:
                if message.change is not None:
                    self._titles.pop(message.group, None)  # it may be called something else now
                await self._learn_title(message.group)
            self._on_message(message)
            message.ack()

    def _on_message(self, message: Message) -> None:
        conv = message.conversation
        if message.seq > self._shown.get(conv, 0):
            self._shown[conv] = message.seq
            if not is_shown(message):
                self.client.mark_read(conv, message.seq)
                return
            to = message.to if message.own else None
            line = message_line(message.sender, message.seq, message.ts, text_of(message), to)
            title = self._titles.get(conv)
            is_elsewhere = conv != self.other
            is_clear = to is not None or message.sender == conv  # the line says where it is
            self.say(f"[{title or conv}] {line}" if is_elsewhere and not is_clear else line)
            if is_elsewhere and not message.own and conv != self._hinted:
                self._hinted = conv
                self.tell(f"  /with #{title} to answer" if title else f"  /with {conv} to answer")
        if conv == self.other and not message.own:
            self.client.mark_read(conv, message.seq)

    async def _learn_title(self, group: str) -> None:
        if group not in self._titles:
            with contextlib.suppress(ActorchatError):
                found = await self.client.groups()
                self._titles |= {one.conv: visible(one.title) for one in found}
            self._titles.setdefault(group, "")

    async def _watch(self) -> None:
        async for progress in self.client.marks():
            self._on_progress(progress)

    def _on_progress(self, progress: Progress) -> None:
        if progress.user == self.user:
            return
        # With a group, `conv` is its address; with a user it may be either of the two.
        conv = progress.conv if is_group(progress.conv) else progress.user
        other, sent = progress.user, self._sent.get(conv, 0)
        for word, reached in (("delivered to", progress.delivered), ("read by", progress.read)):
            seq = min(reached, sent)
            if seq > self._told.get((word, conv, other), 0):
                self._told[word, conv, other] = seq
                self.tell(f"  ✓✓ {word} {other} up to #{seq}")

    async def _watch_flags(self) -> None:
        async for news in self.client.flagged():
            names = flags_of(news.flags).replace(" ", " and ")
            self.tell(f"  {news.conv} is {names or 'as usual'} now")

    # -- what is typed -----------------------------------------------------------------------------
    async def _take(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines
        async for line in lines:
            if line.startswith("/") and not line.startswith("//"):
                await self._command(line)
                if self._is_over:
                    return
            elif line.strip():
                self._write(line.removeprefix("/") if line.startswith("//") else line)

    async def _command(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        usage, self._is_busy = "", True
        try:
            command = find(word)
            usage = f"{command.usage}: {command.does}"
            await command.run(self, rest.strip())
        except Unclear as unclear:
            self.say(str(unclear) or usage)
        except (ActorchatError, OSError) as error:
            self._fail(error)
        finally:
            self._is_busy = False

    def _write(self, text: str) -> None:
        try:
            self.post(text)
        except Unclear as unclear:
            self.say(str(unclear))
            self._is_good = False

    # -- what commands may use ---------------------------------------------------------------------
    @property
    def earliest(self) -> int | None:
        """The lowest seq that was printed of the conversation; None: none was."""
        return None if self.other is None else self._earliest.get(self.other)

    def tell(self, text: str) -> None:
        """Print a line that is about what was said, not part of it."""
        self.say(typer.style(text, dim=True))

    async def turn_to(self, other: str) -> None:
        """Talk with `other` from now on, and show the end of what was said.

        Raises:
            Unclear: That is nobody. ActorchatError: It can't be read; the other stays.
        """
        found = await resolve(self.client, other)
        if not is_group(found) and not is_name(found):
            raise Unclear(f"{visible(other)!r} is no name: {NAME_RULE}; a group's begins with #")
        entries = await last_entries(self.client, found, SHOWN_AT_START)
        if is_group(found):
            await self._learn_title(found)
        self.other = found
        self._hinted = ""
        self._earliest.pop(found, None)
        title = self._titles.get(found)
        self.tell(f"  {'in' if is_group(found) else 'with'} {f'{title} ' if title else ''}{found}")
        self.show(entries)
        await self._sight.turn_to(found)

    def show(self, entries: Iterable[Entry]) -> None:
        """Print messages of the conversation, oldest first, and mark them as read."""
        other, shown = self.other, list(entries)
        if other is None or not shown:
            return
        for entry in filter(is_shown, shown):
            self.say(message_line(entry.sender, entry.seq, entry.ts, text_of(entry)))
        first, last = shown[0].seq, shown[-1].seq
        self._earliest[other] = min(first, self._earliest.get(other, first))
        self._shown[other] = max(self._shown.get(other, 0), last)
        if last > self._read.get(other, 0):
            self._read[other] = last
            self.client.mark_read(other, last)

    def post(self, text: str, extra: Extra | None = None) -> None:
        """Send to the one talked with; a tick tells when it is stored.

        Raises:
            Unclear: There is nobody.
        """
        other = other_of(self)
        try:
            future = self.client.post(other, text, extra=extra)
        except ActorchatError as error:
            self._fail(error)
            return
        future.add_done_callback(lambda done: self._on_answer(other, done))

    def send_file(self, path: Path) -> None:
        """Bring a file and send it to the one talked with, beside what else is done.

        Raises:
            Unclear: There is nobody.
        """
        other = other_of(self)
        task = asyncio.ensure_future(self.client.send_file(other, path))
        self._files.add(task)
        task.add_done_callback(self._files.discard)
        task.add_done_callback(lambda done: self._on_answer(other, done))

    async def see(self, names: Sequence[str]) -> None:
        """Show whether users are here, and what changes from now on."""
        await self._sight.see(names)

    def unsee(self, names: Sequence[str]) -> None:
        """Show no more of them."""
        self._sight.unsee(names)

    async def settle(self) -> None:
        """Wait until what was sent is stored: what follows may be about it."""
        await self.client.flush(FLUSH_S)

    async def ask(self, question: str, *, hidden: bool = False) -> str:
        """Return the next line, unseen if `hidden`.

        Raises:
            Unclear: There is none, or it is empty.
        """
        assert self._lines is not None
        self.say(f"{question}:")
        with unseen() if hidden else contextlib.nullcontext():
            answer = await anext(self._lines, "")
        if not answer.strip():
            raise Unclear("Nothing was done")
        return answer if hidden else answer.strip()

    def leave(self, *, forget: bool = False) -> None:
        """End the talk after this command; `forget` that this machine is signed in."""
        self._is_over = True
        if forget:
            self._is_gone = True
            self._forget()

    # -- how it went -------------------------------------------------------------------------------
    def _on_answer(self, other: str, future: asyncio.Future[Sent]) -> None:
        if future.cancelled():
            return
        error = future.exception()
        if isinstance(error, ActorchatError | OSError):
            self._fail(error)
        elif error is None:
            seq = future.result().seq
            self._sent[other] = max(self._sent.get(other, 0), seq)
            if other == self.user:
                self._shown[other] = max(self._shown.get(other, 0), seq)
            self.tell(f"  ✓ #{seq}")

    def _fail(self, error: Exception) -> None:
        self._is_good = False
        with contextlib.suppress(ActorchatError):
            failure = explain(error)
            hint = f" ({failure.hint})" if failure.hint else ""
            note(f"{failure.code}: {failure}{hint}")
