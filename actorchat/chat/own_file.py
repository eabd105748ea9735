"""Knows what a user is told of the files that are theirs, and how one is theirs no more.
Must not know rows, or how files come.
"""

from __future__ import annotations

import msgspec

from actorchat.chat.event import Address, Answer
from actorchat.chat.file import FileFacts, Tell, Usage
from actorchat.protocol.ops.file import DropFile, Files


class AskedOwn(msgspec.Struct, gc=False):
    """A session asks for `op`, about the user's own files; the shell fills in the rest.

    `page` has the files behind `after`, one more than may be told; `own` is what the store has of
    the file to be dropped, as this user's.
    """

    session: Address
    user: str
    op: Files | DropFile
    page: list[tuple[bytes, FileFacts]] = []
    own: FileFacts | None = None
    usage: Usage = Usage()


class DropRow(msgspec.Struct, gc=False):
    """Effect: keep that the file is not the user's, and when synced tell `to` the `answer`."""

    to: Address
    user: str
    sha256: bytes
    usage: Usage
    answer: Answer


def decide(event: AskedOwn, quota_bytes: int) -> Tell | DropRow:
    """Return what must be done."""
    op, usage = event.op, event.usage
    if isinstance(op, Files):
        shown = [
            {"sha256": sha256, "size": facts.size, "type": facts.type, "created": facts.at_wall_ms}
            for sha256, facts in event.page[: op.limit]
        ]
        told = {"files": shown, "more": len(event.page) > op.limit, **_counted(usage)}
        return Tell(event.session, Answer(op.id, {**told, "quota": quota_bytes}))
    if event.own is None:
        return Tell(event.session, Answer(op.id, {"dropped": False, **_counted(usage)}))
    left = Usage(usage.size - event.own.size, usage.files - 1)
    answer = Answer(op.id, {"dropped": True, **_counted(left)})
    return DropRow(event.session, event.user, op.sha256, left, answer)


def _counted(usage: Usage) -> dict[str, object]:
    return {"used": usage.size, "count": usage.files}
