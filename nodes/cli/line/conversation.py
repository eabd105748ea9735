"""Knows the lines about whom one talks with, and how conversations are kept. Must not know what is
said in them.
"""

from __future__ import annotations

from collections.abc import Sequence

from nodes.cli.line.command import Command, Run, Seat, choice_of, needed, nothing, other_of
from nodes.cli.line.place import resolve
from nodes.cli.people import called, flags_of, short, when
from nodes.cli.said import text_of
from nodes.cli.terminal import visible

SIGNALS = ("typing", "recording", "stopped")


async def _with(seat: Seat, rest: str) -> None:
    await seat.turn_to(needed(rest))


async def _who(seat: Seat, rest: str) -> None:
    nothing(rest)
    whom = f"talks with {seat.other}" if seat.other else "talks with nobody yet"
    seat.say(f"{seat.user} {whom}; {seat.client.state.value}")


async def _list(seat: Seat, rest: str) -> None:
    is_all = choice_of(rest, ("", "all")) == "all"
    found = await seat.client.conversations()
    found.sort(key=lambda one: (not one.flags.pinned, one.flags.archived, -one.last.ts))
    archived = 0
    for one in found:
        if one.flags.archived and not is_all:
            archived += 1
            continue
        unread = f" ({one.unread} unread)" if one.unread else ""
        flags = f" [{flags}]" if (flags := flags_of(one.flags)) else ""
        last = f"{one.last.sender}: {short(text_of(one.last))}"
        seat.say(visible(f"{when(one.last.ts)} {called(one)}{unread}{flags} {last}"))
    if not found:
        seat.tell("  you have talked with nobody yet")
    if archived:
        seat.tell(f"  {archived} archived: /list all")


def _flag(name: str, on: bool, said: str) -> Run:
    async def run(seat: Seat, rest: str) -> None:
        conv = await resolve(seat.client, rest) if rest else other_of(seat)
        await seat.client.flag(conv, **{name: on})
        seat.tell(f"  ✓ {conv} is {said}")

    return run


async def _typing(seat: Seat, rest: str) -> None:
    other = other_of(seat)
    seat.client.signal(other, choice_of(rest or "typing", SIGNALS))  # type: ignore[arg-type]
    seat.tell("  ✓ shown for a few seconds" if rest != "stopped" else "  ✓ shown no more")


def _flags(*kept: tuple[str, str, bool, str, str]) -> Sequence[Command]:
    return [
        Command(word, "[NAME]", does, _flag(name, on, said), ("flag",))
        for word, name, on, said, does in kept
    ]


COMMANDS = (
    Command("/with", "NAME|#GROUP", "talk with another", _with, ("watch", "mark", "history")),
    Command("/who", "", "whom you talk with", _who),
    Command("/list", "[all]", "your conversations, the newest first", _list, ("conversations",)),
    *_flags(
        ("/mute", "muted", True, "muted", "mute this conversation, or that with NAME"),
        ("/unmute", "muted", False, "not muted any more", "and no more"),
        ("/archive", "archived", True, "archived", "put it out of the way"),
        ("/unarchive", "archived", False, "not archived any more", "and back"),
        ("/pin", "pinned", True, "pinned", "keep it at the top"),
        ("/unpin", "pinned", False, "not pinned any more", "and no more"),
    ),
    Command("/typing", "[recording|stopped]", "show that you are writing", _typing, ("signal",)),
)
