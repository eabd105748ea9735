"""Knows the commands that bring files and fetch them. Must not know how files travel."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nodes.cli.attachment import free_path, hash_in, size_text
from nodes.cli.failure import CommandFailed, Exit
from nodes.cli.option import As, Data, Json, Server, Timeout
from nodes.cli.terminal import say, say_json

if TYPE_CHECKING:
    from actorchat.client import Chat
    from actorchat.protocol.ops import FileRef

TIMEOUT_S = 10.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("send-file", epilog="Example: actorchat send-file bob cat.png --as ann")(send_file)
    app.command("download", epilog="Example: actorchat download 7 --with ann --as bob")(download)


def send_file(
    to: Annotated[str, typer.Argument(metavar="TO", help="The user or group that shall get it.")],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The file.")],
    text: Annotated[str, typer.Option("--text", help="What stands beside it.")] = "",
    type_: Annotated[
        str | None,
        typer.Option("--type", help="Its media type; by default what its name suggests."),
    ] = None,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Bring a file to the server and send a message that refers to it; print both their names."""
    from nodes.cli.wire import as_user, run_async

    async def bring() -> tuple[FileRef, int]:
        from actorchat.protocol.ops import Extra

        _, chat = as_user(server, data, as_, timeout_s=timeout)
        async with chat:
            file = await chat.upload(path, type=type_, on_progress=shown(path.name))
            sent = await chat.send(to, text, extra=Extra(kind="file", files=[file]))
            return file, sent.seq

    if not path.is_file():
        raise CommandFailed(Exit.USAGE, "no_file", f"{path}: no such file")
    file, seq = run_async(bring())
    if json:
        hashed = {"hash": file.hash.hex(), "size": file.size, "type": file.type, "name": file.name}
        say_json({"seq": seq, **hashed})
    else:
        say(f"{seq}\t{file.hash.hex()}")


def download(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="HASH|SEQ…", help="A file's SHA-256, or a message's number in --with."
        ),
    ],
    with_: Annotated[
        str | None,
        typer.Option("--with", metavar="NAME", help="Where the numbers count: a user or a group."),
    ] = None,
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="The directory that gets the files.")
    ] = Path(),
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Fetch files, and see that they are what they should be; print where they are.

    No file that is there is written over: a number is put behind the name.
    """
    from nodes.cli.wire import as_user, run_async

    hashes = [hash_in(one) for one in what]
    if with_ is None and None in hashes:
        raise typer.BadParameter("a message's number needs --with NAME; a hash has 64 digits")

    async def fetch() -> None:
        _, chat = as_user(server, data, as_, timeout_s=timeout)
        async with chat:
            for one, sha256 in zip(what, hashes, strict=True):
                files = [sha256] if sha256 else await files_of(chat, str(with_), seq_in(one))
                for file in files:
                    await _fetch_one(chat, file, to, json=json)

    run_async(fetch())


async def _fetch_one(chat: Chat, file: FileRef | bytes, to: Path, *, json: bool) -> None:
    name = file.hex() if isinstance(file, bytes) else file.name
    path = free_path(to, name)
    size = await chat.download(file, path, on_progress=shown(path.name))
    if json:
        sha256 = file if isinstance(file, bytes) else file.hash
        say_json({"path": str(path), "hash": sha256.hex(), "size": size})
    else:
        say(str(path))


def seq_in(text: str) -> int:
    """Return the number of a message.

    Raises:
        CommandFailed: It is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text)):
        raise CommandFailed(Exit.USAGE, "usage", f"neither a hash nor a number: {text!r}")
    return int(text)


async def files_of(chat: Chat, conv: str, seq: int) -> list[FileRef]:
    """Return the files that message `seq` of the conversation with `conv` refers to.

    Raises:
        CommandFailed: There is no such message, or it has no file.
    """
    page = await chat.history(conv, after=seq - 1, before=seq + 1, limit=1)
    files = [file for entry in page.events if entry.extra for file in entry.extra.files]
    if not files:
        raise CommandFailed(Exit.REFUSED, "no_such_file", f"message {seq} has no file")
    return files


def shown(name: str) -> Callable[[int, int], None] | None:
    """Return what shows how far a file is, in one line of a terminal; None where nobody looks."""
    if not sys.stderr.isatty():
        return None
    last = -1

    def show(done: int, size: int) -> None:
        nonlocal last
        percent = 100 * done // size if size else 100
        if percent > last:
            last = percent
            end = "\n" if percent == 100 else ""
            typer.echo(f"\r{name}: {percent} % of {size_text(size)}{end}", err=True, nl=False)

    return show
