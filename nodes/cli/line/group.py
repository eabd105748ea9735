"""Knows the lines that make and keep groups. Must not know how messages go to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast, get_args

from actorchat.errors import Refusal
from actorchat.ids import is_group
from actorchat.protocol.ops.group import Role, Span, Who
from nodes.cli.line.command import (
    Command,
    Seat,
    Unclear,
    choice_of,
    group_of,
    name_of,
    names_of,
    needed,
    nothing,
)
from nodes.cli.terminal import visible

if TYPE_CHECKING:
    from actorchat.client import Sent

ROLES: tuple[str, ...] = get_args(Role)
SIZE_DIGITS_MAX = 7
# What /set sets, and to what; empty: a text, or a number.
SETTINGS: dict[str, tuple[str, ...]] = {
    "name": (),
    "description": (),
    "post": get_args(Who),
    "add": get_args(Who),
    "history": get_args(Span),
    "size": (),
}


def _done(seat: Seat, sent: Sent) -> None:
    seat.tell(f"  ✓ done, as #{sent.seq}")


async def _groups(seat: Seat, rest: str) -> None:
    nothing(rest)
    found = sorted(await seat.client.groups(), key=lambda one: one.title.casefold())
    if not found:
        seat.tell("  you are in no group: /create NAME makes one")
    for one in found:
        unread = f", {one.unread} unread" if one.unread else ""
        title = visible(one.title)
        seat.say(f"{one.conv} {title}: {one.size} members, you are {one.role}{unread}")


async def _create(seat: Seat, rest: str) -> None:
    name, _, members = needed(rest).partition(":")
    others = names_of(members) if members.strip() else []
    address = await seat.client.create_group(needed(name.strip()), others)
    seat.tell(f"  ✓ {visible(name.strip())} is {address}")
    await seat.turn_to(address)


async def _group(seat: Seat, rest: str) -> None:
    nothing(rest)
    about = await seat.client.group(group_of(seat))
    seat.say(f"{about.conv} {visible(about.name)}: {about.size} members, {about.head} messages")
    if about.description:
        seat.say(f"  {visible(about.description)}")
    told = "all of the past" if about.history == "all" else "nothing from before they joined"
    seat.say(f"  {about.post} may write, {about.add} may add; who joins reads {told}")
    by_role: dict[str, list[str]] = {}
    for user, role in about.members.items():
        by_role.setdefault(role, []).append(user)
    for role in ROLES:
        if role in by_role:
            seat.say(f"  {role}: {', '.join(sorted(by_role[role]))}")
    for link in about.links:
        seat.say(f"  link: {link}")


async def _name(seat: Seat, rest: str) -> None:
    _done(seat, await seat.client.set_group(group_of(seat), name=needed(rest)))


async def _describe(seat: Seat, rest: str) -> None:
    _done(seat, await seat.client.set_group(group_of(seat), description=rest))


async def _set(seat: Seat, rest: str) -> None:
    field, _, text = rest.partition(" ")
    choices, value = SETTINGS[choice_of(field, SETTINGS)], text.strip()
    given: Any = value
    if choices:
        choice_of(value, choices)
    elif field == "size":
        if not (value.isascii() and value.isdigit() and len(value) <= SIZE_DIGITS_MAX):
            raise Unclear(f"{value!r} is no number of members" if value else "")
        given = int(value)
    elif field == "name":
        needed(value)
    _done(seat, await seat.client.set_group(group_of(seat), **{field: given}))


async def _add(seat: Seat, rest: str) -> None:
    group, words = group_of(seat), rest.split()
    is_reader = words[-2:] == ["as", "reader"]
    names = names_of(" ".join(words[:-2] if is_reader else words))
    role: Any = "reader" if is_reader else "member"
    _done(seat, await seat.client.add(group, *names, role=role))


async def _remove(seat: Seat, rest: str) -> None:
    _done(seat, await seat.client.remove(group_of(seat), name_of(rest)))


async def _leave(seat: Seat, rest: str) -> None:
    nothing(rest)
    group = group_of(seat)
    sure = await seat.ask(f"Leave {group}? yes or no")
    if sure.lower() not in {"y", "yes"}:
        raise Unclear("You stay")
    await seat.client.leave(group)
    seat.tell("  ✓ you have left")


async def _role(seat: Seat, rest: str) -> None:
    group, words = group_of(seat), rest.split()
    if len(words) != 2:
        raise Unclear
    role = cast("Role", choice_of(words[1], ROLES))
    _done(seat, await seat.client.set_role(group, name_of(words[0]), role))


async def _link(seat: Seat, rest: str) -> None:
    nothing(rest)
    seat.say(await seat.client.new_link(group_of(seat)))
    seat.tell("  who has it may join; it is shown this once, /unlink makes it void")


async def _unlink(seat: Seat, rest: str) -> None:
    group, wanted = group_of(seat), needed(rest)
    links = (await seat.client.group(group)).links
    found = [link for link in links if link.startswith(wanted)]
    if len(found) != 1:
        many = "several links begin so" if found else "no such link"
        raise Unclear(f"{many}: /group shows those that there are")
    _done(seat, await seat.client.void_link(group, found[0]))


async def _join(seat: Seat, rest: str) -> None:
    group, _, token = needed(rest).partition("/")
    if not is_group(group) or not token:
        raise Unclear("That is no invite link: one is as /link prints it, #…/…")
    try:
        await seat.client.join(rest)
    except Refusal as error:
        if error.code != "exists":
            raise
        seat.tell("  you are in it already")
    await seat.turn_to(group)


COMMANDS = (
    Command("/groups", "", "list your groups", _groups, ("groups",)),
    Command(
        "/create", "NAME [: MEMBER…]", "make a group and turn to it", _create, ("change:create",)
    ),
    Command("/group", "", "what this group is, and who is in it", _group, ("group",)),
    Command("/name", "NAME", "call it something else", _name),
    Command("/describe", "[TEXT]", "say what it is for", _describe),
    Command(
        "/set",
        "post|add|history|size VALUE",
        "who may write or add (members, admins), what joiners read (all, since_join)",
        _set,
        ("change", "change:set"),
    ),
    Command("/add", "NAME… [as reader]", "add members", _add, ("change:add",)),
    Command("/remove", "NAME", "put a member out", _remove, ("change:remove",)),
    Command(
        "/role",
        "NAME owner|admin|member|reader",
        "give a member another role",
        _role,
        ("change:role",),
    ),
    Command("/leave", "", "leave the group", _leave, ("change:leave",)),
    Command("/link", "", "make an invite link", _link, ("change:link",)),
    Command("/unlink", "LINK", "make one void", _unlink, ("change:unlink",)),
    Command("/join", "LINK", "join a group by a link", _join, ("change:join",)),
)
