"""Knows the commands that send and read messages. Must not know the protocol."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from actorchat.errors import CallTimeout
from nodes.cli.failure import CommandFailed, Exit
from nodes.cli.option import As, Data, Json, Server, Timeout
from nodes.cli.said import fields_of, is_shown, text_of
from nodes.cli.terminal import message_line, say, say_json

if TYPE_CHECKING:
    from actorchat.client import Chat, Entry, Message

TIMEOUT_S = 10.0

With = Annotated[str, typer.Argument(metavar="WITH", help="The other user, or a group's address.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("send", epilog="Example: date | actorchat send bob - --as ann")(send)
    app.command("tail", epilog="Example: actorchat tail --json --as bob | jq -r .text")(tail)
    app.command("history", epilog="Example: actorchat history bob --limit 20 --as ann")(history)
    app.command("chat", epilog="In it: /help. Example: actorchat chat bob --as ann")(chat)


def send(
    to: Annotated[str, typer.Argument(metavar="TO", help="The user or group that shall get it.")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="- reads standard input.")],
    cid: Annotated[
        str | None,
        typer.Option("--cid", metavar="HEX", help="Repeat a send of unknown outcome by its id."),
    ] = None,
    reply: Annotated[
        int | None, typer.Option("--reply", metavar="SEQ", min=1, help="The message it answers.")
    ] = None,
    kind: Annotated[
        Literal["text", "location", "contact", "sealed"],
        typer.Option("--kind", help="location: a geo: URI; contact: a name or a vCard."),
    ] = "text",
    expires: Annotated[
        int | None,
        typer.Option("--expires", metavar="SECONDS", min=1, help="When it shall be gone."),
    ] = None,
    mention: Annotated[
        list[str] | None, typer.Option("--mention", metavar="NAME", help="Who is meant; again.")
    ] = None,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Send a message; print its number in the conversation once it is durable."""
    from actorchat.client import Extra, new_cid
    from nodes.cli.wire import run_errand

    asked = Extra(re=reply, mentions=mention or [], kind=kind, expires_s=expires)
    extra = None if asked == Extra() else asked
    name = _parse_cid(cid) if cid is not None else new_cid()
    body = sys.stdin.read().removesuffix("\n") if text == "-" else text

    try:
        sent = run_errand(
            lambda chat: chat.send(to, body, cid=name, extra=extra), as_, server, data, timeout
        )
    except CallTimeout as error:
        hint = f"safe to repeat with: --cid {name.hex()}"
        raise CommandFailed(Exit.UNREACHABLE, error.code, str(error), hint) from None
    if json:
        say_json({"seq": sent.seq, "ts": sent.ts, "dup": sent.dup, "cid": name.hex()})
    else:
        say(str(sent.seq))


def _parse_cid(text: str) -> bytes:
    from actorchat.ids import CLIENT_ID_BYTES

    try:
        cid = bytes.fromhex(text)
    except ValueError:
        cid = b""
    if len(cid) != CLIENT_ID_BYTES:
        raise typer.BadParameter(f"--cid takes {2 * CLIENT_ID_BYTES} hexadecimal digits")
    return cid


def tail(
    count: Annotated[
        int | None, typer.Option("--count", metavar="N", min=1, help="Stop after N messages.")
    ] = None,
    with_: Annotated[
        str | None,
        typer.Option("--with", metavar="NAME", help="Only of this user or group."),
    ] = None,
    from_start: Annotated[
        bool,
        typer.Option("--from-start", help="Print the conversation from its start; wants --with."),
    ] = False,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Print messages as they arrive, after those that came since the last time."""
    from nodes.cli.wire import as_user, run_async

    if from_start and with_ is None:
        raise typer.BadParameter("--from-start needs --with NAME")

    async def follow() -> None:
        _, chat = as_user(server, data, as_, listens=True, ack="manual", timeout_s=timeout)
        async with chat:
            left, last_seq = count, 0
            if from_start and with_ is not None:
                left, last_seq = await _print_all(chat, with_, left, json=json)
            if left is None or left > 0:
                await _follow(chat, with_, left, last_seq, json=json)

    run_async(follow())


async def _print_all(
    chat: Chat, other: str, left: int | None, *, json: bool
) -> tuple[int | None, int]:
    """Print a conversation; return how many may still follow, and the seq of its last."""
    from nodes.history import stretches

    last_seq = 0
    async for entries, _ in stretches(chat, other):
        for entry in entries if left is None else entries[:left]:
            _print(entry, json=json)
            last_seq = entry.seq
            left = None if left is None else left - 1
        if left == 0:
            break
    return left, last_seq


async def _follow(
    chat: Chat, other: str | None, left: int | None, last_seq: int, *, json: bool
) -> None:
    async for message in chat.messages():
        is_wanted = not message.own and (
            other is None or (message.conversation == other and message.seq > last_seq)
        )
        if is_wanted:
            _print(message, json=json)
        message.ack()  # after it is printed, so that none is lost on the way to the reader
        if is_wanted and left is not None:
            left -= 1
            if left == 0:
                return


def history(
    with_: With,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="How many messages, at most.")
    ] = 50,
    before: Annotated[
        int | None, typer.Option("--before", metavar="SEQ", min=1, help="Only those before it.")
    ] = None,
    after: Annotated[
        int | None, typer.Option("--after", metavar="SEQ", min=0, help="The first behind it.")
    ] = None,
    around: Annotated[
        int | None, typer.Option("--around", metavar="SEQ", min=1, help="It and its neighbours.")
    ] = None,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Print the last messages of a conversation, oldest first; or those elsewhere in it."""
    from nodes.cli.wire import as_user, run_async
    from nodes.history import entries_around, first_entries, last_entries

    if around is not None and (before is not None or after is not None):
        raise typer.BadParameter("--around goes without --before and --after")

    async def ask() -> list[Entry]:
        _, chat = as_user(server, data, as_, timeout_s=timeout)
        async with chat:
            if around is not None:
                return await entries_around(chat, with_, limit, around)
            if after is not None:
                return await first_entries(chat, with_, limit, after, before)
            return await last_entries(chat, with_, limit, before)

    for entry in run_async(ask()):
        _print(entry, json=json)


def chat(
    with_: Annotated[
        str | None, typer.Argument(metavar="[WITH]", help="The user, or the group, to talk with.")
    ] = None,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Talk with somebody, a line a message; ✓ is stored, ✓✓ delivered or read."""
    from nodes.cli.credential import Credentials
    from nodes.cli.place import server_address
    from nodes.cli.talk import Talk, lines_of_stdin
    from nodes.cli.wire import as_user, run_async

    async def talk() -> bool:
        user, client = as_user(server, data, as_, listens=True, ack="manual", timeout_s=timeout)
        credentials = Credentials(server_address(server, data))
        mine = credentials.choose(user)[1]
        kept = (mine.device, mine.errand_device)
        async with client:
            talking = Talk(client, user, say, kept, lambda: credentials.forget(user))
            return await talking.run(with_, lines_of_stdin())

    if not run_async(talk()):
        raise typer.Exit(Exit.FAILED)


def _print(message: Message | Entry, *, json: bool) -> None:
    if json:
        fields: dict[str, Any] = {
            "from": message.sender,
            "seq": message.seq,
            "ts": message.ts,
            "cid": message.cid.hex(),
            "text": message.text,
        }
        if (group := getattr(message, "group", None)) is not None:
            fields["group"] = group
        say_json(fields | fields_of(message))
    elif is_shown(message):
        say(message_line(message.sender, message.seq, message.ts, text_of(message)))
        sys.stdout.flush()
