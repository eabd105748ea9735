"""Knows the commands by which a user looks after devices and conversations.
Must not know the protocol.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
import typer

from nodes.cli.change import text_of
from nodes.cli.option import As, Data, Json, Server, Timeout
from nodes.cli.terminal import note, say_json, say_table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from actorchat.client import Chat, Conversation, Flags, Profile

    Result = TypeVar("Result")

TIMEOUT_S = 10.0
TEXT_SHOWN = 40

Switch = Annotated[bool | None, typer.Option(show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("devices", epilog="Example: actorchat devices --as ann")(devices)
    app.command("rename", epilog="Example: actorchat rename cli-1a2b 'My laptop'")(rename)
    app.command("profile", epilog="Example: actorchat profile --title Ann --about busy")(profile)
    app.command("contacts", epilog="Example: actorchat contacts --add bob")(contacts)
    app.command("conversations", epilog="Example: actorchat conversations --as ann")(conversations)
    app.command("flag", epilog="Example: actorchat flag bob --muted --no-pinned")(flag)


def devices(
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """List your devices; * is the one that asks."""
    found = ask_server(lambda chat: chat.devices(), as_, server, data, timeout)
    if json:
        for one in found:
            say_json(msgspec.to_builtins(one))
        return
    rows = [
        (
            "*" if one.current else " ",
            one.device,
            one.title,
            when(one.created),
            when(one.seen),
            "-" if one.cursor is None else one.cursor,
        )
        for one in found
    ]
    say_table(("", "device", "title", "made", "signed in", "has got"), rows)


def rename(
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="One of the user's own.")],
    title: Annotated[str, typer.Argument(metavar="TITLE", help="How it is shown; may be empty.")],
    as_: As = None,
    server: Server = None,
    data: Data = None,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Say how one of your devices is shown."""
    ask_server(lambda chat: chat.rename(device, title), as_, server, data, timeout)
    note(f"device {device} is shown as {title or device}")


def profile(
    user: Annotated[
        str | None, typer.Argument(metavar="[USER]", help="Whose; by default your own.")
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="Say how you are called.")] = None,
    about: Annotated[str | None, typer.Option("--about", help="Say a line of yourself.")] = None,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Show what somebody says of oneself, or say it of yourself."""
    if user is not None and (title is not None or about is not None):
        raise typer.BadParameter("only your own profile can be changed")

    async def ask(chat: Chat) -> Profile:
        return await (chat.describe(title, about) if user is None else chat.profile(user))

    found = ask_server(ask, as_, server, data, timeout)
    if json:
        say_json(msgspec.to_builtins(found))
    else:
        title = "(deleted account)" if found.gone else found.title
        kind = "bot" if found.bot else "user"
        say_table((kind, "title", "about"), [(found.user, title, found.about)])


def contacts(
    add: Annotated[str | None, typer.Option("--add", metavar="USER")] = None,
    remove: Annotated[str | None, typer.Option("--remove", metavar="USER")] = None,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Change and list your contacts."""

    async def ask(chat: Chat) -> list[str]:
        if add is not None:
            await chat.add_contact(add)
        if remove is not None:
            await chat.remove_contact(remove)
        return await chat.contacts()

    found = ask_server(ask, as_, server, data, timeout)
    if json:
        say_json({"contacts": found})
    else:
        say_table(("contact",), [(name,) for name in found])


def conversations(
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """List your conversations: the pinned ones first, then those with the newest message."""
    found = ask_server(lambda chat: chat.conversations(), as_, server, data, timeout)
    found.sort(key=lambda one: (not one.flags.pinned, one.flags.archived, -one.last.ts))
    if json:
        for one in found:
            fields: dict[str, Any] = msgspec.to_builtins(one, builtin_types=(bytes,))
            fields["last"]["cid"] = one.last.cid.hex()
            say_json(fields)
        return
    rows = [
        (
            f"{one.conv} (deleted account)"
            if one.gone
            else one.conv
            if one.title is None
            else f"{one.title} {one.conv}",
            one.unread or "",
            when(one.last.ts),
            f"{one.last.sender}: {short(text_of(one.last))}",
            " ".join(name for name in one.flags.__struct_fields__ if getattr(one.flags, name)),
        )
        for one in found
    ]
    say_table(("with", "unread", "last", "message", "flags"), rows)


def flag(
    with_: Annotated[str, typer.Argument(metavar="WITH", help="The other user, or a group.")],
    muted: Switch = None,
    archived: Switch = None,
    pinned: Switch = None,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Mute, archive or pin a conversation, for yourself alone; or show how it is."""
    flags = ask_server(
        lambda chat: chat.flag(with_, muted=muted, archived=archived, pinned=pinned),
        as_,
        server,
        data,
        timeout,
    )
    if json:
        say_json(msgspec.to_builtins(flags))
        return
    names = [name for name in flags.__struct_fields__ if getattr(flags, name)]
    note(f"the conversation with {with_} is {' and '.join(names) or 'as usual'}")


def ask_server(
    ask: Callable[[Chat], Awaitable[Result]],
    as_: str | None,
    server: str | None,
    data: Path | None,
    timeout_s: float,
) -> Result:
    """Sign in, ask, and return what came of it."""
    from nodes.cli.wire import run_errand

    return run_errand(ask, as_, server, data, timeout_s, ack="manual")


def when(ts_wall_ms: int) -> str:
    """Return a time as people read it; 0 is none."""
    if not ts_wall_ms:
        return "-"
    return datetime.fromtimestamp(ts_wall_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")


def short(text: str) -> str:
    """Return the beginning of a text, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= TEXT_SHOWN else line[: TEXT_SHOWN - 1] + "…"


def called(one: Conversation) -> str:
    """Return what a conversation is called in a list."""
    if one.gone:
        return f"{one.conv} (deleted account)"
    return one.conv if one.title is None else f"{one.title} {one.conv}"


def flags_of(flags: Flags) -> str:
    """Return which flags are set, for people."""
    return " ".join(name for name in flags.__struct_fields__ if getattr(flags, name))
