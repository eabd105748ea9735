"""Knows what a message may have beside its text, what is kept of that, and when two ask the same.
Must not know who may act, or rows.
"""

from __future__ import annotations

import re
from collections.abc import Container

import msgspec

from actorchat.chat.acting import Acting
from actorchat.chat.roster import Verdict
from actorchat.ids import is_name
from actorchat.protocol.ops import AnyAct, Extra, Record

_canonical = msgspec.json.Encoder().encode
_GEO = re.compile(  # RFC 5870, of WGS 84: no other system is in use
    r"geo:(-?\d{1,2}(?:\.\d{1,12})?),(-?\d{1,3}(?:\.\d{1,12})?)"
    r"(?:,-?\d{1,6}(?:\.\d{1,6})?)?(?:;[!-~]*)?",
    re.ASCII,
)
_VCARD = "BEGIN:VCARD"


def recorded(extra: Extra, ts: int) -> Extra:
    """Return what is kept of an extra that was sent: until when, in place of how long."""
    if extra.expires_s is None:
        return extra
    return msgspec.structs.replace(extra, expires_s=None, exp=ts + extra.expires_s * 1_000)


def asked(extra: Extra, ts: int) -> Extra:
    """Return the extra that was sent, of the one that is kept."""
    if extra.exp is None:
        return extra
    return msgspec.structs.replace(extra, expires_s=(extra.exp - ts) // 1_000, exp=None)


def digest_of(body: str, more: Extra | Acting | AnyAct | None) -> int:
    """Return the same number for the same content; differs between processes."""
    if isinstance(more, Acting):
        more = more.act
    return hash(body) if more is None else hash((body, _canonical(more)))


def digest_of_record(record: Record) -> int | None:
    """Return the number of what was asked for; None where the message does not say so any more."""
    if record.gone or record.edited is not None:
        return None
    extra = record.extra
    return digest_of(record.body, None if extra is None else asked(extra, record.ts))


def is_over(record: Record, now_wall_ms: int) -> bool:
    """Say whether a message's time is up."""
    extra = record.extra
    return extra is not None and extra.exp is not None and extra.exp <= now_wall_ms


def judge_extra(
    extra: Extra, body: str, first: int, head: int, members: Container[str]
) -> Verdict | None:
    """Say why a message may not have this extra; None: it may.

    Args:
        first, head: The seqs that the sender can have seen.
        members: Who is in the conversation.
    """
    if extra.exp is not None:
        return Verdict("bad_request", "a send says expires_s, not exp")
    if extra.re is not None and not first <= extra.re <= head:
        return Verdict("no_such_message", f"there is no message {extra.re} to answer")
    for user in extra.mentions:
        if user not in members:
            return Verdict("bad_request", f"{user[:64]} is not in this conversation")
    if len(set(extra.mentions)) < len(extra.mentions):
        return Verdict("bad_request", "somebody is mentioned twice")
    return judge_body(extra.kind, body)


def judge_body(kind: str, body: str) -> Verdict | None:
    """Say why a message of this kind may not have this body; None: it may."""
    if kind == "location" and not _is_place(body):
        return Verdict("bad_request", "a location is a geo URI, as geo:52.5,13.4")
    if kind == "contact" and not (is_name(body) or body.startswith(_VCARD)):
        return Verdict("bad_request", "a contact is a user's name or a vCard")
    if kind == "sealed" and not body:
        return Verdict("bad_request", "there is nothing sealed in it")
    return None


def _is_place(body: str) -> bool:
    found = _GEO.fullmatch(body)
    return found is not None and abs(float(found[1])) <= 90 and abs(float(found[2])) <= 180
