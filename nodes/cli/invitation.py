"""Knows the commands that look after invitations to sign up, for operators.
Must not know how codes are kept.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
import typer

from nodes.cli.account import TIMEOUT_S
from nodes.cli.option import Data, Json, Server, Timeout
from nodes.cli.terminal import note, say, say_json, say_table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from actorchat.client import Chat

    Result = TypeVar("Result")

DAY_S = 86_400


def register(app: typer.Typer) -> None:
    """Add the commands."""
    invitation = typer.Typer(
        help="Let people make accounts by a code; for the operator of the node.",
        no_args_is_help=True,
    )
    example = "Example: actorchat invitation add --title school --uses 30 --days 7"
    invitation.command("add", epilog=example)(add)
    invitation.command("list")(list_)
    invitation.command("revoke")(revoke)
    app.add_typer(invitation, name="invitation")


def add(
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help="What it is for.")] = "",
    uses: Annotated[int, typer.Option("--uses", min=1, help="Accounts that it makes.")] = 1,
    days: Annotated[
        float | None,
        typer.Option("--days", min=0, max=365, help="Days for which it is good (default: ever)."),
    ] = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Make an invitation, and print its code this once.

    It takes effect where the setting auth.signup is "invitation".
    """
    valid_s = None if days is None else max(1, round(days * DAY_S))
    made = _ask(
        lambda chat: chat.add_invitation(title, uses=uses, valid_s=valid_s), server, data, timeout
    )
    if json:
        say_json(msgspec.to_builtins(made))
        return
    note(f"invitation {made.invitation} makes {uses} account{'s' if uses > 1 else ''}")
    say(f"code: {made.code}")


def list_(
    server: Server = None, data: Data = None, json: Json = False, timeout: Timeout = TIMEOUT_S
) -> None:
    """List the invitations that are good, and how many accounts each still makes."""
    found = _ask(lambda chat: chat.invitations(), server, data, timeout)
    if json:
        for one in found:
            say_json(msgspec.to_builtins(one))
        return
    rows = [
        (one.invitation, one.title, f"{one.left}/{one.uses}", _day(one.created), _day(one.expires))
        for one in found
    ]
    say_table(("invitation", "title", "left", "made", "until"), rows)


def revoke(
    invitation: Annotated[str, typer.Argument(metavar="ID", help="As `invitation list` shows it.")],
    server: Server = None,
    data: Data = None,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Have no more accounts be made by an invitation; those that were made stay."""
    _ask(lambda chat: chat.revoke_invitation(invitation), server, data, timeout)
    note(f"invitation {invitation} makes no more accounts")


def _ask(
    ask: Callable[[Chat], Awaitable[Result]],
    server: str | None,
    data: Path | None,
    timeout_s: float,
) -> Result:
    from nodes.cli.wire import as_operator, run_async

    async def errand() -> Result:
        async with as_operator(server, data, timeout_s) as operator:
            return await ask(operator)

    return run_async(errand())


def _day(at_wall_ms: int | None) -> str:
    if at_wall_ms is None:
        return "-"
    return datetime.fromtimestamp(at_wall_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
