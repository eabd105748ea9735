"""Knows which conversation people mean by what they type. Must not know commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actorchat.ids import GROUP_MARK, is_group
from nodes.cli.line.command import Unclear
from nodes.cli.terminal import visible

if TYPE_CHECKING:
    from actorchat.client import Chat

NAMED_MAX = 5


async def resolve(client: Chat, text: str) -> str:
    """Return the user or group that `text` stands for.

    Behind # may stand the beginning of a group's name, or of its address: that is looked up among
    the groups of the person.

    Raises:
        Unclear: It stands for no group, or for several.
    """
    if not text.startswith(GROUP_MARK) or is_group(text):
        return text
    wanted = text.removeprefix(GROUP_MARK).casefold().strip()
    groups = await client.groups()
    exact = [one for one in groups if one.title.casefold() == wanted]
    found = exact or [
        one
        for one in groups
        if one.title.casefold().startswith(wanted) or one.conv.startswith(text)
    ]
    if len(found) == 1:
        return found[0].conv
    if not found:
        raise Unclear(f"You are in no group {visible(text)}; /groups lists yours")
    names = ", ".join(f"{visible(one.title)} ({one.conv})" for one in found[:NAMED_MAX])
    raise Unclear(f"{len(found)} of your groups are {visible(text)}: {names}")
