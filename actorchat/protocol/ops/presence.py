"""Knows the ops that say who is there and who is typing. Must not know who may see whom."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from actorchat.limits import WATCHED_MAX
from actorchat.protocol.ops.field import Name, Position, RequestId

PrivacyLevel = Literal["everyone", "contacts", "nobody"]
SignalKind = Literal["typing", "recording", "stopped"]
WatchedUsers = Annotated[list[Name], Meta(min_length=1, max_length=WATCHED_MAX)]


class Watch(Struct, tag_field="op", tag="watch", gc=False):
    """Ask who of `users` is online, and to be told when that changes, until the session ends.

    Answer: `{states: [state…]}`, one for each of `users`. Watching a user again asks again.
    Errors: `too_many` above 128 users a session, `busy`.
    """

    id: RequestId
    users: WatchedUsers


class Unwatch(Struct, tag_field="op", tag="unwatch", gc=False):
    """Say that `users` are not looked at any more. No answer."""

    users: WatchedUsers


class Signal(Struct, tag_field="op", tag="signal", gc=False):
    """Show `to`, if they watch this user, that a message is being made. No answer, never stored.

    Dropped beyond 2 a second, or when the server has more to do. Repeat it while it goes on.
    """

    to: Name
    kind: SignalKind


class Privacy(Struct, tag_field="op", tag="privacy", gc=False, omit_defaults=True):
    """Set who may see when this user is online, in both directions; without `level` ask.

    `contacts` are those of the op `contacts`. Two users see each other if the
    setting of each lets the other in, or neither does. Answer: `{level}`, when it is durable.
    Errors: `store_full`, `busy`, `unavailable`.
    """

    id: RequestId
    level: PrivacyLevel | None = None


class PresenceState(Struct, gc=False, omit_defaults=True):
    """Whether `user` is online, and when they were last seen (ms) if they are not.

    Who may not be seen, does not exist, or never signed in is offline without `last_seen`.
    """

    user: Name
    online: bool
    last_seen: Position | None = None


class Presence(Struct, tag_field="op", tag="presence", gc=False):
    """Tell what changed among the watched users: at most one a second; a hint."""

    states: list[PresenceState]


class SignalPush(Struct, tag_field="op", tag="signal", gc=False):
    """Tell that the watched `user` is typing, or recording, to this user. Over after 6 s."""

    user: Name
    kind: SignalKind
