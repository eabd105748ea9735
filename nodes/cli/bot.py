"""Knows the commands of bots, for operators and for the bots themselves.
Must not know how events are kept.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from nodes.cli.option import Data, Json, Server, Timeout
from nodes.cli.said import plain, text_of
from nodes.cli.terminal import message_line, note, say, say_json

if TYPE_CHECKING:
    from actorchat.client import Chat, Sent, StoredEvent

TIMEOUT_S = 10.0

Name = Annotated[str, typer.Argument(metavar="NAME", help="a-z 0-9 . _ -, up to 64 of them.")]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--events",
        metavar="KIND",
        help="What it may read of everybody's: message, change, act; may be given again.",
    ),
]


TokenFile = Annotated[
    Path, typer.Option("--token-file", metavar="FILE", help="- is standard input.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    bot = typer.Typer(help="Make bots, and read events as one.", no_args_is_help=True)
    bot.command("add", epilog="Example: actorchat bot add robot --events message")(add)
    bot.command(
        "events", epilog="Example: actorchat bot events robot --token-file robot.token --follow"
    )(events)
    bot.command(
        "delete",
        epilog="Example: actorchat bot delete mod ann 7 --of bob --token-file mod.token",
    )(delete)
    app.add_typer(bot, name="bot")


def add(
    name: Name,
    kinds: Kinds = None,
    moderate: Annotated[
        bool, typer.Option("--moderate", help="It may delete what others wrote, anywhere.")
    ] = False,
    device: Annotated[str, typer.Option("--device", metavar="DEVICE")] = "main",
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Make a bot and print its token; of one that is there, a new token and these grants alone."""
    from nodes.cli.wire import as_operator, run_async

    async def make() -> str:
        async with as_operator(server, data, timeout) as operator:
            granted: Any = kinds or []
            return await operator.make_bot(name, device, granted, moderates=moderate)

    token = run_async(make())
    if json:
        granted = {"events": kinds or [], "moderates": moderate}
        say_json({"user": name, "device": device, "token": token, **granted})
        return
    if moderate:
        note(f"{name} may delete what anybody wrote, in every conversation of this node")
    note(f"{name} is a bot and signs in as device {device} by this token, shown this once")
    say(token)


def delete(
    name: Name,
    conv: Annotated[str, typer.Argument(metavar="CONV", help="A group's address, or a user.")],
    seqs: Annotated[list[int], typer.Argument(metavar="SEQ...", min=1, help="Their numbers.")],
    token_file: TokenFile,
    of: Annotated[
        str | None,
        typer.Option("--of", metavar="USER", help="The other user of a direct conversation."),
    ] = None,
    device: Annotated[str, typer.Option("--device", metavar="DEVICE")] = "main",
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Delete messages of others for everybody, as a bot that may (`bot add --moderate`)."""
    from nodes.cli.wire import run_async

    async def moderate() -> Sent:
        async with _as_bot(name, device, token_file, server, data, timeout) as chat:
            return await chat.moderate(conv, *seqs, of=of)

    if (of is None) is not conv.startswith("#"):
        raise typer.BadParameter("a direct conversation has two users: CONV and --of; a group none")
    sent = run_async(moderate())
    say_json({"seq": sent.seq, "ts": sent.ts}) if json else note(f"deleted, as #{sent.seq}")


def events(
    name: Name,
    token_file: TokenFile,
    after: Annotated[
        int | None,
        typer.Option("--after", min=0, help="All up to this position is safe (default: as said)."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on for ever.")] = False,
    device: Annotated[str, typer.Option("--device", metavar="DEVICE")] = "main",
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Print what was stored on the node; what is printed counts as safe when the next is asked."""
    from nodes.cli.wire import run_async

    show = _show_json if json else _show

    async def read() -> None:
        async with _as_bot(name, device, token_file, server, data, timeout) as chat:
            if follow:
                async for event in chat.follow_events(after):
                    show(event)
                return
            position, head = after, -1
            while position is None or head < 0 or position < head:
                page = await chat.events(position)
                for event in page.events:
                    show(event)
                position, head = page.position, page.head if head < 0 else head
                if page.missed:
                    note("some events before were too old and are not kept any more")

    run_async(read())


def _as_bot(
    name: str, device: str, token_file: Path, server: str | None, data: Path | None, timeout: float
) -> Chat:
    """Return a client that signs in as a bot by the token in a file."""
    from actorchat.client import connect
    from nodes.cli.place import server_address
    from nodes.cli.wire import AGENT, curve_identity, reach

    is_stdin = str(token_file) == "-"
    text = sys.stdin.readline() if is_stdin else token_file.read_text(encoding="utf-8")
    address = server_address(server, data)
    reach(address, timeout)
    return connect(
        address,
        user=name,
        device=device,
        token=text.strip(),
        ack="manual",
        sign_in_timeout_s=timeout,
        curve=curve_identity(),
        agent=AGENT,
    )


def _show_json(event: StoredEvent) -> None:
    fields: dict[str, Any] = plain(msgspec.to_builtins(event, builtin_types=(bytes,)))
    say_json(fields)


def _show(event: StoredEvent) -> None:
    from actorchat.client import Entry

    entry = Entry(event.sender, event.seq, event.ts, event.cid, event.text, None, event.extra)
    said = msgspec.structs.replace(
        entry, act=event.act, edited=event.edited, gone=event.gone, reactions=event.reactions
    )
    text = text_of(said) if event.change is None else f"({event.change.get('kind', 'change')})"
    where = event.to or event.conv
    say(f"{event.id}\t{message_line(event.sender, event.seq, event.ts, text, where)}")
