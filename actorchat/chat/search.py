"""Knows what people type to find something, and what the desk and its index tell each other.
Must not know SQLite, rows or threads.
"""

from __future__ import annotations

import msgspec

from actorchat.chat.event import Address
from actorchat.limits import SEARCH_WORDS_MAX


class Job(msgspec.Struct):
    """One search: whose, in which conversations, how much may still be indexed for it first."""

    session: Address
    user: str
    rid: int
    match: str
    names: dict[bytes, str]  # by the conversation's key: what the user calls it
    before_ts: int
    limit: int
    pages_left: int
    behind: list[tuple[bytes, int]] = []


class Look(msgspec.Struct):
    """To the index: say how far it is with the conversations of `job`."""

    job: Job


class Feed(msgspec.Struct):
    """To the index: take in `records`, the next of a conversation, up to and with seq `upto`."""

    job: Job
    key: bytes
    upto: int
    records: list[tuple[int, bytes]]


class Query(msgspec.Struct):
    """To the index: search."""

    job: Job


class Looked(msgspec.Struct):
    """From the index: the last seq that it has of each conversation."""

    job: Job
    upto: dict[bytes, int]


class Fed(msgspec.Struct):
    """From the index: it has taken that in."""

    job: Job


class Found(msgspec.Struct):
    """From the index: (conversation, seq), newest first; None: it took too long, or failed."""

    job: Job
    hits: list[tuple[bytes, int]] | None


def match_of(text: str) -> str | None:
    """Return what to ask FTS5 for: all words of `text`, the last perhaps only begun.

    Each word is a string of FTS5's, so no operator in it means anything. None: there is no word.
    """
    words = ["".join(c if c.isalnum() else " " for c in word).split() for word in text.split()]
    plain = [part for word in words for part in word][:SEARCH_WORDS_MAX]
    if not plain:
        return None
    return " AND ".join(f'"{word}"' for word in plain) + "*"
