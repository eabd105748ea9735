"""Knows how to use a server as one device of one user. Must not know how servers work.

`connect` is the asyncio face, `blocking.connect` the one for programs without a loop.
"""

from __future__ import annotations

from actorchat.client import blocking
from actorchat.client.aio import AckMode, Chat, connect
from actorchat.client.bot import EventPage, HookInfo, StoredEvent
from actorchat.client.curve import CurveIdentity, read_curve_identity
from actorchat.client.event import State
from actorchat.client.feed import Feed
from actorchat.client.flagged import Flagged
from actorchat.client.locate import Located, Whereabouts, locate
from actorchat.client.message import (
    Entry,
    GroupInfo,
    GroupLine,
    Marks,
    Message,
    Page,
    Progress,
    Sent,
)
from actorchat.client.people import Conversation, DeviceInfo, Flags, Profile
from actorchat.client.post import new_cid
from actorchat.client.presence import Presence, Signal
from actorchat.client.signin import Welcome
from actorchat.protocol.ops import Extra, FileRef, Forwarded
from actorchat.protocol.signature import is_signed

__all__ = [
    "AckMode",
    "Chat",
    "CurveIdentity",
    "Entry",
    "Extra",
    "EventPage",
    "Feed",
    "FileRef",
    "Forwarded",
    "Flagged",
    "GroupInfo",
    "HookInfo",
    "GroupLine",
    "Marks",
    "Located",
    "Message",
    "Page",
    "Presence",
    "Conversation",
    "DeviceInfo",
    "Flags",
    "Profile",
    "Progress",
    "Sent",
    "Signal",
    "State",
    "StoredEvent",
    "Welcome",
    "Whereabouts",
    "blocking",
    "connect",
    "is_signed",
    "locate",
    "new_cid",
    "read_curve_identity",
]
