"""A log for the chat machines: appended, written, synced; what is not synced can be lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Key = tuple[Any, ...]
Row = tuple[Key, Any]  # a value of None deletes
Completion = tuple[Callable[[Any], object], Any]
Entry = tuple[list[Row], list[Completion]]


class Log:
    """An append list with two points in it: up to `written` reads see it, up to `synced` it stays.

    Three views are kept of it: `appended`, `written` and `synced`, each a dict of rows.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.written_to = 0
        self.synced_to = 0
        self.generation = 0
        self.appended: dict[Key, Any] = {}
        self.written: dict[Key, Any] = {}
        self.synced: dict[Key, Any] = {}
        # Rows of inboxes are trimmed; here they stay, as (owner, upd) -> row.
        self.ever_shown: dict[tuple[str, int], Any] = {}

    def append(self, rows: list[Row], *completions: Completion) -> None:
        """Append `rows`; the completions are told when they are synced."""
        self.entries.append((rows, list(completions)))
        apply(self.appended, rows)

    def write(self) -> None:
        """Make everything that was appended visible to reads."""
        for rows, _ in self.entries[self.written_to :]:
            apply(self.written, rows)
        self.written_to = len(self.entries)

    def sync(self) -> None:
        """Sync what is written; then tell the completions in order."""
        due = self.entries[self.synced_to : self.written_to]
        self.synced_to = self.written_to
        for rows, _ in due:
            self._settle(rows)
        for _, completions in due:
            for tell, event in completions:
                tell(event)

    def lose_open_batch(self) -> list[Completion]:
        """Fail to write what is not written yet; return the completions that are lost with it."""
        lost = [done for _, completions in self.entries[self.written_to :] for done in completions]
        del self.entries[self.written_to :]
        self.appended = dict(self.written)
        self.generation += 1
        return lost

    def crash(self, kept: int) -> None:
        """Lose power: of what is not synced, `kept` written entries are there after the start."""
        end = min(self.synced_to + kept, self.written_to)
        for rows, _ in self.entries[self.synced_to : end]:
            self._settle(rows)
        del self.entries[end:]
        self.written_to = self.synced_to = end
        self.appended, self.written = dict(self.synced), dict(self.synced)
        self.generation += 1

    def _settle(self, rows: list[Row]) -> None:
        apply(self.synced, rows)
        for key, value in rows:
            if key[0] == "inbox" and value is not None:
                place = (key[1], key[2])
                assert place not in self.ever_shown, f"{place} is given out twice"
                self.ever_shown[place] = value


def apply(view: dict[Key, Any], rows: list[Row]) -> None:
    """Put `rows` into a view."""
    for key, value in rows:
        if value is None:
            view.pop(key, None)
        else:
            view[key] = value
