"""Knows every op of the client protocol. Must not know CBOR, frames, or any state.

An op is a class in one of these modules and nowhere else. A new one is that class, its place in a
table below, a rule in `config/protocol.cddl` and a vector in `tests/vectors/`; tests name what is
missing.
"""

from __future__ import annotations

from actorchat.protocol.ops.group import AnyChange, Change, Group, Receipts
from actorchat.protocol.ops.message import History, Msg, Record, Send
from actorchat.protocol.ops.operator import Actors, Provision, Revoke, Status
from actorchat.protocol.ops.people import (
    PEOPLE_OPS,
    Contact,
    Contacts,
    Conversations,
    Describe,
    Devices,
    Flag,
    Password,
    Profile,
    Rename,
)
from actorchat.protocol.ops.presence import (
    Presence,
    PresenceState,
    Privacy,
    PrivacyLevel,
    Signal,
    SignalKind,
    SignalPush,
    Unwatch,
    Watch,
)
from actorchat.protocol.ops.receipt import Ack, Mark, MarkPush
from actorchat.protocol.ops.search import Search
from actorchat.protocol.ops.session import (
    Bye,
    ByeCode,
    Failure,
    Hello,
    Invalid,
    Mechanism,
    Ping,
    Pong,
    Reconnect,
    Reply,
)

ClientOp = (
    Hello
    | Ping
    | Send
    | Ack
    | Mark
    | History
    | Change
    | Group
    | Receipts
    | Watch
    | Unwatch
    | Signal
    | Privacy
    | Revoke
    | Provision
    | Status
    | Actors
    | Devices
    | Rename
    | Password
    | Profile
    | Describe
    | Contact
    | Contacts
    | Conversations
    | Flag
    | Search
)
Push = Msg | MarkPush | Presence | SignalPush | Pong | Bye
ServerOp = Reply | Push

CLIENT_OPS: dict[str, type[ClientOp]] = {
    "hello": Hello,
    "ping": Ping,
    "send": Send,
    "ack": Ack,
    "mark": Mark,
    "history": History,
    "change": Change,
    "group": Group,
    "receipts": Receipts,
    "watch": Watch,
    "unwatch": Unwatch,
    "signal": Signal,
    "privacy": Privacy,
    "revoke": Revoke,
    "provision": Provision,
    "status": Status,
    "actors": Actors,
    "devices": Devices,
    "rename": Rename,
    "password": Password,
    "profile": Profile,
    "describe": Describe,
    "contact": Contact,
    "contacts": Contacts,
    "conversations": Conversations,
    "flag": Flag,
    "search": Search,
}

# A reply carries no op's name: what it answers is known by `re`.
SERVER_OPS: dict[str, type[Push]] = {
    "msg": Msg,
    "mark": MarkPush,
    "presence": Presence,
    "signal": SignalPush,
    "pong": Pong,
    "bye": Bye,
}

__all__ = [
    "CLIENT_OPS",
    "PEOPLE_OPS",
    "SERVER_OPS",
    "Ack",
    "Actors",
    "AnyChange",
    "Bye",
    "ByeCode",
    "Change",
    "ClientOp",
    "Contact",
    "Contacts",
    "Conversations",
    "Describe",
    "Devices",
    "Failure",
    "Flag",
    "Group",
    "Hello",
    "History",
    "Invalid",
    "Mark",
    "MarkPush",
    "Mechanism",
    "Msg",
    "Password",
    "Ping",
    "Pong",
    "Presence",
    "PresenceState",
    "Privacy",
    "PrivacyLevel",
    "Profile",
    "Provision",
    "Push",
    "Receipts",
    "Reconnect",
    "Record",
    "Rename",
    "Reply",
    "Revoke",
    "Search",
    "Send",
    "ServerOp",
    "Signal",
    "SignalKind",
    "SignalPush",
    "Status",
    "Unwatch",
    "Watch",
]
