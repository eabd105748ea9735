"""Knows the lines about oneself: what others read, devices, the password, the end of it all.
Must not know other people.
"""

from __future__ import annotations

from pathlib import Path

from actorchat.ids import is_name
from nodes.cli.export import new_private, write_facts
from nodes.cli.line.command import NAME_RULE, Command, Seat, Unclear, choice_of, needed, nothing
from nodes.cli.people import when
from nodes.cli.terminal import visible


async def _title(seat: Seat, rest: str) -> None:
    await seat.client.describe(title=rest)
    seat.tell(f"  ✓ you are called {visible(rest) or seat.user}")


async def _about(seat: Seat, rest: str) -> None:
    await seat.client.describe(about=rest)
    seat.tell("  ✓ done")


async def _devices(seat: Seat, rest: str) -> None:
    nothing(rest)
    for one in await seat.client.devices():
        here = " (this one)" if one.current else ""
        title = f" {visible(one.title)}" if one.title else ""
        seat.say(f"{one.device}{title}{here}: signed in {when(one.seen)}")


def _device_of(word: str) -> str:
    if not is_name(needed(word)):
        raise Unclear(f"{word!r} is no device: {NAME_RULE}")
    return word


async def _rename(seat: Seat, rest: str) -> None:
    device, _, title = rest.partition(" ")
    await seat.client.rename(_device_of(device), title.strip())
    seat.tell(f"  ✓ {device} is shown as {visible(title.strip()) or device}")


async def _revoke(seat: Seat, rest: str) -> None:
    device = _device_of(rest)
    known = {one.device: one for one in await seat.client.devices()}
    if device not in known:
        raise Unclear(f"You have no device {device}: /devices lists them")
    if known[device].current:
        raise Unclear("That is this one: actorchat logout signs it out")
    await seat.client.revoke(device)
    seat.tell(f"  ✓ {device} is signed out")


async def _password(seat: Seat, rest: str) -> None:
    is_others = choice_of(rest, ("", "others")) == "others"
    old = await seat.ask("Password as it is", hidden=True)
    new = await seat.ask("New password", hidden=True)
    if await seat.ask("The new one again", hidden=True) != new:
        raise Unclear("Those were two different ones; nothing was changed")
    keep = seat.kept_devices if is_others else ()
    await seat.client.change_password(old, new, revoke_others=is_others, keep=keep)
    seat.tell("  ✓ changed" + ("; your other devices are signed out" if is_others else ""))


async def _export(seat: Seat, rest: str) -> None:
    path = Path(needed(rest)).expanduser()
    with new_private(path) as out:
        count = await write_facts(seat.client, out)
    seat.tell(f"  ✓ {count} lines in {visible(str(path))}")


async def _delete_account(seat: Seat, rest: str) -> None:
    nothing(rest)
    seat.say("This ends your account for good; nobody gets the name again.")
    if await seat.ask(f"Type your name, {seat.user}, if it is meant") != seat.user:
        raise Unclear("Nothing was done")
    password = await seat.ask("Password", hidden=True)
    await seat.client.delete_account(password)
    seat.leave(forget=True)
    seat.tell("  ✓ the account has ended")


COMMANDS = (
    Command("/title", "[TEXT]", "how you are called", _title, ("describe",)),
    Command("/about", "[TEXT]", "a line about you", _about),
    Command("/devices", "", "where you are signed in", _devices, ("devices",)),
    Command("/rename", "DEVICE [TITLE]", "how one of them is shown", _rename, ("rename",)),
    Command("/revoke", "DEVICE", "sign one of them out", _revoke, ("revoke",)),
    Command(
        "/password", "[others]", "change it; others: and sign them out", _password, ("password",)
    ),
    Command("/export", "FILE", "write all that is yours, as lines of JSON", _export),
    Command(
        "/delete-account", "", "end your account for good", _delete_account, ("delete_account",)
    ),
)
