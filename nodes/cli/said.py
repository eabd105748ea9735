"""Knows how a message, or what was done to one, reads in words. Must not know where it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from actorchat.protocol.ops import AnyAct, Deleted, Edited, Extra, FileRef
from nodes.cli import change

if TYPE_CHECKING:
    from actorchat.client import Entry, Message

OFTEN = 5  # hops from which on a message is said to be passed on often
GONE = "(deleted)"


def text_of(message: Message | Entry) -> str:
    """Return the text of a message with what belongs to it, or what was done, in words."""
    if message.act is not None:
        return f"* {_deed(message.act, message)}"
    if message.change is not None:
        return change.text_of(message)
    if message.gone:
        return GONE
    text = message.text if message.extra is None else _with_extra(message.extra, message.text)
    if message.edited is not None:
        text += " (edited)"
    if message.reactions:
        shown = (f"{emoji} {', '.join(users)}" for emoji, users in message.reactions.items())
        text += f"  [{'; '.join(shown)}]"
    return text


def is_shown(message: Message | Entry) -> bool:
    """Say whether people are shown a message at all: not what they have deleted for themselves."""
    return not message.hidden


def _deed(act: AnyAct, message: Message | Entry) -> str:
    if isinstance(act, Edited):
        return f"edited #{act.ref}: {GONE if message.gone else message.text}"
    if isinstance(act, Deleted):
        moderated = " as a moderator" if act.between else ""
        return f"deleted {', '.join(f'#{ref}' for ref in act.refs)}{moderated}"
    if act.on:
        return f"reacted to #{act.ref} with {act.emoji}"
    return f"took {act.emoji} off #{act.ref}"


def _with_extra(extra: Extra, text: str) -> str:
    before = []
    if extra.fwd is not None:
        often = " often" if extra.fwd.hops >= OFTEN else ""
        first = f" from {extra.fwd.sender}" if extra.fwd.sender is not None else ""
        before.append(f"(forwarded{often}{first})")
    if extra.re is not None:
        before.append(f"(to #{extra.re})")
    if extra.mentions:
        before.append(f"(for {', '.join(extra.mentions)})")
    if extra.kind == "sealed":
        text = f"{len(text)} characters"
    if extra.kind != "text":
        before.append(f"[{extra.kind}]")
    before += [_file(file) for file in extra.files]
    if text:
        before.append(text)
    if extra.exp is not None:
        before.append("(for a while)")
    return " ".join(before)


def _file(file: FileRef) -> str:
    return f"{file.name} ({file.type}, {file.size:,} bytes)"


def fields_of(message: Message | Entry) -> dict[str, Any]:
    """Return what a message has beside its text, for programs; bytes are hexadecimal."""
    fields: dict[str, Any] = {}
    for name in ("change", "extra", "act", "edited"):
        value = getattr(message, name)
        if value is not None:
            fields[name] = plain(msgspec.to_builtins(value, builtin_types=(bytes,)))
    for name in ("gone", "hidden", "reactions"):
        if value := getattr(message, name):
            fields[name] = value
    return fields


def plain(value: Any) -> Any:
    """Return plain values as JSON has them: bytes are hexadecimal."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.hex() if isinstance(value, bytes) else value
