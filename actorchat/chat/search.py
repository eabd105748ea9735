"""Knows what people type to find something, and what the desk and its index tell each other.
Must not know SQLite, rows or threads.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from actorchat.chat.event import Address
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
    shown: list[dict[str, object]] = []
    room: int = HISTORY_PAGE_BYTES_MAX  # bytes that the answer may still have
    rounds: int = 0


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
