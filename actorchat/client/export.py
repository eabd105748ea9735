"""Knows how all that is one's own is fetched, piece by piece. Must not know where it is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from actorchat.client import event
from actorchat.client.file import OwnFile, OwnFiles
from actorchat.client.message import Entry, GroupInfo, PageAnswer
from actorchat.client.people import ConversationsAnswer, Line, read
from actorchat.errors import InvalidOp, Refusal, Unavailable
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
        or, with all members, `group`, with flags and marks, and behind it each `message`, oldest
        first, as history shows it: with its extra, which names files by hash, size and type, with
        its reactions, or what was done (`act`). Bytes, as `cid`, are hexadecimal. Last, each `file`
        that such a message of the user's own names, or that is the user's all the same. It asks for
        a page at a time and keeps no more than that, but for the files' hashes. What changes
        meanwhile may be missing or there.
        """
        files: dict[str, Fact] = {}
        profile = await self._ask(ops.Profile(0, self._own_name()))
        yield {"kind": "profile", **profile}
        for kind, question in _WHOLE.items():
            yield {"kind": kind, **await self._ask(question)}
        async for line in self._lines():
            fact: Fact = msgspec.to_builtins(line, builtin_types=(bytes,))
            del fact["last"]
            if is_group(line.conv):
                info = await self._info(line.conv)
                yield {"kind": "group", **fact, **msgspec.to_builtins(info)}
            else:
                yield {"kind": "conversation", **fact}
            async for message in self._messages(line.conv):
                if message["from"] == profile["user"]:
                    files.update(_files_of(message))
                yield message
        for file in files.values():
            yield {"kind": "file", **file}
        async for own in self._own_files():
            if own.sha256.hex() not in files:
                about = {"hash": own.sha256.hex(), "size": own.size, "type": own.type}
                yield {"kind": "file", **about, "created": own.created}

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

    async def _own_files(self) -> AsyncIterator[OwnFile]:
        after: bytes | None = None
        more = True
        while more:
            try:
                page = read(await self._ask(ops.Files(0, after)), OwnFiles)
            except Refusal as refusal:
                if refusal.code != Unavailable.code:
                    raise
                return  # a server of several nodes, where files are not to be had yet
            for file in page.files:
                yield file
            more = page.more and bool(page.files)
            after = page.files[-1].sha256 if page.files else None

    async def _info(self, conv: str) -> GroupInfo:
        found = page = read(await self._ask(ops.Group(0, conv)), GroupInfo)
        while page.more and page.members:
            page = read(await self._ask(ops.Group(0, conv, max(page.members))), GroupInfo)
            found.members.update(page.members)
        return msgspec.structs.replace(found, more=False)

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
    for name in ("change", "extra", "act", "edited"):
        value = getattr(entry, name)
        if value is not None:
            fact[name] = _plain(msgspec.to_builtins(value, builtin_types=(bytes,)))
    for name in ("gone", "hidden", "reactions"):
        if value := getattr(entry, name):
            fact[name] = value
    return fact


def _files_of(message: Fact) -> dict[str, Fact]:
    extra: Any = message.get("extra", {})
    return {file["hash"]: file for file in extra.get("files", ())}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.hex() if isinstance(value, bytes) else value
