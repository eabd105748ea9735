"""Knows the command by which an account ends. Must not know the protocol."""

from __future__ import annotations

from typing import Annotated

import typer

from nodes.cli.account import PasswordFile, read_password
from nodes.cli.credential import Credentials
from nodes.cli.failure import CommandFailed, Exit
from nodes.cli.option import As, Data, Server, Timeout
from nodes.cli.people import TIMEOUT_S
from nodes.cli.place import realm
from nodes.cli.terminal import note


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("delete-account", epilog="Example: actorchat delete-account --as ann")(
        delete_account
    )


def delete_account(
    password_file: PasswordFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")] = False,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """End your account for good; nobody gets the name again, others keep what you sent them."""
    from nodes.cli.wire import as_user, run_async

    credentials = Credentials(realm(server, data))
    user, _ = credentials.choose(as_)
    if not yes and not typer.confirm(f"End the account of {user} for good?", err=True):
        raise CommandFailed(Exit.USAGE, "not_meant", "nothing was done")
    password = read_password(password_file, confirm=False)

    async def ask() -> None:
        _, chat = as_user(server, data, user, ack="manual", timeout_s=timeout)
        async with chat:
            await chat.delete_account(password)

    run_async(ask())
    credentials.forget(user)
    note(f"the account of {user} has ended")
