"""Knows the command that searches. Must not know the protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nodes.cli.option import As, Data, Json, Server, Timeout
from nodes.cli.terminal import message_line, say, say_json

if TYPE_CHECKING:
    from actorchat.client.search import Hit

TIMEOUT_S = 10.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("search", epilog="Example: actorchat search 'see you' --with bob --as ann")(search)


def search(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Words; the last may be begun.")],
    with_: Annotated[
        str | None,
        typer.Option("--with", metavar="NAME", help="Only of this user or group."),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=50, help="How many, at most.")
    ] = 20,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Find messages in your own conversations, the newest first."""
    from nodes.cli.wire import as_user, run_async

    async def ask() -> list[Hit]:
        _, chat = as_user(server, data, as_, ack="manual", timeout_s=timeout)
        async with chat:
            return await chat.search(text, conv=with_, limit=limit)

    for hit in run_async(ask()):
        entry = hit.entry
        if json:
            fields = {"conv": hit.conv, "from": entry.sender, "seq": entry.seq, "ts": entry.ts}
            say_json({**fields, "cid": entry.cid.hex(), "text": entry.text})
        else:
            say(f"{hit.conv}: {message_line(entry.sender, entry.seq, entry.ts, entry.text)}")
