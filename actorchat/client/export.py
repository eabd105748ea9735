"""Knows how all that is one's own is fetched, piece by piece. Must not know where it is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from actorchat.client import event
from actorchat.client.message import Entry, GroupInfo, PageAnswer
from actorchat.client.people import ConversationsAnswer, Line, read
from actorchat.errors import InvalidOp
from actorchat.ids import is_group
from actorchat.limits import HISTORY_PAGE_MESSAGES_MAX
from actorchat.protocol import ops

Fact = dict[str, object]

# Questions whose whole answer is one fact.
_WHOLE: dict[str, event.Request] = {
    "devices": ops.Devices(0),
    "contacts": ops.Contacts(0),
    "blocks": ops.Blocks(0),
    "privacy": ops.Privacy(0),
}


class ExportCalls:
    """What `Chat` can do to fetch everything. All raise `Refusal`."""

    async def _ask(self, request: event.Request) -> dict[str, object]:
        raise NotImplementedError

    def _own_name(self) -> str:
        raise NotImplementedError

    async def export(self) -> AsyncIterator[Fact]:
        """Yield all that is the user's own: facts of plain values, each with its `kind`.

        First `profile`, `devices`, `contacts`, `blocks` and `privacy`; then each `conversation`
        or, with members, `group`, with flags and marks, and behind it each `message`, oldest first;
        `cid` is hexadecimal. It asks for a page at a time and keeps no more than that. What changes
        meanwhile may be missing or there.
        """
        profile = await self._ask(ops.Profile(0, self._own_name()))
        yield {"kind": "profile", **profile}
        for kind, question in _WHOLE.items():
            yield {"kind": kind, **await self._ask(question)}
        async for line in self._lines():
            fact: Fact = msgspec.to_builtins(line, builtin_types=(bytes,))
            del fact["last"]
            if is_group(line.conv):
                info = read(await self._ask(ops.Group(0, line.conv)), GroupInfo)
                yield {"kind": "group", **fact, **msgspec.to_builtins(info)}
            else:
                yield {"kind": "conversation", **fact}
            async for message in self._messages(line.conv):
                yield message

    async def _lines(self) -> AsyncIterator[Line]:
        after: str | None = None
        more = True
        while more:
            answer = await self._ask(ops.Conversations(0, after))
            page = read(answer, ConversationsAnswer)
            for line in page.conversations:
                yield line
            more = page.more and bool(page.conversations)
            after = page.conversations[-1].conv if page.conversations else None

    async def _messages(self, conv: str) -> AsyncIterator[Fact]:
        after, more = 0, True
        while more:
            # With an upper bound the server begins at its end: without one, behind `after`.
            answer = await self._ask(
                ops.History(0, conv, after, None, HISTORY_PAGE_MESSAGES_MAX)
                if after
                else ops.History(0, conv, 0, 2, 1)
            )
            try:
                page = msgspec.convert(answer, PageAnswer).page()
            except msgspec.ValidationError as error:
                raise InvalidOp(f"the server's page makes no sense: {error}") from error
            for entry in page.events:
                yield _message(conv, entry)
            is_first = not after
            after = page.events[-1].seq if page.events else max(after, 1)
            more = page.more or (is_first and page.head > after)


def _message(conv: str, entry: Entry) -> Fact:
    fact: Fact = {
        "kind": "message",
        "conv": conv,
        "seq": entry.seq,
        "from": entry.sender,
        "ts": entry.ts,
        "cid": entry.cid.hex(),
        "text": entry.text,
    }
    if entry.change is not None:
        fact["change"] = msgspec.to_builtins(entry.change)
    return fact
