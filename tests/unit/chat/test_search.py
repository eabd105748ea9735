"""Whatever people type is words to search for, and never a query of somebody else's."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorchat.chat.search import match_of
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
