"""What a user is told of files of their own, and what dropping one leaves."""

from __future__ import annotations

from typing import Any, cast

from actorchat.chat.event import Address, Answer
from actorchat.chat.file import FileFacts, Tell, Usage
from actorchat.chat.own_file import AskedOwn, DropRow, decide
from actorchat.protocol.ops.file import DropFile, Files

SESSION = cast(Address, object())
FACTS = FileFacts(80, "a/b", 7)


def page(count: int) -> list[tuple[bytes, FileFacts]]:
    return [(bytes([number]) * 32, FACTS) for number in range(count)]


def test_a_page_has_no_more_than_was_asked_for() -> None:
    for count, more in ((2, False), (3, True)):
        asked = AskedOwn(SESSION, "ann", Files(1, None, 2), page(count), usage=Usage(240, 3))
        told = decide(asked, 1_000)
        assert isinstance(told, Tell)
        assert isinstance(told.event, Answer)
        ok: Any = told.event.ok
        assert [one["sha256"] for one in ok["files"]] == [bytes(32), b"\1" * 32]
        assert (ok["more"], ok["used"], ok["count"], ok["quota"]) == (more, 240, 3, 1_000)


def test_what_is_dropped_does_not_count() -> None:
    asked = AskedOwn(SESSION, "ann", DropFile(1, bytes(32)), own=FACTS, usage=Usage(240, 3))
    answer = Answer(1, {"dropped": True, "used": 160, "count": 2})
    assert decide(asked, 1_000) == DropRow(SESSION, "ann", bytes(32), Usage(160, 2), answer)


def test_what_is_not_ones_own_is_not_dropped() -> None:
    asked = AskedOwn(SESSION, "ann", DropFile(1, bytes(32)), usage=Usage(240, 3))
    told = decide(asked, 1_000)
    assert told == Tell(SESSION, Answer(1, {"dropped": False, "used": 240, "count": 3}))
