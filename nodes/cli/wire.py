"""Knows how a command reaches a server, and as whom. Must not know what it wants there."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nodes.cli.failure import CommandFailed, Exit
from nodes.cli.place import operator_key, realm, server_address

if TYPE_CHECKING:
    from actorchat.client import AckMode, Chat, CurveIdentity

Result = TypeVar("Result")

TIMEOUT_S = 10.0
AGENT = "actorchat-cli"


def run_async(work: Coroutine[Any, Any, Result]) -> Result:
    """Run `work` on a loop of its own."""
    return asyncio.run(work)


def reach(address: str, timeout_s: float) -> None:
    """See whether anybody listens: at once, where a client would go on trying.

    Raises:
        CommandFailed: The address is none, or nobody is there.
    """
    from actorchat.client.dial import parse_address

    try:
        parsed = parse_address(address)
    except ValueError as error:
        raise CommandFailed(Exit.USAGE, "address", str(error)) from None
    try:
        socket.create_connection((parsed.host, parsed.port), timeout_s).close()
    except (OSError, UnicodeError) as error:
        text = f"{address}: {getattr(error, 'strerror', None) or error}"
        hint = "start a node with: actorchat up"
        raise CommandFailed(Exit.UNREACHABLE, "unreachable", text, hint) from None


def curve_identity() -> CurveIdentity | None:
    """Return the keys for a server that CURVE guards, as the environment says; None for no such.

    `ACTORCHAT_CURVE_SERVER` is the server's public key, `ACTORCHAT_CURVE_KEY` the path of a file
    with the user's secret one.

    Raises:
        CommandFailed: One is missing, or is no key.
    """
    from actorchat.client import read_curve_identity

    server, path = (os.environ.get(f"ACTORCHAT_CURVE_{name}", "") for name in ("SERVER", "KEY"))
    if not server and not path:
        return None
    try:
        if not server or not path:
            raise ValueError("expected both ACTORCHAT_CURVE_SERVER and ACTORCHAT_CURVE_KEY")
        return read_curve_identity(server, path)
    except ValueError as error:
        raise CommandFailed(Exit.USAGE, "curve_key", str(error)) from None


def as_operator(server: str | None, data: Path | None, timeout_s: float = TIMEOUT_S) -> Chat:
    """Return a client that signs in as the node's operator."""
    from actorchat.client import connect

    address = server_address(server, data)
    reach(address, timeout_s)  # a node that is away explains more than a key that is missing
    key = operator_key(data)
    return connect(
        address,
        user="operator",
        device="cli",
        operator=key,
        sign_in_timeout_s=timeout_s,
        timeout_s=timeout_s,
        curve=curve_identity(),
        agent=AGENT,
    )


def as_user(
    server: str | None,
    data: Path | None,
    user: str | None,
    *,
    listens: bool = False,
    ack: AckMode = "auto",
    timeout_s: float = TIMEOUT_S,
) -> tuple[str, Chat]:
    """Return the chosen user, and a client of its device: one that listens, or runs an errand."""
    from actorchat.client import connect
    from nodes.cli.credential import Credentials

    address = server_address(server, data)
    reach(address, timeout_s)  # before anything is said of who is signed in there
    credentials = Credentials(realm(server, data))
    name, login = credentials.choose(user)
    device = login.device if listens else login.errand_device
    return name, connect(
        address,
        user=name,
        device=device,
        token=login.token if listens else login.errand_token,
        ack=ack,
        sign_in_timeout_s=timeout_s,
        timeout_s=timeout_s,
        curve=curve_identity(),
        agent=AGENT,
        on_token=lambda token: credentials.renew(name, device, token),
    )


def run_errand(
    ask: Callable[[Chat], Awaitable[Result]],
    as_: str | None,
    server: str | None,
    data: Path | None,
    timeout_s: float = TIMEOUT_S,
    *,
    ack: AckMode = "auto",
) -> Result:
    """Sign in as the chosen user, do the one thing that `ask` does with the client, and leave.

    Raises:
        CallTimeout: There was no answer within `timeout_s`.
    """
    from actorchat.errors import CallTimeout

    async def errand() -> Result:
        _, chat = as_user(server, data, as_, ack=ack, timeout_s=timeout_s)
        async with chat:
            try:
                async with asyncio.timeout(timeout_s):
                    return await ask(chat)
            except TimeoutError:
                raise CallTimeout("no answer; it may have been done or not") from None

    return run_async(errand())
