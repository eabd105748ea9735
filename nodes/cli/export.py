"""Knows the command that fetches all that is one's own. Must not know the protocol."""

from __future__ import annotations

import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from nodes.cli.option import As, Data, Server, Timeout
from nodes.cli.people import TIMEOUT_S
from nodes.cli.terminal import note

if TYPE_CHECKING:
    from actorchat.client import Chat

File = Annotated[Path, typer.Argument(metavar="FILE", help="Where to; - is standard output.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export", epilog="Example: actorchat export ann.jsonl --as ann")(export)


def export(
    file: File,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Write all that is yours, as lines of JSON: profile, devices, conversations, messages."""
    from nodes.cli.wire import as_user, run_async

    is_stdout = str(file) == "-"

    async def fetch() -> int:
        _, chat = as_user(server, data, as_, ack="manual", timeout_s=timeout)
        async with chat:
            opened = nullcontext(sys.stdout) if is_stdout else _private(file)
            with opened as out:
                return await write_facts(chat, out)

    note(f"{run_async(fetch())} lines{'' if is_stdout else f' in {file}'}")


async def write_facts(chat: Chat, out: TextIO) -> int:
    """Write all that is the user's, a fact a line; return how many there are."""
    count = 0
    async for fact in chat.export():
        out.write(json.dumps(fact, ensure_ascii=False) + "\n")
        count += 1
    return count


def new_private(file: Path) -> TextIO:
    """Open a new file for writing, for nobody else to read.

    Raises:
        OSError: There is one already, or it can't be made.
    """
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8")


def _private(file: Path) -> TextIO:
    """Open `file` for writing, for nobody else to read."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8")
