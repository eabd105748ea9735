"""Knows what each golden frame says, and its CDDL rule. Must not know how it is encoded.

A vector `<name>.hex` is what a conforming peer may send, byte for byte: lines of hex, and comments
behind `#`. The packed ones say the same as their namesake, with the fixed widths that the codec's
hand-packed frames use. `<name>.json` is the JSON form of an op, in one line.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import Struct

from actorchat.protocol import codec
from actorchat.protocol.ops import (
    Ack,
    Actors,
    Block,
    Blocks,
    Bot,
    Bye,
    Change,
    Contact,
    Contacts,
    Conversations,
    Delete,
    DeleteAccount,
    Deleted,
    Describe,
    Devices,
    Download,
    Edit,
    Edited,
    Events,
    Extra,
    Failure,
    FileRef,
    Flag,
    FlagPush,
    Forwarded,
    Group,
    Groups,
    Hello,
    History,
    Hook,
    Hooks,
    Locate,
    Mark,
    MarkPush,
    Msg,
    Password,
    Ping,
    Pong,
    Presence,
    PresenceState,
    Privacy,
    Profile,
    Provision,
    React,
    Reacted,
    Receipts,
    Record,
    Rename,
    Reply,
    Revoke,
    Search,
    Send,
    Signal,
    SignalPush,
    Status,
    Unwatch,
    Upload,
    Watch,
    Whereis,
)
from actorchat.protocol.ops.group import (
    Add,
    Alter,
    Assign,
    Create,
    Enter,
    Invite,
    Leave,
    Remove,
    Uninvite,
)

FOLDER = Path(__file__).parent
CID = bytes(range(16))
TS = 1_700_000_000_000
RECORD = Record("ann", 7, TS, CID, "Grüße 👋")
GROUP = "#AAECAwQFBgcICQoLDA0ODw"
TOKEN = "Dw4NDAsKCQgHBgUEAwIBAA"
GROUP_RECORD = Record("ann", 7, TS, CID, "Grüße 👋", GROUP)
CHANGE_RECORD = Record("ann", 7, TS, CID, "", GROUP, Add(["bob", "cid"]))
SHA256 = bytes(range(32))
GRANT = {
    "base": "http://127.0.0.1:7780",
    "path": f"/v1/files/{SHA256.hex()}",
    "ticket": "Dw4NDAsKCQgHBgUEAwIBAA",
    "expires": TS,
}
FILE = FileRef(bytes(range(32)), 70_000, "image/png", "Grüße.png")
EXTRA = Extra(6, Forwarded(2, "cid"), ["bob"], "file", [FILE], exp=TS + 60_000)
RICH_RECORD = Record(
    "ann", 7, TS, CID, "Grüße 👋", extra=EXTRA, edited=9, reactions={"👍": ["ann", "bob"]}
)
RICH_GROUP_RECORD = Record("ann", 7, TS, CID, "Grüße 👋", GROUP, extra=Extra(mentions=["bob"]))
ACT_RECORDS = {
    "edit": Record("ann", 9, TS, CID, "Grüße!", act=Edited(7)),
    "delete": Record("ann", 9, TS, CID, "", GROUP, act=Deleted([6, 7])),
    "react": Record("ann", 9, TS, CID, "", act=Reacted(7, "👍")),
}
GONE_RECORD = Record("ann", 7, TS, CID, "", gone=True)
OTHER = Record("bob", 8, TS + 1, bytes(16), "")


@dataclass(frozen=True)
class Example:
    """What the vector decodes to, and the rules of the CDDL that hold for it or its answer."""

    op: Struct
    rule: str
    answer_rule: str | None = None


def _ok(answer_rule: str, **ok: object) -> Example:
    return Example(Reply(re=3, ok=ok), "reply", answer_rule)


_WELCOME = {
    "user": "ann",
    "device": "phone",
    "head": 9,
    "cursor": 4,
    "ping_s": 25.0,
    "time_ms": TS,
    "durability": "fsync",
    "limits": {"frame_bytes": 262_144, "body_chars": 65_536, "in_flight": 256},
}
_PAGE: dict[str, Any] = {
    "events": [
        {"from": "ann", "seq": 7, "ts": TS, "cid": CID, "body": RECORD.body},
        {"from": "bob", "seq": 8, "ts": TS + 1, "cid": bytes(16), "body": ""},
    ],
    "head": 8,
    "more": False,
    "marks": {"ann": {"delivered": 8, "read": 8}, "bob": {"delivered": 8, "read": 7}},
}
_RICH_PAGE = {
    **_PAGE,
    "events": [
        codec.decode(codec.encode(record))
        for record in (OTHER, RICH_RECORD, *ACT_RECORDS.values(), GONE_RECORD)
    ],
}
_GROUP = {
    "conv": GROUP,
    "name": "friends",
    "description": "",
    "post": "members",
    "add": "admins",
    "history": "since_join",
    "size": 256,
    "head": 8,
    "members": {"ann": "owner", "bob": "member"},
    "links": [TOKEN],
}
_STATES = [{"user": "ann", "online": True}, {"user": "bob", "online": False, "last_seen": TS}]
_LINES = [
    {"depth": 0, "id": 1, "label": "Root", "state": "idle", "queued": 0, "more": 0},
    {"depth": 1, "id": 2, "label": "Supervisor 'broker'", "state": "idle", "queued": 3, "more": 2},
]
_INFO = {
    "id": 7,
    "label": "UserActor",
    "name": None,
    "state": "waiting",
    "queued": 2,
    "stashed": 1,
    "handled": 9,
    "message_type": "Deliver",
    "age_s": 0.25,
    "memory_bytes": 1_234,
    "monitors": 0,
    "watchers": 1,
    "timers": 1,
    "children": 0,
    "restarts": None,
    "supervisor": "NamedSupervisor 'entities'",
    "supervisor_id": 5,
    "reason": None,
}
_DEVICES = [
    {
        "device": "phone",
        "title": "Anns Telefon",
        "created": TS,
        "seen": TS,
        "cursor": 4,
        "current": True,
    },
    {"device": "web", "title": "", "created": TS, "seen": 0, "cursor": None, "current": False},
]
_CONVERSATIONS = [
    {
        "conv": "bob",
        "head": 8,
        "last": _PAGE["events"][1],
        "unread": 1,
        "marks": _PAGE["marks"],
        "muted": True,
        "archived": False,
        "pinned": False,
    },
    {
        "conv": GROUP,
        "head": 8,
        "last": {**_PAGE["events"][0], "conv": GROUP},
        "unread": 0,
        "marks": {"ann": {"delivered": 8, "read": 8}},
        "muted": False,
        "archived": False,
        "pinned": True,
        "title": "friends",
        "role": "owner",
        "size": 2,
    },
]
_GROUPS = [{"conv": GROUP, "title": "friends", "role": "owner", "size": 2, "head": 8, "unread": 1}]

_EVENTS: list[dict[str, Any]] = [
    {"id": 41, "kind": "message", **_PAGE["events"][0], "to": "bob"},
    {
        "id": 42,
        "kind": "change",
        **_PAGE["events"][1],
        "conv": GROUP,
        "change": {"kind": "add", "users": ["bob"]},
    },
]
_HOOKS = [
    {
        "name": "audit",
        "url": "https://chat.example/hook",
        "kinds": ["change", "message"],
        "state": "active",
        "created": TS,
        "position": 40,
        "head": 42,
        "failures": 1,
        "error": "status 503",
    }
]

CLIENT_EXAMPLES = {
    "hello": Example(Hello(1, 1, "ann", "phone", "password", "secret"), "hello"),
    "hello-resume": Example(
        Hello(1, 1, "ann", "phone", "token", "t0ken", resume=4, agent="cli/1.0"), "hello"
    ),
    "ping": Example(Ping(), "ping"),
    "send": Example(Send(3, "bob", CID, "Grüße 👋"), "send"),
    "send-packed": Example(Send(3, "bob", CID, "Grüße 👋"), "send"),
    "send-extra": Example(
        Send(
            3,
            "bob",
            CID,
            "Grüße 👋",
            Extra(6, Forwarded(2, "cid"), ["bob"], "file", [FILE], expires_s=60),
        ),
        "send",
    ),
    "edit": Example(Edit(3, "bob", CID, 7, "Grüße!"), "edit"),
    "delete": Example(Delete(3, "bob", CID, [6, 7]), "delete"),
    "delete-me": Example(Delete(3, "bob", CID, [7], "me"), "delete"),
    "react": Example(React(3, "bob", CID, 7, "👍"), "react"),
    "react-off": Example(React(3, "bob", CID, 7, "👍", on=False), "react"),
    "ack": Example(Ack(300), "ack"),
    "ack-packed": Example(Ack(300), "ack"),
    "mark": Example(Mark("bob", 8), "mark"),
    "history": Example(History(4, "bob"), "history"),
    "history-before": Example(History(4, "bob", after=1, before=100, limit=200), "history"),
    "history-around": Example(
        History(4, "bob", limit=20, around=7, bytes=8_192, kinds=["message"]), "history"
    ),
    "history-forward": Example(History(4, "bob", after=7, forward=True), "history"),
    **{
        f"change-{change.__struct_config__.tag}": Example(Change(9, GROUP, CID, change), "change")
        for change in (
            Create("friends", ["bob", "cid"], "old ones", history="all", size=16),
            Alter(name="foes", post="admins"),
            Add(["bob", "cid"], "reader"),
            Remove("bob"),
            Leave(),
            Assign("bob", "owner"),
            Invite(TOKEN),
            Uninvite(TOKEN),
            Enter(TOKEN),
        )
    },
    "group": Example(Group(10, GROUP), "group"),
    "group-after": Example(Group(10, GROUP, "bob"), "group"),
    "receipts": Example(Receipts(11, GROUP), "receipts"),
    "receipts-after": Example(Receipts(11, GROUP, "bob"), "receipts"),
    "groups": Example(Groups(12), "groups"),
    "groups-after": Example(Groups(12, GROUP, 20), "groups"),
    "watch": Example(Watch(5, ["ann", "bob"]), "watch"),
    "unwatch": Example(Unwatch(["bob"]), "unwatch"),
    "signal": Example(Signal("bob", "typing"), "signal"),
    "privacy": Example(Privacy(5, "contacts"), "privacy"),
    "privacy-asked": Example(Privacy(5), "privacy"),
    "revoke": Example(Revoke(5, "phone"), "revoke"),
    "provision": Example(Provision(6, "cid", "secret", "desk"), "provision"),
    "status": Example(Status(7), "status"),
    "locate": Example(Locate(7, "ann"), "locate"),
    "locate-region": Example(Locate(7, "ann", "eu"), "locate"),
    "whereis": Example(Whereis(7, "ann"), "whereis"),
    "actors": Example(Actors(8, "top", "memory", 20), "actors"),
    "devices": Example(Devices(9), "devices"),
    "rename": Example(Rename(9, "phone", "Anns Telefon"), "rename"),
    "profile": Example(Profile(9, "bob"), "profile"),
    "describe": Example(Describe(9, "Ann", "Grüße 👋"), "describe"),
    "contact": Example(Contact(9, "bob", keep=False), "contact"),
    "contacts": Example(Contacts(9), "contacts"),
    "upload": Example(Upload(9, SHA256, 1_048_576, "image/png"), "upload"),
    "download": Example(Download(9, SHA256), "download"),
    "block": Example(Block(9, "eve"), "block"),
    "block-off": Example(Block(9, "eve", on=False), "block"),
    "blocks": Example(Blocks(9), "blocks"),
    "delete-account": Example(DeleteAccount(9, "secret"), "delete-account"),
    "password": Example(Password(9, "secret", "better", revoke_others=True), "password"),
    "password-keep": Example(
        Password(9, "secret", "better", revoke_others=True, keep=["web"]), "password"
    ),
    "conversations": Example(Conversations(9), "conversations"),
    "conversations-after": Example(Conversations(9, "bob", 50), "conversations"),
    "flag": Example(Flag(9, "bob", muted=True, pinned=False), "flag"),
    "bot": Example(Bot(12, "robot", "main", ["message"]), "bot"),
    "events": Example(Events(12), "events"),
    "events-after": Example(Events(12, 40, 10, 5_000), "events"),
    "hook": Example(
        Hook(13, "audit", "add", "https://chat.example/hook", "0123456789abcdef", ["message"]),
        "hook",
    ),
    "hook-test": Example(Hook(13, "audit", "test"), "hook"),
    "hooks": Example(Hooks(14), "hooks"),
    "search": Example(Search(9, "see you"), "search"),
    "search-before": Example(Search(9, "see", "bob", TS, 50), "search"),
    "actors-info": Example(Actors(8, "info", who="broker"), "actors"),
}

_LOCATED = {"node": "n2", "region": "eu", "home": "n1", "addresses": ["tcp://127.0.0.1:7710"]}
_HOME = {"user": "ann", "slot": 512, "home": "n1", "epoch": 3}
_PLACES = [{"device": "phone", "node": "n2"}]
SERVER_EXAMPLES = {
    "reply-welcome": _ok("welcome", **_WELCOME),
    "reply-welcome-too-old": _ok("welcome", **_WELCOME, too_old=True),
    "reply-accepted": _ok("accepted", seq=7, ts=TS),
    "reply-accepted-packed": _ok("accepted", seq=7, ts=TS),
    "reply-duplicate": _ok("accepted", seq=7, ts=TS, dup=True),
    "reply-page": _ok("page", **_PAGE),
    "reply-page-first": _ok("page", **_PAGE, first=5, next=7),
    "reply-page-packed": _ok("page", **_PAGE),
    "reply-group": _ok("group-info", **_GROUP),
    "reply-receipts": _ok("receipt-list", head=8, marks=_PAGE["marks"]),
    "reply-group-more": _ok("group-info", **_GROUP, more=True),
    "reply-receipts-more": _ok("receipt-list", head=8, marks=_PAGE["marks"], more=True),
    "reply-groups": _ok("group-list", groups=_GROUPS, more=False),
    "reply-presence": _ok("presence-states", states=_STATES),
    "reply-privacy": _ok("privacy-setting", level="contacts"),
    "reply-done": _ok("done"),
    "reply-provisioned": _ok("provisioned", user="cid", token="t0ken"),
    "reply-report": _ok("report", connections=2, version="1.0"),
    "reply-located": _ok("located", **_LOCATED),
    "reply-located-stay": _ok("located", node="", region="", home="", addresses=[]),
    "reply-whereabouts": _ok("whereabouts", **_HOME, up=True, account=True, devices=_PLACES),
    "reply-whereabouts-down": _ok("whereabouts", **_HOME, up=False),
    "reply-actor-lines": _ok("actor-list", total=4, actors=_LINES),
    "reply-actor-infos": _ok("actor-list", total=4, actors=[_INFO]),
    "reply-devices": _ok("device-list", devices=_DEVICES),
    "reply-conversations": _ok("conversation-list", conversations=_CONVERSATIONS, more=False),
    "reply-card": _ok("card", user="ann", title="Ann", about="Grüße 👋"),
    "reply-card-gone": _ok("gone-card", user="ann", title="", about="", gone=True),
    "reply-blocks": _ok("block-list", blocks=["eve"]),
    "reply-contacts": _ok("contact-list", contacts=["bob", "eve"]),
    "reply-upload": _ok("upload-grant", **GRANT, stored=False),
    "reply-download": _ok("download-grant", **GRANT, size=1_048_576, type="image/png"),
    "reply-hits": _ok(
        "hit-list", hits=[{"conv": "bob", "record": _PAGE["events"][0]}], partial=False
    ),
    "reply-flags": _ok("flags", muted=True, archived=False, pinned=False),
    "reply-card-bot": _ok("card", user="robot", title="", about="", bot=True),
    "reply-bot": _ok("bot-made", user="robot", token="t0ken"),
    "reply-events": _ok("event-page", events=_EVENTS, position=42, head=42, missed=True),
    "reply-hooks": _ok("hook-list", hooks=_HOOKS),
    "reply-trial": _ok("trial", status=204, reason=""),
    "reply-error": Example(
        Reply(3, err=Failure("busy", "too many requests", "after", "none", 1_000)), "reply"
    ),
    "reply-error-unmatched": Example(
        Reply(err=Failure("unknown_op", "no such op", "never", "none")), "reply"
    ),
    "msg": Example(Msg(9, RECORD), "msg"),
    "msg-packed": Example(Msg(9, RECORD), "msg"),
    "msg-group": Example(Msg(9, GROUP_RECORD), "msg"),
    "msg-group-packed": Example(Msg(9, GROUP_RECORD), "msg"),
    "msg-change": Example(Msg(9, CHANGE_RECORD), "msg"),
    "msg-change-packed": Example(Msg(9, CHANGE_RECORD), "msg"),
    "msg-own": Example(Msg(9, RECORD, "bob"), "msg"),
    "msg-own-packed": Example(Msg(9, RECORD, "bob"), "msg"),
    "msg-extra": Example(Msg(9, RICH_RECORD), "msg"),
    "msg-extra-packed": Example(Msg(9, RICH_RECORD), "msg"),
    "msg-extra-group": Example(Msg(9, RICH_GROUP_RECORD), "msg"),
    "msg-extra-group-packed": Example(Msg(9, RICH_GROUP_RECORD), "msg"),
    **{f"msg-{name}": Example(Msg(9, record), "msg") for name, record in ACT_RECORDS.items()},
    "msg-edit-packed": Example(Msg(9, ACT_RECORDS["edit"]), "msg"),
    "msg-delete-packed": Example(Msg(9, ACT_RECORDS["delete"]), "msg"),
    "msg-gone": Example(Msg(9, GONE_RECORD), "msg"),
    "reply-page-extra": _ok("page", **_RICH_PAGE),
    "mark-push": Example(MarkPush("bob", "bob", 8, 7), "mark-push"),
    "mark-push-packed": Example(MarkPush("bob", "bob", 8, 7), "mark-push"),
    "presence": Example(
        Presence([PresenceState("ann", True), PresenceState("bob", False, TS)]), "presence"
    ),
    "signal-push": Example(SignalPush("ann", "recording"), "signal-push"),
    "flag-push": Example(FlagPush("bob", True, False, True), "flag-push"),
    "pong": Example(Pong(), "pong"),
    "bye": Example(Bye("revoked", "never"), "bye"),
    "bye-after": Example(Bye("overload", "after", 5_000), "bye"),
}

# A record stands alone in the store.
RECORD_EXAMPLES = {
    "record": Example(RECORD, "record"),
    "record-packed": Example(RECORD, "record"),
    "record-extra": Example(RICH_RECORD, "record"),
    "record-extra-packed": Example(RICH_RECORD, "record"),
}

# A hand-packed frame has no JSON form of its own, and a record is no message.
JSON_EXAMPLES = {
    name: example
    for name, example in {**CLIENT_EXAMPLES, **SERVER_EXAMPLES}.items()
    if not name.endswith("-packed")
}

EXAMPLES = {**CLIENT_EXAMPLES, **SERVER_EXAMPLES, **RECORD_EXAMPLES}


def vector(name: str) -> bytes:
    """Return the golden bytes called `name`."""
    lines = (FOLDER / f"{name}.hex").read_text(encoding="utf-8").splitlines()
    return bytes.fromhex("".join(line.partition("#")[0] for line in lines))


def json_vector(name: str) -> bytes:
    """Return the golden text called `name`."""
    return (FOLDER / f"{name}.json").read_bytes().rstrip(b"\n")
