"""Knows the lines that read what was said, find it, and tell who got it. Must not know commands
elsewhere, or what a message looks like.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from actorchat.ids import is_group
from nodes.cli.line.command import (
    Command,
    Seat,
    Unclear,
    choice_of,
    needed,
    nothing,
    other_of,
    seq_of,
)
from nodes.cli.said import text_of
from nodes.cli.terminal import message_line
from nodes.history import entries_around, first_entries, last_entries

if TYPE_CHECKING:
    from actorchat.client import Entry
    from actorchat.protocol.ops.message import RecordKind

SHOWN = 20
SHOWN_MAX = 1_000
# As people type them, and as the protocol has them.
KINDS = {"messages": "message", "changes": "change", "acts": "act"}


def _count_of(word: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) < 5) or not int(word):
        raise Unclear
    return min(int(word), SHOWN_MAX)


async def _history(seat: Seat, rest: str) -> None:
    other, words, limit = other_of(seat), rest.split(), SHOWN
    if words and words[0][:1].isdigit():
        limit = _count_of(words.pop(0))
    kinds = [cast("RecordKind", KINDS[choice_of(word, KINDS)]) for word in words]
    if not kinds:
        seat.show(await last_entries(seat.client, other, limit))
        return
    found: list[Entry] = []
    async for entry in seat.client.history_entries(other, kinds=kinds):
        found.append(entry)
        if len(found) == limit:
            break
    if not found:
        seat.tell(f"  none of {' and '.join(words)}")
    seat.show(reversed(found))


async def _more(seat: Seat, rest: str) -> None:
    other, limit = other_of(seat), _count_of(rest) if rest else SHOWN
    earlier = await last_entries(seat.client, other, limit, seat.earliest)
    if not earlier:
        seat.tell("  nothing is before that")
    seat.show(earlier)


async def _around(seat: Seat, rest: str) -> None:
    other, words = other_of(seat), needed(rest).split()
    limit = _count_of(words[1]) if len(words) == 2 else SHOWN
    if len(words) > 2:
        raise Unclear
    seat.show(await entries_around(seat.client, other, limit, seq_of(words[0])))


async def _after(seat: Seat, rest: str) -> None:
    other, words = other_of(seat), needed(rest).split()
    limit = _count_of(words[1]) if len(words) == 2 else SHOWN
    if len(words) > 2:
        raise Unclear
    seat.show(await first_entries(seat.client, other, limit, seq_of(words[0])))


async def _search(seat: Seat, rest: str) -> None:
    await _find(seat, needed(rest), seat.other)


async def _search_all(seat: Seat, rest: str) -> None:
    await _find(seat, needed(rest), None)


async def _find(seat: Seat, text: str, conv: str | None) -> None:
    hits = await seat.client.search(text, conv=conv)
    if not hits:
        seat.tell("  nothing has these words" + (f" here: /searchall {text}" if conv else ""))
    for hit in reversed(hits):
        one = hit.entry
        line = message_line(one.sender, one.seq, one.ts, text_of(one))
        seat.say(line if conv else f"{hit.conv}: {line}")


async def _receipts(seat: Seat, rest: str) -> None:
    nothing(rest)
    other = other_of(seat)
    if is_group(other):
        marks = await seat.client.receipts(other)
    else:
        marks = (await seat.client.history(other, limit=1)).marks
    others = {user: mark for user, mark in marks.items() if user != seat.user}
    if not others:
        seat.tell("  nobody else has got anything yet")
    for user, mark in sorted(others.items()):
        seat.say(f"{user} has got up to #{mark.delivered} and read up to #{mark.read}")


COMMANDS = (
    Command("/history", "[N] [messages|changes|acts]", "show the last N", _history, ("history",)),
    Command("/more", "[N]", "show what was before that", _more),
    Command("/around", "SEQ [N]", "show a message and its neighbours", _around),
    Command("/after", "SEQ [N]", "show what came behind a message", _after),
    Command("/search", "WORDS", "find messages here", _search, ("search",)),
    Command("/searchall", "WORDS", "find messages in all your conversations", _search_all),
    Command("/receipts", "", "who got and read how far", _receipts, ("receipts",)),
)
