"""Knows the lines that send files, fetch them, and list one's own.
Must not know how files travel.
"""

from __future__ import annotations

from pathlib import Path

from nodes.cli.attachment import free_path
from nodes.cli.failure import CommandFailed, Exit
from nodes.cli.file import files_of
from nodes.cli.line.command import Command, Seat, needed, nothing, other_of, seq_of
from nodes.cli.own_file import drop_file, rows_of, usage_line
from nodes.cli.terminal import visible


async def _file(seat: Seat, rest: str) -> None:
    other_of(seat)
    path = Path(needed(rest)).expanduser()
    if not path.is_file():
        raise CommandFailed(Exit.USAGE, "no_file", f"{visible(str(path))}: no such file")
    seat.send_file(path)


async def _get(seat: Seat, rest: str) -> None:
    other, seq = other_of(seat), seq_of(needed(rest))
    for file in await files_of(seat.client, other, seq):
        path = free_path(Path(), file.name)
        await seat.client.download(file, path)
        seat.tell(f"  {visible(str(path))}")


async def _files(seat: Seat, rest: str) -> None:
    nothing(rest)
    found = await seat.client.files()
    for sha256, size, media_type, since in rows_of(found):
        seat.say(f"{sha256[:12]}  {size:>10}  {since}  {media_type}")
    seat.tell(f"  {usage_line(found)}")


async def _drop(seat: Seat, rest: str) -> None:
    sha256, left = await drop_file(seat.client, needed(rest))
    seat.tell(f"  ✓ {sha256.hex()[:12]} is dropped; {left.count} files are left")


COMMANDS = (
    Command("/file", "PATH", "send a file", _file, ("upload", "extra:files", "kind:file")),
    Command("/get", "N", "fetch the files of message N", _get, ("download",)),
    Command("/files", "", "list the files that count as yours", _files, ("files",)),
    Command("/drop", "HASH", "have one of them not count any more", _drop, ("drop_file",)),
)
