"""Whatever people type is words to search for, and never a query of somebody else's."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorchat.chat import search
from actorchat.chat.search import Hit, PartFound, match_of, merged
from actorchat.limits import SEARCH_WORDS_MAX
from actorchat.store.index import has_fts5


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("hello", '"hello"*'),
        ("see  you", '"see" AND "you"*'),
        ('a" OR b', '"a" AND "OR" AND "b"*'),
        ("body:x*", '"body" AND "x"*'),
        ("NEAR(a b)", '"NEAR" AND "a" AND "b"*'),
        ('" ( ) - ^ *', None),
        (" ", None),
    ],
)
def test_operators_mean_nothing(typed: str, asked: str | None) -> None:
    assert match_of(typed) == asked


def test_words_beyond_the_bound_are_left_out() -> None:
    asked = match_of("a " * 100)
    assert asked is not None
    assert asked.count('"a"') == SEARCH_WORDS_MAX


@pytest.mark.skipif(not has_fts5(), reason="this SQLite has no FTS5")
@given(st.text(max_size=60))
def test_sqlite_takes_whatever_comes_out(typed: str) -> None:
    asked = match_of(typed)
    if asked is None:
        return
    db = sqlite3.connect(":memory:")
    db.execute("CREATE VIRTUAL TABLE words USING fts5(conversation, body, content='')")
    query = f"conversation : (c1 OR c2) AND body : ({asked})"
    assert db.execute("SELECT rowid FROM words WHERE words MATCH ?", (query,)).fetchall() == []
    db.close()


def part(node: str, *times: int, since: int = 0) -> PartFound:
    hits = [Hit(f"{node}{ts}", ts, bytes(10)) for ts in times]
    return PartFound(1, node, hits, since=since)


def shown(*parts: PartFound, limit: int = 9) -> list[str]:
    return [hit.conv for hit in merged(parts, limit, len)]


def test_parts_are_merged_by_time() -> None:
    assert shown(part("a", 9, 5, 5, 1), part("b", 7, 5)) == ["a9", "b7", "a5", "a5", "b5", "a1"]
    assert shown(part("a", 9, 5), part("b", 7, 3), limit=3) == ["a9", "b7", "a5"]
    assert shown() == []


def test_nothing_is_shown_that_is_older_than_what_was_not_looked_at() -> None:
    assert shown(part("a", 9, 5, since=5), part("b", 7, 5, 3, 1)) == ["a9", "b7", "a5", "b5"]
    assert shown(part("a", since=8), part("b", 7)) == []


def test_page_has_a_bound_in_bytes_but_one_hit_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "HISTORY_PAGE_BYTES_MAX", 25)
    assert shown(part("a", 9, 5), part("b", 7)) == ["a9", "b7"]
    monkeypatch.setattr(search, "HISTORY_PAGE_BYTES_MAX", 5)
    assert shown(part("a", 9, 5), part("b", 7)) == ["a9"]


@given(
    st.lists(st.lists(st.integers(1, 30), unique=True), max_size=4),
    st.integers(1, 5),
    st.integers(1, 5),
)
def test_pages_show_all_times_once_in_order(nodes: list[list[int]], limit: int, each: int) -> None:
    """Times are each node's own here, and no two are the same."""
    times = [
        sorted((ts * len(nodes) + at for ts in some), reverse=True) for at, some in enumerate(nodes)
    ]
    seen: list[int] = []
    before = 10_000
    while True:
        parts = []
        for at, some in enumerate(times):
            older = [ts for ts in some if ts < before]
            cut = min(limit, each + at)
            since = older[cut - 1] if len(older) > cut else 0
            parts.append(part("abcd"[at], *older[:cut], since=since))
        page = [hit.ts for hit in merged(parts, limit, len)]
        if not page:
            break
        seen += page
        before = page[-1]
    assert seen == sorted((ts for some in times for ts in some), reverse=True)
