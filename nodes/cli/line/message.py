"""Knows the lines that write messages of their own kinds, and change what was said.
Must not know how they are shown.
"""

from __future__ import annotations

import re

from actorchat.protocol.ops import Extra
from nodes.cli.act import entry_at
from nodes.cli.line.command import (
    Command,
    Seat,
    Unclear,
    name_of,
    names_of,
    needed,
    other_of,
    seq_of,
    split_seq,
)
from nodes.cli.line.place import resolve

_POINT = re.compile(r"(-?\d{1,2}(?:\.\d{1,12})?)\s*,\s*(-?\d{1,3}(?:\.\d{1,12})?)", re.ASCII)
_SPAN = re.compile(r"(\d{1,9})([smhd]?)", re.ASCII)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


async def _reply(seat: Seat, rest: str) -> None:
    seq, text = split_seq(rest)
    seat.post(needed(text), Extra(re=seq))


async def _mention(seat: Seat, rest: str) -> None:
    names, colon, text = rest.partition(":")
    if not colon:
        raise Unclear
    seat.post(needed(text.strip()), Extra(mentions=names_of(names)))


async def _expire(seat: Seat, rest: str) -> None:
    span, _, text = rest.partition(" ")
    found = _SPAN.fullmatch(span)
    if found is None or not int(found[1]):
        raise Unclear
    seat.post(needed(text.strip()), Extra(expires_s=int(found[1]) * _SECONDS[found[2]]))


async def _location(seat: Seat, rest: str) -> None:
    found = _POINT.fullmatch(needed(rest).removeprefix("geo:"))
    if found is None:
        raise Unclear(f"{rest!r} is no place: degrees north, degrees east, as 48.2,16.37")
    seat.post(f"geo:{found[1]},{found[2]}", Extra(kind="location"))


async def _card(seat: Seat, rest: str) -> None:
    seat.post(name_of(rest), Extra(kind="contact"))


async def _seal(seat: Seat, rest: str) -> None:
    seat.post(needed(rest), Extra(kind="sealed"))


async def _edit(seat: Seat, rest: str) -> None:
    other = other_of(seat)
    seq, text = split_seq(rest)
    needed(text)
    await seat.settle()
    seat.tell(f"  ✓ edited, as #{(await seat.client.edit(other, seq, text)).seq}")


async def _delete(seat: Seat, rest: str) -> None:
    other, words = other_of(seat), needed(rest).split()
    is_mine_alone = words[-1] == "me"
    seqs = [seq_of(word) for word in (words[:-1] if is_mine_alone else words)]
    if not seqs:
        raise Unclear
    await seat.settle()
    if is_mine_alone:
        await seat.client.hide(other, *seqs)
        shown = ", ".join(f"#{seq}" for seq in seqs)
        seat.tell(f"  ✓ not shown to you any more: {shown}")
    else:
        seat.tell(f"  ✓ deleted, as #{(await seat.client.delete(other, *seqs)).seq}")


async def _react(seat: Seat, rest: str) -> None:
    other = other_of(seat)
    seq, text = split_seq(rest)
    emoji, _, off = needed(text).partition(" ")
    if off not in {"", "off"}:
        raise Unclear
    await seat.settle()
    seat.tell(f"  ✓ done, as #{(await seat.client.react(other, seq, emoji, not off)).seq}")


async def _forward(seat: Seat, rest: str) -> None:
    other = other_of(seat)
    seq, text = split_seq(rest)
    to, _, named = needed(text).partition(" ")
    if named not in {"", "named"}:
        raise Unclear
    await seat.settle()
    to = await resolve(seat.client, to)
    entry = await entry_at(seat.client, other, seq)
    sent = await seat.client.forward(entry, to, named=bool(named))
    seat.tell(f"  ✓ passed on to {to}, as #{sent.seq}")


COMMANDS = (
    Command("/reply", "N TEXT", "answer message number N", _reply, ("send", "extra:re")),
    Command("/edit", "N TEXT", "change your message N", _edit, ("edit",)),
    Command(
        "/delete",
        "N… [me]",
        "delete messages for everybody, or for you alone",
        _delete,
        ("delete",),
    ),
    Command(
        "/react", "N EMOJI [off]", "put an emoji at a message, or take it off", _react, ("react",)
    ),
    Command(
        "/forward",
        "N NAME [named]",
        "pass a message on; named says who wrote it",
        _forward,
        ("extra:fwd",),
    ),
    Command("/mention", "NAME…: TEXT", "write and say who is meant", _mention, ("extra:mentions",)),
    Command(
        "/expire",
        "TIME TEXT",
        "write what is gone after 90s, 5m, 2h or 1d",
        _expire,
        ("extra:expires_s",),
    ),
    Command(
        "/location",
        "NORTH,EAST",
        "send a place, in degrees",
        _location,
        ("extra:kind", "kind:location", "kind:text"),
    ),
    Command("/card", "NAME", "send whom to write to", _card, ("kind:contact",)),
    Command("/seal", "TEXT", "send what its reader can open", _seal, ("kind:sealed",)),
)
