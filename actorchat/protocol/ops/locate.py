"""Knows the ops by which clients find their node, and operators a user.
Must not know how nodes are found.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from actorchat.protocol.ops.field import Name, RequestId

Region = Annotated[str, Meta(max_length=64)]


class Locate(Struct, tag_field="op", tag="locate", gc=False, omit_defaults=True):
    """Ask which node `user` is best served by; before signing in, or after.

    `region` is the client's own claim, else that of its network. Answer: `{node, region, home,
    addresses: [text…]}`, those of all gateways of that node; none where the client should stay.
    """

    id: RequestId
    user: Name
    region: Region = ""


class Whereis(Struct, tag_field="op", tag="whereis", gc=False):
    """Ask where a user is; for operators only.

    Answer: `{user, slot, home, epoch, up, account, devices: [{device, node}…]}`, the devices that
    are connected, and by which node; of a home that can't be reached, `up` is false and what only
    it knows is missing.
    """

    id: RequestId
    user: Name
