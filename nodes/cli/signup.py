"""Knows the command by which somebody makes an account. Must not know who may."""

from __future__ import annotations

from typing import Annotated

import typer

from nodes.cli.account import (
    TIMEOUT_S,
    Name,
    PasswordFile,
    check_name,
    new_password,
)
from nodes.cli.credential import Credentials, Login, credentials_path, errand_of, new_device
from nodes.cli.failure import CommandFailed, Exit
from nodes.cli.option import Data, Json, Server, Timeout
from nodes.cli.place import realm, server_address
from nodes.cli.terminal import note, say, say_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("signup", epilog="Example: actorchat signup eve --code 3vN… --generate")(signup)


def signup(
    name: Name,
    code: Annotated[
        str | None,
        typer.Option("--code", metavar="CODE", help="Of an invitation, if the server wants one."),
    ] = None,
    password_file: PasswordFile = None,
    generate: Annotated[
        bool, typer.Option("--generate", help="Make a password, and print it this once.")
    ] = False,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Make an account for yourself, where the server lets you, and sign this machine in to it."""
    from nodes.cli.wire import run_async

    check_name(name)
    password = new_password(password_file, generate=generate)
    address = server_address(server, data)
    device = new_device()
    token = run_async(_make(address, name, device, password, code, timeout))
    if generate and not json:
        say(f"password: {password}")  # before anything else can fail
    errand_token = run_async(_sign_in(address, name, errand_of(device), password, timeout))
    Credentials(realm(server, data)).keep(
        name, Login(device, token, errand_of(device), errand_token)
    )
    if json:
        made = {"user": name, "server": address, "device": device}
        say_json({**made, "password": password} if generate else made)
        return
    note(f"{name} has an account; signed in here as {device} ({credentials_path()})")


async def _make(
    address: str, name: str, device: str, password: str, code: str | None, timeout_s: float
) -> str:
    from actorchat.client import sign_up
    from nodes.cli.wire import AGENT, curve_identity, reach

    reach(address, timeout_s)
    try:
        chat = sign_up(
            address,
            user=name,
            device=device,
            password=password,
            code=code,
            ack="manual",
            sign_in_timeout_s=timeout_s,
            curve=curve_identity(),
            agent=AGENT,
        )
    except ValueError as error:
        raise CommandFailed(Exit.USAGE, "bad_request", str(error)) from None
    async with chat:
        assert chat.token is not None
        return chat.token


async def _sign_in(address: str, name: str, device: str, password: str, timeout_s: float) -> str:
    from actorchat.client import connect
    from nodes.cli.wire import AGENT, curve_identity

    chat = connect(
        address,
        user=name,
        device=device,
        password=password,
        ack="manual",
        sign_in_timeout_s=timeout_s,
        curve=curve_identity(),
        agent=AGENT,
    )
    async with chat:
        assert chat.token is not None
        return chat.token
