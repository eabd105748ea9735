"""Knows how a client asks a server which of its nodes to go to. Must not know what becomes of it.

It is asked before signing in, over a connection of its own, and is advice: any node will do.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Sequence

from msgspec import Struct, field

from actorchat.client import event
from actorchat.client.curve import CurveIdentity
from actorchat.client.dial import OVER_TLS, default_tls, new_link, parse_address
from actorchat.client.link import Address
from actorchat.client.people import read
from actorchat.errors import ActorchatError, CallTimeout, ConnectionLost
from actorchat.protocol import ops
from actorchat.protocol.codec import encode

LOCATE_TIMEOUT_S = 5.0
GONE_TIMEOUT_S = 1.0


class Located(Struct, frozen=True):
    """The node that a user is best served by, and at which one is at home.

    `addresses` are those of its gateways; none: stay with the server that was asked.
    """

    node: str
    region: str
    home: str
    addresses: list[str] = field(default_factory=list)


class Whereabouts(Struct, frozen=True):
    """Where a user is: at home on `home`, by its slot's `epoch`, and connected by `devices`.

    Of a home that can't be reached (`up`), nobody knows the devices, nor if there is an account.
    """

    user: str
    slot: int
    home: str
    epoch: int
    up: bool
    account: bool | None = None
    devices: list[dict[str, str]] = field(default_factory=list)


class LocateCalls:
    """What `Chat` can ask about nodes."""

    async def _ask(self, request: event.Request) -> dict[str, object]:
        raise NotImplementedError

    async def whereis(self, user: str) -> Whereabouts:
        """Return where a user is; for operators."""
        return read(await self._ask(ops.Whereis(0, user)), Whereabouts)


async def locate(
    address: str,
    user: str,
    *,
    region: str = "",
    timeout_s: float = LOCATE_TIMEOUT_S,
    tls: ssl.SSLContext | None = None,
    curve: CurveIdentity | None = None,
) -> Located:
    """Return which node `user` is best served by, as the server at `address` says.

    Args:
        region: Where the client is; else the server goes by the network that it comes from.
    Raises:
        ValueError: The address is none.
        ConnectionLost: No server answers there; CallTimeout: not in time.
    """
    return await ask(parse_address(address), user, region, timeout_s, tls, curve)


async def ask(
    address: Address,
    user: str,
    region: str,
    timeout_s: float = LOCATE_TIMEOUT_S,
    tls: ssl.SSLContext | None = None,
    curve: CurveIdentity | None = None,
) -> Located:
    """Return the same for an address that was read already."""
    answered: asyncio.Future[Located] = asyncio.get_running_loop().create_future()

    def on_open() -> None:
        link.write(encode(ops.Locate(1, user, region)))

    def on_ops(received: list[ops.ServerOp]) -> None:
        for op in received:
            if isinstance(op, ops.Reply) and not answered.done():
                # An older server knows no such op, and has no other node to offer.
                answered.set_result(Located("", "", "") if op.ok is None else read(op.ok, Located))

    def on_end(reason: str) -> None:
        if not answered.done():
            answered.set_exception(ConnectionLost(reason))

    link = new_link(address.scheme, on_open, on_ops, on_end, curve)
    context = (tls or default_tls()) if address.scheme in OVER_TLS else None
    link.open(address, context)
    try:
        async with asyncio.timeout(timeout_s):
            return await answered
    except TimeoutError:
        raise CallTimeout(f"no word of the best node in {timeout_s:g} s") from None
    finally:
        link.drop()
        await link.wait_gone(GONE_TIMEOUT_S)


async def best_first(
    addresses: Sequence[Address],
    user: str,
    region: str,
    tls: ssl.SSLContext | None,
    curve: CurveIdentity | None,
) -> list[Address]:
    """Return `addresses` with that of the best node before them, if there is a better one.

    It is of the same scheme. Those that were given stay, for when it is gone.
    """
    for address in addresses:
        with contextlib.suppress(ActorchatError):
            located = await ask(address, user, region, tls=tls, curve=curve)
            better = [
                found
                for found in map(parse_address, located.addresses)
                if found.scheme == address.scheme
            ]
            return [*better, *(one for one in addresses if one not in better)]
    return list(addresses)
