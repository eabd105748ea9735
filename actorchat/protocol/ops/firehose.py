"""Knows the ops of bots, of the firehose of events, and of hooks.
Must not know how events are kept or posted.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from actorchat.limits import (
    EVENTS_PAGE_MAX,
    EVENTS_WAIT_MS_MAX,
    HOOK_SECRET_CHARS_MIN,
    HOOK_URL_CHARS_MAX,
    SECRET_CHARS_MAX,
)
from actorchat.protocol.ops.field import NewName, Position, RequestId

EventKind = Literal["message", "change", "act"]
HookDeed = Literal["add", "remove", "pause", "resume", "test"]
EventKinds = Annotated[list[EventKind], Meta(max_length=8)]
HookUrl = Annotated[str, Meta(min_length=1, max_length=HOOK_URL_CHARS_MAX)]
HookSecret = Annotated[str, Meta(min_length=HOOK_SECRET_CHARS_MIN, max_length=SECRET_CHARS_MAX)]
EventLimit = Annotated[int, Meta(ge=1, le=EVENTS_PAGE_MAX)]
EventWait = Annotated[int, Meta(ge=0, le=EVENTS_WAIT_MS_MAX)]


class Bot(Struct, tag_field="op", tag="bot", gc=False, omit_defaults=True):
    """Ask for a bot, a token for its `device`, and `events`: what it may read of everybody's.

    With `moderates` it may delete messages of others, in any conversation (`delete`). For operators
    only. A bot that is there gets another token, and these grants in place of those before. Answer:
    `{user, token}`. Errors: `exists` where a person has the name, `forbidden`, `too_many_devices`,
    `busy`.
    """

    id: RequestId
    user: NewName
    device: NewName
    events: EventKinds
    moderates: bool = False


class Events(Struct, tag_field="op", tag="events", gc=False, omit_defaults=True):
    """Ask for the events behind position `after`, which says that all up to it are safe.

    For bots that were granted some. Each is as it is shown when it is read: of what was deleted, or
    is over, no text comes any more, and an edit has the text of now. Absent, `after` is what the
    bot said last. Answer: `{events, position, head, missed?}`: go on after `position`; with
    `missed` some before were too old to be kept. `wait_ms` is how long to wait for the first.
    Errors: `forbidden`, `bad_request`, `busy`.
    """

    id: RequestId
    after: Position | None = None
    limit: EventLimit = EVENTS_PAGE_MAX
    wait_ms: EventWait = 0


class Hook(Struct, tag_field="op", tag="hook", gc=False, omit_defaults=True):
    """Ask for something to be done to the hook `name`; for operators only.

    `add` wants `url`, `secret` and `kinds`, and begins with what is stored from now on. Answer:
    `{}`; of `test` `{status, reason}`, what came of one post. Errors: `exists`, `no_such_hook`,
    `too_many`, `bad_request`, `unavailable`, `busy`, `forbidden`.
    """

    id: RequestId
    name: NewName
    do: HookDeed
    url: HookUrl | None = None
    secret: HookSecret | None = None
    kinds: EventKinds | None = None

    def __post_init__(self) -> None:
        if self.do == "add" and not (self.url and self.secret and self.kinds):
            raise ValueError("`add` needs `url`, `secret` and `kinds`")


class Hooks(Struct, tag_field="op", tag="hooks", gc=False):
    """Ask for all hooks; for operators only.

    Answer: `{hooks: [{name, url, kinds, state, created, position, head, failures, error}…]}`.
    """

    id: RequestId


FIREHOSE_OPS = (Bot, Events, Hook, Hooks)
