"""Knows the ops that keep accounts and devices. Must not know how secrets are checked."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from actorchat.limits import ACTORS_SHOWN_MAX
from actorchat.protocol.ops.field import Name, NewName, NewSecret, RequestId

ActorView = Literal["tree", "top", "info"]
ActorRanking = Literal["queue", "reductions", "memory"]
ActorCount = Annotated[int, Meta(ge=1, le=ACTORS_SHOWN_MAX)]
ActorWho = Annotated[str, Meta(min_length=1, max_length=256)]


class Revoke(Struct, tag_field="op", tag="revoke", gc=False):
    """Ask for the token of the user's own `device` to be void.

    Answer: `{}`, also where there was no token. A live session of the device gets `bye revoked`.
    """

    id: RequestId
    device: Name


class Provision(Struct, tag_field="op", tag="provision", gc=False, omit_defaults=True):
    """Ask for an account, a device's token, or both; for operators only.

    Answer: `{user, token?}`, the token when `device` was given. Errors: `exists` when a password
    is given and the account is there, `forbidden` to anybody but an operator.
    """

    id: RequestId
    user: NewName
    password: NewSecret | None = None
    device: NewName | None = None


class Status(Struct, tag_field="op", tag="status", gc=False):
    """Ask for the node's counters; for operators only. Answer: a flat map, name → int or text."""

    id: RequestId


class Actors(Struct, tag_field="op", tag="actors", gc=False, omit_defaults=True):
    """Ask what the node's actors are doing; for operators only.

    `tree` shows who supervises whom, of each supervisor the first `count` children; `top` the
    `count` foremost by a ranking; `info` one, by its name or its `id` as text. Answer: `{total,
    actors: [actor…]}`, `total` being how many there are; in a tree each is a line that has its
    `depth`, and in `more` how many of its children are not shown. Error: `no_such_actor`.
    """

    id: RequestId
    view: ActorView
    by: ActorRanking = "queue"
    count: ActorCount = 10
    who: ActorWho | None = None

    def __post_init__(self) -> None:
        if self.view == "info" and self.who is None:
            raise ValueError("`info` needs `who`")
