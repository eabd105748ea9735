"""Knows what a line that changes messages asks for, in line mode. Must not know how it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.cli.act import entry_at

if TYPE_CHECKING:
    from actorchat.client import Chat

WORDS = ("/edit", "/delete", "/react", "/forward")
HELP = (
    "/edit N TEXT   /delete N [me]   /react N EMOJI [off]   /reply N TEXT   /forward N NAME\n"
    "            change, delete (for yourself alone), mark, answer, pass on message number N"
)


async def act(client: Chat, conv: str, word: str, rest: str) -> str | None:
    """Do what a line asks for with a message of `conv`; return what was done, None if unclear.

    Raises:
        ActorchatError: It can't be done, and why.
    """
    number, _, more = rest.partition(" ")
    more = more.strip()
    if not number.isdecimal() or not int(number):
        return None
    seq = int(number)
    match word, more:
        case "/edit", text if text:
            return f"edited, as #{(await client.edit(conv, seq, text)).seq}"
        case "/delete", "":
            return f"deleted, as #{(await client.delete(conv, seq)).seq}"
        case "/delete", "me":
            await client.hide(conv, seq)
            return f"#{seq} is not shown to you any more"
        case "/react", text if text:
            emoji, _, off = text.partition(" ")
            if off not in {"", "off"}:
                return None
            return f"done, as #{(await client.react(conv, seq, emoji, not off)).seq}"
        case "/forward", to if to:
            entry = await entry_at(client, conv, seq)
            return f"passed on to {to}, as #{(await client.forward(entry, to)).seq}"
    return None
