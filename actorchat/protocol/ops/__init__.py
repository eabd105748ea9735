"""Knows every op of the client protocol. Must not know CBOR, frames, or any state.

An op is a class in one of these modules and nowhere else. A new one is that class, its place in a
table below, a rule in `config/protocol.cddl` and a vector in `tests/vectors/`; tests name what is
missing.
"""

from __future__ import annotations

from actorchat.protocol.ops.account import DeleteAccount
from actorchat.protocol.ops.act import AnyAct, Delete, Deleted, Edit, Edited, React, Reacted
from actorchat.protocol.ops.block import Block, Blocks
from actorchat.protocol.ops.extra import Extra, FileRef, Forwarded
from actorchat.protocol.ops.file import FILE_OPS, Download, Upload
from actorchat.protocol.ops.firehose import FIREHOSE_OPS, Bot, Events, Hook, Hooks
from actorchat.protocol.ops.group import AnyChange, Change, Group, Groups, Receipts
from actorchat.protocol.ops.locate import Locate, Whereis
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
    FlagPush,
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
    | Groups
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
    | Upload
    | Download
    | Edit
    | Delete
    | React
    | Bot
    | Events
    | Hook
    | Hooks
    | Block
    | Blocks
    | DeleteAccount
    | Search
    | Locate
    | Whereis
)
Push = Msg | MarkPush | Presence | SignalPush | FlagPush | Pong | Bye
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
    "groups": Groups,
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
    "upload": Upload,
    "download": Download,
    "edit": Edit,
    "delete": Delete,
    "react": React,
    "bot": Bot,
    "events": Events,
    "hook": Hook,
    "hooks": Hooks,
    "block": Block,
    "blocks": Blocks,
    "delete_account": DeleteAccount,
    "search": Search,
    "locate": Locate,
    "whereis": Whereis,
}

# A reply carries no op's name: what it answers is known by `re`.
SERVER_OPS: dict[str, type[Push]] = {
    "msg": Msg,
    "mark": MarkPush,
    "presence": Presence,
    "signal": SignalPush,
    "flags": FlagPush,
    "pong": Pong,
    "bye": Bye,
}

__all__ = [
    "CLIENT_OPS",
    "FILE_OPS",
    "FIREHOSE_OPS",
    "PEOPLE_OPS",
    "SERVER_OPS",
    "Ack",
    "Actors",
    "AnyAct",
    "AnyChange",
    "Bot",
    "Block",
    "Blocks",
    "Bye",
    "ByeCode",
    "Change",
    "ClientOp",
    "Contact",
    "Contacts",
    "DeleteAccount",
    "Conversations",
    "Delete",
    "Deleted",
    "Describe",
    "Devices",
    "Download",
    "Edit",
    "Edited",
    "Extra",
    "Events",
    "Failure",
    "FileRef",
    "Flag",
    "Forwarded",
    "FlagPush",
    "Group",
    "Groups",
    "Hello",
    "History",
    "Hook",
    "Hooks",
    "Invalid",
    "Locate",
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
    "React",
    "Reacted",
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
    "Upload",
    "Watch",
    "Whereis",
]
