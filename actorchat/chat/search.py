"""Knows what people type to find something, and what the desk and its index tell each other.
Must not know SQLite, rows or threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from actorchat.chat.event import Address, Event
from actorchat.limits import HISTORY_PAGE_BYTES_MAX, SEARCH_WORDS_MAX


class Job(msgspec.Struct):
    """One search: whose, in which conversations, how much may still be indexed for it first."""

    session: Address
    user: str
    rid: int
    match: str
    names: dict[bytes, str]  # by the conversation's key: what the user calls it
    before: tuple[int, int]  # what is newer, by time and place in the index, was looked at
    limit: int
    pages_left: int
    now_wall_ms: int
    behind: list[tuple[bytes, int]] = []
    firsts: dict[bytes, int] = {}  # the first seq that there still is, where it is not 1
    upto: dict[bytes, int] = {}  # the last seq that is indexed
    shown: list[Hit] = []
    room: int = HISTORY_PAGE_BYTES_MAX  # bytes that the answer may still have
    rounds: int = 0
    is_part: bool = False  # asked by another desk than one's own, or for a search of several


class Look(msgspec.Struct):
    """To the index: say how far it is with the conversations of `job`; drop what is no more."""

    job: Job


class Feed(msgspec.Struct):
    """To the index: take in `records`, the next of a conversation, up to and with seq `upto`.

    `rewritten` are earlier ones that acts among them have changed, as they are now.
    """

    job: Job
    key: bytes
    upto: int
    records: list[bytes]
    rewritten: list[bytes]


class Query(msgspec.Struct):
    """To the index: search, for at most `limit`."""

    job: Job
    limit: int


class Drop(msgspec.Struct):
    """To the desk and its index: forget a conversation, for good."""

    key: bytes


class DropGone(msgspec.Struct):
    """To the index: forget all conversations whose keys begin so; they are elsewhere now."""

    prefixes: frozenset[bytes]


class Looked(msgspec.Struct):
    """From the index: the last seq that it has of each conversation."""

    job: Job
    upto: dict[bytes, int]


class Fed(msgspec.Struct):
    """From the index: it has taken that in."""

    job: Job


class Found(msgspec.Struct):
    """From the index: (conversation, seq, time, place), newest first; None: it failed.

    `is_all` says that there are no more.
    """

    job: Job
    hits: Sequence[tuple[bytes, int, int, int]] | None
    is_all: bool = True


def match_of(text: str) -> str | None:
    """Return what to ask FTS5 for: all words of `text`, the last perhaps only begun.

    Each word is a string of FTS5's, so no operator in it means anything. None: there is no word.
    """
    words = ["".join(c if c.isalnum() else " " for c in word).split() for word in text.split()]
    plain = [part for word in words for part in word][:SEARCH_WORDS_MAX]
    if not plain:
        return None
    return " AND ".join(f'"{word}"' for word in plain) + "*"


# -- on several nodes: each is asked for its part ------------------------------------------------
class Hit(msgspec.Struct, gc=False):
    """What was found: the conversation as the user calls it, when, the record as it is shown."""

    conv: str
    ts: int
    record: bytes


class SearchPart(Event):
    """The desk at `user`'s home asks one that leads some of the user's conversations."""

    asker: Address
    number: int
    user: str
    q: str
    convs: list[str]
    before: int | None
    limit: int


class PartFound(Event):
    """What `node` found of it, newest first; `is_partial`: not all was indexed yet.

    Of what is older than `since` nothing was looked at; 0: of nothing. With a `code` it refuses.
    """

    number: int
    node: str
    hits: list[Hit]
    is_partial: bool = False
    since: int = 0
    code: str = ""
    reason: str = ""


class PartsDue(Event):
    """Time to give up a search that other nodes have not answered for."""

    number: int


def merged(parts: Iterable[PartFound], limit: int, weigh: Callable[[bytes], int]) -> list[Hit]:
    """Return the newest of all that was found, as far back as each node has looked.

    As a page of history it has a bound in bytes, but one hit at least.
    """
    listed = list(parts)
    since = max((part.since for part in listed), default=0)
    found = [hit for part in listed for hit in part.hits if hit.ts >= since]
    found.sort(key=lambda hit: -hit.ts)  # stable: those of one time stay as their node has them
    room, shown = HISTORY_PAGE_BYTES_MAX, 0
    for hit in found[:limit]:
        room -= weigh(hit.record)
        if room < 0 and shown:
            break
        shown += 1
    return found[:shown]
