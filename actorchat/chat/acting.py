"""Knows what a request that changes messages carries on its way. Must not know who decides."""

from __future__ import annotations

import msgspec

from actorchat.protocol.ops import AnyAct, Record


class Acting(msgspec.Struct, gc=False):
    """An act that is asked for.

    The shell fills `targets`, the messages that it is about, as far as there are such; the machine
    `rewrites`, what they are afterwards. `moderates`: who asks need not be a member, and was
    granted to delete what others wrote.
    """

    act: AnyAct
    targets: dict[int, Record] = {}
    rewrites: tuple[Record, ...] = ()
    moderates: bool = False
