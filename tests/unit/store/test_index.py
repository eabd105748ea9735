"""What the index finds, and that it is nothing that could not be lost."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from actorchat.store import index
from actorchat.store.index import TextIndex, Unsupported, has_fts5, remove_index

pytestmark = pytest.mark.skipif(not has_fts5(), reason="this SQLite has no FTS5")

ONE, OTHER = b"one", b"other"
EVER = 2**53


@pytest.fixture
def found() -> TextIndex:
    index = TextIndex(None)
    index.add(ONE, 3, [(1, 10, "see you at eight"), (2, 20, "Grüße"), (3, 30, "you see")])
    index.add(OTHER, 7, [(7, 25, "you are here")])
    return index


def test_newest_comes_first_and_only_of_the_conversations_asked_for(found: TextIndex) -> None:
    assert found.find([ONE, OTHER], '"you"', EVER, 9) == [(ONE, 3), (OTHER, 7), (ONE, 1)]
    assert found.find([OTHER], '"you"', EVER, 9) == [(OTHER, 7)]
    assert found.find([b"none"], '"you"', EVER, 9) == []
    assert found.find([ONE, OTHER], '"you"', 30, 1) == [(OTHER, 7)]
    assert found.find([ONE], '"grusse"', EVER, 9) == []
    assert found.find([ONE], '"gruße"', EVER, 9) == [(ONE, 2)]


def test_conversations_are_no_words_that_somebody_could_search_for(found: TextIndex) -> None:
    assert found.find([ONE, OTHER], '"c1"', EVER, 9) == []


def test_adding_again_adds_nothing(found: TextIndex) -> None:
    found.add(ONE, 3, [(3, 30, "you see")])
    assert found.find([ONE], '"see"', EVER, 9) == [(ONE, 3), (ONE, 1)]
    assert found.upto([ONE, OTHER, b"none"]) == {ONE: 3, OTHER: 7, b"none": 0}


def test_query_that_takes_too_long_is_given_up(
    found: TextIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "QUERY_S", -1.0)
    monkeypatch.setattr(index, "_STEPS", 1)
    assert found.find([ONE], '"you"', EVER, 9) is None


@pytest.mark.parametrize("damage", ["text", "format", "none"])
def test_file_stays_and_one_that_is_no_good_is_made_anew(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "search.db"
    first = TextIndex(path)
    first.add(ONE, 1, [(1, 10, "word")])
    first.close()
    if damage == "text":
        remove_index(path)
        path.write_text("no database, but a text " * 200)
    elif damage == "format":
        db = sqlite3.connect(path)
        db.execute("PRAGMA user_version = 9")
        db.close()
    second = TextIndex(path)
    assert second.upto([ONE]) == {ONE: 1 if damage == "none" else 0}
    second.forget()
    assert second.upto([ONE]) == {ONE: 0}
    second.close()


def test_sqlite_without_fts5_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "has_fts5", lambda: False)
    with pytest.raises(Unsupported):
        TextIndex(None)
