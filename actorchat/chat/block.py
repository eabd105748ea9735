"""Knows what a block hides of a conversation: spans of seqs. Must not know rows or who is asked.

Who blocks somebody can't write to them, so that all of a span is by the one who is blocked. Of
that, one thing is told all the same: that they took back, for all, what had been shown.
"""

from __future__ import annotations

from actorchat.chat.effect import Effect, Store
from actorchat.chat.event import Address, Event, Record, Refused
from actorchat.limits import BLOCK_SPANS_MAX
from actorchat.protocol.ops import AnyAct, Deleted

Span = tuple[int, int]  # the first and the last seq that is hidden; 0: it goes on
Spans = tuple[Span, ...]  # ascending; only the last goes on

UNBLOCK_FIRST = "you block this user; unblock them first"


class Blocking(Event):
    """`user` asks that nothing more of the other member be shown to them, or with `on` false, it.

    Answered when it is durable.
    """

    user: str
    session: Address
    rid: int
    on: bool


class HiddenRecord(Record):
    """A record that the recipient is never to see: it is stored and acked as any other."""


class StoreHidden(Store):
    """Store `post` as ever, but for its sender's devices alone."""


class KeepBlock(Effect):
    """Keep the spans that are hidden from `user`, and whether they block `other`.

    Once that is synced answer request `rid`, and have presence follow it.
    """

    user: str
    other: str
    spans: Spans
    on: bool
    session: Address
    rid: int


def is_open(spans: Spans) -> bool:
    """Say whether what comes is hidden."""
    return bool(spans) and not spans[-1][1]


def opened(spans: Spans, head: int) -> Spans:
    """Return the spans with all behind `head` hidden.

    Beyond `BLOCK_SPANS_MAX` the two oldest become one, and what was shown between them is hidden.
    """
    if is_open(spans):
        return spans
    if spans and spans[-1][1] == head:
        return (*spans[:-1], (spans[-1][0], 0))
    if len(spans) >= BLOCK_SPANS_MAX:
        spans = ((spans[0][0], spans[1][1]), *spans[2:])
    return (*spans, (head + 1, 0))


def closed(spans: Spans, head: int) -> Spans:
    """Return the spans with nothing behind `head` hidden."""
    if not is_open(spans):
        return spans
    first = spans[-1][0]
    return (*spans[:-1], (first, head)) if first <= head else spans[:-1]


def cut(spans: Spans, head: int) -> Spans:
    """Return the spans of a conversation whose records behind `head` were lost unsynced.

    The next record gets the seq of a lost one; whether it is hidden must not follow from that one.
    """
    kept: list[Span] = []
    for first, last in spans:
        if not last:
            kept.append((min(first, head + 1), 0))
        elif first <= head:
            kept.append((first, min(last, head)))
    return tuple(kept)


def hides(spans: Spans, seq: int) -> bool:
    """Say whether `seq` is hidden."""
    return any(first <= seq and (not last or seq <= last) for first, last in spans)


def last_shown(spans: Spans, head: int) -> int:
    """Return the last seq up to `head` that is shown, 0 if there is none."""
    for first, last in reversed(spans):
        if last and last < head:
            break
        head = min(head, first - 1)
    return head


def shown_ranges(spans: Spans, after: int, before: int) -> list[Span]:
    """Return what is shown of the seqs in (after, before), as such ranges, ascending."""
    found: list[Span] = []
    for first, last in spans:
        if first >= before:
            break
        if last and last <= after:
            continue
        if first > after + 1:
            found.append((after, first))
        if not last:
            return found
        after = last
    if before > after + 1:
        found.append((after, before))
    return found


def is_heard(act: AnyAct, spans: Spans) -> bool:
    """Say whether `spans` hide an act not: it takes back, for all, something that was shown."""
    return isinstance(act, Deleted) and not all(hides(spans, ref) for ref in act.refs)


def refusal(rid: int) -> Refused:
    """Return the answer to a message for somebody whom its sender blocks."""
    return Refused(rid, "blocked", UNBLOCK_FIRST)
