"""Knows the lines about other people: who they are, who is there, who is kept away.
Must not know messages.
"""

from __future__ import annotations

from actorchat.ids import is_name
from nodes.cli.line.command import Command, Seat, Unclear, choice_of, name_of, names_of, nothing
from nodes.cli.terminal import visible

LEVELS = ("everyone", "contacts", "nobody")


def _whom(seat: Seat, rest: str) -> str:
    if rest:
        return name_of(rest)
    if seat.other is None or not is_name(seat.other):
        raise Unclear
    return seat.other


async def _profile(seat: Seat, rest: str) -> None:
    found = await seat.client.profile(_whom(seat, rest) if rest or seat.other else seat.user)
    what = "a bot" if found.bot else "a deleted account" if found.gone else ""
    parts = [part for part in (what, visible(found.title), visible(found.about)) if part]
    seat.say(f"{found.user}: {'; '.join(parts) or 'says nothing of oneself'}")


async def _contacts(seat: Seat, rest: str) -> None:
    nothing(rest)
    seat.say(", ".join(await seat.client.contacts()) or "no contacts: /contact NAME keeps one")


async def _contact(seat: Seat, rest: str) -> None:
    name = _whom(seat, rest)
    await seat.client.add_contact(name)
    seat.tell(f"  ✓ {name} is a contact")


async def _uncontact(seat: Seat, rest: str) -> None:
    name = _whom(seat, rest)
    await seat.client.remove_contact(name)
    seat.tell(f"  ✓ {name} is no contact")


async def _see(seat: Seat, rest: str) -> None:
    await seat.see(names_of(rest))


async def _unsee(seat: Seat, rest: str) -> None:
    names = names_of(rest)
    seat.unsee(names)
    seat.tell(f"  ✓ not told of {', '.join(names)} any more")


async def _privacy(seat: Seat, rest: str) -> None:
    level = choice_of(rest, LEVELS) if rest else None
    now = await seat.client.privacy(level)  # type: ignore[arg-type]
    whom = {"everyone": "everybody sees", "contacts": "your contacts see", "nobody": "nobody sees"}
    seat.say(f"{whom[now]} when you are here, and you see them: {now}")


async def _block(seat: Seat, rest: str) -> None:
    name = _whom(seat, rest)
    await seat.client.block(name)
    seat.tell(f"  {name} is blocked")


async def _unblock(seat: Seat, rest: str) -> None:
    name = _whom(seat, rest)
    await seat.client.unblock(name)
    seat.tell(f"  {name} is not blocked")


async def _blocks(seat: Seat, rest: str) -> None:
    nothing(rest)
    seat.say(", ".join(await seat.client.blocks()) or "nobody is blocked")


COMMANDS = (
    Command("/profile", "[NAME]", "what somebody says of oneself", _profile, ("profile",)),
    Command("/contacts", "", "whom you know", _contacts, ("contacts",)),
    Command("/contact", "[NAME]", "keep somebody as a contact", _contact, ("contact",)),
    Command("/uncontact", "[NAME]", "and no more", _uncontact),
    Command("/see", "NAME…", "who is online, and tell what changes", _see, ("watch",)),
    Command("/unsee", "NAME…", "and no more", _unsee, ("unwatch",)),
    Command(
        "/privacy",
        "[everyone|contacts|nobody]",
        "who may see you, and whom you see",
        _privacy,
        ("privacy",),
    ),
    Command("/block", "[NAME]", "keep somebody away", _block, ("block",)),
    Command("/unblock", "[NAME]", "let them reach you again", _unblock),
    Command("/blocks", "", "whom you keep away", _blocks, ("blocks",)),
)
