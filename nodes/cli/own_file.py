"""Knows the command that lists one's own files and drops them. Must not know how files travel."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from nodes.cli.attachment import size_text
from nodes.cli.failure import CommandFailed, Exit
from nodes.cli.option import As, Data, Json, Server, Timeout
from nodes.cli.people import TIMEOUT_S, ask_server
from nodes.cli.terminal import note, say_json, say_table

if TYPE_CHECKING:
    from actorchat.client import Chat, DroppedFile, OwnFiles

DIGITS_MIN = 6  # of a hash; fewer are too easily another file's
_HASH_DIGITS = 64


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("files", epilog="Example: actorchat files --drop 3fa9c1 --as ann")(files)


def files(
    drop: Annotated[
        list[str] | None,
        typer.Option("--drop", metavar="HASH", help="One that shall be yours no more; again."),
    ] = None,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """List the files that count against your quota, or drop some; messages go on to have them."""

    async def ask(chat: Chat) -> tuple[list[tuple[bytes, DroppedFile]], OwnFiles]:
        dropped = [await drop_file(chat, one) for one in drop or ()]
        return dropped, await chat.files()

    dropped, found = ask_server(ask, as_, server, data, timeout)
    for sha256, _ in dropped:
        note(f"dropped {sha256.hex()}")
    if json:
        say_json(shown_json(found))
        return
    say_table(("hash", "bytes", "type", "since"), rows_of(found))
    note(usage_line(found))


async def drop_file(chat: Chat, prefix: str) -> tuple[bytes, DroppedFile]:
    """Drop the one file of the user whose hash begins with `prefix`; return hash and usage.

    Raises:
        CommandFailed: None has, or several have; or that is no beginning of a hash.
    """
    text = prefix.lower()
    if not DIGITS_MIN <= len(text) <= _HASH_DIGITS or set(text) - set("0123456789abcdef"):
        reason = f"{prefix!r} is no hash: {DIGITS_MIN} digits of one at least"
        raise CommandFailed(Exit.USAGE, "no_hash", reason)
    found = [one for one in (await chat.files()).files if one.sha256.hex().startswith(text)]
    if len(found) > 1:
        reason = f"{len(found)} of your files begin with {prefix}"
        raise CommandFailed(Exit.USAGE, "no_hash", reason, "give more digits")
    if not found:
        raise CommandFailed(Exit.REFUSED, "no_such_file", f"none of your files is {prefix}")
    return found[0].sha256, await chat.drop_file(found[0].sha256)


def rows_of(found: OwnFiles) -> list[tuple[str, str, str, str]]:
    """Return a row a file, the newest first, for people."""
    newest = sorted(found.files, key=lambda one: (-one.created, one.sha256))
    return [
        (
            one.sha256.hex(),
            size_text(one.size),
            one.type,
            datetime.fromtimestamp(one.created / 1000).astimezone().strftime("%Y-%m-%d %H:%M"),
        )
        for one in newest
    ]


def usage_line(found: OwnFiles) -> str:
    """Return what counts against the quota, for people."""
    files = "1 file" if found.count == 1 else f"{found.count} files"
    return f"{size_text(found.used)} of {size_text(found.quota)} in {files}"


def shown_json(found: OwnFiles) -> dict[str, object]:
    """Return the same for programs; hashes are hexadecimal."""
    shown: dict[str, object] = {"used": found.used, "count": found.count, "quota": found.quota}
    files = [msgspec.to_builtins(one, builtin_types=(bytes,)) for one in found.files]
    return {"files": [{**one, "sha256": one["sha256"].hex()} for one in files], **shown}
