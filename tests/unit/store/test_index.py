"""What the index finds, and that it is nothing that could not be lost."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from actorchat.store import index
from actorchat.store.index import Line, TextIndex, Unsupported, has_fts5, remove_index

pytestmark = pytest.mark.skipif(not has_fts5(), reason="this SQLite has no FTS5")

ONE, OTHER = b"one", b"other"
EVER = (2**53, 0)


def at(index: TextIndex, *how: Any) -> list[tuple[bytes, int]]:
    hits = index.find(*how)
    assert hits is not None
    return [(hit.key, hit.seq) for hit in hits]


@pytest.fixture
def found() -> TextIndex:
    index = TextIndex(None)
    index.add(
        ONE, 3, [Line(1, 10, "see you at eight"), Line(2, 20, "Grüße"), Line(3, 30, "you see")]
    )
    index.add(OTHER, 7, [Line(7, 25, "you are here")])
    return index


def test_newest_comes_first_and_only_of_the_conversations_asked_for(found: TextIndex) -> None:
    assert at(found, [ONE, OTHER], '"you"', EVER, 9) == [(ONE, 3), (OTHER, 7), (ONE, 1)]
    assert at(found, [OTHER], '"you"', EVER, 9) == [(OTHER, 7)]
    assert at(found, [b"none"], '"you"', EVER, 9) == []
    assert at(found, [ONE, OTHER], '"you"', (30, 0), 1) == [(OTHER, 7)]
    assert at(found, [ONE], '"grusse"', EVER, 9) == []
    assert at(found, [ONE], '"gruße"', EVER, 9) == [(ONE, 2)]


def test_conversations_are_no_words_that_somebody_could_search_for(found: TextIndex) -> None:
    assert at(found, [ONE, OTHER], '"c1"', EVER, 9) == []


def test_adding_again_adds_nothing(found: TextIndex) -> None:
    found.add(ONE, 3, [Line(3, 30, "you see")])
    assert at(found, [ONE], '"see"', EVER, 9) == [(ONE, 3), (ONE, 1)]
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
    first.add(ONE, 1, [Line(1, 10, "word")])
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


def test_what_is_replaced_or_taken_out_is_found_no_more(found: TextIndex) -> None:
    found.add(ONE, 4, [Line(4, 40, "four"), Line(1, 10, "eleven"), Line(4, 40, "five")])
    found.add(OTHER, 8, [Line(7, 25, "")])
    for word in ("eight", "four", "here"):
        assert at(found, [ONE, OTHER], f'"{word}"', EVER, 9) == []
    assert at(found, [ONE], '"eleven"', EVER, 9) == [(ONE, 1)]
    assert at(found, [ONE], '"five"', EVER, 9) == [(ONE, 4)]
    found.drop(ONE, 3)
    assert at(found, [ONE], '"eleven"', EVER, 9) == []
    assert at(found, [ONE], '"see"', EVER, 9) == [(ONE, 3)]
    found.drop(ONE)
    found.drop(ONE)
    assert found.upto([ONE, OTHER]) == {ONE: 0, OTHER: 8}


def test_what_had_its_time_goes(found: TextIndex) -> None:
    found.add(ONE, 4, [Line(4, 40, "soon", until=90)])
    found.drop_over(89)
    assert at(found, [ONE], '"soon"', EVER, 9) == [(ONE, 4)]
    found.drop_over(90)
    assert at(found, [ONE], '"soon"', EVER, 9) == []
    assert len(at(found, [ONE], '"see"', EVER, 9)) == 2


def test_search_goes_on_behind_a_hit_of_the_same_time() -> None:
    index = TextIndex(None)
    index.add(ONE, 3, [Line(seq, 10, "word") for seq in (1, 2, 3)])
    (first,) = index.find([ONE], '"word"', EVER, 1) or []
    assert first.seq == 3
    assert at(index, [ONE], '"word"', first[2:], 9) == [(ONE, 2), (ONE, 1)]


def test_text_that_was_taken_out_is_not_in_the_file(tmp_path: Path) -> None:
    index = TextIndex(tmp_path / "search.db")
    index.add(ONE, 1, [Line(1, 10, "secret words")])
    index.add(ONE, 2, [Line(1, 10, "")])
    index.close()
    assert b"secret words" not in (tmp_path / "search.db").read_bytes()


def test_conversations_go_by_how_their_keys_begin(found: TextIndex) -> None:
    found.add(b"other one", 1, [Line(1, 40, "you too")])
    found.drop_all({b"ot", b"xx"})
    assert at(found, [ONE, OTHER, b"other one"], '"you"', EVER, 9) == [(ONE, 3), (ONE, 1)]
    assert found.upto([ONE, OTHER]) == {ONE: 3, OTHER: 0}
    found.drop_all(set())
    assert found.upto([ONE]) == {ONE: 3}
