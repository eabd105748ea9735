"""Planted bugs: a checker that never fails proves nothing, so each of these must be caught.

Each mutation breaks one rule of the node in one place. It has so many seeds to be noticed, and the
rule that notices it is the one that was broken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from actorchat.broker.rows import Rows
from actorchat.broker.session import SessionActor
from actorchat.broker.user import UserActor
from actorchat.chat.conversation import Conversation
from actorchat.chat.effect import Trim
from actorchat.chat.event import Accepted
from actorchat.chat.inbox import Inbox
from actorchat.chat.receipt import Marks
from actorchat.chat.window import Window
from actorchat.protocol import codec
from actorchat.store.committer import Committer
from actorchat.testing.world import Options, World

SEEDS = range(240)  # most are caught in the first few
Plant = Callable[[pytest.MonkeyPatch], None]


def ack_before_sync(patch: pytest.MonkeyPatch) -> None:
    append = Committer.append

    def hasty(self: Any, ops: Any, fn1: Any = None, arg1: Any = None, *rest: Any) -> None:
        if isinstance(arg1, Accepted):
            fn1(arg1)
            fn1 = None
        append(self, ops, fn1, arg1, *rest)

    patch.setattr(Committer, "append", hasty)


def push_before_sync(patch: pytest.MonkeyPatch) -> None:
    shown = UserActor._shown

    def hasty(self: Any, effect: Any, upd: int, event: Any, is_own: bool) -> Any:
        then, update = shown(self, effect, upd, event, is_own)
        if effect.session is not None and then is not None:
            then(update)
            return None, None
        return then, update

    patch.setattr(UserActor, "_shown", hasty)


def forget_idempotence(patch: pytest.MonkeyPatch) -> None:
    look = Conversation.key_to_look_up

    def look_no_further(self: Any, event: Any) -> None:
        look(self, event)  # in the window; the store is never asked

    patch.setattr(Conversation, "key_to_look_up", look_no_further)


def forget_window(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Window, "get", lambda self, key: None)


def skip_marker(patch: pytest.MonkeyPatch) -> None:
    message = Rows.message

    def debtless(self: Any, *args: Any) -> Any:
        return message(self, *args[:-1], False)

    patch.setattr(Rows, "message", debtless)


def drop_received_check(patch: pytest.MonkeyPatch) -> None:
    on_deliver = Inbox._on_deliver

    def credulous(self: Any, event: Any, now_wall_ms: int) -> Any:
        self.received[event.pair] = min(self.received[event.pair], event.seq - 1)
        return on_deliver(self, event, now_wall_ms)

    patch.setitem(Inbox.HANDLERS, _type_of(Inbox, on_deliver), credulous)


def drop_gap_check(patch: pytest.MonkeyPatch) -> None:
    on_deliver = Inbox._on_deliver

    def credulous(self: Any, event: Any, now_wall_ms: int) -> Any:
        event.prev = 0
        return on_deliver(self, event, now_wall_ms)

    patch.setitem(Inbox.HANDLERS, _type_of(Inbox, on_deliver), credulous)


def trim_too_far(patch: pytest.MonkeyPatch) -> None:
    trim = UserActor._trim

    def greedy(self: Any, effect: Any) -> None:
        trim(self, Trim(effect.after, effect.upto + 2))

    patch.setitem(UserActor._PERFORM, Trim, greedy)


class Skewed:
    """A session's connection through which updates go as a bug will have it, by whatever way."""

    def __init__(self, connection: Any, bug: Callable[[Skewed, bytes], None]) -> None:
        self.kept: list[bytes] = []
        self.send = connection.push
        self._connection = connection
        self._bug = bug

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def push(self, payload: bytes) -> None:
        if codec.decode(payload)["op"] == "msg":
            self._bug(self, payload)
        else:
            self.send(payload)


def _skew(patch: pytest.MonkeyPatch, bug: Callable[[Skewed, bytes], None]) -> None:
    start = SessionActor.__init__

    def skewed(self: Any, context: Any, connection: Any) -> None:
        start(self, context, Skewed(connection, bug))  # type: ignore[arg-type]

    patch.setattr(SessionActor, "__init__", skewed)


def reorder_inbox(patch: pytest.MonkeyPatch) -> None:
    def swap(connection: Skewed, payload: bytes) -> None:
        kept = connection.kept
        kept.append(payload)
        if len(kept) > 1 or payload[-1] & 1:
            for late in reversed(kept):
                connection.send(late)
            kept.clear()

    _skew(patch, swap)


def accept_holes(patch: pytest.MonkeyPatch) -> None:
    on_record = Inbox._on_record

    def careless(self: Any, event: Any, now_wall_ms: int) -> Any:
        self.recorded[event.pair] = event.seq - 1
        return on_record(self, event, now_wall_ms)

    patch.setitem(Inbox.HANDLERS, _type_of(Inbox, on_record), careless)


def marks_beyond_head(patch: pytest.MonkeyPatch) -> None:
    advance = Marks.advance
    patch.setattr(Marks, "advance", lambda self, d, r, head: advance(self, d, r, 10**6))


def never_detach(patch: pytest.MonkeyPatch) -> None:
    on_detach = Inbox._on_detach
    patch.setitem(Inbox.HANDLERS, _type_of(Inbox, on_detach), lambda *_: [])


def show_others(patch: pytest.MonkeyPatch) -> None:
    """Send everybody a copy of what anybody gets."""
    connections: list[Skewed] = []

    def show(connection: Skewed, payload: bytes) -> None:
        if connection not in connections:
            connections.append(connection)
        for other in connections:
            other.send(payload)

    _skew(patch, show)


def _type_of(owner: Any, method: Any) -> type:
    names = ("HANDLERS", "_HANDLERS", "_PERFORM")
    table = next(getattr(owner, name) for name in names if hasattr(owner, name))
    return next(kind for kind, found in table.items() if found is method)


MUTATIONS: dict[Plant, set[str]] = {
    ack_before_sync: {"I1", "I6"},
    push_before_sync: {"I3", "I4", "I6"},
    forget_idempotence: {"ids", "I2"},
    forget_window: {"ids", "I2", "I6"},
    skip_marker: {"rest", "I3"},
    drop_received_check: {"I6", "store", "rest"},
    drop_gap_check: {"I3", "I6", "rest"},
    trim_too_far: {"I3", "rest", "store", "I6"},
    reorder_inbox: {"rest", "I3"},
    accept_holes: {"I2", "store"},
    marks_beyond_head: {"I5"},
    never_detach: {"leak"},
    show_others: {"I7", "I6"},
}
# Bugs that need a rare coincidence are looked for where it is likely.
KINDS: dict[Plant, frozenset[str]] = {
    forget_window: frozenset({"cut", "takeover", "disk_slow"}),
    accept_holes: frozenset({"poison", "append_fails"}),
    drop_gap_check: frozenset({"poison", "append_fails"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("plant", MUTATIONS, ids=lambda plant: plant.__name__)
def test_planted_bug_is_caught(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    for seed in SEEDS:
        report = World(seed, Options(kinds=KINDS.get(plant))).run()
        found = {text.split(" ")[0] for text in report.violations}
        if found & MUTATIONS[plant]:
            return
        assert not found, f"caught by {found} only:\n{report}"
    pytest.fail(f"{plant.__name__} was not caught in {len(SEEDS)} worlds")
