"""Knows the ops by which a user keeps another one away. Must not know what follows from it."""

from __future__ import annotations

from msgspec import Struct

from actorchat.protocol.ops.field import Name, RequestId


class Block(Struct, tag_field="op", tag="block", gc=False, omit_defaults=True):
    """Ask that nothing of `user` reach the user any more, or with `on: false`, that it does.

    What `user` sends meanwhile to the one who asks is acked as ever and never shown to them, later
    neither; presence, typing and profile are hidden from `user`. Answer: `{}`, when it is durable,
    also where nothing changed. Errors: `no_such_user`, `too_many_blocks`, `bad_request` for
    oneself, `store_full`, `busy`, `unavailable`.
    """

    id: RequestId
    user: Name
    on: bool = True


class Blocks(Struct, tag_field="op", tag="blocks", gc=False):
    """Ask for those whom the user blocks. Answer: `{blocks: [user…]}`, by name."""

    id: RequestId
