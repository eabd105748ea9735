"""Knows an index of words beside the log, in SQLite's FTS5. Must not know whose words they are.

It is never the truth: it may be behind, it may be lost, and what it finds is read from the log
before anybody is shown it. Each conversation has its place in it, so feeding goes on from there.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from actorchat.errors import ActorchatError

QUERY_S = 0.5  # a query that takes longer is given up
_STEPS = 20_000  # of SQLite's machine between two looks at the time
_FORMAT = 2
_EVER = 2**62
_SCHEMA = """
CREATE TABLE IF NOT EXISTS conversation (
    id INTEGER PRIMARY KEY, key BLOB UNIQUE NOT NULL, upto INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS place (
    id INTEGER PRIMARY KEY, number INTEGER NOT NULL, seq INTEGER NOT NULL, ts INTEGER NOT NULL,
    until INTEGER NOT NULL, conversation TEXT NOT NULL, body TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS place_of ON place (number, seq);
CREATE INDEX IF NOT EXISTS place_until ON place (until) WHERE until > 0;
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(
    conversation, body, content='place', content_rowid='id', detail=full,
    tokenize='unicode61 remove_diacritics 2'
);
"""


class Line(NamedTuple):
    """A message to be found: `ts` is its time, `until` when that is up, in wall ms; 0: never.

    Without a text there is none to be found.
    """

    seq: int
    ts: int
    text: str
    until: int = 0


class Hit(NamedTuple):
    """A message that matches; `ts` and `place` say where a search goes on behind it."""

    key: bytes
    seq: int
    ts: int
    place: int


class Unsupported(ActorchatError):
    """This node has no search: it is switched off, or its SQLite lacks FTS5."""

    code = "unsupported"
    retry = "never"


class TextIndex:
    """Which messages have which words.

    Args:
        path: Its file, which is made anew where it is missing, damaged or of another format; None
            keeps it in memory.
    Raises:
        Unsupported: SQLite lacks FTS5.
    Thread: that of the first call after the making, and no other.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        if not has_fts5():
            raise Unsupported("this SQLite has no FTS5")

    def upto(self, keys: Iterable[bytes]) -> dict[bytes, int]:
        """Return the last seq that is indexed of each conversation, 0 for none."""
        db = self._opened()
        found = {}
        for key in keys:
            row = db.execute("SELECT upto FROM conversation WHERE key = ?", (key,)).fetchone()
            found[key] = 0 if row is None else row[0]
        return found

    def add(self, key: bytes, upto: int, lines: Iterable[Line]) -> None:
        """Add messages of a conversation, which is then indexed up to `upto`.

        One that was there already is replaced, so adding again is safe.
        """
        db = self._opened()
        with db:
            db.execute("INSERT OR IGNORE INTO conversation (key, upto) VALUES (?, 0)", (key,))
            query = "SELECT id, upto FROM conversation WHERE key = ?"
            number, known = db.execute(query, (key,)).fetchone()
            for line in lines:
                if line.seq <= known:
                    _take(db, "number = ? AND seq = ?", (number, line.seq))
                known = max(known, line.seq)
                if line.text:
                    _put(db, number, line)
            db.execute("UPDATE conversation SET upto = max(upto, ?) WHERE id = ?", (upto, number))

    def drop(self, key: bytes, first: int | None = None) -> None:
        """Take out what a conversation has before seq `first`; None: all of it."""
        db = self._opened()
        with db:
            row = db.execute("SELECT id FROM conversation WHERE key = ?", (key,)).fetchone()
            if row is None:
                return
            _take(db, "number = ? AND seq < ?", (row[0], _EVER if first is None else first))
            if first is None:
                db.execute("DELETE FROM conversation WHERE id = ?", row)

    def drop_all(self, prefixes: Collection[bytes]) -> None:
        """Take out the conversations whose keys begin with one of `prefixes`, all of one length."""
        length = len(next(iter(prefixes), b""))
        keys = self._opened().execute("SELECT key FROM conversation").fetchall()
        for (key,) in keys:
            if key[:length] in prefixes:
                self.drop(key)

    def drop_over(self, now_wall_ms: int) -> None:
        """Take out what had its time."""
        db = self._opened()
        with db:
            _take(db, "until > 0 AND until <= ?", (now_wall_ms,))

    def find(
        self, keys: Sequence[bytes], match: str, before: tuple[int, int], limit: int
    ) -> list[Hit] | None:
        """Return what matches, newest first; None: it took too long.

        Args:
            match: A query of FTS5, that can't be misread (`chat.search.match_of`).
            before: Only what is older than this time (wall ms), or at it and before this place.
        """
        db = self._opened()
        numbers = {}
        for key in keys:
            row = db.execute("SELECT id FROM conversation WHERE key = ?", (key,)).fetchone()
            if row is not None:
                numbers[row[0]] = key
        if not numbers:
            return []
        scope = " OR ".join(f"c{number}" for number in numbers)
        until_s = time.monotonic() + QUERY_S
        db.set_progress_handler(lambda: time.monotonic() > until_s, _STEPS)
        try:
            rows = db.execute(
                "SELECT place.number, place.seq, place.ts, place.id FROM words JOIN place"
                " ON place.id = words.rowid WHERE words MATCH ? AND (place.ts, place.id) < (?, ?)"
                " ORDER BY place.ts DESC, place.id DESC LIMIT ?",
                (f"conversation : ({scope}) AND body : ({match})", *before, limit),
            ).fetchall()
        except sqlite3.OperationalError as error:
            if "interrupted" in str(error):
                return None
            raise
        finally:
            db.set_progress_handler(None, 0)
        return [Hit(numbers[number], *rest) for number, *rest in rows]

    def forget(self) -> None:
        """Begin anew, with nothing indexed."""
        self.close()
        if self._path is not None:
            remove_index(self._path)

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        db, self._db = self._db, None
        if db is not None:
            db.close()

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            try:
                self._db = self._open()
            except sqlite3.DatabaseError:
                if self._path is None:
                    raise
                remove_index(self._path)
                self._db = self._open()
        return self._db

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(":memory:" if self._path is None else self._path)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = OFF")  # a file that is lost is made anew
            db.execute("PRAGMA secure_delete = ON")  # what is taken out is gone
            if db.execute("PRAGMA user_version").fetchone()[0] not in (0, _FORMAT):
                raise sqlite3.DatabaseError("of another format")
            db.executescript(_SCHEMA)
            db.execute(f"PRAGMA user_version = {_FORMAT}")
            if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("damaged")
        except BaseException:
            db.close()
            raise
        return db


def _put(db: sqlite3.Connection, number: int, line: Line) -> None:
    scope = f"c{number}"
    place = db.execute(
        "INSERT INTO place (number, seq, ts, until, conversation, body) VALUES (?, ?, ?, ?, ?, ?)",
        (number, line.seq, line.ts, line.until, scope, line.text),
    )
    db.execute(
        "INSERT INTO words (rowid, conversation, body) VALUES (?, ?, ?)",
        (place.lastrowid, scope, line.text),
    )


def _take(db: sqlite3.Connection, which: str, args: tuple[int, ...]) -> None:
    rows = db.execute(f"SELECT id, conversation, body FROM place WHERE {which}", args)  # noqa: S608
    for row in rows.fetchall():
        db.execute(
            "INSERT INTO words (words, rowid, conversation, body) VALUES ('delete', ?, ?, ?)", row
        )
        db.execute("DELETE FROM place WHERE id = ?", row[:1])


def has_fts5() -> bool:
    """Say whether this SQLite has FTS5."""
    db = sqlite3.connect(":memory:")
    try:
        with suppress(sqlite3.OperationalError):
            db.execute("CREATE VIRTUAL TABLE probe USING fts5(word)")
            return True
        return False
    finally:
        db.close()


def remove_index(path: Path) -> None:
    """Remove an index's files, if there are any."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
