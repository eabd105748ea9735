"""Knows what kinds of state rows there are. Must not know what is in them."""

from __future__ import annotations

# Kinds of state rows: one byte each, printable so that a dump can be read.
ACCOUNT = b"A"
DEVICE = b"D"
CURSOR = b"C"
USER_LOG = b"L"
RECEIVED = b"R"
MARKS = b"M"
MEMBERS = b"P"
GROUP = b"G"
MEMBER = b"N"
LINK = b"K"
PRESENCE = b"S"
INDEX = b"I"
FLAGS = b"F"
SEEN = b"E"
TITLE = b"T"
PROFILE = b"B"
CONTACT = b"Q"
FILE = b"O"
USAGE = b"U"
EXPIRY = b"X"
HIDDEN = b"H"
VEIL = b"J"
EVENT = b"e"
EVENT_READER = b"f"
EVENT_PLACE = b"g"
UNSHOWN = b"Z"
BLOCKED = b"a"
GONE = b"b"
MOVED = b"V"
SIZE = b"W"
LEDGER = b"c"
INVITATION = b"h"
MODERATOR = b"j"
META = b"#"
STATE_KINDS = frozenset(
    (
        *(ACCOUNT, DEVICE, CURSOR, USER_LOG, RECEIVED, MARKS, MEMBERS),
        *(GROUP, MEMBER, LINK, PRESENCE),
        *(INDEX, FLAGS, SEEN, TITLE, PROFILE, CONTACT, META),
        *(FILE, USAGE),
        *(EXPIRY, HIDDEN, VEIL),
        *(EVENT, EVENT_READER, EVENT_PLACE),
        *(UNSHOWN, BLOCKED, GONE),
        *(MOVED, SIZE),
        *(LEDGER, INVITATION, MODERATOR),
    )
)
