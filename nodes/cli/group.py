"""Knows the commands for groups. Must not know the protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from nodes.cli.failure import CommandFailed, Exit
from nodes.cli.option import As, Data, Json, Server, Timeout
from nodes.cli.terminal import note, say, say_json, say_table

if TYPE_CHECKING:
    from actorchat.client import Chat, Sent

TIMEOUT_S = 10.0
HINTS = {
    "exists": "see who is in it: actorchat group info GROUP",
    "forbidden": "ask an admin of the group: actorchat group info GROUP",
    "group_full": "an admin may allow more, up to what the node does",
}

Group = Annotated[str, typer.Argument(metavar="GROUP", help="Its address, #… (mind the quotes).")]
User = Annotated[str, typer.Argument(metavar="USER", help="A member.")]
Setting = Literal["members", "admins"]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Make and keep groups.", no_args_is_help=True)
    group.command("create", epilog="Example: actorchat group create friends bob cid --as ann")(
        create
    )
    group.command("list", epilog="Example: actorchat group list --as ann")(list_)
    group.command("info", epilog="Example: actorchat group info '#…' --as ann")(info)
    group.command("add")(add)
    group.command("remove")(remove)
    group.command("leave")(leave)
    group.command("role", epilog="Example: actorchat group role '#…' bob admin --as ann")(role)
    group.command("set")(set_)
    group.command("link", epilog="Example: actorchat group link '#…' --as ann")(link)
    group.command("unlink")(unlink)
    group.command("join", epilog="Example: actorchat group join '#…/…' --as dan")(join)
    app.add_typer(group, name="group")


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called.")],
    members: Annotated[
        list[str] | None, typer.Argument(metavar="[MEMBER]...", help="The others.")
    ] = None,
    description: Annotated[str, typer.Option("--description", metavar="TEXT")] = "",
    history: Annotated[
        Literal["all", "since_join"],
        typer.Option("--history", help="What those may read who join later."),
    ] = "since_join",
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Make a group, with yourself as its owner; print its address."""

    def ask(chat: Chat) -> Awaitable[str]:
        return chat.create_group(name, members or [], description=description, history=history)

    address = _ask(ask, as_, server, data, timeout)
    say_json({"group": address}) if json else say(address)


def list_(
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """List the groups you are in, by name."""
    import msgspec

    found = _ask(lambda chat: chat.groups(), as_, server, data, timeout)
    found.sort(key=lambda one: (one.title.casefold(), one.conv))
    if json:
        for one in found:
            say_json(msgspec.to_builtins(one))
        return
    rows = [(one.conv, one.title, one.role, one.size, one.head, one.unread or "") for one in found]
    say_table(("group", "name", "you are", "members", "last", "unread"), rows)


def info(
    group: Group,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Print what a group is, and who is in it."""
    import msgspec

    about = _ask(lambda chat: chat.group(group), as_, server, data, timeout)
    if json:
        fields_shown = msgspec.to_builtins(about)
        del fields_shown["more"]
        say_json(fields_shown)
        return
    fields = ("conv", "name", "description", "post", "add", "history", "size", "head")
    rows: list[tuple[str, object]] = [(field, getattr(about, field)) for field in fields]
    rows += [("link", link) for link in about.links]
    say_table(("", ""), [*rows, *((role, user) for user, role in about.members.items())])


def add(
    group: Group,
    users: Annotated[list[str], typer.Argument(metavar="USER...", help="Who shall be in it.")],
    reader: Annotated[bool, typer.Option("--reader", help="They may read and not write.")] = False,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Add members."""

    def ask(chat: Chat) -> Awaitable[Sent]:
        return chat.add(group, *users, role="reader" if reader else "member")

    _done(_ask(ask, as_, server, data, timeout), json=json)


def remove(
    group: Group,
    user: User,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Remove a member."""
    _done(_ask(lambda chat: chat.remove(group, user), as_, server, data, timeout), json=json)


def leave(
    group: Group,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Leave a group; who owned it is followed by the highest member who is there longest."""
    _done(_ask(lambda chat: chat.leave(group), as_, server, data, timeout), json=json)


def role(
    group: Group,
    user: User,
    role: Annotated[
        Literal["owner", "admin", "member", "reader"],
        typer.Argument(metavar="ROLE", help="owner hands the group on."),
    ],
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Give a member another role."""

    def ask(chat: Chat) -> Awaitable[Sent]:
        return chat.set_role(group, user, role)

    _done(_ask(ask, as_, server, data, timeout), json=json)


def set_(
    group: Group,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME")] = None,
    description: Annotated[str | None, typer.Option("--description", metavar="TEXT")] = None,
    post: Annotated[Setting | None, typer.Option("--post", help="Who may write.")] = None,
    add: Annotated[Setting | None, typer.Option("--add", help="Who may add others.")] = None,
    history: Annotated[
        Literal["all", "since_join"] | None,
        typer.Option("--history", help="What those may read who join later."),
    ] = None,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Rename or describe a group, or change its settings."""
    given = {"name": name, "description": description, "post": post, "add": add, "history": history}
    if all(value is None for value in given.values()):
        raise typer.BadParameter("nothing is given to be set")
    ask = cast("Callable[[Chat], Awaitable[Sent]]", lambda chat: chat.set_group(group, **given))
    _done(_ask(ask, as_, server, data, timeout), json=json)


def link(
    group: Group,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Make an invite link and print it, this once: who has it may join."""
    made = _ask(lambda chat: chat.new_link(group), as_, server, data, timeout)
    say_json({"link": made}) if json else say(made)


def unlink(
    group: Group,
    link: Annotated[str, typer.Argument(metavar="LINK", help="As `info` shows it.")],
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Make an invite link void."""
    _done(_ask(lambda chat: chat.void_link(group, link), as_, server, data, timeout), json=json)


def join(
    link: Annotated[str, typer.Argument(metavar="LINK", help="An invite link.")],
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Join a group by an invite link; print its address."""
    address = _ask(lambda chat: chat.join(link), as_, server, data, timeout)
    say_json({"group": address}) if json else say(address)


def _ask(
    ask: Callable[[Chat], Awaitable[Any]], as_: str | None, server: Any, data: Any, timeout: float
) -> Any:
    from actorchat.errors import Refusal
    from nodes.cli.wire import run_errand

    try:
        return run_errand(ask, as_, server, data, timeout)
    except Refusal as error:
        if error.code in HINTS:
            hint = HINTS[error.code]
            raise CommandFailed(Exit.REFUSED, error.code, error.reason, hint) from None
        raise


def _done(sent: Sent, *, json: bool) -> None:
    if json:
        say_json({"seq": sent.seq, "ts": sent.ts})
    else:
        note(f"done, as #{sent.seq}")
