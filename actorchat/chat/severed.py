"""Knows what follows for presence when the sessions of a node can't be reached any more.
Must not know nodes, or how that was found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from actorchat.chat.event import Address, Event
from actorchat.chat.presence import Entry
from actorchat.chat.sighting import Departed, Unsubscribe


def farewells(entries: Mapping[str, Entry], is_gone: Callable[[Address], bool]) -> list[Event]:
    """Return what those sessions would have told a tracker, which knows `entries`, at their end."""
    told: list[Event] = []
    watched: dict[tuple[str, Address], list[str]] = {}
    for user, entry in entries.items():
        told += [Departed(user, session) for session in entry.sessions if is_gone(session)]
        for watcher, about in (entry.watchers or {}).items():
            for session in about.sessions:
                if is_gone(session):
                    watched.setdefault((watcher, session), []).append(user)
    told += [Unsubscribe(name, session, users) for (name, session), users in watched.items()]
    return told
